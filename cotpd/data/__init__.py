"""The ground floor: records and tables, readers of each data set format, BIO tags and their spans."""
