"""What an analyst writes: the models of the catalog's YAML. They check form; names and meaning are checked
later."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from segserver.events.definitions import Aggregate, Comparison
from segserver.model import Category, LegalBasis, TypeName
from segserver.privacy.records import JURISDICTION
from segserver.strategies.contract import MINIMUM_AUDIENCE_FLOOR, is_name, is_segment_id

MINIMUM_AUDIENCE = 100
"""The default: a number about fewer people than this does not leave."""


def _name(name: str) -> str:
    if not is_name(name):
        raise ValueError(
            "a name is lower-case letters, digits and _, begins with a letter, has at most 64, and is not a "
            "word of the rule language (in, true, string, now, segments, …)"
        )
    return name


_LIST_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def _list_name(name: str) -> str:
    if not _LIST_NAME.fullmatch(name) or len(name) > 64 or not is_name(name.replace("-", "_")):
        raise ValueError(
            "a list's name is lower-case words and digits joined by -, like vip-2026, has at most 64 "
            "characters, and is not a word of the rule language"
        )
    return name


def _segment_id(segment_id: str) -> str:
    if not is_segment_id(segment_id):
        raise ValueError(
            "an id is lower-case words and digits joined by - and separated by /, like retail/big-spender, "
            "and none of its parts is a word of the rule language (in, true, string, for, …)"
        )
    return segment_id


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("this is empty; write a CEL expression that is true for members")
    return text.strip("\n").rstrip()


_DURATION = re.compile(r"([1-9][0-9]{0,5})([dh])")
_UNIT_US = {"d": 86_400_000_000, "h": 3_600_000_000}


def duration_us(duration: str) -> int:
    """A duration like ``365d`` or ``36h`` in microseconds. Months and years have no length of their own.

    Raises :class:`ValueError` for anything else.
    """
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise ValueError("a duration is a whole number of days or hours, like 365d or 36h")
    return int(match[1]) * _UNIT_US[match[2]]


def _duration(duration: str) -> str:
    duration_us(duration)
    return duration


def _jurisdiction(key: str) -> str:
    if not JURISDICTION.fullmatch(key):
        raise ValueError("a jurisdiction is written like DE or US-CA (ISO 3166)")
    return key


Name = Annotated[StrictStr, AfterValidator(_name)]
ListName = Annotated[StrictStr, AfterValidator(_list_name)]
SegmentId = Annotated[StrictStr, AfterValidator(_segment_id)]
Names = tuple[Name, ...]
Duration = Annotated[StrictStr, AfterValidator(_duration)]
Jurisdiction = Annotated[StrictStr, AfterValidator(_jurisdiction)]
Texts = tuple[StrictStr, ...]
Title = Annotated[StrictStr, Field(max_length=200)]
Condition = Annotated[StrictStr, Field(max_length=20_000)]
PropertyType: TypeAlias = Literal["bool", "int", "double", "string", "timestamp"]


class _Definition(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AttributeDefinition(_Definition):
    """A typed input about a subject. One that a strategy declares too may narrow it: type and category must
    agree."""

    type: TypeName
    category: Category
    title: Title = ""
    purposes: Names | None = None
    """Narrows the purposes that its category allows."""
    values: Texts = ()
    """For a string or a list of string: the values allowed."""


class PropertyDefinition(_Definition):
    """A typed fact of an event; see :class:`segserver.events.definitions.Property`."""

    type: PropertyType
    category: Category
    title: Title = ""
    values: Texts = ()
    """For a string: the values allowed."""


class EventDefinition(_Definition):
    """Something that subjects do. One that a strategy declares too may narrow it and add properties."""

    category: Category
    properties: Mapping[Name, PropertyDefinition] = {}
    title: Title = ""
    purposes: Names | None = None
    """Narrows the purposes that its categories allow."""


class ComputedDefinition(_Definition):
    """An attribute that is an aggregate of events over a window; see
    :class:`segserver.events.definitions.ComputedAttribute`.
    """

    event: Name
    aggregate: Aggregate
    window: StrictStr
    category: Category
    where: Condition = ""
    of: StrictStr = ""
    weight: StrictStr = ""
    top: Annotated[StrictInt, Field(ge=0, le=100)] = 0
    then: StrictStr = ""
    then_where: Condition = ""
    within: StrictStr = ""
    time_zone: StrictStr = "UTC"
    versus: StrictStr = ""
    comparison: Comparison = "difference"
    purposes: Names | None = None
    """Narrows the purposes that the event, its properties and the category allow."""
    title: Title = ""


class ListDefinition(_Definition):
    """A list of subjects that is uploaded; rules ask for it with ``in_list``."""

    category: Category
    """Of the fact that a subject is in it."""
    title: Title = ""
    purposes: Names | None = None
    """Narrows the purposes that its category allows."""
    owner: StrictStr = ""


class PurposeDefinition(_Definition):
    """What an answer may be for, why that is lawful, and which categories of attributes it may use."""

    legal_basis: LegalBasis
    categories: tuple[Category, ...]
    """``special`` is allowed only where it is listed, like every other."""
    title: Title = ""
    description: StrictStr = ""
    direct_marketing: StrictBool = False
    """An objection to marketing, and Global Privacy Control, stop it."""
    sale_or_sharing: StrictBool = False
    """Discloses data in a way that Global Privacy Control opts out of."""
    profiling: StrictBool = True
    """Evaluates personal aspects: denied for children."""
    special_condition: StrictStr = ""
    """The condition of GDPR art. 9(2) that permits special categories without explicit consent."""
    memberships: StrictBool = False
    """Keeps who is in which segment, since when, so that members can be listed and watched."""


class RegimeDefinition(_Definition):
    """How the law of a jurisdiction differs from what the server knows of it; see
    :class:`segserver.privacy.policy.Regime`. What is left out stays.
    """

    opt_in: StrictBool | None = None
    honors_gpc: StrictBool | None = None
    sensitive: tuple[Category, ...] | None = None
    special_needs_explicit_consent: StrictBool | None = None
    child_below_years: Annotated[StrictInt, Field(ge=13, le=21)] | None = None
    """Neither the GDPR (art. 8(1)) nor the law of the United States knows a limit below 13."""


class PolicyDefinition(_Definition):
    """How long data may be used, the law of each jurisdiction, and how an age is known."""

    retention: Mapping[Category, Duration] = {}
    """By category: from this long after it was recorded, a value is unusable. None: until it is erased."""
    regimes: Mapping[Jurisdiction, RegimeDefinition] = {}
    deny_unknown_age: StrictBool = False
    """Profiling needs a known age."""
    birth_date: Name = "birth_date"
    """The timestamp that tells a person's age."""
    age: Name = "age"
    """The number of years, where there is no birth date."""
    time_zone: Name = "time_zone"
    """The string that tells a person's time zone by its name in the IANA database, like Europe/Berlin."""


class SegmentDefinition(_Definition):
    """A rule with an id, an owner and purposes."""

    id: SegmentId
    rule: Annotated[StrictStr, Field(max_length=20_000), AfterValidator(_text)]
    title: Title = ""
    purposes: Names | None = None
    """Default: all purposes that everything it depends on permits."""
    owner: StrictStr = ""
    tags: Texts = ()
    exclusive_group: Annotated[StrictStr, Field(max_length=64)] = ""
    priority: StrictInt = 0
    """Within the exclusive group: the lowest number wins."""
    minimum_audience: Annotated[StrictInt, Field(ge=MINIMUM_AUDIENCE_FLOOR)] = MINIMUM_AUDIENCE
    derives_special: StrictBool = False
    legal_or_similar_effect: StrictBool = False
