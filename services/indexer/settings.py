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
    arriving_rows: int = Field(
        default=4_000,
        ge=1,
        le=5_000,
        description="Messages of a first sync that may wait to be put into the search index while"
        " more of them come. A search looks at 5,000 of an account.",
    )
    arriving_rows_at_once: int = Field(
        default=2_000, ge=1, description="How many of them are put into the index at a time."
    )
    arriving_pause_seconds: float = Field(
        default=1.0,
        ge=0,
        description="When none came for so long, all that wait are put into the index.",
    )
    give_way_seconds: float = Field(
        default=60.0,
        ge=0,
        description="How long words wait at most for first copies to be over while no processor is"
        " free. Of copies that take longer each batch of words waits four times as long as the last"
        " one took. 0: not at all.",
    )
    reread_rows: int = Field(
        default=500,
        ge=1,
        description="Messages whose words are made anew at a time, after a change of the rules or"
        " `./just reindex`.",
    )
    reread_seconds: float = Field(
        default=5.0, gt=0, description="How often to look whether words are to be made anew."
    )
    readers: int = Field(
        default=1,
        ge=0,
        le=1,
        description="Processes in which messages of a first sync are read; 0: in a thread.",
    )
