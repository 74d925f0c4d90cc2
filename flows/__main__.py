"""`python -m flows`: offer the flow as the deployment cotpd/full and run what is asked of it, until Ctrl-C."""

from flows.full import full

if __name__ == "__main__":
    full.serve(name="full", description="The whole pipeline of dvc.yaml", tags=["cotpd"])
