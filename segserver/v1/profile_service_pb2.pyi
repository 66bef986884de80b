import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from segserver.v1 import value_pb2 as _value_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Profile(_message.Message):
    __slots__ = ("subject_token", "attributes", "revision", "update_time")
    SUBJECT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    subject_token: str
    attributes: _value_pb2.Attributes
    revision: int
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, subject_token: _Optional[str] = ..., attributes: _Optional[_Union[_value_pb2.Attributes, _Mapping]] = ..., revision: _Optional[int] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ProfileChange(_message.Message):
    __slots__ = ("subject", "attributes", "removed")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    subject: _value_pb2.SubjectId
    attributes: _value_pb2.Attributes
    removed: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, subject: _Optional[_Union[_value_pb2.SubjectId, _Mapping]] = ..., attributes: _Optional[_Union[_value_pb2.Attributes, _Mapping]] = ..., removed: _Optional[_Iterable[str]] = ...) -> None: ...

class UpsertProfileRequest(_message.Message):
    __slots__ = ("change",)
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    change: ProfileChange
    def __init__(self, change: _Optional[_Union[ProfileChange, _Mapping]] = ...) -> None: ...

class UpsertProfileResponse(_message.Message):
    __slots__ = ("subject_token", "revision")
    SUBJECT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    subject_token: str
    revision: int
    def __init__(self, subject_token: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class BatchUpsertProfilesRequest(_message.Message):
    __slots__ = ("changes",)
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[ProfileChange]
    def __init__(self, changes: _Optional[_Iterable[_Union[ProfileChange, _Mapping]]] = ...) -> None: ...

class BatchUpsertProfilesResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[BatchUpsertResult]
    def __init__(self, results: _Optional[_Iterable[_Union[BatchUpsertResult, _Mapping]]] = ...) -> None: ...

class BatchUpsertResult(_message.Message):
    __slots__ = ("profile", "error")
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    profile: UpsertProfileResponse
    error: _value_pb2.Failure
    def __init__(self, profile: _Optional[_Union[UpsertProfileResponse, _Mapping]] = ..., error: _Optional[_Union[_value_pb2.Failure, _Mapping]] = ...) -> None: ...

class GetProfileRequest(_message.Message):
    __slots__ = ("subject",)
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    subject: _value_pb2.SubjectId
    def __init__(self, subject: _Optional[_Union[_value_pb2.SubjectId, _Mapping]] = ...) -> None: ...

class GetProfileResponse(_message.Message):
    __slots__ = ("profile",)
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    profile: Profile
    def __init__(self, profile: _Optional[_Union[Profile, _Mapping]] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("subject", "name", "time", "properties", "id")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    subject: _value_pb2.SubjectId
    name: str
    time: _timestamp_pb2.Timestamp
    properties: _value_pb2.Attributes
    id: str
    def __init__(self, subject: _Optional[_Union[_value_pb2.SubjectId, _Mapping]] = ..., name: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., properties: _Optional[_Union[_value_pb2.Attributes, _Mapping]] = ..., id: _Optional[str] = ...) -> None: ...

class RecordEventsRequest(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ...) -> None: ...

class RecordEventsResponse(_message.Message):
    __slots__ = ("recorded", "repeated", "rejected")
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    REPEATED_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    recorded: int
    repeated: int
    rejected: _containers.RepeatedCompositeFieldContainer[RejectedEvent]
    def __init__(self, recorded: _Optional[int] = ..., repeated: _Optional[int] = ..., rejected: _Optional[_Iterable[_Union[RejectedEvent, _Mapping]]] = ...) -> None: ...

class RejectedEvent(_message.Message):
    __slots__ = ("index", "error")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    index: int
    error: _value_pb2.Failure
    def __init__(self, index: _Optional[int] = ..., error: _Optional[_Union[_value_pb2.Failure, _Mapping]] = ...) -> None: ...

class StreamEventsRequest(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ...) -> None: ...

class StreamEventsResponse(_message.Message):
    __slots__ = ("recorded", "repeated", "rejected")
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    REPEATED_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    recorded: int
    repeated: int
    rejected: _containers.RepeatedCompositeFieldContainer[RejectedEvent]
    def __init__(self, recorded: _Optional[int] = ..., repeated: _Optional[int] = ..., rejected: _Optional[_Iterable[_Union[RejectedEvent, _Mapping]]] = ...) -> None: ...

class UploadListRequest(_message.Message):
    __slots__ = ("name", "owner", "expire_time", "id_type", "ids")
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    ID_TYPE_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    name: str
    owner: str
    expire_time: _timestamp_pb2.Timestamp
    id_type: str
    ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., owner: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., id_type: _Optional[str] = ..., ids: _Optional[_Iterable[str]] = ...) -> None: ...

class UploadListResponse(_message.Message):
    __slots__ = ("taken", "rejected", "rejections", "list")
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    REJECTIONS_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    taken: int
    rejected: int
    rejections: _containers.RepeatedCompositeFieldContainer[RejectedEvent]
    list: SubjectList
    def __init__(self, taken: _Optional[int] = ..., rejected: _Optional[int] = ..., rejections: _Optional[_Iterable[_Union[RejectedEvent, _Mapping]]] = ..., list: _Optional[_Union[SubjectList, _Mapping]] = ...) -> None: ...

class SubjectList(_message.Message):
    __slots__ = ("name", "owner", "size", "upload_time", "expire_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    owner: str
    size: int
    upload_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., owner: _Optional[str] = ..., size: _Optional[int] = ..., upload_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListListsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListListsResponse(_message.Message):
    __slots__ = ("lists",)
    LISTS_FIELD_NUMBER: _ClassVar[int]
    lists: _containers.RepeatedCompositeFieldContainer[SubjectList]
    def __init__(self, lists: _Optional[_Iterable[_Union[SubjectList, _Mapping]]] = ...) -> None: ...

class DeleteListRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteListResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
