"""The section `register` of params.yaml: where models and runs are kept."""

from pydantic import field_validator

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
    """The alias that the new version gets; not champion or previous, which a promotion moves."""

    encoder_licence: str | None = None
    """Licence of the encoder, for the model card; null takes that of a catalogued encoder."""
    intended_use: str | None = None
    """What the student is for, for the model card; null says it in general words."""

    @field_validator("alias")
    @classmethod
    def _leave_the_champion(cls, alias: str) -> str:
        if alias in ("champion", "previous"):
            raise ValueError(f"{alias} moves by cotpd registry promote or rollback alone; write challenger here")
        return alias
