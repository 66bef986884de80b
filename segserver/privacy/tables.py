"""The gate and pseudonyms over tables: the same decisions as one at a time, taken once for each situation.

A subject's situation is folded into one integer by Polars; the few distinct ones are then decided by the same
function as a single subject's, and their masks are laid over the columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from segserver.model import Caller, SubjectId
from segserver.privacy.gate import DAY_US, AgeGroup, Consent, Gate, Mask, Situation, adult_before_us
from segserver.privacy.pseudonyms import (
    AUDIT_PREFIX,
    ID_CHARACTERS_MAX,
    KEY_PREFIX,
    RECIPIENT_PREFIX,
    TOKEN_BYTES,
    Pseudonyms,
)
from segserver.privacy.subject import GPC, LIMIT_SENSITIVE, MARKETING, Status, SubjectState

STATE_SCHEMA: Mapping[str, pl.DataType] = {
    "status": pl.Int8(),
    "decided_us": pl.Int64(),
    "expires_us": pl.Int64(),
    "explicit": pl.Boolean(),
    "objected": pl.Boolean(),
    "restricted": pl.Boolean(),
    "gpc": pl.Boolean(),
    "limited": pl.Boolean(),
    "jurisdiction": pl.String(),
    "readable": pl.Boolean(),
}
"""One row for each subject, about one purpose: a :class:`~segserver.privacy.subject.Status` (null: none) with
its times, and the flags. A null flag counts as the stricter of the two.
"""

PLAIN = r"\A[!-~](?:[ -~]*[!-~])?\z"
"""An opaque id that is normalized already: printable ASCII without white space around it."""

_CONSENTS = len(Consent)
_AGES = len(AgeGroup)


def state_table(states: Sequence[SubjectState], purpose: str, *, direct_marketing: bool) -> pl.DataFrame:
    """The rows of :data:`STATE_SCHEMA` for these states, in order."""
    decisions = [state.consents.get(purpose) for state in states]
    columns = {
        "status": [None if d is None else int(d.status) for d in decisions],
        "decided_us": [None if d is None else d.at_us for d in decisions],
        "expires_us": [None if d is None else d.expires_us for d in decisions],
        "explicit": [d is not None and d.explicit for d in decisions],
        "objected": [
            purpose in s.objections or (direct_marketing and MARKETING in s.objections) for s in states
        ],
        "restricted": [s.restricted_us is not None for s in states],
        "gpc": [GPC in s.signals for s in states],
        "limited": [LIMIT_SENSITIVE in s.signals for s in states],
        "jurisdiction": [s.jurisdiction for s in states],
        "readable": [s.readable for s in states],
    }
    return pl.DataFrame(columns, schema=STATE_SCHEMA)


@dataclass(frozen=True, slots=True)
class TableMask:
    """What may be seen of each row: ``codes`` (UInt32) names its mask among ``masks``."""

    codes: pl.Series
    masks: Mapping[int, Mask]

    def apply(self, values: pl.DataFrame, inputs: Sequence[str]) -> pl.DataFrame:
        """The columns ``inputs``, null where withheld. A column that ``values`` lacks is null."""
        present = [name for name in inputs if name in values.columns]
        hiding = {name: self._hidden(name) for name in present}
        # The name of a mask is no attribute's: an attribute's is never empty and begins with a letter.
        masks = {codes: f"?{number}" for number, codes in enumerate(dict.fromkeys(hiding.values()))}
        frame = values.select(present).with_columns(
            self.codes.is_in(codes).not_().alias(mask) for codes, mask in masks.items()
        )
        return frame.select(
            self._seen(name, hiding[name], masks[hiding[name]], values.schema[name])
            if name in hiding
            else pl.repeat(None, len(self.codes), dtype=pl.Null).alias(name)
            for name in inputs
        )

    def stopped(self) -> pl.Series:
        """Whether nothing at all may be evaluated, for each row."""
        return self.codes.is_in([code for code, mask in self.masks.items() if mask.stopped is not None])

    def stops(self) -> pl.Series:
        """Why nothing at all may be evaluated, for each row; empty text where something may."""
        if not self.masks:
            return pl.Series([], dtype=pl.String)
        stops = {code: str(mask.stopped or "") for code, mask in self.masks.items()}
        return self.codes.replace_strict(stops, return_dtype=pl.String)

    def withheld(self, name: str) -> pl.Series:
        """Whether this attribute is withheld, for each row."""
        return self.codes.is_in(self._hidden(name)).alias(name)

    def reasons(self, name: str) -> pl.Series:
        """Why this attribute is withheld, for each row; null where it is visible."""
        if not self.masks:
            return pl.Series(name, [], pl.String)
        reason_of = {code: mask.reason(name) for code, mask in self.masks.items()}
        return self.codes.replace_strict(reason_of, return_dtype=pl.String).alias(name)

    def _hidden(self, name: str) -> tuple[int, ...]:
        """The codes whose masks hide this attribute."""
        return tuple(code for code, mask in self.masks.items() if name not in mask.visible)

    def _seen(self, name: str, hidden: tuple[int, ...], mask: str, kind: pl.DataType) -> pl.Expr:
        if not hidden:
            return pl.col(name)
        if len(hidden) == len(self.masks):
            return pl.repeat(None, len(self.codes), dtype=kind).alias(name)
        return pl.when(pl.col(mask)).then(pl.col(name)).alias(name)


def mask_table(
    gate: Gate, purpose: str, caller: Caller, now_us: int, states: pl.DataFrame, values: pl.DataFrame
) -> TableMask:
    """The masks of all rows: ``states`` as in :data:`STATE_SCHEMA`, and ``values``, which tell the age, row
    by row.

    In ``values``, the birth date is ``Datetime("us")`` or Int64 microseconds since the epoch. The rows get
    exactly what :meth:`Gate.mask` gives one at a time.
    """
    policy = gate.policy
    permitted = purpose in policy.purposes and caller.may_use(purpose)
    jurisdictions = states.get_column("jurisdiction").fill_null("")
    distinct = {"", *jurisdictions.unique().to_list()}
    regimes = ["", *policy.regimes]
    regime_of = {name: regimes.index(policy.regime_key(name)) for name in distinct}
    regime = jurisdictions.replace_strict(regime_of, return_dtype=pl.UInt32)
    limits = [policy.regime(key).child_below_years for key in regimes]
    frame = states.with_columns(regime.alias("regime"), **_ages(gate, values, states.height))
    consent = _consent(now_us)
    age = _age(now_us, limits)
    code = pl.col("regime")
    for size, part in (
        (_AGES, age),
        (_CONSENTS, consent),
        (2, pl.col("readable").fill_null(value=False)),
        (2, pl.col("restricted").fill_null(value=True)),
        (2, pl.col("objected").fill_null(value=True)),
        (2, pl.col("gpc").fill_null(value=True)),
        (2, pl.col("limited").fill_null(value=True)),
    ):
        code = code * size + part.cast(pl.UInt32)
    codes = frame.select(code.cast(pl.UInt32).alias("code")).get_column("code")
    masks = {
        found: gate.mask_of(purpose, _situation(found, permitted=permitted, regimes=regimes))
        for found in codes.unique().to_list()
    }
    return TableMask(codes, masks)


def subject_keys(pseudonyms: Pseudonyms, id_type: str, ids: pl.Series) -> pl.Series:
    """The subject key of each id, as Binary. Raises :class:`InvalidInput` for the first bad one, a null
    included.
    """
    normalized = _normalized(pseudonyms, id_type, ids.fill_null(""))
    messages = (f"{id_type}\0" + normalized).cast(pl.Binary).to_list()
    digests = pl.Series(ids.name, pseudonyms.subject_macs(messages), pl.Binary)
    return pl.select((pl.lit(KEY_PREFIX) + digests).alias(ids.name)).to_series()


def audit_tokens(pseudonyms: Pseudonyms, keys: pl.Series, salts: pl.Series) -> pl.Series:
    """The audit token of each subject; ``keys`` and ``salts`` are Binary."""
    return _tokens(AUDIT_PREFIX, pseudonyms.audit_macs((salts + keys).to_list()), keys.name)


def recipient_tokens(pseudonyms: Pseudonyms, keys: pl.Series, salts: pl.Series, recipient: str) -> pl.Series:
    """The recipient's token of each subject; ``keys`` and ``salts`` are Binary."""
    digests = pseudonyms.recipient_macs((salts + keys).to_list(), recipient)
    return _tokens(RECIPIENT_PREFIX, digests, keys.name)


def _normalized(pseudonyms: Pseudonyms, id_type: str, ids: pl.Series) -> pl.Series:
    """The ids as they are hashed. Those of an opaque type that are plain ASCII, which most are, are
    recognized together and stay as they are.
    """
    if id_type in pseudonyms.opaque_types:
        is_plain = ids.str.contains(PLAIN) & (ids.str.len_bytes() <= ID_CHARACTERS_MAX)
    else:
        is_plain = pl.repeat(False, len(ids), dtype=pl.Boolean, eager=True)
    if is_plain.all() and len(ids):
        return ids
    return pl.Series(
        ids.name,
        [
            raw if plain else pseudonyms.normalize(SubjectId(id_type, raw))
            for raw, plain in zip(ids.to_list(), is_plain.to_list(), strict=True)
        ],
        pl.String,
    )


def _tokens(prefix: str, digests: Sequence[bytes], name: str) -> pl.Series:
    cut = pl.Series(name, digests, pl.Binary).bin.slice(0, TOKEN_BYTES)
    return prefix + cut.bin.encode("hex")


def _ages(gate: Gate, values: pl.DataFrame, rows: int) -> dict[str, pl.Series]:
    """The columns ``born_us`` and ``age_years``, null where not known."""
    nulls = pl.repeat(None, rows, dtype=pl.Int64, eager=True)
    born, years = gate.policy.birth_date_attribute, gate.policy.age_attribute
    found = {"born_us": nulls, "age_years": nulls}
    if born in values.columns:
        column = values.get_column(born)
        found["born_us"] = (column.dt.cast_time_unit("us") if column.dtype == pl.Datetime else column).cast(
            pl.Int64
        )
    if years in values.columns and values.schema[years].is_numeric():
        found["age_years"] = values.get_column(years)
    return found


def _consent(now_us: int) -> pl.Expr:
    """:func:`segserver.privacy.gate.standing`, as an expression over the columns of the state."""
    status = pl.col("status")
    return (
        pl.when(status.is_null())
        .then(Consent.MISSING)
        .when(status == Status.WITHDRAWN)
        .then(Consent.WITHDRAWN)
        .when(status != Status.GRANTED)
        .then(Consent.REFUSED)
        .when(pl.col("decided_us").is_null() | (pl.col("decided_us") > now_us))
        .then(Consent.MISSING)
        .when(pl.col("expires_us") <= now_us)
        .then(Consent.EXPIRED)
        .when(pl.col("explicit").fill_null(value=False))
        .then(Consent.EXPLICIT)
        .otherwise(Consent.GRANTED)
    )


def _age(now_us: int, limits: Sequence[int]) -> pl.Expr:
    """The age group under the limit of the row's regime, as an expression."""
    numbers = list(range(len(limits)))
    adult_before = [adult_before_us(now_us // DAY_US, limit) for limit in limits]
    born, years = pl.col("born_us"), pl.col("age_years")
    is_child = (
        born >= pl.col("regime").replace_strict(numbers, adult_before, return_dtype=pl.Int64)
    ).fill_null(value=False) | (
        years < pl.col("regime").replace_strict(numbers, limits, return_dtype=pl.Int64)
    ).fill_null(value=False)
    return (
        pl.when(is_child)
        .then(AgeGroup.CHILD)
        .when(born.is_null() & years.is_null())
        .then(AgeGroup.UNKNOWN)
        .otherwise(AgeGroup.ADULT)
    )


def _situation(code: int, *, permitted: bool, regimes: Sequence[str]) -> Situation:
    """The situation that was folded into ``code``; the digits in the order of :func:`mask_table`, from the
    last.
    """
    code, limited = divmod(code, 2)
    code, gpc = divmod(code, 2)
    code, objected = divmod(code, 2)
    code, restricted = divmod(code, 2)
    code, readable = divmod(code, 2)
    code, consent = divmod(code, _CONSENTS)
    regime, age = divmod(code, _AGES)
    return Situation(
        permitted,
        bool(readable),
        bool(restricted),
        bool(objected),
        AgeGroup(age),
        Consent(consent),
        bool(gpc),
        bool(limited),
        regimes[regime],
    )
