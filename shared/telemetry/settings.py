"""What an operator may say about logs and probes."""

from typing import Annotated, Literal, TypeAlias

from pydantic import AliasChoices, BeforeValidator, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from shared.telemetry.secret_files import SecretFiles

LogLevel: TypeAlias = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
LogFormat: TypeAlias = Literal["json", "console"]


def _upper(given: object) -> object:
    return given.upper() if isinstance(given, str) else given


class LogSettings(BaseSettings):
    """A part of every service's settings: one LOG_LEVEL and LOG_FORMAT for all of them."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, validate_by_name=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given in code, then the environment, then the files that it names (`_FILE`)."""
        return init_settings, env_settings, SecretFiles(settings_cls)

    log_level: Annotated[LogLevel, BeforeValidator(_upper)] = Field(
        default="INFO",
        # One for all services, so without their prefix; settable by name in tests.
        validation_alias=AliasChoices("LOG_LEVEL"),
        description="DEBUG, INFO, WARNING, ERROR or CRITICAL.",
    )
    log_format: LogFormat = Field(
        default="json",
        validation_alias=AliasChoices("LOG_FORMAT"),
        description="json, or console for reading by eye.",
    )


class TelemetrySettings(LogSettings):
    """The part of a service that serves its probes on a port of their own; inherit from it."""

    probe_host: str = Field(
        default="127.0.0.1", description="Where /health, /ready and /metrics are served."
    )
    probe_port: int = Field(ge=0, le=65535, description="Their port; 0 takes any that is free.")
