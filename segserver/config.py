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

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from segserver.errors import InvalidInput, Violation
from segserver.model import NAME, Role


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
    events_max: int = Field(10_000, ge=1)
    """Events of one call, or of one request of a stream."""
    list_ids_max: int = Field(10_000_000, ge=1)
    """Ids of an uploaded list."""
    event_id_bytes_max: int = Field(256, ge=1)
    """The id of an event."""
    list_items_max: int = Field(1_000, ge=1)
    """Items of one list value."""
    profile_bytes_max: int = Field(262_144, ge=1)
    """One profile, encoded."""
    catalog_bytes_max: int = Field(4 * 1024 * 1024, ge=1024)
    """All documents of a catalog."""
    rule_characters_max: int = Field(65_536, ge=1)
    """The text of one rule that is asked about or published by a caller."""
    rule_depth_max: int = Field(64, ge=1)
    """How deep the parts of such a rule may be nested."""
    regex_characters_max: int = Field(2_048, ge=1)
    """A regular expression in such a rule."""
    concurrent_calls_max: int = Field(1_024, ge=1)
    """Calls in progress in one worker; one more gets RESOURCE_EXHAUSTED at once."""
    caller_concurrent_calls_max: int = Field(512, ge=1)
    """Calls of one caller in progress in one worker."""
    large_calls_max: int = Field(2, ge=1)
    """Calls with more than 4 KiB that one worker works on at once; more of them wait for their turn."""
    bulk_evaluations_max: int = Field(1, ge=1)
    """Evaluations of everybody who is stored in progress in one worker; each takes a large part of a
    processor.
    """
    in_progress_bytes_max: int = Field(64 * 1024 * 1024, ge=1024)
    """All requests in progress in one worker, together."""
    metadata_bytes_max: int = Field(16_384, ge=1024)
    """The headers of one call, a token among them."""
    connection_calls_max: int = Field(1_024, ge=1)
    """Calls in progress on one connection; the client keeps further ones back."""
    ping_interval_s_min: float = Field(30.0, ge=0)
    """How often a client may ping while no call is in progress; one that overdoes it loses its connection
    (GOAWAY).
    """
    ping_strikes_max: int = Field(2, ge=1)
    """How many pings may come too early."""
    handshake_s_max: float = Field(10.0, gt=0)
    """How long a connection may take until it is ready for calls, TLS included."""
    connection_idle_s_max: float = Field(3_600.0, gt=0)
    """A connection without calls for so long is closed."""


class RateSettings(_Section):
    """How often a caller may call. Each worker counts by itself."""

    calls_per_s: float = Field(10_000.0, gt=0)
    """Calls a second of one caller on average (token bucket); more get RESOURCE_EXHAUSTED with the time to
    wait.
    """
    burst_s: float = Field(2.0, gt=0)
    """So many seconds' calls may come at once after a pause."""
    callers: dict[str, Annotated[float, Field(gt=0)]] = {}
    """Other rates for some callers, by name, in calls a second."""
    denial_interval_s: float = Field(60.0, gt=0)
    """A refused call leaves an audit entry; its repetitions within this time leave one more, with their
    number.
    """


class TlsSettings(_Section):
    """Encryption. The files are PEM, and are read again when they change."""

    cert_file: Path | None = None
    """The server's certificate, followed by those between it and a known authority; without it, no TLS."""
    key_file: Path | None = None
    """The certificate's private key, without a passphrase."""
    client_ca_file: Path | None = None
    """Authorities whose client certificates are accepted; where it is set, every client needs one (mTLS)."""

    @model_validator(mode="after")
    def _whole(self) -> TlsSettings:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together")
        if self.client_ca_file is not None and self.cert_file is None:
            raise ValueError("client_ca_file needs cert_file and key_file")
        return self


def _https(url: str) -> str:
    if url and not url.startswith("https://"):
        raise ValueError("expected an address that begins with https://")
    return url


def _purpose(name: str) -> str:
    if name != "*" and not NAME.fullmatch(name):
        raise ValueError("expected the name of a purpose, or *")
    return name


SIGNATURES = frozenset(
    {
        *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
        *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
    }
)
"""The algorithms of tokens that can be allowed: those with a public key."""


class JwtSettings(_Section):
    """Tokens (RFC 7519, RFC 8725) of an OpenID Connect provider, or of anybody whose keys are known."""

    issuer: str = ""
    """Who issues tokens (``iss``); without it, no token is accepted."""
    audience: str = "segserver"
    """What a token must name as its audience (``aud``)."""
    jwks_url: Annotated[str, AfterValidator(_https)] = ""
    """Where the issuer's keys are; without it, where its discovery document says."""
    keys_file: Path | None = None
    """The issuer's public keys as a JWK set (RFC 7517); with it, nothing is fetched."""
    ca_file: Path | None = None
    """Authorities to trust when the keys are fetched; without it, the system's."""
    algorithms: tuple[str, ...] = ("RS256", "PS256", "ES256", "Ed25519", "EdDSA")
    """The signatures that are accepted."""
    leeway_s: int = Field(30, ge=0, le=300)
    """By how much clocks may differ."""
    refresh_s: float = Field(300.0, gt=0)
    """How often the keys are fetched again."""
    stale_s_max: float = Field(3_600.0, gt=0)
    """How long keys are used when they can't be fetched again; after that, tokens get UNAVAILABLE."""
    fetch_s_max: float = Field(5.0, gt=0)
    """How long a fetch may take."""
    name_claim: str = Field("sub", min_length=1)
    """The claim that names the caller, who is then called ``jwt:`` and its value."""
    roles_claim: str = Field("roles", min_length=1)
    """The claim with the roles: a list, or words in one text; ``a.b`` is ``b`` within ``a``."""
    roles: dict[str, Role] = {}
    """What a value of that claim is here: ``segments-read = "evaluator"``. A value that is not here gives
    nothing.
    """
    purposes_claim: str = Field("purposes", min_length=1)
    """The claim with the purposes, likewise."""
    purposes: dict[str, Annotated[str, AfterValidator(_purpose)]] = {}
    """What a value of that claim is here: a purpose, or ``*`` for all."""

    @model_validator(mode="after")
    def _sound(self) -> JwtSettings:
        if unknown := sorted(set(self.algorithms) - SIGNATURES):
            known = ", ".join(sorted(SIGNATURES))
            raise ValueError(f"algorithms: {', '.join(unknown)} can't be allowed; choose among {known}")
        if self.issuer and not self.algorithms:
            raise ValueError("algorithms: allow at least one")
        if self.issuer and not (self.keys_file or self.jwks_url or self.issuer.startswith("https://")):
            raise ValueError("the issuer is no https address: say jwks_url or keys_file")
        return self


_LISTEN = re.compile(r"(\[[0-9a-fA-F:.]+(?:%\w+)?\]|[^\s\[\]:/]+):([0-9]{1,5})")


def _address(listen: str) -> str:
    """``host:port``; gRPC itself takes a port beyond 65,535 for another one."""
    found = _LISTEN.fullmatch(listen)
    if found is None or int(found[2]) > 65_535:
        raise ValueError(
            "expected HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:50051 or [::1]:50051"
        )
    return listen


def is_loopback(listen: str) -> bool:
    """Whether only this machine can reach ``HOST:PORT``."""
    host = listen.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _optional_address(listen: str) -> str:
    return _address(listen) if listen else ""


class ObserveSettings(_Section):
    """What the server tells of itself; see docs/operating.md."""

    metrics_listen: Annotated[str, AfterValidator(_optional_address)] = ""
    """`HOST:PORT` of an HTTP endpoint with metrics for Prometheus, of all workers; without it, none."""
    otlp_endpoint: str = Field("", pattern=r"^(https?://\S+)?$")
    """The OpenTelemetry collector (OTLP over gRPC) that gets metrics and traces, such as
    http://127.0.0.1:4317; without it, none. Needs `segserver[otel]`."""
    trace_ratio: float = Field(0.0, ge=0, le=1)
    """The share of calls that are traced, beside those whose caller traces."""
    log_calls: bool = False
    """A line in the log for every call: request id, caller, method, status, duration."""


class EventSettings(_Section):
    """When an event may have happened, for its time to be believed."""

    ahead_s_max: float = Field(300.0, ge=0)
    """How far the clock of what records events may be ahead of the server's. An event counts from its own
    time on.
    """
    age_days_max: int = Field(10_957, ge=1)
    """How long ago an event may be: thirty years. A device with a dead battery says 1970."""


class MembershipSettings(_Section):
    """How memberships are kept, for the purposes whose definition says so."""

    refresh_interval_s: float = Field(5.0, gt=0)
    """How often to look for subjects whose memberships can have changed."""
    history_days: int = Field(400, ge=1)
    """How long it is kept who entered and left, for watchers to go on from."""


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


class IsolationSettings(_Section):
    """What a plugin host process may use, and how long it may take."""

    call_s_max: float = Field(0.25, gt=0)
    """One call: up to 64 inputs. A process that takes longer is ended."""
    start_s_max: float = Field(20.0, gt=0)
    """To start and to load plugins and their reference data."""
    memory_bytes_max: int = Field(1024 * 1024 * 1024, ge=256 * 1024 * 1024)
    """Its address space."""
    cpu_s_max: int = Field(3_600, ge=10)
    """Processor time; after that it is ended, and started again."""
    failures_max: int = Field(3, ge=1)
    """So many failures within a minute, and it is left alone for a while."""
    pause_s_max: float = Field(60.0, gt=0)
    """How long at most until it is tried again; the first time it is a second."""


def _store(url: SecretStr) -> SecretStr:
    """A PostgreSQL URL, or nothing. What is wrong with it is not quoted: it can hold a password."""
    if url.get_secret_value() and not url.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise ValueError("expected postgresql://USER@HOST:PORT/DATABASE, or nothing for SQLite in data_dir")
    return url


class Config(_Section):
    """A server's settings.

    ``data_dir`` holds the database, the keyring and, for development, the caller's key. ``listen`` is
    ``host:port``; port 0 takes a free one. ``catalog_dir``, where given, is published at the start when it
    differs from what serves."""

    data_dir: Path = Path(".data")
    store: Annotated[SecretStr, AfterValidator(_store)] = SecretStr("")
    """``postgresql://USER@HOST:PORT/DATABASE``; empty keeps a SQLite file in ``data_dir``. A password is
    better kept in the file that ``PGPASSFILE`` names.
    """
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
    trusted_plugins: tuple[str, ...] = ()
    """Distributions whose code runs in the server's process, beside those released with the server; `*` for
    all. Code of any other runs in a plugin host process.
    """
    plugins_dir: Path | None = None
    """A folder with plugins that are not installed beside the server (`pip install --target`). Their code
    always runs in a plugin host process.
    """
    reflection: bool = False
    """Serve the gRPC reflection service."""
    phone_region: str = Field("", pattern=r"^([A-Z]{2})?$")
    """The region of phone numbers given without a country code (ISO 3166-1 alpha-2); empty refuses them."""
    key_provider: str = "file"
    """Who keeps the keyring: the file in ``data_dir``, or what a plugin brings under this name."""
    isolation: IsolationSettings = IsolationSettings()
    controller: ControllerSettings = ControllerSettings()
    upkeep: UpkeepSettings = UpkeepSettings()
    workers: int = Field(1, ge=1, le=64)
    """Processes that serve on one port; more than one are supervised, and started again when they end."""
    observe: ObserveSettings = ObserveSettings()
    events: EventSettings = EventSettings()
    memberships: MembershipSettings = MembershipSettings()
    limits: Limits = Limits()
    rates: RateSettings = RateSettings()
    tls: TlsSettings = TlsSettings()
    jwt: JwtSettings = JwtSettings()

    @property
    def database_path(self) -> Path:
        """The SQLite file."""
        return self.data_dir / "segserver.db"

    @property
    def evidence_path(self) -> Path:
        """The folder of what lies beside the log for each page of a bulk evaluation."""
        return self.data_dir / "evidence"

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
        return is_loopback(self.listen)


def load(path: Path | None = None, **overrides: Any) -> Config:
    """Settings from a TOML file, with ``overrides`` (those that are not ``None``) on top; one that is a
    mapping overrides the settings of a section that it names.

    Raises :class:`InvalidInput` that names every wrong setting."""
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InvalidInput(f"{path}: {error.strerror}", reason="CONFIG_INVALID") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{path}: {error}", reason="CONFIG_INVALID") from error
    for name, value in overrides.items():
        below = values.get(name)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            values[name] = {**below, **value}
        elif value is not None:
            values[name] = value
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
    if kind == "enum":
        return f"expected {context['expected']}"
    if kind == "string_pattern_mismatch":
        return "expected two capital letters, such as DE"
    expected = _EXPECTED.get(kind.partition("_")[0])
    return f"expected {expected}" if expected else str(item["msg"])
