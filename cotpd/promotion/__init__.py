"""The gate before the champion's alias: rules, figures measured now on held-out posts, and the verdict."""
