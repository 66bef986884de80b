"""The typed client of segserver, in two forms with one surface: :class:`Client` waits, :class:`AsyncClient`
is awaited.

Results are the frozen dataclasses of :mod:`segserver.client.results`; errors are those of
:mod:`segserver.errors`.
"""

from segserver.client.awaiting import AsyncClient
from segserver.client.blocking import Client
from segserver.client.calls import Subject, parse_subject
from segserver.client.results import (
    Attribute,
    BulkEvaluation,
    Catalog,
    CatalogDiff,
    CatalogVersion,
    ChangeKind,
    Condition,
    Document,
    EvaluatedPart,
    Evaluation,
    Event,
    EventsRecorded,
    Explanation,
    ExplanationNode,
    OtherChange,
    Profile,
    ProfileChange,
    ProfileWrite,
    Purpose,
    RuleCheck,
    RuleProblem,
    Segment,
    SegmentChange,
    SegmentResult,
    Strategy,
    StrategyFit,
    Trait,
    Truth,
    WithheldAttribute,
)
from segserver.client.tls import tls

__all__ = [
    "AsyncClient",
    "Attribute",
    "BulkEvaluation",
    "Catalog",
    "CatalogDiff",
    "CatalogVersion",
    "ChangeKind",
    "Client",
    "Condition",
    "Document",
    "EvaluatedPart",
    "Evaluation",
    "Event",
    "EventsRecorded",
    "Explanation",
    "ExplanationNode",
    "OtherChange",
    "Profile",
    "ProfileChange",
    "ProfileWrite",
    "Purpose",
    "RuleCheck",
    "RuleProblem",
    "Segment",
    "SegmentChange",
    "SegmentResult",
    "Strategy",
    "StrategyFit",
    "Subject",
    "Trait",
    "Truth",
    "WithheldAttribute",
    "parse_subject",
    "tls",
]
