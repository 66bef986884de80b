import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChangeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANGE_KIND_UNSPECIFIED: _ClassVar[ChangeKind]
    CHANGE_KIND_ADDED: _ClassVar[ChangeKind]
    CHANGE_KIND_REMOVED: _ClassVar[ChangeKind]
    CHANGE_KIND_CHANGED: _ClassVar[ChangeKind]
CHANGE_KIND_UNSPECIFIED: ChangeKind
CHANGE_KIND_ADDED: ChangeKind
CHANGE_KIND_REMOVED: ChangeKind
CHANGE_KIND_CHANGED: ChangeKind

class CatalogVersion(_message.Message):
    __slots__ = ("version", "digest", "publish_time", "publisher", "note")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    PUBLISH_TIME_FIELD_NUMBER: _ClassVar[int]
    PUBLISHER_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    version: int
    digest: str
    publish_time: _timestamp_pb2.Timestamp
    publisher: str
    note: str
    def __init__(self, version: _Optional[int] = ..., digest: _Optional[str] = ..., publish_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., publisher: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class Document(_message.Message):
    __slots__ = ("name", "text")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    name: str
    text: str
    def __init__(self, name: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class Segment(_message.Message):
    __slots__ = ("id", "title", "rule", "purposes", "owner", "tags", "exclusive_group", "priority", "minimum_audience", "reads", "categories", "strategy", "variable")
    ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    PURPOSES_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    EXCLUSIVE_GROUP_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    READS_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    VARIABLE_FIELD_NUMBER: _ClassVar[int]
    id: str
    title: str
    rule: str
    purposes: _containers.RepeatedScalarFieldContainer[str]
    owner: str
    tags: _containers.RepeatedScalarFieldContainer[str]
    exclusive_group: str
    priority: int
    minimum_audience: int
    reads: _containers.RepeatedScalarFieldContainer[str]
    categories: _containers.RepeatedScalarFieldContainer[str]
    strategy: str
    variable: str
    def __init__(self, id: _Optional[str] = ..., title: _Optional[str] = ..., rule: _Optional[str] = ..., purposes: _Optional[_Iterable[str]] = ..., owner: _Optional[str] = ..., tags: _Optional[_Iterable[str]] = ..., exclusive_group: _Optional[str] = ..., priority: _Optional[int] = ..., minimum_audience: _Optional[int] = ..., reads: _Optional[_Iterable[str]] = ..., categories: _Optional[_Iterable[str]] = ..., strategy: _Optional[str] = ..., variable: _Optional[str] = ...) -> None: ...

class Strategy(_message.Message):
    __slots__ = ("name", "version", "title", "distribution", "enabled", "traits", "segments", "attributes", "settings_json", "quarantine_reason", "failure_count", "process_state", "process_failure_count", "last_failure", "process_walls")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    DISTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    TRAITS_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_JSON_FIELD_NUMBER: _ClassVar[int]
    QUARANTINE_REASON_FIELD_NUMBER: _ClassVar[int]
    FAILURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    PROCESS_STATE_FIELD_NUMBER: _ClassVar[int]
    PROCESS_FAILURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    LAST_FAILURE_FIELD_NUMBER: _ClassVar[int]
    PROCESS_WALLS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    title: str
    distribution: str
    enabled: bool
    traits: _containers.RepeatedCompositeFieldContainer[Trait]
    segments: _containers.RepeatedScalarFieldContainer[str]
    attributes: _containers.RepeatedScalarFieldContainer[str]
    settings_json: str
    quarantine_reason: str
    failure_count: int
    process_state: str
    process_failure_count: int
    last_failure: str
    process_walls: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., title: _Optional[str] = ..., distribution: _Optional[str] = ..., enabled: _Optional[bool] = ..., traits: _Optional[_Iterable[_Union[Trait, _Mapping]]] = ..., segments: _Optional[_Iterable[str]] = ..., attributes: _Optional[_Iterable[str]] = ..., settings_json: _Optional[str] = ..., quarantine_reason: _Optional[str] = ..., failure_count: _Optional[int] = ..., process_state: _Optional[str] = ..., process_failure_count: _Optional[int] = ..., last_failure: _Optional[str] = ..., process_walls: _Optional[_Iterable[str]] = ...) -> None: ...

class Trait(_message.Message):
    __slots__ = ("name", "type", "title", "rule", "values", "reads", "categories")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    READS_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    title: str
    rule: str
    values: _containers.RepeatedScalarFieldContainer[str]
    reads: _containers.RepeatedScalarFieldContainer[str]
    categories: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., title: _Optional[str] = ..., rule: _Optional[str] = ..., values: _Optional[_Iterable[str]] = ..., reads: _Optional[_Iterable[str]] = ..., categories: _Optional[_Iterable[str]] = ...) -> None: ...

class Attribute(_message.Message):
    __slots__ = ("name", "type", "category", "title", "purposes", "values", "owners")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    PURPOSES_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    OWNERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    category: str
    title: str
    purposes: _containers.RepeatedScalarFieldContainer[str]
    values: _containers.RepeatedScalarFieldContainer[str]
    owners: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., category: _Optional[str] = ..., title: _Optional[str] = ..., purposes: _Optional[_Iterable[str]] = ..., values: _Optional[_Iterable[str]] = ..., owners: _Optional[_Iterable[str]] = ...) -> None: ...

class EventDefinition(_message.Message):
    __slots__ = ("name", "category", "title", "purposes", "properties", "owners")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    PURPOSES_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    OWNERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    category: str
    title: str
    purposes: _containers.RepeatedScalarFieldContainer[str]
    properties: _containers.RepeatedCompositeFieldContainer[EventProperty]
    owners: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., category: _Optional[str] = ..., title: _Optional[str] = ..., purposes: _Optional[_Iterable[str]] = ..., properties: _Optional[_Iterable[_Union[EventProperty, _Mapping]]] = ..., owners: _Optional[_Iterable[str]] = ...) -> None: ...

class EventProperty(_message.Message):
    __slots__ = ("name", "type", "category", "title", "values")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    category: str
    title: str
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., category: _Optional[str] = ..., title: _Optional[str] = ..., values: _Optional[_Iterable[str]] = ...) -> None: ...

class ComputedAttribute(_message.Message):
    __slots__ = ("name", "type", "categories", "title", "purposes", "definition_json", "owners")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    PURPOSES_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_JSON_FIELD_NUMBER: _ClassVar[int]
    OWNERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    categories: _containers.RepeatedScalarFieldContainer[str]
    title: str
    purposes: _containers.RepeatedScalarFieldContainer[str]
    definition_json: str
    owners: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., categories: _Optional[_Iterable[str]] = ..., title: _Optional[str] = ..., purposes: _Optional[_Iterable[str]] = ..., definition_json: _Optional[str] = ..., owners: _Optional[_Iterable[str]] = ...) -> None: ...

class Purpose(_message.Message):
    __slots__ = ("name", "title", "legal_basis", "categories")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    LEGAL_BASIS_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    name: str
    title: str
    legal_basis: str
    categories: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., title: _Optional[str] = ..., legal_basis: _Optional[str] = ..., categories: _Optional[_Iterable[str]] = ...) -> None: ...

class RuleProblem(_message.Message):
    __slots__ = ("message", "line", "column", "file", "field")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    message: str
    line: int
    column: int
    file: str
    field: str
    def __init__(self, message: _Optional[str] = ..., line: _Optional[int] = ..., column: _Optional[int] = ..., file: _Optional[str] = ..., field: _Optional[str] = ...) -> None: ...

class SegmentChange(_message.Message):
    __slots__ = ("segment", "kind", "fields", "entering", "leaving", "members_before", "members_after", "through")
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    ENTERING_FIELD_NUMBER: _ClassVar[int]
    LEAVING_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_BEFORE_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_AFTER_FIELD_NUMBER: _ClassVar[int]
    THROUGH_FIELD_NUMBER: _ClassVar[int]
    segment: str
    kind: ChangeKind
    fields: _containers.RepeatedScalarFieldContainer[str]
    entering: int
    leaving: int
    members_before: int
    members_after: int
    through: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, segment: _Optional[str] = ..., kind: _Optional[_Union[ChangeKind, str]] = ..., fields: _Optional[_Iterable[str]] = ..., entering: _Optional[int] = ..., leaving: _Optional[int] = ..., members_before: _Optional[int] = ..., members_after: _Optional[int] = ..., through: _Optional[_Iterable[str]] = ...) -> None: ...

class OtherChange(_message.Message):
    __slots__ = ("part", "name", "kind", "fields", "through")
    PART_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    THROUGH_FIELD_NUMBER: _ClassVar[int]
    part: str
    name: str
    kind: ChangeKind
    fields: _containers.RepeatedScalarFieldContainer[str]
    through: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, part: _Optional[str] = ..., name: _Optional[str] = ..., kind: _Optional[_Union[ChangeKind, str]] = ..., fields: _Optional[_Iterable[str]] = ..., through: _Optional[_Iterable[str]] = ...) -> None: ...

class GetCatalogRequest(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    def __init__(self, version: _Optional[int] = ...) -> None: ...

class GetCatalogResponse(_message.Message):
    __slots__ = ("version", "documents")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    version: CatalogVersion
    documents: _containers.RepeatedCompositeFieldContainer[Document]
    def __init__(self, version: _Optional[_Union[CatalogVersion, _Mapping]] = ..., documents: _Optional[_Iterable[_Union[Document, _Mapping]]] = ...) -> None: ...

class ListSegmentsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "purpose", "tag")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    purpose: str
    tag: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., purpose: _Optional[str] = ..., tag: _Optional[str] = ...) -> None: ...

class ListSegmentsResponse(_message.Message):
    __slots__ = ("segments", "next_page_token")
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    segments: _containers.RepeatedCompositeFieldContainer[Segment]
    next_page_token: str
    def __init__(self, segments: _Optional[_Iterable[_Union[Segment, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetSegmentRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetSegmentResponse(_message.Message):
    __slots__ = ("segment",)
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    segment: Segment
    def __init__(self, segment: _Optional[_Union[Segment, _Mapping]] = ...) -> None: ...

class ListStrategiesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListStrategiesResponse(_message.Message):
    __slots__ = ("strategies", "next_page_token")
    STRATEGIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    strategies: _containers.RepeatedCompositeFieldContainer[Strategy]
    next_page_token: str
    def __init__(self, strategies: _Optional[_Iterable[_Union[Strategy, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListAttributesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAttributesResponse(_message.Message):
    __slots__ = ("attributes", "next_page_token")
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    attributes: _containers.RepeatedCompositeFieldContainer[Attribute]
    next_page_token: str
    def __init__(self, attributes: _Optional[_Iterable[_Union[Attribute, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListEventDefinitionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListEventDefinitionsResponse(_message.Message):
    __slots__ = ("definitions", "next_page_token")
    DEFINITIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    definitions: _containers.RepeatedCompositeFieldContainer[EventDefinition]
    next_page_token: str
    def __init__(self, definitions: _Optional[_Iterable[_Union[EventDefinition, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListComputedAttributesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListComputedAttributesResponse(_message.Message):
    __slots__ = ("attributes", "next_page_token")
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    attributes: _containers.RepeatedCompositeFieldContainer[ComputedAttribute]
    next_page_token: str
    def __init__(self, attributes: _Optional[_Iterable[_Union[ComputedAttribute, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListPurposesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListPurposesResponse(_message.Message):
    __slots__ = ("purposes", "next_page_token")
    PURPOSES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    purposes: _containers.RepeatedCompositeFieldContainer[Purpose]
    next_page_token: str
    def __init__(self, purposes: _Optional[_Iterable[_Union[Purpose, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ValidateRuleRequest(_message.Message):
    __slots__ = ("rule",)
    RULE_FIELD_NUMBER: _ClassVar[int]
    rule: str
    def __init__(self, rule: _Optional[str] = ...) -> None: ...

class ValidateRuleResponse(_message.Message):
    __slots__ = ("problems", "type", "references", "reads", "categories", "purposes")
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    REFERENCES_FIELD_NUMBER: _ClassVar[int]
    READS_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    PURPOSES_FIELD_NUMBER: _ClassVar[int]
    problems: _containers.RepeatedCompositeFieldContainer[RuleProblem]
    type: str
    references: _containers.RepeatedScalarFieldContainer[str]
    reads: _containers.RepeatedScalarFieldContainer[str]
    categories: _containers.RepeatedScalarFieldContainer[str]
    purposes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, problems: _Optional[_Iterable[_Union[RuleProblem, _Mapping]]] = ..., type: _Optional[str] = ..., references: _Optional[_Iterable[str]] = ..., reads: _Optional[_Iterable[str]] = ..., categories: _Optional[_Iterable[str]] = ..., purposes: _Optional[_Iterable[str]] = ...) -> None: ...

class DiffCatalogRequest(_message.Message):
    __slots__ = ("documents", "purpose")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    documents: _containers.RepeatedCompositeFieldContainer[Document]
    purpose: str
    def __init__(self, documents: _Optional[_Iterable[_Union[Document, _Mapping]]] = ..., purpose: _Optional[str] = ...) -> None: ...

class DiffCatalogResponse(_message.Message):
    __slots__ = ("segments", "others", "population", "digest")
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    OTHERS_FIELD_NUMBER: _ClassVar[int]
    POPULATION_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    segments: _containers.RepeatedCompositeFieldContainer[SegmentChange]
    others: _containers.RepeatedCompositeFieldContainer[OtherChange]
    population: int
    digest: str
    def __init__(self, segments: _Optional[_Iterable[_Union[SegmentChange, _Mapping]]] = ..., others: _Optional[_Iterable[_Union[OtherChange, _Mapping]]] = ..., population: _Optional[int] = ..., digest: _Optional[str] = ...) -> None: ...

class PublishCatalogRequest(_message.Message):
    __slots__ = ("documents", "note", "expected_digest", "validate_only")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_DIGEST_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    documents: _containers.RepeatedCompositeFieldContainer[Document]
    note: str
    expected_digest: str
    validate_only: bool
    def __init__(self, documents: _Optional[_Iterable[_Union[Document, _Mapping]]] = ..., note: _Optional[str] = ..., expected_digest: _Optional[str] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class PublishCatalogResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: CatalogVersion
    def __init__(self, version: _Optional[_Union[CatalogVersion, _Mapping]] = ...) -> None: ...

class ListCatalogVersionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListCatalogVersionsResponse(_message.Message):
    __slots__ = ("versions", "next_page_token")
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[CatalogVersion]
    next_page_token: str
    def __init__(self, versions: _Optional[_Iterable[_Union[CatalogVersion, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class FitStrategyRequest(_message.Message):
    __slots__ = ("strategy", "purpose", "evaluate_time", "seed")
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    EVALUATE_TIME_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    strategy: str
    purpose: str
    evaluate_time: _timestamp_pb2.Timestamp
    seed: int
    def __init__(self, strategy: _Optional[str] = ..., purpose: _Optional[str] = ..., evaluate_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., seed: _Optional[int] = ...) -> None: ...

class FitStrategyResponse(_message.Message):
    __slots__ = ("document", "digest", "customers")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    CUSTOMERS_FIELD_NUMBER: _ClassVar[int]
    document: Document
    digest: str
    customers: int
    def __init__(self, document: _Optional[_Union[Document, _Mapping]] = ..., digest: _Optional[str] = ..., customers: _Optional[int] = ...) -> None: ...
