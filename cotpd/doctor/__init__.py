"""What would stop a run on this machine, in this project: looked for before it does."""
