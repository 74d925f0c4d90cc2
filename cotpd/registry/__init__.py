"""The MLflow registry: packing a student, finding it again, and moving its aliases."""
