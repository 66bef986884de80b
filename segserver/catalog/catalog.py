"""The compiled catalog: immutable, named by its digest, and able to make the program of each purpose."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from segserver.catalog.graph import closure
from segserver.catalog.names import close_to
from segserver.errors import NotFound
from segserver.events import definitions as nouns
from segserver.events.program import ComputedProgram
from segserver.model import Category, TypeName
from segserver.privacy.policy import Policy, Purpose
from segserver.rules import Checked
from segserver.rules.check import NOW
from segserver.rules.polars import PolarsProgram, compile_polars
from segserver.rules.program import Coded, Step
from segserver.rules.python import PythonProgram, compile_python
from segserver.rules.tree import Variable, walk

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Attribute:
    """A typed input about a subject."""

    name: str
    type: TypeName
    category: Category
    title: str
    purposes: frozenset[str]
    """The purposes that may see it: those that allow its category, narrowed by its own list if it has one."""
    values: tuple[str, ...]
    owners: tuple[str, ...]
    """``catalog`` and the strategies that declare it."""

    @property
    def categories(self) -> frozenset[Category]:
        """Its category, as a label has it."""
        return frozenset({self.category})


@dataclass(frozen=True, slots=True)
class Event:
    """Something that subjects do."""

    name: str
    category: Category
    title: str
    purposes: frozenset[str]
    """The purposes that may know that it happened, and when."""
    definition: nouns.Event
    """With its properties."""
    owners: tuple[str, ...]
    """``catalog`` and the strategies that declare it."""


@dataclass(frozen=True, slots=True)
class Computed:
    """An attribute that is an aggregate of events over a window."""

    name: str
    type: TypeName
    category: Category
    title: str
    purposes: frozenset[str]
    """The purposes that may see it: those that its own category and everything it is computed from permit."""
    sources: frozenset[Category]
    """The categories of what it is computed from."""
    definition: nouns.ComputedAttribute
    owners: tuple[str, ...]
    """``catalog`` and the strategies that declare it."""

    @property
    def categories(self) -> frozenset[Category]:
        """Its own category and those of its sources."""
        return self.sources | {self.category}


@dataclass(frozen=True, slots=True)
class SubjectList:
    """An uploaded list of subjects."""

    name: str
    variable: str
    """How a compiled rule names it: ``lists.vip_2026``."""
    category: Category
    title: str
    purposes: frozenset[str]
    owner: str

    @property
    def categories(self) -> frozenset[Category]:
        """Its category, as a label has it."""
        return frozenset({self.category})


@dataclass(frozen=True, slots=True)
class Behavior:
    """The events and computed attributes of a catalog, and what computes them."""

    events: Mapping[str, Event]
    computed: Mapping[str, Computed]
    program: ComputedProgram
    time_zone: str
    """The attribute that tells a subject's time zone."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """A strategy in use, with its settings decided."""

    name: str
    version: str
    title: str
    distribution: str
    """The distribution that brought it, with its version; empty for a plugin in memory."""
    settings: Mapping[str, Any]
    """All of them, defaults included, as JSON values."""
    given: Mapping[str, Any]
    """Those that the catalog gives."""


@dataclass(frozen=True, slots=True)
class Trait:
    """A typed value that a strategy derives."""

    name: str
    """``strategy.trait``."""
    strategy: str
    type: TypeName
    title: str
    values: tuple[str, ...]
    rule: str
    """CEL; empty for a code trait."""
    checked: Checked | None
    derives_special: bool
    inputs: tuple[str, ...]
    """What it reads itself: attributes and traits; for a code trait in the order of its parameters."""
    categories: frozenset[Category]
    purposes: frozenset[str]
    reads: frozenset[str]
    """The attributes it depends on, directly or not."""
    code: frozenset[str]
    """The code traits it depends on, directly or not, and itself if it is one."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A rule with an id, as it is evaluated."""

    id: str
    variable: str
    """How rules name it: ``segments.retail.lapsed_big_spender``."""
    rule: str
    checked: Checked
    """Of its own rule; membership also asks that no segment of ``ahead`` has a rule that holds."""
    title: str
    owner: str
    tags: tuple[str, ...]
    purposes: frozenset[str]
    exclusive_group: str
    priority: int
    ahead: tuple[str, ...]
    """The segments of its exclusive group that come first, in order."""
    minimum_audience: int
    derives_special: bool
    legal_or_similar_effect: bool
    strategy: str
    """The strategy that offers it ready-made; empty for the catalog's own."""
    inputs: tuple[str, ...]
    """What its own rule reads itself."""
    categories: frozenset[Category]
    reads: frozenset[str]
    """The attributes that membership depends on, directly or not."""
    code: frozenset[str]
    """The code traits that membership depends on, directly or not."""


@dataclass(frozen=True, slots=True)
class Program:
    """All segments that serve one purpose, as one compiled function of the visible attributes."""

    purpose: str
    inputs: tuple[str, ...]
    """The attributes, computed ones among them, sorted: the parameters of ``python`` in this order."""
    segments: tuple[str, ...]
    """The segment ids, sorted: the results of ``python`` in this order."""
    python: PythonProgram
    reads: Mapping[str, frozenset[str]]
    """Segment id → the attributes that it depends on, to explain an unknown."""
    code: Mapping[str, frozenset[str]]
    """Segment id → the code traits that it depends on."""
    isolated: tuple[Coded, ...]
    """The code traits whose code runs in another process: ``python`` takes their values after its inputs."""
    reads_now: bool
    """Whether a rule reads ``now``: its answers may change by time alone."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """The same as a function of a table: Polars expressions over the same inputs."""

    purpose: str
    inputs: tuple[str, ...]
    segments: tuple[str, ...]
    polars: PolarsProgram
    """Its last columns are the segments' variables; before them stand the code traits, which tell why one is
    unknown.
    """
    coded: tuple[Coded, ...]
    """The code traits."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Everything that is computed, in dependency order."""

    ordered: tuple[Step, ...]
    reads: Mapping[str, frozenset[str]]
    """Step → the attributes and steps that it reads itself."""
    origins: Mapping[str, frozenset[str]]
    """Step → the attributes that it depends on, directly or not."""


class Catalog:
    """One immutable, compiled set of attributes, purposes, strategies and segments. Safe to share between
    threads.

    All mappings are read-only and sorted by their keys.
    """

    def __init__(
        self,
        *,
        digest: str,
        documents: Mapping[str, str],
        attributes: Mapping[str, Attribute],
        behavior: Behavior,
        lists: Mapping[str, SubjectList],
        purposes: Mapping[str, Purpose],
        strategies: Mapping[str, Strategy],
        traits: Mapping[str, Trait],
        segments: Mapping[str, Segment],
        steps: Steps,
        policy: Policy,
    ) -> None:
        self.digest = digest
        """SHA-256, in hex, of everything that shapes an answer."""
        self.documents = MappingProxyType(dict(documents))
        """Normalized YAML (file name → text) that resolves to this catalog again."""
        self.attributes = _sorted(attributes)
        self.behavior = behavior
        self.events = behavior.events
        self.computed = behavior.computed
        self.lists = _sorted(lists)
        self.input_types: Mapping[str, TypeName] = MappingProxyType(
            {name: attribute.type for name, attribute in self.attributes.items()}
            | {name: computed.type for name, computed in self.computed.items()}
            | {one.variable: "bool" for one in self.lists.values()}
        )
        """Everything that a program can read: attributes, computed attributes and whether a subject is in a
        list, each with its type."""
        self.purposes = _sorted(purposes)
        self.strategies = _sorted(strategies)
        self.traits = _sorted(traits)
        self.segments = _sorted(segments)
        self.steps = steps
        self.policy = policy
        """What the gate goes by."""
        self._programs: _Cache[Program] = _Cache(self._program)
        self._bulks: _Cache[Bulk] = _Cache(self._bulk)

    def __repr__(self) -> str:
        return f"Catalog({self.digest[:12]}, {len(self.segments)} segments)"

    def segment(self, segment_id: str) -> Segment:
        """The segment of this id; raises :class:`NotFound` with near names."""
        found = self.segments.get(segment_id)
        if found is None:
            raise NotFound(
                f"no segment {segment_id!r}",
                reason="SEGMENT_NOT_FOUND",
                near=close_to(segment_id, self.segments),
            )
        return found

    def purpose(self, name: str) -> Purpose:
        """The purpose of this name; raises :class:`NotFound` with near names."""
        found = self.purposes.get(name)
        if found is None:
            raise NotFound(
                f"no purpose {name!r}", reason="PURPOSE_NOT_FOUND", near=close_to(name, self.purposes)
            )
        return found

    def attribute(self, name: str) -> Attribute:
        """The attribute of this name; raises :class:`NotFound` with near names."""
        found = self.attributes.get(name)
        if found is None:
            raise NotFound(
                f"no attribute {name!r}", reason="ATTRIBUTE_NOT_FOUND", near=close_to(name, self.attributes)
            )
        return found

    def program(self, purpose: str) -> Program:
        """The program of a purpose, compiled when first asked for; raises :class:`NotFound`."""
        return self._programs.get(self.purpose(purpose).name)

    def bulk(self, purpose: str) -> Bulk:
        """The table program of a purpose, compiled when first asked for; raises :class:`NotFound`."""
        return self._bulks.get(self.purpose(purpose).name)

    def _parts(self, purpose: str) -> tuple[tuple[Segment, ...], tuple[str, ...], tuple[Step, ...]]:
        """The segments for the purpose, the attributes they depend on, and the steps they need."""
        segments = tuple(segment for segment in self.segments.values() if purpose in segment.purposes)
        inputs = tuple(sorted(frozenset().union(*(segment.reads for segment in segments))))
        needed = closure(self.steps.reads, (segment.variable for segment in segments))
        return segments, inputs, tuple(step for step in self.steps.ordered if step.name in needed)

    def _program(self, purpose: str) -> Program:
        segments, inputs, steps = self._parts(purpose)
        outputs = tuple(segment.variable for segment in segments)
        isolated = tuple(step for step in steps if isinstance(step, Coded) and step.isolated)
        own = tuple(step for step in steps if step not in isolated)
        given = (*inputs, *(step.name for step in isolated))
        return Program(
            purpose,
            inputs,
            tuple(segment.id for segment in segments),
            compile_python(own, given, outputs, self.steps.origins),
            MappingProxyType({segment.id: segment.reads for segment in segments}),
            MappingProxyType({segment.id: segment.code for segment in segments}),
            isolated,
            any(_reads_now(step) for step in own),
        )

    def _bulk(self, purpose: str) -> Bulk:
        segments, inputs, steps = self._parts(purpose)
        types = {name: self.input_types[name] for name in inputs}
        coded = tuple(step for step in steps if isinstance(step, Coded))
        outputs = (*(step.name for step in coded), *(segment.variable for segment in segments))
        polars = compile_polars(steps, types, outputs, self.steps.origins)
        return Bulk(purpose, inputs, tuple(segment.id for segment in segments), polars, coded)


def _reads_now(step: Step) -> bool:
    if isinstance(step, Coded):
        return False
    return any(isinstance(node, Variable) and node.name == NOW for node in walk(step.checked.tree))


class _Cache(Generic[T]):
    """Makes each value once, however many threads ask."""

    def __init__(self, make: Callable[[str], T]) -> None:
        self._make = make
        self._made: dict[str, T] = {}
        self._lock = threading.Lock()

    def get(self, key: str) -> T:
        made = self._made.get(key)
        if made is None:
            with self._lock:
                made = self._made.get(key)
                if made is None:
                    made = self._made[key] = self._make(key)
        return made


def _sorted(mapping: Mapping[str, T]) -> Mapping[str, T]:
    return MappingProxyType(dict(sorted(mapping.items())))
