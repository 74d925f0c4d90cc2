"""A team's shared state on this machine: the services of docker-compose.yaml, started by hand."""
