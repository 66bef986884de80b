import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from segserver.v1 import value_pb2 as _value_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_MEMBER: _ClassVar[Outcome]
    OUTCOME_NOT_MEMBER: _ClassVar[Outcome]
    OUTCOME_UNKNOWN: _ClassVar[Outcome]
    OUTCOME_WITHHELD: _ClassVar[Outcome]

class Truth(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRUTH_UNSPECIFIED: _ClassVar[Truth]
    TRUTH_TRUE: _ClassVar[Truth]
    TRUTH_FALSE: _ClassVar[Truth]
    TRUTH_UNKNOWN: _ClassVar[Truth]
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_MEMBER: Outcome
OUTCOME_NOT_MEMBER: Outcome
OUTCOME_UNKNOWN: Outcome
OUTCOME_WITHHELD: Outcome
TRUTH_UNSPECIFIED: Truth
TRUTH_TRUE: Truth
TRUTH_FALSE: Truth
TRUTH_UNKNOWN: Truth

class Evaluation(_message.Message):
    __slots__ = ("evaluation_id", "evaluate_time", "catalog_digest", "subject_token", "results")
    EVALUATION_ID_FIELD_NUMBER: _ClassVar[int]
    EVALUATE_TIME_FIELD_NUMBER: _ClassVar[int]
    CATALOG_DIGEST_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    evaluation_id: str
    evaluate_time: _timestamp_pb2.Timestamp
    catalog_digest: str
    subject_token: str
    results: _containers.RepeatedCompositeFieldContainer[SegmentResult]
    def __init__(self, evaluation_id: _Optional[str] = ..., evaluate_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., catalog_digest: _Optional[str] = ..., subject_token: _Optional[str] = ..., results: _Optional[_Iterable[_Union[SegmentResult, _Mapping]]] = ...) -> None: ...

class SegmentResult(_message.Message):
    __slots__ = ("segment", "outcome", "missing", "withheld", "reason", "failed_traits", "human_review")
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    WITHHELD_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FAILED_TRAITS_FIELD_NUMBER: _ClassVar[int]
    HUMAN_REVIEW_FIELD_NUMBER: _ClassVar[int]
    segment: str
    outcome: Outcome
    missing: _containers.RepeatedScalarFieldContainer[str]
    withheld: _containers.RepeatedCompositeFieldContainer[WithheldAttribute]
    reason: str
    failed_traits: _containers.RepeatedScalarFieldContainer[str]
    human_review: bool
    def __init__(self, segment: _Optional[str] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., missing: _Optional[_Iterable[str]] = ..., withheld: _Optional[_Iterable[_Union[WithheldAttribute, _Mapping]]] = ..., reason: _Optional[str] = ..., failed_traits: _Optional[_Iterable[str]] = ..., human_review: _Optional[bool] = ...) -> None: ...

class WithheldAttribute(_message.Message):
    __slots__ = ("attribute", "reason")
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    attribute: str
    reason: str
    def __init__(self, attribute: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ExplanationNode(_message.Message):
    __slots__ = ("expression", "truth", "value", "unknown_attributes", "line", "column", "definition_of", "children")
    EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    TRUTH_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_OF_FIELD_NUMBER: _ClassVar[int]
    CHILDREN_FIELD_NUMBER: _ClassVar[int]
    expression: str
    truth: Truth
    value: str
    unknown_attributes: _containers.RepeatedScalarFieldContainer[str]
    line: int
    column: int
    definition_of: str
    children: _containers.RepeatedCompositeFieldContainer[ExplanationNode]
    def __init__(self, expression: _Optional[str] = ..., truth: _Optional[_Union[Truth, str]] = ..., value: _Optional[str] = ..., unknown_attributes: _Optional[_Iterable[str]] = ..., line: _Optional[int] = ..., column: _Optional[int] = ..., definition_of: _Optional[str] = ..., children: _Optional[_Iterable[_Union[ExplanationNode, _Mapping]]] = ...) -> None: ...

class Condition(_message.Message):
    __slots__ = ("expression", "truth", "needed")
    EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    TRUTH_FIELD_NUMBER: _ClassVar[int]
    NEEDED_FIELD_NUMBER: _ClassVar[int]
    expression: str
    truth: Truth
    needed: Truth
    def __init__(self, expression: _Optional[str] = ..., truth: _Optional[_Union[Truth, str]] = ..., needed: _Optional[_Union[Truth, str]] = ...) -> None: ...

class EvaluateSegmentsRequest(_message.Message):
    __slots__ = ("subject", "purpose", "segments", "attributes", "evaluate_time")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    EVALUATE_TIME_FIELD_NUMBER: _ClassVar[int]
    subject: _value_pb2.SubjectId
    purpose: str
    segments: _containers.RepeatedScalarFieldContainer[str]
    attributes: _value_pb2.Attributes
    evaluate_time: _timestamp_pb2.Timestamp
    def __init__(self, subject: _Optional[_Union[_value_pb2.SubjectId, _Mapping]] = ..., purpose: _Optional[str] = ..., segments: _Optional[_Iterable[str]] = ..., attributes: _Optional[_Union[_value_pb2.Attributes, _Mapping]] = ..., evaluate_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class EvaluateSegmentsResponse(_message.Message):
    __slots__ = ("evaluation",)
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    evaluation: Evaluation
    def __init__(self, evaluation: _Optional[_Union[Evaluation, _Mapping]] = ...) -> None: ...

class BatchEvaluateSegmentsRequest(_message.Message):
    __slots__ = ("subjects", "purpose", "segments", "evaluate_time")
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    EVALUATE_TIME_FIELD_NUMBER: _ClassVar[int]
    subjects: _containers.RepeatedCompositeFieldContainer[BatchSubject]
    purpose: str
    segments: _containers.RepeatedScalarFieldContainer[str]
    evaluate_time: _timestamp_pb2.Timestamp
    def __init__(self, subjects: _Optional[_Iterable[_Union[BatchSubject, _Mapping]]] = ..., purpose: _Optional[str] = ..., segments: _Optional[_Iterable[str]] = ..., evaluate_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class BatchSubject(_message.Message):
    __slots__ = ("subject", "attributes")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    subject: _value_pb2.SubjectId
    attributes: _value_pb2.Attributes
    def __init__(self, subject: _Optional[_Union[_value_pb2.SubjectId, _Mapping]] = ..., attributes: _Optional[_Union[_value_pb2.Attributes, _Mapping]] = ...) -> None: ...

class BatchEvaluateSegmentsResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[BatchResult]
    def __init__(self, results: _Optional[_Iterable[_Union[BatchResult, _Mapping]]] = ...) -> None: ...

class BatchResult(_message.Message):
    __slots__ = ("evaluation", "error")
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    evaluation: Evaluation
    error: _value_pb2.Failure
    def __init__(self, evaluation: _Optional[_Union[Evaluation, _Mapping]] = ..., error: _Optional[_Union[_value_pb2.Failure, _Mapping]] = ...) -> None: ...

class BulkEvaluateSegmentsRequest(_message.Message):
    __slots__ = ("purpose", "segments", "evaluate_time")
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    EVALUATE_TIME_FIELD_NUMBER: _ClassVar[int]
    purpose: str
    segments: _containers.RepeatedScalarFieldContainer[str]
    evaluate_time: _timestamp_pb2.Timestamp
    def __init__(self, purpose: _Optional[str] = ..., segments: _Optional[_Iterable[str]] = ..., evaluate_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class BulkEvaluateSegmentsResponse(_message.Message):
    __slots__ = ("results", "distinct", "evaluation_id", "evaluate_time", "catalog_digest", "log_index")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    DISTINCT_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_ID_FIELD_NUMBER: _ClassVar[int]
    EVALUATE_TIME_FIELD_NUMBER: _ClassVar[int]
    CATALOG_DIGEST_FIELD_NUMBER: _ClassVar[int]
    LOG_INDEX_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[BulkResult]
    distinct: _containers.RepeatedCompositeFieldContainer[SegmentResult]
    evaluation_id: str
    evaluate_time: _timestamp_pb2.Timestamp
    catalog_digest: str
    log_index: int
    def __init__(self, results: _Optional[_Iterable[_Union[BulkResult, _Mapping]]] = ..., distinct: _Optional[_Iterable[_Union[SegmentResult, _Mapping]]] = ..., evaluation_id: _Optional[str] = ..., evaluate_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., catalog_digest: _Optional[str] = ..., log_index: _Optional[int] = ...) -> None: ...

class BulkResult(_message.Message):
    __slots__ = ("subject_token", "results", "error")
    SUBJECT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    subject_token: str
    results: _containers.RepeatedScalarFieldContainer[int]
    error: _value_pb2.Failure
    def __init__(self, subject_token: _Optional[str] = ..., results: _Optional[_Iterable[int]] = ..., error: _Optional[_Union[_value_pb2.Failure, _Mapping]] = ...) -> None: ...

class ExplainSegmentRequest(_message.Message):
    __slots__ = ("subject", "purpose", "segment", "attributes", "evaluate_time")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    EVALUATE_TIME_FIELD_NUMBER: _ClassVar[int]
    subject: _value_pb2.SubjectId
    purpose: str
    segment: str
    attributes: _value_pb2.Attributes
    evaluate_time: _timestamp_pb2.Timestamp
    def __init__(self, subject: _Optional[_Union[_value_pb2.SubjectId, _Mapping]] = ..., purpose: _Optional[str] = ..., segment: _Optional[str] = ..., attributes: _Optional[_Union[_value_pb2.Attributes, _Mapping]] = ..., evaluate_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ExplainSegmentResponse(_message.Message):
    __slots__ = ("evaluation_id", "evaluate_time", "catalog_digest", "subject_token", "result", "rule", "tree", "smallest_change")
    EVALUATION_ID_FIELD_NUMBER: _ClassVar[int]
    EVALUATE_TIME_FIELD_NUMBER: _ClassVar[int]
    CATALOG_DIGEST_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    TREE_FIELD_NUMBER: _ClassVar[int]
    SMALLEST_CHANGE_FIELD_NUMBER: _ClassVar[int]
    evaluation_id: str
    evaluate_time: _timestamp_pb2.Timestamp
    catalog_digest: str
    subject_token: str
    result: SegmentResult
    rule: str
    tree: ExplanationNode
    smallest_change: _containers.RepeatedCompositeFieldContainer[Condition]
    def __init__(self, evaluation_id: _Optional[str] = ..., evaluate_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., catalog_digest: _Optional[str] = ..., subject_token: _Optional[str] = ..., result: _Optional[_Union[SegmentResult, _Mapping]] = ..., rule: _Optional[str] = ..., tree: _Optional[_Union[ExplanationNode, _Mapping]] = ..., smallest_change: _Optional[_Iterable[_Union[Condition, _Mapping]]] = ...) -> None: ...

class ListMembersRequest(_message.Message):
    __slots__ = ("segment", "purpose", "page_size", "page_token")
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    segment: str
    purpose: str
    page_size: int
    page_token: str
    def __init__(self, segment: _Optional[str] = ..., purpose: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListMembersResponse(_message.Message):
    __slots__ = ("members", "next_page_token")
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    members: _containers.RepeatedCompositeFieldContainer[Member]
    next_page_token: str
    def __init__(self, members: _Optional[_Iterable[_Union[Member, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Member(_message.Message):
    __slots__ = ("subject_token", "enter_time", "reason")
    SUBJECT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ENTER_TIME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    subject_token: str
    enter_time: _timestamp_pb2.Timestamp
    reason: str
    def __init__(self, subject_token: _Optional[str] = ..., enter_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...

class WatchMembershipsRequest(_message.Message):
    __slots__ = ("purpose", "segments", "cursor")
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    purpose: str
    segments: _containers.RepeatedScalarFieldContainer[str]
    cursor: str
    def __init__(self, purpose: _Optional[str] = ..., segments: _Optional[_Iterable[str]] = ..., cursor: _Optional[str] = ...) -> None: ...

class WatchMembershipsResponse(_message.Message):
    __slots__ = ("changes",)
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[MembershipChange]
    def __init__(self, changes: _Optional[_Iterable[_Union[MembershipChange, _Mapping]]] = ...) -> None: ...

class MembershipChange(_message.Message):
    __slots__ = ("cursor", "subject_token", "segment", "entered", "change_time", "reason")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    ENTERED_FIELD_NUMBER: _ClassVar[int]
    CHANGE_TIME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    cursor: str
    subject_token: str
    segment: str
    entered: bool
    change_time: _timestamp_pb2.Timestamp
    reason: str
    def __init__(self, cursor: _Optional[str] = ..., subject_token: _Optional[str] = ..., segment: _Optional[str] = ..., entered: _Optional[bool] = ..., change_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...

class RefreshMembershipsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RefreshMembershipsResponse(_message.Message):
    __slots__ = ("subjects", "failed", "entered", "left")
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    ENTERED_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    subjects: int
    failed: int
    entered: int
    left: int
    def __init__(self, subjects: _Optional[int] = ..., failed: _Optional[int] = ..., entered: _Optional[int] = ..., left: _Optional[int] = ...) -> None: ...
