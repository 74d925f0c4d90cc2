"""The section `register` of params.yaml: where models and runs are kept."""

from cotpd.section import Section


class RegisterParams(Section):
    """Where models and runs are kept."""

    tracking_uri: str = "sqlite:///mlflow.db"
    """MLflow's store."""
    experiment: str = "cotpd"
    """MLflow's experiment."""
    name: str | None = None
    """Registered name; null gives cotpd-ner or cotpd-re."""
    alias: str = "challenger"
    """The alias that the new version gets."""
