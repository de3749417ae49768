"""What an operator may say about the memory."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from shared.bus import BusSettings
from shared.db import DatabaseSettings
from shared.telemetry import TelemetrySettings


class Settings(DatabaseSettings, BusSettings, TelemetrySettings):
    """Settings of the indexer, from the environment (`INDEXER_…`)."""

    model_config = SettingsConfigDict(
        env_prefix="INDEXER_",
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        validate_by_name=True,
    )

    sweep_rows: int = Field(
        default=2_000, ge=1, description="Rows of a removed account deleted at a time."
    )
    sweep_seconds: float = Field(
        default=60.0, gt=0, description="How often to look for rows that are to go."
    )
