"""Where work that fans out is computed: in this process, or in shards on the machines of a Ray cluster."""
