"""The MLflow registry: packing a student, moving the aliases of its versions, serving one."""
