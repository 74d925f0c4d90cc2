"""`cotpd init`: a project of the user's own, made of this repository's files and of a look at the data."""
