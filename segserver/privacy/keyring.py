"""The keys of an installation: one root for pseudonyms, an audit seed, versioned key-encryption keys.

The file form is JSON that only its owner can read. It is created by an explicit ``init``, never by a start: a
server that made itself new keys beside an old database would show an empty one.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from segserver.errors import Conflict, FailedPrecondition, Unavailable
from segserver.privacy.primitives import KEY_BYTES, KeyWrapper, check_value, random_key
from segserver.storage.files import sync

FORMAT = 1
OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True, repr=False)
class Keyring:
    """The keys themselves, in memory. ``repr`` shows versions only."""

    tenant: str
    pseudonym_root: bytes
    audit_seed: bytes
    """The Ed25519 private seed (32 bytes, RFC 8032) that signs the audit log's checkpoints."""
    key_encryption_keys: Mapping[int, bytes]
    current: int
    """The version under which new data keys are wrapped."""
    created_us: Mapping[int, int] = field(default_factory=dict, compare=False)
    """When each version was made, in microseconds since the epoch, where that is known."""
    _wrappers: dict[int, KeyWrapper] = field(default_factory=dict, init=False, compare=False)

    def __post_init__(self) -> None:
        keys = (self.pseudonym_root, self.audit_seed, *self.key_encryption_keys.values())
        if any(len(key) != KEY_BYTES for key in keys) or self.current not in self.key_encryption_keys:
            raise FailedPrecondition(
                "the keyring is damaged: a key is missing or short", reason="KEYRING_DAMAGED"
            )

    def __repr__(self) -> str:
        versions = sorted(self.key_encryption_keys)
        return f"Keyring(tenant={self.tenant!r}, versions={versions}, current={self.current})"

    def wrapper(self, version: int) -> KeyWrapper:
        """What wraps under this version. Raises :class:`FailedPrecondition` when the keyring does not hold
        it.
        """
        found = self._wrappers.get(version)
        if found is None:
            key = self.key_encryption_keys.get(version)
            if key is None:
                raise FailedPrecondition(
                    f"the keyring does not hold version {version} of the key-encryption key",
                    reason="KEY_VERSION_MISSING",
                    metadata={"version": str(version)},
                )
            found = self._wrappers[version] = KeyWrapper(key)
        return found

    def check_values(self) -> dict[str, bytes]:
        """Name of each key → the value by which a database recognizes it."""
        named = {"pseudonym-root": self.pseudonym_root, "audit-seed": self.audit_seed}
        named |= {f"key-encryption-key-{version}": key for version, key in self.key_encryption_keys.items()}
        return {name: check_value(key, f"{self.tenant}/{name}") for name, key in named.items()}

    def rotated(self) -> Keyring:
        """The same keyring with one version more, which is the current one."""
        version = max(self.key_encryption_keys) + 1
        return replace(
            self,
            key_encryption_keys={**self.key_encryption_keys, version: random_key()},
            current=version,
            created_us={**self.created_us, version: _now_us()},
        )

    def without(self, version: int) -> Keyring:
        """The same keyring without one version. Raises :class:`FailedPrecondition` for the current one, or an
        unknown one.
        """
        if version == self.current:
            raise FailedPrecondition(
                f"version {version} is the current key-encryption key: rotate first",
                reason="KEY_VERSION_CURRENT",
            )
        self.wrapper(version)
        left = {number: key for number, key in self.key_encryption_keys.items() if number != version}
        return replace(self, key_encryption_keys=left)


def new_keyring(tenant: str = "default") -> Keyring:
    """Fresh random keys."""
    return Keyring(tenant, random_key(), random_key(), {1: random_key()}, 1, {1: _now_us()})


def _now_us() -> int:
    return time.time_ns() // 1_000


def check_keyring(keyring: Keyring, recorded: Mapping[str, bytes]) -> None:
    """Raises :class:`FailedPrecondition` when ``recorded``, what the database knows of its keys, does not fit
    the keyring.
    """
    values = keyring.check_values()
    for name, value in sorted(recorded.items()):
        if name not in values:
            raise FailedPrecondition(
                f"the keyring lacks {name}, which the database was written with: restore it from its backup",
                reason="KEY_VERSION_MISSING",
                metadata={"key": name},
            )
        if values[name] != value:
            raise FailedPrecondition(
                f"this keyring is not the one of this database ({name} differs): point to the right keyring",
                reason="KEYRING_WRONG",
                metadata={"key": name},
            )


def create_file(path: Path, keyring: Keyring) -> None:
    """Writes a new keyring file, 0600, whole or not at all.

    Raises :class:`Conflict` when there is one, :class:`Unavailable` when it can't be written."""
    fresh = _written_beside(path, keyring)
    try:
        os.link(fresh, path)  # unlike a renaming, it never takes the place of another
        sync(path.parent)
    except FileExistsError:
        raise Conflict(
            "there is a keyring file already; it is never overwritten: data sealed under it would be lost",
            reason="KEYRING_EXISTS",
        ) from None
    except OSError as error:
        raise _unavailable("written", error) from error
    finally:
        fresh.unlink(missing_ok=True)


def replace_file(path: Path, keyring: Keyring) -> None:
    """Writes the keyring over the file, atomically: a crash leaves the old one or the new one, whole."""
    try:
        _written_beside(path, keyring).replace(path)
        sync(path.parent)
    except OSError as error:
        raise _unavailable("written", error) from error


def load_file(path: Path) -> Keyring:
    """The keyring of a file.

    Raises :class:`FailedPrecondition` when there is none (``KEYRING_MISSING``), when group or others can
    reach it (``KEYRING_EXPOSED``), or when it is not a keyring (``KEYRING_DAMAGED``).
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & OTHERS:
                raise FailedPrecondition(
                    "the keyring file can be reached by group or others: run chmod 600 on it, and if it was "
                    "exposed, rotate the keys",
                    reason="KEYRING_EXPOSED",
                )
            content = file.read()
    except FileNotFoundError:
        raise FailedPrecondition(
            "there is no keyring file: create it once with 'segserver keys init', or restore its backup",
            reason="KEYRING_MISSING",
        ) from None
    except OSError as error:
        raise _unavailable("read", error) from error
    try:
        return _decode(content)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        raise FailedPrecondition("the keyring file is damaged", reason="KEYRING_DAMAGED") from None


def _written_beside(path: Path, keyring: Keyring) -> Path:
    """A file with the keyring, on the disk, beside ``path`` and under another name."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(_encode(keyring))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _unavailable("written", error) from error
    return fresh


def _unavailable(verb: str, error: OSError) -> Unavailable:
    return Unavailable(f"the keyring file can't be {verb}: {error.strerror}", reason="KEYRING_UNAVAILABLE")


def _encode(keyring: Keyring) -> bytes:
    content = {
        "format": FORMAT,
        "tenant": keyring.tenant,
        "pseudonym_root": _text(keyring.pseudonym_root),
        "audit_seed": _text(keyring.audit_seed),
        "key_encryption_keys": {str(v): _text(k) for v, k in sorted(keyring.key_encryption_keys.items())},
        "current": keyring.current,
        "created_us": {
            str(v): us for v, us in sorted(keyring.created_us.items()) if v in keyring.key_encryption_keys
        },
    }
    return json.dumps(content, indent=2).encode() + b"\n"


def _decode(content: bytes) -> Keyring:
    found = json.loads(content)
    if found["format"] != FORMAT:
        raise ValueError(found["format"])
    return Keyring(
        tenant=str(found["tenant"]),
        pseudonym_root=_key(found["pseudonym_root"]),
        audit_seed=_key(found["audit_seed"]),
        key_encryption_keys={int(v): _key(k) for v, k in found["key_encryption_keys"].items()},
        current=int(found["current"]),
        created_us={int(v): int(us) for v, us in found.get("created_us", {}).items()},
    )


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def _key(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
