"""The gate before the champion's alias: rules, evidence measured now on held-out posts, and a verdict on record."""
