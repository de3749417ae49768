from pathlib import Path

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.api.settings import Settings as ApiSettings
from shared.telemetry import TelemetrySettings
from shared.telemetry.secret_files import SecretFileUnreadable, secret, with_password


class Settings(TelemetrySettings):
    model_config = SettingsConfigDict(env_prefix="TRIAL_")

    password: SecretStr = Field(default=SecretStr(""))


def told(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_a_setting_may_be_in_a_file_and_what_is_in_the_environment_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "password").write_text(" with spaces \n")
    told(monkeypatch, TRIAL_PROBE_PORT="0", TRIAL_PASSWORD_FILE=str(tmp_path / "password"))
    assert Settings().password.get_secret_value() == " with spaces "
    told(monkeypatch, TRIAL_PASSWORD="plain")
    assert Settings().password.get_secret_value() == "plain"
    assert Settings(password=SecretStr("given")).password.get_secret_value() == "given"


def test_a_setting_without_a_prefix_may_be_in_a_file_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "level").write_text("ERROR")
    told(monkeypatch, TRIAL_PROBE_PORT="0", LOG_LEVEL_FILE=str(tmp_path / "level"))
    assert Settings().log_level == "ERROR"


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_file_that_holds_no_secret_is_no_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_text(content)
    told(monkeypatch, TRIAL_PROBE_PORT="0", TRIAL_PASSWORD_FILE=str(file))
    with pytest.raises(SecretFileUnreadable, match="TRIAL_PASSWORD_FILE"):
        Settings()
    with pytest.raises(SecretFileUnreadable):
        secret("TRIAL_PASSWORD")


@pytest.mark.parametrize(
    ("url", "password", "expected"),
    [
        ("postgresql://api@db:5432/p?sslmode=verify-full", "a/b@c:%", None),
        ("nats://api@bus:4222", "x", "nats://api:x@bus:4222"),
        ("nats://api:own@bus:4222", "x", "nats://api:own@bus:4222"),
        ("nats://bus:4222", "x", "nats://bus:4222"),
        ("nats://api@bus:4222", "", "nats://api@bus:4222"),
    ],
)
def test_a_password_goes_into_an_address_that_names_somebody_and_has_none(
    url: str, password: str, expected: str | None
) -> None:
    assert with_password(url, password) == (
        expected or "postgresql://api:a%2Fb%40c%3A%25@db:5432/p?sslmode=verify-full"
    )


def test_a_service_comes_to_database_and_bus_with_passwords_from_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for use in ("DATABASE", "REQUEST_DATABASE", "BUS"):
        (tmp_path / use).write_text(f"of-{use}\n")
        told(
            monkeypatch,
            **{
                f"API_{use}_PASSWORD_FILE": str(tmp_path / use),
                f"API_{use}_URL": f"scheme://api@server/{use}",
            },
        )
    told(
        monkeypatch, API_JWT_KEYS_FILE="/k/jwt", API_SEAL_KEYS_DIR="/k/seal", API_OWN_KEYS_DIR="/k"
    )
    settings = ApiSettings()  # pyright: ignore[reportCallIssue]
    assert settings.database_url.get_secret_value() == "scheme://api:of-DATABASE@server/DATABASE"
    assert (
        settings.request_database_url.get_secret_value()
        == "scheme://api:of-REQUEST_DATABASE@server/REQUEST_DATABASE"
    )
    assert settings.bus_url.get_secret_value() == "scheme://api:of-BUS@server/BUS"
    assert str(settings.jwt_keys_file) == "/k/jwt", "the name of a file, and no secret in one"
