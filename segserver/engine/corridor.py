"""From a question to what may be seen of its subject: everything before the program runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from segserver.catalog.names import near
from segserver.engine.behavior import Behavior
from segserver.engine.serving import Plan, Serving
from segserver.errors import InvalidInput, PermissionDenied, SegserverError, Violation
from segserver.model import Caller, SubjectId, Value, check_value
from segserver.privacy.gate import Mask
from segserver.privacy.profiles import Profiles
from segserver.privacy.pseudonyms import Pseudonyms
from segserver.privacy.subject import NO_PROFILE, NO_STATE, SubjectState
from segserver.rules.values import to_rule
from segserver.storage.contract import Connection, Reader
from segserver.storage.subjects import SubjectRow

VIOLATIONS_MAX = 16
"""So many wrong attributes of one subject are named; a batch can bring a quarter of a million."""
HINTS_MAX = 3
"""For so many unknown ones, names that look alike are looked for."""

_ENCODER = msgspec.msgpack.Encoder()


class Question(msgspec.Struct, frozen=True):
    """Which segments is this subject in, for this purpose?

    ``segments`` empty asks for all that serve the purpose; ``attributes`` are used in place of stored ones
    and not stored; ``at_us`` is the moment to evaluate as of, in microseconds since the epoch (``None``:
    now)."""

    subject: SubjectId
    purpose: str
    segments: tuple[str, ...] = ()
    attributes: Mapping[str, Value] = {}
    at_us: int | None = None
    attributes_field: str = "attributes"
    """Where ``attributes`` stand in the request, for what is said about a wrong one."""


class Asked(msgspec.Struct, frozen=True, eq=False):
    """A question that is sound: who asks, from which catalog and for which segments to answer, about whom."""

    caller: Caller
    question: Question
    serving: Serving
    wanted: list[int]
    subject_key: bytes


class Sight(msgspec.Struct, frozen=True, eq=False):
    """What one evaluation may see. No withheld value is in it."""

    serving: Serving
    plan: Plan
    wanted: list[int]
    mask: Mask
    state: SubjectState
    values: list[Any]
    """The program's inputs in rule form; ``None`` where missing or withheld."""
    withheld: frozenset[str]
    at_us: int
    subject_key: bytes
    salt: bytes


class Corridor:
    """The way of a question through pseudonyms, the store and the gate."""

    def __init__(
        self,
        reads: Reader,
        pseudonyms: Pseudonyms,
        profiles: Profiles,
        serving: Callable[[], Serving],
        now_us: Callable[[], int],
        inputs_mac: Callable[[bytes], bytes],
        behavior: Behavior,
    ) -> None:
        self._reads = reads
        self._pseudonyms = pseudonyms
        self._profiles = profiles
        self._serving = serving
        self._now_us = now_us
        self._inputs_mac = inputs_mac
        self._behavior = behavior

    def under(self, serving: Serving, now_us: int) -> Corridor:
        """The same way under another catalog, as of another moment."""
        return Corridor(
            self._reads,
            self._pseudonyms,
            self._profiles,
            lambda: serving,
            lambda: now_us,
            self._inputs_mac,
            self._behavior,
        )

    def check(self, caller: Caller, purpose: str, segments: tuple[str, ...]) -> tuple[Serving, list[int]]:
        """The catalog to answer from and the segments to answer for.

        Raises :class:`PermissionDenied` for a purpose that the caller may not use, :class:`NotFound` for an
        unknown purpose or segment, :class:`InvalidInput` for a segment that does not serve the purpose."""
        if not caller.may_use(purpose):
            raise PermissionDenied(
                f"{caller.name} may not ask for this purpose",
                reason="PURPOSE_NOT_PERMITTED",
                metadata={"purpose": purpose},
            )
        serving = self._serving()
        return serving, serving.wanted(purpose, segments)

    def ask(self, caller: Caller, question: Question) -> Asked:
        """The question, found sound. Raises what :meth:`check` raises, and :class:`InvalidInput` for a
        subject id that is none."""
        serving, wanted = self.check(caller, question.purpose, question.segments)
        return self.ask_of(caller, question, serving, wanted)

    def ask_of(self, caller: Caller, question: Question, serving: Serving, wanted: list[int]) -> Asked:
        """The same for a question whose purpose and segments are checked."""
        return Asked(caller, question, serving, wanted, self._pseudonyms.subject_key(question.subject))

    async def sight(self, caller: Caller, question: Question) -> Sight:
        """What may be seen of the question's subject. Raises what :meth:`ask` raises, and
        :class:`InvalidInput` for an attribute that is wrong."""
        (sight,) = await self.sights([self.ask(caller, question)])
        if isinstance(sight, SegserverError):
            raise sight
        return sight

    async def sights(self, asked: Sequence[Asked]) -> list[Sight | SegserverError]:
        """What may be seen for each question, in order, or why there is no answer to it.

        All subjects are read together: a statement costs a fixed part, and hands the interpreter to another
        thread."""
        return await self._reads.read(partial(self._sights, asked))

    def _sights(self, asked: Sequence[Asked], connection: Connection) -> list[Sight | SegserverError]:
        rows = self._profiles.rows(connection, [one.subject_key for one in asked])
        found: list[Sight | SegserverError] = []
        for one, row in zip(asked, rows, strict=True):
            try:
                found.append(self._seen(connection, one, row))
            except SegserverError as error:
                found.append(error)
        return found

    def _seen(self, connection: Connection, asked: Asked, row: SubjectRow | None) -> Sight:
        question, serving, key = asked.question, asked.serving, asked.subject_key
        now_us = self._now_us()
        brought = _brought(serving, question)
        subject = self._profiles.open(row)
        if subject is None:
            profile, state, salt = NO_PROFILE, NO_STATE, b""
        else:
            key, profile, state, salt = subject.subject_key, subject.profile, subject.state, subject.salt
        gate = serving.gate
        current = gate.current(profile, now_us)
        mask = gate.mask(question.purpose, state, asked.caller, now_us, current, brought)
        plan = serving.plan(question.purpose)
        given = {**current, **brought} if brought else current
        values, withheld = mask.apply(given, plan.program.inputs)
        at_us = now_us if question.at_us is None else question.at_us
        if plan.needs.lists and mask.stopped is None:
            asked_for = plan.needs.visible_lists(mask, plan.read_by(asked.wanted))
            keys = asked.subject_key, key
            for name, value in self._behavior.listed(connection, plan.needs, asked_for, keys, now_us).items():
                values[plan.input_index[name]] = value
        if plan.needs.names and mask.stopped is None:
            needed = plan.needs.visible(mask, plan.read_by(asked.wanted))
            zone = plan.needs.zone(given, mask)
            computed = self._behavior.values(
                connection,
                subject,
                plan.needs,
                needed,
                now_us,
                at_us,
                zone,
            )
            for name, value in computed.items():
                values[plan.input_index[name]] = value
        plan.drop_mistyped(values)
        return Sight(serving, plan, asked.wanted, mask, state, values, withheld, at_us, key, salt)

    def audit_token(self, sight: Sight) -> str:
        """The subject's name in the audit log."""
        return self._pseudonyms.audit_token(sight.subject_key, sight.salt)

    def recipient_token(self, sight: Sight, caller: Caller) -> str:
        """The subject's name for this caller."""
        return self._pseudonyms.recipient_token(sight.subject_key, sight.salt, caller.name)

    def inputs_digest(self, sight: Sight) -> str:
        """A keyed digest of the visible values: equal inputs are recognized, none can be guessed without the
        key.
        """
        return self._inputs_mac(_ENCODER.encode(sight.values))[:16].hex()


def _brought(serving: Serving, question: Question) -> dict[str, Any]:
    if not question.attributes:
        return {}
    return checked_values(serving, question.attributes, question.attributes_field)


def checked_values(
    serving: Serving, attributes: Mapping[str, Value], field: str = "attributes"
) -> dict[str, Any]:
    """The attributes of a request in rule form. Raises :class:`InvalidInput` with the undeclared and wrong
    ones, at most :data:`VIOLATIONS_MAX` of them.
    """
    declared = serving.catalog.attributes
    values: dict[str, Any] = {}
    violations: list[Violation] = []
    for name, value in attributes.items():
        if len(violations) >= VIOLATIONS_MAX:
            break
        place = f"{field}.values[{name}]"
        attribute = declared.get(name)
        if attribute is None:
            hint = near(name, declared) if len(violations) < HINTS_MAX else ""
            message = f"the catalog declares no such attribute{hint}"
            if name in serving.catalog.computed:
                message = "is computed from events: record those instead"
            violations.append(Violation(place, message))
            continue
        try:
            checked = check_value(place, value, attribute.type)
        except InvalidInput as error:
            violations.extend(error.violations)
            continue
        if attribute.values and not is_allowed(checked, attribute.values):
            violations.append(
                Violation(place, f"is none of the allowed values: {', '.join(attribute.values)}")
            )
            continue
        values[name] = to_rule(checked, attribute.type)
    if violations:
        text = "; ".join(f"{violation.field}: {violation.description}" for violation in violations)
        raise InvalidInput(text, reason="ATTRIBUTE_INVALID", violations=violations)
    return values


def is_allowed(value: Value, allowed: tuple[str, ...]) -> bool:
    """Whether a string, or every string of a list, is one of those allowed."""
    return set(value) <= set(allowed) if isinstance(value, tuple) else value in allowed
