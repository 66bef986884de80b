import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from segserver.v1 import value_pb2 as _value_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SubjectRequest(_message.Message):
    __slots__ = ("request_id", "kind", "audit_token", "receive_time", "due_time", "overdue")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    AUDIT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    RECEIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    DUE_TIME_FIELD_NUMBER: _ClassVar[int]
    OVERDUE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    kind: str
    audit_token: str
    receive_time: _timestamp_pb2.Timestamp
    due_time: _timestamp_pb2.Timestamp
    overdue: bool
    def __init__(self, request_id: _Optional[str] = ..., kind: _Optional[str] = ..., audit_token: _Optional[str] = ..., receive_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., due_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., overdue: _Optional[bool] = ...) -> None: ...

class ExportSubjectRequest(_message.Message):
    __slots__ = ("subject", "following")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    FOLLOWING_FIELD_NUMBER: _ClassVar[int]
    subject: _value_pb2.SubjectId
    following: str
    def __init__(self, subject: _Optional[_Union[_value_pb2.SubjectId, _Mapping]] = ..., following: _Optional[str] = ...) -> None: ...

class ExportSubjectResponse(_message.Message):
    __slots__ = ("document",)
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    document: bytes
    def __init__(self, document: _Optional[bytes] = ...) -> None: ...

class ImportSubjectRequest(_message.Message):
    __slots__ = ("subject", "document")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    subject: _value_pb2.SubjectId
    document: bytes
    def __init__(self, subject: _Optional[_Union[_value_pb2.SubjectId, _Mapping]] = ..., document: _Optional[bytes] = ...) -> None: ...

class ImportSubjectResponse(_message.Message):
    __slots__ = ("subject_token",)
    SUBJECT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    subject_token: str
    def __init__(self, subject_token: _Optional[str] = ...) -> None: ...

class RestrictSubjectRequest(_message.Message):
    __slots__ = ("subject", "lifted", "reason")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    LIFTED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    subject: _value_pb2.SubjectId
    lifted: bool
    reason: str
    def __init__(self, subject: _Optional[_Union[_value_pb2.SubjectId, _Mapping]] = ..., lifted: _Optional[bool] = ..., reason: _Optional[str] = ...) -> None: ...

class RestrictSubjectResponse(_message.Message):
    __slots__ = ("subject_token",)
    SUBJECT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    subject_token: str
    def __init__(self, subject_token: _Optional[str] = ...) -> None: ...

class EraseSubjectRequest(_message.Message):
    __slots__ = ("subject",)
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    subject: _value_pb2.SubjectId
    def __init__(self, subject: _Optional[_Union[_value_pb2.SubjectId, _Mapping]] = ...) -> None: ...

class EraseSubjectResponse(_message.Message):
    __slots__ = ("audit_token", "erase_time", "existed", "removed", "log_emptied")
    class RemovedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    AUDIT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ERASE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXISTED_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    LOG_EMPTIED_FIELD_NUMBER: _ClassVar[int]
    audit_token: str
    erase_time: _timestamp_pb2.Timestamp
    existed: bool
    removed: _containers.ScalarMap[str, int]
    log_emptied: bool
    def __init__(self, audit_token: _Optional[str] = ..., erase_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., existed: _Optional[bool] = ..., removed: _Optional[_Mapping[str, int]] = ..., log_emptied: _Optional[bool] = ...) -> None: ...

class AddAliasRequest(_message.Message):
    __slots__ = ("subject", "alias")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    ALIAS_FIELD_NUMBER: _ClassVar[int]
    subject: _value_pb2.SubjectId
    alias: _value_pb2.SubjectId
    def __init__(self, subject: _Optional[_Union[_value_pb2.SubjectId, _Mapping]] = ..., alias: _Optional[_Union[_value_pb2.SubjectId, _Mapping]] = ...) -> None: ...

class AddAliasResponse(_message.Message):
    __slots__ = ("subject_token",)
    SUBJECT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    subject_token: str
    def __init__(self, subject_token: _Optional[str] = ...) -> None: ...

class OpenRequestRequest(_message.Message):
    __slots__ = ("subject", "kind")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    subject: _value_pb2.SubjectId
    kind: str
    def __init__(self, subject: _Optional[_Union[_value_pb2.SubjectId, _Mapping]] = ..., kind: _Optional[str] = ...) -> None: ...

class OpenRequestResponse(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: SubjectRequest
    def __init__(self, request: _Optional[_Union[SubjectRequest, _Mapping]] = ...) -> None: ...

class CompleteRequestRequest(_message.Message):
    __slots__ = ("request_id",)
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    def __init__(self, request_id: _Optional[str] = ...) -> None: ...

class CompleteRequestResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListRequestsRequest(_message.Message):
    __slots__ = ("overdue_only",)
    OVERDUE_ONLY_FIELD_NUMBER: _ClassVar[int]
    overdue_only: bool
    def __init__(self, overdue_only: _Optional[bool] = ...) -> None: ...

class ListRequestsResponse(_message.Message):
    __slots__ = ("requests",)
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[SubjectRequest]
    def __init__(self, requests: _Optional[_Iterable[_Union[SubjectRequest, _Mapping]]] = ...) -> None: ...

class AskIdentificationRequest(_message.Message):
    __slots__ = ("audit_token", "reason")
    AUDIT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    audit_token: str
    reason: str
    def __init__(self, audit_token: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class AskIdentificationResponse(_message.Message):
    __slots__ = ("request_id",)
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    def __init__(self, request_id: _Optional[str] = ...) -> None: ...

class ApproveIdentificationRequest(_message.Message):
    __slots__ = ("request_id",)
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    def __init__(self, request_id: _Optional[str] = ...) -> None: ...

class ApproveIdentificationResponse(_message.Message):
    __slots__ = ("document",)
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    document: bytes
    def __init__(self, document: _Optional[bytes] = ...) -> None: ...

class GetProcessingRecordRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetProcessingRecordResponse(_message.Message):
    __slots__ = ("json", "markdown")
    JSON_FIELD_NUMBER: _ClassVar[int]
    MARKDOWN_FIELD_NUMBER: _ClassVar[int]
    json: str
    markdown: str
    def __init__(self, json: _Optional[str] = ..., markdown: _Optional[str] = ...) -> None: ...
