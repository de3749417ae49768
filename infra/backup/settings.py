"""What the backups of a platform are told."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from shared.telemetry.secret_files import completed
from shared.telemetry.settings import TelemetrySettings


def _words(given: object) -> object:
    return tuple(given.split()) if isinstance(given, str) else given


class Settings(TelemetrySettings):
    """Where backups lie, what is in them, and how long they are kept."""

    model_config = SettingsConfigDict(env_prefix="BACKUP_")

    dir: Path = Field(description="Where backups lie: another disk, or another machine's.")
    database_url: SecretStr = Field(
        description="PostgreSQL address, as a role that may replicate and nothing else."
    )
    database_password: SecretStr | None = Field(
        default=None, description="Its password, where the address holds none."
    )
    recovery_key_file: Path = Field(
        description="The public half of the recovery key (`./just recovery-key` makes one)."
    )
    keys_dir: Path | None = Field(
        default=None, description="Keys and passwords of the platform, for every set."
    )
    config_dir: Path | None = Field(
        default=None, description="Configuration of the operator's own, for every set."
    )
    config_names: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = Field(
        default=(), description="What of it, with spaces between; all of it if nothing is named."
    )
    mail_dir: Path | None = Field(
        default=None, description="Where a mail server of the stack's own keeps mail (Maildir)."
    )
    spool_dir: Path | None = Field(
        default=None, description="Where WAL comes in, before it is sealed; below `dir` else."
    )
    every_seconds: float = Field(default=86400.0, gt=0, description="A set this often.")
    again_seconds: float = Field(
        default=600.0, gt=0, description="After an attempt that failed, the next one."
    )
    wal_seconds: float = Field(
        default=60.0,
        gt=0,
        description="How often WAL is moved to the backups: at most this is lost.",
    )
    keep_daily: int = Field(default=7, ge=1, description="Days of which the newest set is kept.")
    keep_days: int = Field(
        default=30, ge=0, description="Days for which the newest set of each week is kept."
    )

    @model_validator(mode="before")
    @classmethod
    def _come_with_password(cls, given: Any) -> Any:
        return completed(given, database_url="database_password")

    def public_keys(self) -> list[str]:
        """The recovery keys' public halves; lines that begin with # are comments."""
        lines = self.recovery_key_file.read_text("utf-8").split("\n")
        return [line.strip() for line in lines if line.strip().startswith("age1")]
