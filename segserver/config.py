"""Settings of a server: defaults, then a TOML file, then the command line. Every limit is here, with its unit
in its name.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from segserver.errors import InvalidInput, Violation


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(_Section):
    """What a request may bring. A request beyond a limit gets an error that names the limit and its value."""

    message_bytes_max: int = Field(4 * 1024 * 1024, ge=1024)
    """One gRPC message."""
    batch_subjects_max: int = Field(1_000, ge=1)
    """Subjects of one batch call."""
    request_segments_max: int = Field(1_000, ge=1)
    """Segments that a request names."""
    request_attributes_max: int = Field(256, ge=1)
    """Attributes that a request brings for one subject."""
    subject_id_bytes_max: int = Field(512, ge=1)
    """A raw subject id."""
    string_bytes_max: int = Field(65_536, ge=1)
    """One string value, in UTF-8."""
    list_items_max: int = Field(1_000, ge=1)
    """Items of one list value."""
    profile_bytes_max: int = Field(262_144, ge=1)
    """One profile, encoded."""
    catalog_bytes_max: int = Field(4 * 1024 * 1024, ge=1024)
    """All documents of a catalog."""
    concurrent_calls_max: int = Field(1_024, ge=1)
    """Calls in progress in one worker; one more gets RESOURCE_EXHAUSTED at once."""


class ControllerSettings(_Section):
    """Who is responsible (GDPR art. 4(7)), as receipts and records of processing name them."""

    name: str = ""
    contact: str = ""
    officer_contact: str = ""
    """The data protection officer's."""


class UpkeepSettings(_Section):
    """What the server does beside answering."""

    sweep_interval_s: float = Field(3_600.0, gt=0)
    """How often expired values are removed. They are unusable from the moment they expire; this is about
    disk.
    """
    rewrap_interval_s: float = Field(30.0, gt=0)
    """How often to look whether the key-encryption key was rotated, and data keys are to be wrapped again."""


_LISTEN = re.compile(r"(\[[0-9a-fA-F:.]+(?:%\w+)?\]|[^\s\[\]:/]+):([0-9]{1,5})")


def _address(listen: str) -> str:
    """``host:port``; gRPC itself takes a port beyond 65,535 for another one."""
    found = _LISTEN.fullmatch(listen)
    if found is None or int(found[2]) > 65_535:
        raise ValueError(
            "expected HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:50051 or [::1]:50051"
        )
    return listen


class Config(_Section):
    """A server's settings.

    ``data_dir`` holds the database, the keyring and, for development, the caller's key. ``listen`` is
    ``host:port``; port 0 takes a free one. ``catalog_dir``, where given, is published at the start when it
    differs from what serves."""

    data_dir: Path = Path(".data")
    listen: Annotated[str, AfterValidator(_address)] = "127.0.0.1:50051"
    catalog_dir: Path | None = None
    dev: bool = False
    """Make a keyring and a caller with all roles where there are none: for trials on one machine."""
    insecure: bool = False
    """Listen without encryption where other machines can reach the server: only behind a proxy that
    encrypts.
    """
    strict: bool = False
    """A quarantined plugin stops the start."""
    reflection: bool = False
    """Serve the gRPC reflection service."""
    phone_region: str = Field("", pattern=r"^([A-Z]{2})?$")
    """The region of phone numbers given without a country code (ISO 3166-1 alpha-2); empty refuses them."""
    key_provider: str = "file"
    """Who keeps the keyring: the file in ``data_dir``, or what a plugin brings under this name."""
    controller: ControllerSettings = ControllerSettings()
    upkeep: UpkeepSettings = UpkeepSettings()
    limits: Limits = Limits()

    @property
    def database_path(self) -> Path:
        """The SQLite file."""
        return self.data_dir / "segserver.db"

    @property
    def keyring_path(self) -> Path:
        """The file keyring."""
        return self.data_dir / "keyring.json"

    @property
    def dev_key_path(self) -> Path:
        """The API key of the development caller."""
        return self.data_dir / "dev.key"

    @property
    def start_lock_path(self) -> Path:
        """What a process holds while it makes keys or tables."""
        return self.data_dir / "start.lock"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        host = self.listen.rpartition(":")[0].strip("[]")
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


def load(path: Path | None = None, **overrides: Any) -> Config:
    """Settings from a TOML file, with ``overrides`` (those that are not ``None``) on top.

    Raises :class:`InvalidInput` that names every wrong setting.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InvalidInput(f"{path}: {error.strerror}", reason="CONFIG_INVALID") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{path}: {error}", reason="CONFIG_INVALID") from error
    values.update({name: value for name, value in overrides.items() if value is not None})
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        violations = [
            Violation(".".join(map(str, item["loc"])), _description(dict(item)))
            for item in error.errors(include_url=False, include_input=False)
        ]
        text = "; ".join(f"{v.field}: {v.description}" for v in violations)
        raise InvalidInput(
            f"the settings are wrong: {text}", reason="CONFIG_INVALID", violations=violations
        ) from error


_EXPECTED = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "string": "text",
    "path": "the path of a folder",
    "model": "a table of settings",
}


def _description(item: Mapping[str, Any]) -> str:
    """What is wrong with a setting, and what it should be."""
    kind, context = item["type"], item.get("ctx", {})
    if kind == "extra_forbidden":
        section: type[BaseModel] = Config
        for name in item["loc"][:-1]:
            section = type(section.model_fields[str(name)].default)
        near = difflib.get_close_matches(str(item["loc"][-1]), section.model_fields, n=1)
        return "there is no such setting" + (f"; did you mean {near[0]}?" if near else "")
    if kind == "value_error":
        return str(context["error"])
    if kind == "greater_than_equal":
        return f"expected at least {context['ge']}"
    if kind == "greater_than":
        return f"expected more than {context['gt']}"
    if kind == "string_pattern_mismatch":
        return "expected two capital letters, such as DE"
    expected = _EXPECTED.get(kind.partition("_")[0])
    return f"expected {expected}" if expected else str(item["msg"])
