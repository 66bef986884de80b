"""What is known of one subject, opened: profile and state. Values only; :mod:`segserver.privacy.vault` seals
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import TypeAlias

import msgspec

RuleValue: TypeAlias = bool | int | float | str | tuple[str, ...]
"""An attribute's value as rules read it: a timestamp is an int, in microseconds since the epoch, UTC."""

SUBJECT_KEY_BYTES = 33
"""One byte for the version of the pseudonym keys, then an HMAC-SHA-256."""

MARKETING = "*marketing"
"""Stands among objections for every direct-marketing purpose, also one that a later catalog defines (GDPR
art. 21(2)).
"""

GPC = "gpc"
LIMIT_SENSITIVE = "limit_sensitive"
SIGNALS = frozenset({GPC, LIMIT_SENSITIVE})
"""Privacy signals: Global Privacy Control, and California's limit on the use of sensitive data (CCPA
§1798.121).
"""


class Profile(msgspec.Struct, frozen=True, array_like=True):
    """Attribute values in rule form, with the time each was recorded and, where given, when it expires.

    All times are microseconds since the epoch, UTC.
    """

    values: dict[str, RuleValue] = {}
    recorded_us: int = 0
    """When the values not named in ``recorded`` were recorded."""
    recorded: dict[str, int] = {}
    expires: dict[str, int] = {}
    timestamps: tuple[str, ...] = ()
    """The attributes whose int is a moment: what an export needs when a later catalog has forgotten them."""

    def recorded_at(self, name: str) -> int:
        """When the value of this attribute was recorded."""
        return self.recorded.get(name, self.recorded_us)

    def merged(
        self,
        changes: Mapping[str, RuleValue | None],
        now_us: int,
        *,
        timestamps: frozenset[str] = frozenset(),
        expires: Mapping[str, int] | None = None,
    ) -> Profile:
        """This profile with ``changes``; ``None`` removes an attribute. ``timestamps`` names those that hold
        a moment.
        """
        kept = {name: value for name, value in self.values.items() if name not in changes}
        set_now = {name: value for name, value in changes.items() if value is not None}
        given = expires or {}
        return Profile(
            values=kept | set_now,
            recorded_us=now_us,
            recorded={name: self.recorded_at(name) for name in kept if self.recorded_at(name) != now_us},
            expires={name: at for name, at in self.expires.items() if name in kept}
            | {name: given[name] for name in set_now if name in given},
            timestamps=tuple(
                sorted({n for n in self.timestamps if n in kept} | {n for n in set_now if n in timestamps})
            ),
        )

    def without(self, names: frozenset[str]) -> Profile:
        """This profile without some attributes; the others keep their times."""
        return Profile(
            values={name: value for name, value in self.values.items() if name not in names},
            recorded_us=self.recorded_us,
            recorded={name: at for name, at in self.recorded.items() if name not in names},
            expires={name: at for name, at in self.expires.items() if name not in names},
            timestamps=tuple(name for name in self.timestamps if name not in names),
        )


class Status(IntEnum):
    """What a person last said to one purpose."""

    GRANTED = 1
    REFUSED = 2
    WITHDRAWN = 3


class Decision(msgspec.Struct, frozen=True, array_like=True):
    """A subject's latest decision on one purpose, as the gate reads it; the ledger's record holds the
    evidence.
    """

    status: Status
    record: int
    """The number of the record in the subject's consent ledger."""
    at_us: int
    expires_us: int | None = None
    explicit: bool = False
    """Consent given in an express statement, which special categories ask for (GDPR art. 9(2)(a), 22(2)(c)).
    """


class SubjectState(msgspec.Struct, frozen=True, array_like=True):
    """Everything that decides what may be seen of a subject, but for its age, which the profile tells."""

    consents: dict[str, Decision] = {}
    objections: dict[str, int] = {}
    """Purpose, or :data:`MARKETING` → when the person objected."""
    signals: dict[str, int] = {}
    """One of :data:`SIGNALS` → when it was received."""
    restricted_us: int | None = None
    """Since when processing is restricted (GDPR art. 18)."""
    jurisdiction: str = ""
    """``DE``, ``GB``, ``US-CA``; empty when it is not known, which means the strictest regime."""
    records: int = 0
    """How many records the subject's consent ledger holds."""
    readable: bool = True


NO_PROFILE = Profile()
NO_STATE = SubjectState()
"""The state of a subject that is not stored: nothing was ever decided."""

UNREADABLE = SubjectState(readable=False)
"""Stands for a state that does not open or decode."""
