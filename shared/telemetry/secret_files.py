"""Secrets as files: `NAME_FILE` names a file whose text is the value of `NAME`.

What is in the environment is shown by whoever inspects a container; a file is read by its process.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

_SUFFIX = "_FILE"


class SecretFileUnreadable(Exception):
    """A file that should hold a secret cannot be read, or is empty."""


def secret(name: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """The value of a variable, or of the file that `<name>_FILE` names; None where neither is."""
    value = environment.get(name)
    if value:
        return value
    file = environment.get(name + _SUFFIX)
    return _read(name, Path(file)) if file else None


def with_password(url: str, password: str | None) -> str:
    """An address with this password, unless it has one or names nobody."""
    if not password:
        return url
    parts = urlsplit(url)
    if parts.username is None or parts.password is not None:
        return url
    user, at, server = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}{at}{server}").geturl()


def completed(given: Any, **passwords: str) -> Any:
    """What settings are given, each address (by its field's name) with its password in it."""
    if not isinstance(given, dict):
        return given
    told: dict[str, Any] = {**given}
    for address, password in passwords.items():
        if told.get(address) and told.get(password):
            told[address] = with_password(_plain(told[address]), _plain(told[password]))
    return told


class SecretFiles(PydanticBaseSettingsSource):
    """Where settings look for what the environment does not say: in the files that it names."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        alias = field.validation_alias
        if isinstance(alias, AliasChoices):
            name = key = str(alias.choices[0])
        else:
            name, key = f"{self.config.get('env_prefix', '')}{field_name}".upper(), field_name
        file = os.environ.get(name + _SUFFIX)
        return (_read(name, Path(file)) if file else None), key, False

    def __call__(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, field in self.settings_cls.model_fields.items():
            value, key, _ = self.get_field_value(field, name)
            if value is not None:
                found[key] = value
        return found


def _plain(value: SecretStr | str) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _read(name: str, file: Path) -> str:
    try:
        value = file.read_text("utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SecretFileUnreadable(f"{name}{_SUFFIX}: {file}: {error}") from error
    if not value:
        raise SecretFileUnreadable(f"{name}{_SUFFIX}: {file} is empty")
    return value
