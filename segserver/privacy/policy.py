"""What the gate goes by: purposes, labels, and the regime of each jurisdiction. Data, without behaviour of
its own.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from segserver.errors import InvalidInput, NotFound
from segserver.model import Category, LegalBasis


@dataclass(frozen=True, slots=True)
class Purpose:
    """What an answer may be for. The defaults are the strict ones."""

    name: str
    legal_basis: LegalBasis
    categories: frozenset[Category]
    """The privacy categories that it extends to; empty means that it sees nothing."""
    title: str = ""
    description: str = ""
    direct_marketing: bool = False
    """An objection to marketing stops it, whatever the basis (GDPR art. 21(2)); so does Global Privacy
    Control.
    """
    sale_or_sharing: bool = False
    """Discloses data in a way that Global Privacy Control opts out of (CCPA §1798.135)."""
    profiling: bool = True
    """Evaluates personal aspects (GDPR art. 4(4)): denied for children."""
    special_condition: str = ""
    """The recorded condition of GDPR art. 9(2) for special categories without explicit consent, like
    ``9(2)(h)``.
    """
    memberships: bool = False
    """Who is in which segment is kept, for members to be listed and watched."""


@dataclass(frozen=True, slots=True)
class Label:
    """What an attribute, computed attribute, trait or segment carries: its category, and the purposes it may
    serve.
    """

    category: Category
    purposes: frozenset[str] | None = None
    """``None`` leaves the purposes that extend to the category."""
    sources: frozenset[Category] = frozenset()
    """The categories of what it is computed from, where it is."""

    @property
    def categories(self) -> frozenset[Category]:
        """Its own category and those of its sources: it is seen where all of them may be."""
        return self.sources | {self.category}


@dataclass(frozen=True, slots=True)
class Regime:
    """The law of a jurisdiction, as far as the gate asks it. The defaults are those of the GDPR."""

    opt_in: bool = True
    """A purpose on consent needs one; otherwise it goes until the person says no."""
    honors_gpc: bool = True
    """Global Privacy Control counts as a no to direct marketing, sale and sharing."""
    sensitive: frozenset[Category] = frozenset({Category.SPECIAL})
    """What a person's limit on sensitive data hides."""
    special_needs_explicit_consent: bool = True
    """Special categories need explicit consent or a recorded condition; otherwise they go until the person
    limits them.
    """
    child_below_years: int = 16
    """Who is younger is a child (GDPR art. 8(1))."""


GDPR = Regime()
CCPA = Regime(
    opt_in=False,
    sensitive=frozenset({Category.SPECIAL, Category.LOCATION, Category.FINANCIAL}),
    special_needs_explicit_consent=False,
)
"""California: opt-out (CCPA §1798.120), sensitive data limited on request (§1798.121), minors below 16
(§1798.120(c)).
"""

REGIMES: Mapping[str, Regime] = {"US-CA": CCPA, "GB": Regime(child_below_years=13)}
"""What an installation begins with; any other jurisdiction has the GDPR's regime. The United Kingdom's limit:
DPA 2018 s. 9.
"""


@dataclass(frozen=True, slots=True)
class Policy:
    """All that decides what may be seen, compiled from a catalog. An empty one, a fresh install's, permits
    nothing.
    """

    purposes: Mapping[str, Purpose] = field(default_factory=dict)
    labels: Mapping[str, Label] = field(default_factory=dict)
    """Every attribute and computed attribute by name; what is not here is undeclared, and withheld."""
    regimes: Mapping[str, Regime] = field(default_factory=lambda: REGIMES)
    default_regime: Regime = GDPR
    deny_unknown_age: bool = False
    """Profiling needs a known age."""
    birth_date_attribute: str = "birth_date"
    """The timestamp that tells a person's age."""
    age_attribute: str = "age"
    """The int that tells it where there is no birth date."""
    retention_us: Mapping[Category, int] = field(default_factory=dict)
    """How long a value may be used after it was recorded, by category; a category that is not here has no
    limit.
    """

    def purpose(self, name: str) -> Purpose:
        """The purpose of this name. Raises :class:`InvalidInput` for an empty name, :class:`NotFound` for an
        unknown one.
        """
        found = self.purposes.get(name)
        if found is not None:
            return found
        if not name:
            raise InvalidInput.of("purpose", "name the purpose of this call", reason="PURPOSE_MISSING")
        raise NotFound(
            "the catalog defines no such purpose",
            reason="PURPOSE_NOT_FOUND",
            near=difflib.get_close_matches(name, self.purposes, n=3),
        )

    def regime_key(self, jurisdiction: str) -> str:
        """The key under which this jurisdiction's regime stands: ``US-CA``, else ``US``, else ``""`` for the
        default one.
        """
        if jurisdiction in self.regimes:
            return jurisdiction
        country = jurisdiction.partition("-")[0]
        return country if country in self.regimes else ""

    def regime(self, key: str) -> Regime:
        """The regime of a key; the default one, the strict one, for what is not known."""
        return self.regimes.get(key, self.default_regime)
