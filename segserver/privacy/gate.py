"""The one function that every value passes: for this purpose, this caller and this subject, may it be seen?

The answer for an attribute depends on a few facts about the subject, its *situation*: what it decided on the
purpose, whether it objected, its age group, its jurisdiction's regime, its signals. There are few situations,
so the gate decides each once, for all attributes, and keeps the :class:`Mask`. Nothing about a subject is
kept: a changed decision is another situation.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

from segserver.model import Caller, Category, LegalBasis
from segserver.privacy.policy import Label, Policy, Purpose, Regime
from segserver.privacy.reasons import Reason
from segserver.privacy.subject import (
    GPC,
    LIMIT_SENSITIVE,
    MARKETING,
    Profile,
    RuleValue,
    Status,
    SubjectState,
)

DAY_US = 86_400_000_000
PLANS_CACHED_MAX = 256
LIMITS_CACHED_MAX = 256
_EPOCH_ORDINAL = dt.date(1970, 1, 1).toordinal()
_NO_VALUES: Mapping[str, RuleValue] = {}


class Consent(IntEnum):
    """How a subject's decision on a purpose stands at this moment."""

    __hash__ = int.__hash__  # Enum's own is written in Python, and the gate hashes a situation for every call

    MISSING = 0
    GRANTED = 1
    EXPLICIT = 2
    EXPIRED = 3
    REFUSED = 4
    WITHDRAWN = 5


class AgeGroup(IntEnum):
    """A subject's age against the limit of its jurisdiction."""

    __hash__ = int.__hash__

    ADULT = 0
    CHILD = 1
    UNKNOWN = 2


class Situation(NamedTuple):
    """Every fact about a subject and a caller that the gate asks for one purpose; see :func:`decide`."""

    permitted: bool = False
    """Whether the caller may use the purpose."""
    readable: bool = True
    restricted: bool = False
    objected: bool = False
    age: AgeGroup = AgeGroup.UNKNOWN
    consent: Consent = Consent.MISSING
    gpc: bool = False
    limited: bool = False
    """Whether the person limited the use of sensitive data."""
    regime: str = ""
    """The key of the jurisdiction's regime in the policy; see :meth:`Policy.regime_key`."""


class Mask:
    """What may be seen in one situation, for one purpose, of all declared attributes."""

    __slots__ = ("_plans", "explicit", "stopped", "visible", "withheld")

    def __init__(
        self,
        visible: frozenset[str],
        withheld: Mapping[str, Reason],
        *,
        explicit: bool,
        stopped: Reason | None = None,
    ) -> None:
        self.visible = visible
        self.withheld = withheld
        self.stopped = stopped
        """Why nothing at all may be evaluated for this purpose; ``None`` where something may."""
        self.explicit = explicit
        """Whether explicit consent is in force: without it, an answer with legal effect needs a person (art.
        22).
        """
        self._plans: dict[tuple[str, ...], tuple[tuple[str, ...], frozenset[str]]] = {}

    def reason(self, name: str) -> Reason | None:
        """Why this attribute is withheld; ``None`` when it is visible."""
        return None if name in self.visible else self.withheld.get(name, Reason.ATTRIBUTE_UNDECLARED)

    def apply(
        self, values: Mapping[str, RuleValue], inputs: tuple[str, ...]
    ) -> tuple[list[RuleValue | None], frozenset[str]]:
        """The visible values of ``inputs``, in their order, ``None`` for a missing and for a withheld one;
        and which of ``inputs`` are withheld, whether or not they have a value.
        """
        plan = self._plans.get(inputs)
        if plan is None:
            plan = self._plan(inputs)
        names, withheld = plan
        return list(map(values.get, names)), withheld

    def _plan(self, inputs: tuple[str, ...]) -> tuple[tuple[str, ...], frozenset[str]]:
        # No attribute is named "", so reading it gives what a missing value gives.
        names = tuple(name if name in self.visible else "" for name in inputs)
        plan = names, frozenset(name for name in inputs if name not in self.visible)
        if len(self._plans) >= PLANS_CACHED_MAX:
            self._plans.clear()
        self._plans[inputs] = plan
        return plan


class Gate:
    """Masks for a policy. Pure: the same question always gets the same answer, and asking changes nothing."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._masks: dict[tuple[str, Situation], Mask] = {}
        self._adult_before: dict[tuple[int, int], int] = {}
        self._shortest_retention_us = min(policy.retention_us.values(), default=None)

    def mask(
        self,
        purpose: str,
        state: SubjectState,
        caller: Caller,
        now_us: int,
        values: Mapping[str, RuleValue] = _NO_VALUES,
        brought: Mapping[str, RuleValue] = _NO_VALUES,
    ) -> Mask:
        """What the caller may see of the subject for this purpose.

        ``now_us`` is the time of the call, also when the rules are evaluated as of another moment: what is
        lawful is decided by today's decisions. ``values``, the current ones of the profile, and ``brought``,
        those of the request, tell the age; when they disagree, the younger counts. Total: an unknown purpose
        is withheld, not an error.
        """
        return self.mask_of(purpose, self.situation(purpose, state, caller, now_us, values, brought))

    def mask_of(self, purpose: str, situation: Situation) -> Mask:
        """The mask of a situation, decided once."""
        key = (purpose, situation)
        found = self._masks.get(key)
        if found is None:
            defined = self.policy.purposes.get(purpose)
            found = decide(self.policy, defined, situation)
            if defined is not None:  # what callers make up is not kept
                self._masks[key] = found
        return found

    def situation(
        self,
        purpose: str,
        state: SubjectState,
        caller: Caller,
        now_us: int,
        values: Mapping[str, RuleValue] = _NO_VALUES,
        brought: Mapping[str, RuleValue] = _NO_VALUES,
    ) -> Situation:
        """The facts that decide, taken from a subject's state and the attributes that tell its age."""
        defined = self.policy.purposes.get(purpose)
        regime = self.policy.regime_key(state.jurisdiction)
        objections = state.objections
        signals = state.signals
        return Situation(
            defined is not None and caller.may_use(purpose),
            state.readable,
            state.restricted_us is not None,
            bool(objections)
            and (
                purpose in objections
                or (defined is not None and defined.direct_marketing and MARKETING in objections)
            ),
            self._age(self.policy.regime(regime).child_below_years, now_us, values, brought),
            standing(state, purpose, now_us),
            GPC in signals,
            LIMIT_SENSITIVE in signals,
            regime,
        )

    def current(self, profile: Profile, now_us: int) -> Mapping[str, RuleValue]:
        """The profile's values that have not expired at ``now_us``. An expired value is as if it had never
        been there: an answer does not change when the sweep removes it.
        """
        expires = profile.expires
        shortest = self._shortest_retention_us
        if not expires and (
            shortest is None or min((profile.recorded_us, *profile.recorded.values())) + shortest > now_us
        ):
            return profile.values
        return {
            name: value for name, value in profile.values.items() if self.expires_us(profile, name) > now_us
        }

    def expires_us(self, profile: Profile, name: str) -> float:
        """When this value expires: at its own expiry or its category's, whichever comes first; infinite for
        never.
        """
        label = self.policy.labels.get(name)
        retention = None if label is None else self.policy.retention_us.get(label.category)
        by_category = float("inf") if retention is None else profile.recorded_at(name) + retention
        return min(profile.expires.get(name, float("inf")), by_category)

    def _age(
        self, limit_years: int, now_us: int, values: Mapping[str, RuleValue], brought: Mapping[str, RuleValue]
    ) -> AgeGroup:
        day = now_us // DAY_US
        adult_before = self._adult_before.get((day, limit_years))
        if adult_before is None:
            if len(self._adult_before) >= LIMITS_CACHED_MAX:
                self._adult_before.clear()
            adult_before = self._adult_before[day, limit_years] = adult_before_us(day, limit_years)
        group = AgeGroup.UNKNOWN
        for source in (values, brought) if brought else (values,):
            born = source.get(self.policy.birth_date_attribute)
            years = source.get(self.policy.age_attribute)
            if isinstance(born, int):
                if born >= adult_before:
                    return AgeGroup.CHILD
                group = AgeGroup.ADULT
            if isinstance(years, int | float):
                if years < limit_years:
                    return AgeGroup.CHILD
                group = AgeGroup.ADULT
        return group


def adult_before_us(day: int, limit_years: int) -> int:
    """Who was born before this moment has completed ``limit_years`` years on ``day`` (days since the epoch,
    UTC).

    Who was born on 29 February completes a year on 1 March of a common year.
    """
    today = dt.date.fromordinal(_EPOCH_ORDINAL + day)
    try:
        birthday = today.replace(year=today.year - limit_years)
    except ValueError:
        birthday = today.replace(year=today.year - limit_years, day=28)
    return (birthday.toordinal() + 1 - _EPOCH_ORDINAL) * DAY_US


def decide(policy: Policy, purpose: Purpose | None, situation: Situation) -> Mask:
    """The mask of one situation: first what stops the whole purpose, then each attribute by its label."""
    regime = policy.regime(situation.regime)
    whole = _stops(policy, purpose, situation, regime)
    withheld: dict[str, Reason] = {}
    visible = set()
    for name, label in policy.labels.items():
        reason = whole or _withholds(purpose, label, situation, regime)
        if reason is None:
            visible.add(name)
        else:
            withheld[name] = reason
    explicit = whole is None and situation.consent is Consent.EXPLICIT
    return Mask(frozenset(visible), withheld, explicit=explicit, stopped=whole)


def _stops(policy: Policy, purpose: Purpose | None, situation: Situation, regime: Regime) -> Reason | None:
    """Why nothing may be seen for this purpose. A recorded no beats every legal basis."""
    if purpose is None or not situation.permitted:
        return Reason.PURPOSE_NOT_PERMITTED
    if not situation.readable:
        return Reason.CONSENT_UNREADABLE
    if situation.restricted:
        return Reason.RESTRICTED
    if situation.objected:
        return Reason.OBJECTED
    if purpose.profiling and situation.age is AgeGroup.CHILD:
        return Reason.CHILD
    if purpose.profiling and situation.age is AgeGroup.UNKNOWN and policy.deny_unknown_age:
        return Reason.AGE_UNKNOWN
    if situation.gpc and regime.honors_gpc and (purpose.direct_marketing or purpose.sale_or_sharing):
        return Reason.GPC_OPT_OUT
    return _lacks_consent(purpose, situation, regime)


def _lacks_consent(purpose: Purpose, situation: Situation, regime: Regime) -> Reason | None:
    consent = situation.consent
    if consent is Consent.REFUSED:
        return Reason.CONSENT_REFUSED
    if consent is Consent.WITHDRAWN:
        return Reason.CONSENT_WITHDRAWN
    if purpose.legal_basis is not LegalBasis.CONSENT:
        return None
    if consent is Consent.EXPIRED:
        return Reason.CONSENT_EXPIRED
    if consent is Consent.MISSING and regime.opt_in:
        return Reason.CONSENT_MISSING
    return None


def _withholds(purpose: Purpose | None, label: Label, situation: Situation, regime: Regime) -> Reason | None:
    """Why an attribute of this label may not be seen for a purpose that may go on."""
    if purpose is None or (label.purposes is not None and purpose.name not in label.purposes):
        return Reason.ATTRIBUTE_NOT_FOR_PURPOSE
    categories = label.categories
    if not categories <= purpose.categories:
        return Reason.CATEGORY_NOT_PERMITTED
    if situation.limited and not regime.sensitive.isdisjoint(categories):
        return Reason.SENSITIVE_LIMITED
    if (
        Category.SPECIAL in categories
        and regime.special_needs_explicit_consent
        and situation.consent is not Consent.EXPLICIT
        and not purpose.special_condition
    ):
        return Reason.SPECIAL_CATEGORY_NO_EXPLICIT_CONSENT
    return None


def standing(state: SubjectState, purpose: str, now_us: int) -> Consent:
    """How the subject's decision on a purpose stands at a moment."""
    decision = state.consents.get(purpose)
    if decision is None:
        return Consent.MISSING
    if decision.status is Status.WITHDRAWN:
        return Consent.WITHDRAWN
    if decision.status is Status.REFUSED:
        return Consent.REFUSED
    if decision.at_us > now_us:
        return Consent.MISSING
    if decision.expires_us is not None and decision.expires_us <= now_us:
        return Consent.EXPIRED
    return Consent.EXPLICIT if decision.explicit else Consent.GRANTED
