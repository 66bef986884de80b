"""What an analyst writes: the models of the catalog's YAML. They check form; names and meaning are checked
later."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from segserver.model import Category, LegalBasis, TypeName
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


Name = Annotated[StrictStr, AfterValidator(_name)]
SegmentId = Annotated[StrictStr, AfterValidator(_segment_id)]
Names = tuple[Name, ...]
Texts = tuple[StrictStr, ...]
Title = Annotated[StrictStr, Field(max_length=200)]


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
