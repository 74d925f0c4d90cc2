"""Posts in the files of annotation tools: what people marked, and what a student suggests, with scores."""
