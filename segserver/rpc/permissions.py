"""One table gives every method the roles that may call it. A method without a row is denied, and fails a
test.
"""

from __future__ import annotations

from collections.abc import Mapping

from segserver.model import Role

_EVERYBODY = frozenset(Role)
_EVALUATORS = frozenset({Role.EVALUATOR})
_EXPLAINERS = frozenset({Role.EVALUATOR, Role.ANALYST, Role.OFFICER})
_WRITERS = frozenset({Role.WRITER})
_READERS = frozenset({Role.WRITER, Role.OFFICER})
_OFFICERS = frozenset({Role.OFFICER})
_ADMINS = frozenset({Role.ADMIN})
_AUTHORS = frozenset({Role.ANALYST, Role.ADMIN})
_OPERATORS = frozenset({Role.OFFICER, Role.ADMIN})

VALUE_READERS = frozenset({Role.WRITER, Role.OFFICER})
"""The roles to which an explanation shows the values of attributes, not only the truth of conditions."""

_SERVICES: Mapping[str, Mapping[str, frozenset[Role]]] = {
    "SegmentationService": {
        "EvaluateSegments": _EVALUATORS,
        "BatchEvaluateSegments": _EVALUATORS,
        "BulkEvaluateSegments": _EVALUATORS,
        "ExplainSegment": _EXPLAINERS,
        "ListMembers": _EVALUATORS,
        "WatchMemberships": _EVALUATORS,
        "RefreshMemberships": _ADMINS,
    },
    "ProfileService": {
        "UpsertProfile": _WRITERS,
        "BatchUpsertProfiles": _WRITERS,
        "GetProfile": _READERS,
        "RecordEvents": _WRITERS,
        "StreamEvents": _WRITERS,
        "UploadList": _WRITERS,
        "ListLists": _EVERYBODY,
        "DeleteList": _WRITERS,
    },
    "ConsentService": {
        "RecordConsent": _WRITERS,
        "WithdrawConsent": _WRITERS,
        "RecordObjection": _WRITERS,
        "RecordPrivacySignal": _WRITERS,
        "GetConsents": _READERS,
        "ListConsentHistory": _READERS,
    },
    "AuditService": {
        "SearchEntries": _OFFICERS,
        "GetEntry": _OFFICERS,
        "GetStats": _OFFICERS,
        "ExportEntries": _OFFICERS,
        "ProveEntry": _OFFICERS,
        "ProveResult": _OFFICERS,
        "ListResults": _OFFICERS,
        "GetCheckpoint": _EVERYBODY,
        "PruneEntries": _OFFICERS,
        "ReplayEntry": _OFFICERS,
    },
    "PrivacyService": {
        "ExportSubject": _OFFICERS,
        "ImportSubject": _OFFICERS,
        "RestrictSubject": _OFFICERS,
        "EraseSubject": _OFFICERS,
        "AddAlias": _WRITERS,
        "OpenRequest": _READERS,
        "CompleteRequest": _OFFICERS,
        "ListRequests": _OFFICERS,
        "AskIdentification": _OFFICERS,
        "ApproveIdentification": _OFFICERS,
        "GetProcessingRecord": _OFFICERS,
    },
    "CatalogService": {
        "GetCatalog": _EVERYBODY,
        "ListSegments": _EVERYBODY,
        "GetSegment": _EVERYBODY,
        "ListStrategies": _EVERYBODY,
        "ListAttributes": _EVERYBODY,
        "ListEventDefinitions": _EVERYBODY,
        "ListComputedAttributes": _EVERYBODY,
        "ListPurposes": _EVERYBODY,
        "ValidateRule": _AUTHORS,
        "DiffCatalog": _AUTHORS,
        "PublishCatalog": _AUTHORS,
        "FitStrategy": _AUTHORS,
        "ListCatalogVersions": _EVERYBODY,
    },
    "StatusService": {
        "GetStatus": _OPERATORS,
    },
}

PERMISSIONS: Mapping[str, frozenset[Role]] = {
    f"/segserver.v1.{service}/{method}": roles
    for service, methods in _SERVICES.items()
    for method, roles in methods.items()
}
"""Full method name to the roles that may call it."""
