"""The nouns of behavior over time: an event, its properties, a window, and an attribute computed from them.

They are data. What a window covers is in :mod:`segserver.events.windows`; what an aggregate gives, for one
subject in :mod:`segserver.events.online` and for a table in :mod:`segserver.events.bulk`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from segserver.model import Category, TypeName

Aggregate: TypeAlias = Literal[
    "count",
    "sum",
    "average",
    "minimum",
    "maximum",
    "first",
    "last",
    "distinct",
    "most_frequent",
    "time_since_last",
    "time_since_first",
    "median_gap",
    "exists",
    "absent",
    "sequence",
    "rate",
]
"""The names of what can be computed of events; :class:`ComputedAttribute` says what each is."""
AGGREGATES: frozenset[str] = frozenset(get_args(Aggregate))

Comparison: TypeAlias = Literal["difference", "ratio"]

PROPERTY_TYPES: frozenset[str] = frozenset({"bool", "int", "double", "string", "timestamp"})

TIME = "time"
"""The property that every event has: when it happened. Conditions read it as ``event.time``."""

SUBJECT_TIME_ZONE = "subject"
"""In place of a time zone's name: the subject's own, which the policy's time zone attribute tells."""


@dataclass(frozen=True, slots=True)
class Property:
    """A typed fact of an event, with its privacy category. An event may lack it."""

    type: TypeName
    """One of :data:`PROPERTY_TYPES`."""
    category: Category | str
    title: str = ""
    values: Sequence[str] = ()
    """For a string: the values allowed; empty allows all."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that subjects do. Its own category is that of the fact that it happened, and when."""

    name: str
    category: Category | str
    properties: Mapping[str, Property] = field(default_factory=dict)
    title: str = ""
    purposes: Sequence[str] | None = None
    """Narrows the purposes that the categories allow; ``None`` leaves them."""


@dataclass(frozen=True, slots=True)
class ComputedAttribute:
    """An attribute that is an aggregate of events over a window. Rules read it by its name, like any other.

    What each aggregate gives, over the events of the window for which ``where`` holds, in the order of time:

    ================  ========================  ============  ==============================================
    aggregate         ``of``                    type          value
    ================  ========================  ============  ==============================================
    count                                       int           how many
    sum               int or double             that          their sum; a double's to a millionth
    average           int or double             double        their sum by their number
    minimum, maximum  int, double, timestamp    that          the least, the greatest
    first, last       any, or left out          that, or      of the first or last event that has it; left
                                                timestamp     out: when that was
    distinct          any but double            int           how many different values
    most_frequent     string                    string, or    the value that occurs most (or has the
                                                list(string)  greatest sum of ``weight``); equal ones in
                                                              alphabetical order; with ``top``, so many
    time_since_last,                            double        days from it until now
    time_since_first
    median_gap                                  double        days: the median time from one to the next,
                                                              of the latest :data:`GAPS_MAX` gaps
    exists, absent                              bool          whether there is one, or none
    sequence                                    bool          whether an event ``then`` follows one of
                                                              them, at the same time or at most ``within``
                                                              later, both in the window; of one name, a
                                                              later one in order of recording
    rate                                        double        how many a day of the window
    ================  ========================  ============  ==============================================

    Without events in the window, count, sum, distinct and rate are 0, ``exists`` and ``sequence`` are false,
    ``absent`` is true, a ``top`` list is empty, and everything else has no value. A sum beyond 64 bits has
    none either. An event that lacks the property of a condition does not fulfil it; one that lacks ``of`` (or
    ``weight``) is left out of what is taken of it.

    ``window`` is a text:

    * ``90d``, ``36h``, ``15m``: ``(now - 90 days, now]``; ``30d before 30d``: ``(now - 60 days, now - 30
      days]``;
    * ``today``, ``yesterday``, ``this_week`` (from Monday, ISO 8601), ``last_week``, ``this_month``,
      ``last_month``, ``this_quarter``, ``last_quarter``, ``this_year``, ``last_year``,
      ``same_month_last_year``, ``same_quarter_last_year``: of the calendar in ``time_zone``, from their first
      instant up to the first of the next, and never beyond now;
    * ``since <event>``: later than the subject's last event of that name, or all time if there was none;
    * ``session 30m``: the current session: the events of that name, whatever ``where`` says, up to now with
      less than 30 minutes from one to the next, the last of them less than 30 minutes ago;
    * ``all``: everything up to now.

    A calendar window in the subject's time zone gives no value when that is unknown, or no time zone. A rate
    is by the whole window's length up to now, also where retention has left less of it; a window without a
    beginning has that of the subject's first event of that name.

    With ``versus``, a second window, the value is the ``comparison`` of the two: their difference, or their
    ratio (which has no value when the second is 0). Both are for count, sum, average, distinct and rate; a
    ratio is a double.
    """

    name: str
    event: str
    aggregate: Aggregate
    window: str
    category: Category | str
    where: str = ""
    """CEL over ``event.<property>`` and ``event.time``; empty takes every event."""
    of: str = ""
    """The property that is aggregated."""
    weight: str = ""
    """For most_frequent: the int or double property whose sum ranks a value, in place of the number of
    events.
    """
    top: int = 0
    """For most_frequent: how many values; 0 gives the one."""
    then: str = ""
    """For sequence: the event that follows."""
    then_where: str = ""
    """For sequence: the condition on the event that follows."""
    within: str = ""
    """For sequence: a duration like ``7d`` or ``30m``."""
    time_zone: str = "UTC"
    """For a calendar window: a name of the IANA database, or :data:`SUBJECT_TIME_ZONE`."""
    versus: str = ""
    comparison: Comparison = "difference"
    purposes: Sequence[str] | None = None
    """Narrows the purposes that the event, its properties and the category allow."""
    title: str = ""


GAPS_MAX = 1_000
"""So many gaps, the latest, make a median: a subject with a million events is answered as fast as any."""

DOUBLE_MAX = 9e12
"""The greatest double, either way, that an event's property may have. In a sum a double counts as so many
millionths, the nearest whole number of them, so that the order of adding does not matter; those of this one
fit into 64 bits."""
