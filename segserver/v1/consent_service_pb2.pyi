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

class ConsentDecision(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONSENT_DECISION_UNSPECIFIED: _ClassVar[ConsentDecision]
    CONSENT_DECISION_GRANTED: _ClassVar[ConsentDecision]
    CONSENT_DECISION_REFUSED: _ClassVar[ConsentDecision]

class ConsentStanding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONSENT_STANDING_UNSPECIFIED: _ClassVar[ConsentStanding]
    CONSENT_STANDING_MISSING: _ClassVar[ConsentStanding]
    CONSENT_STANDING_GRANTED: _ClassVar[ConsentStanding]
    CONSENT_STANDING_EXPLICIT: _ClassVar[ConsentStanding]
    CONSENT_STANDING_EXPIRED: _ClassVar[ConsentStanding]
    CONSENT_STANDING_REFUSED: _ClassVar[ConsentStanding]
    CONSENT_STANDING_WITHDRAWN: _ClassVar[ConsentStanding]
CONSENT_DECISION_UNSPECIFIED: ConsentDecision
CONSENT_DECISION_GRANTED: ConsentDecision
CONSENT_DECISION_REFUSED: ConsentDecision
CONSENT_STANDING_UNSPECIFIED: ConsentStanding
CONSENT_STANDING_MISSING: ConsentStanding
CONSENT_STANDING_GRANTED: ConsentStanding
CONSENT_STANDING_EXPLICIT: ConsentStanding
CONSENT_STANDING_EXPIRED: ConsentStanding
CONSENT_STANDING_REFUSED: ConsentStanding
CONSENT_STANDING_WITHDRAWN: ConsentStanding

class ConsentRecord(_message.Message):
    __slots__ = ("number", "kind", "purpose", "signal", "decision_time", "record_time", "expire_time", "explicit", "notice_version", "method", "actor", "jurisdiction", "reason")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    DECISION_TIME_FIELD_NUMBER: _ClassVar[int]
    RECORD_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPLICIT_FIELD_NUMBER: _ClassVar[int]
    NOTICE_VERSION_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    JURISDICTION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    number: int
    kind: str
    purpose: str
    signal: str
    decision_time: _timestamp_pb2.Timestamp
    record_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    explicit: bool
    notice_version: str
    method: str
    actor: str
    jurisdiction: str
    reason: str
    def __init__(self, number: _Optional[int] = ..., kind: _Optional[str] = ..., purpose: _Optional[str] = ..., signal: _Optional[str] = ..., decision_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., record_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., explicit: _Optional[bool] = ..., notice_version: _Optional[str] = ..., method: _Optional[str] = ..., actor: _Optional[str] = ..., jurisdiction: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class PurposeConsent(_message.Message):
    __slots__ = ("purpose", "standing", "record_number", "expire_time", "objection_time")
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    STANDING_FIELD_NUMBER: _ClassVar[int]
    RECORD_NUMBER_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    OBJECTION_TIME_FIELD_NUMBER: _ClassVar[int]
    purpose: str
    standing: ConsentStanding
    record_number: int
    expire_time: _timestamp_pb2.Timestamp
    objection_time: _timestamp_pb2.Timestamp
    def __init__(self, purpose: _Optional[str] = ..., standing: _Optional[_Union[ConsentStanding, str]] = ..., record_number: _Optional[int] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., objection_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RecordConsentRequest(_message.Message):
    __slots__ = ("subject", "purpose", "decision", "decision_time", "expire_time", "explicit", "notice_version", "method", "jurisdiction", "receipt")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    DECISION_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPLICIT_FIELD_NUMBER: _ClassVar[int]
    NOTICE_VERSION_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    JURISDICTION_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    subject: _value_pb2.SubjectId
    purpose: str
    decision: ConsentDecision
    decision_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    explicit: bool
    notice_version: str
    method: str
    jurisdiction: str
    receipt: str
    def __init__(self, subject: _Optional[_Union[_value_pb2.SubjectId, _Mapping]] = ..., purpose: _Optional[str] = ..., decision: _Optional[_Union[ConsentDecision, str]] = ..., decision_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., explicit: _Optional[bool] = ..., notice_version: _Optional[str] = ..., method: _Optional[str] = ..., jurisdiction: _Optional[str] = ..., receipt: _Optional[str] = ...) -> None: ...

class RecordConsentResponse(_message.Message):
    __slots__ = ("record", "subject_token", "standing", "receipt")
    RECORD_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STANDING_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    record: ConsentRecord
    subject_token: str
    standing: ConsentStanding
    receipt: str
    def __init__(self, record: _Optional[_Union[ConsentRecord, _Mapping]] = ..., subject_token: _Optional[str] = ..., standing: _Optional[_Union[ConsentStanding, str]] = ..., receipt: _Optional[str] = ...) -> None: ...

class WithdrawConsentRequest(_message.Message):
    __slots__ = ("subject", "purpose", "method")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    subject: _value_pb2.SubjectId
    purpose: str
    method: str
    def __init__(self, subject: _Optional[_Union[_value_pb2.SubjectId, _Mapping]] = ..., purpose: _Optional[str] = ..., method: _Optional[str] = ...) -> None: ...

class WithdrawConsentResponse(_message.Message):
    __slots__ = ("record", "subject_token", "receipt")
    RECORD_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    record: ConsentRecord
    subject_token: str
    receipt: str
    def __init__(self, record: _Optional[_Union[ConsentRecord, _Mapping]] = ..., subject_token: _Optional[str] = ..., receipt: _Optional[str] = ...) -> None: ...

class RecordObjectionRequest(_message.Message):
    __slots__ = ("subject", "purpose", "all_marketing", "lifted", "method", "reason")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    ALL_MARKETING_FIELD_NUMBER: _ClassVar[int]
    LIFTED_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    subject: _value_pb2.SubjectId
    purpose: str
    all_marketing: bool
    lifted: bool
    method: str
    reason: str
    def __init__(self, subject: _Optional[_Union[_value_pb2.SubjectId, _Mapping]] = ..., purpose: _Optional[str] = ..., all_marketing: _Optional[bool] = ..., lifted: _Optional[bool] = ..., method: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class RecordObjectionResponse(_message.Message):
    __slots__ = ("record", "subject_token")
    RECORD_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    record: ConsentRecord
    subject_token: str
    def __init__(self, record: _Optional[_Union[ConsentRecord, _Mapping]] = ..., subject_token: _Optional[str] = ...) -> None: ...

class RecordPrivacySignalRequest(_message.Message):
    __slots__ = ("subject", "signal", "cleared", "method", "jurisdiction")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    CLEARED_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    JURISDICTION_FIELD_NUMBER: _ClassVar[int]
    subject: _value_pb2.SubjectId
    signal: str
    cleared: bool
    method: str
    jurisdiction: str
    def __init__(self, subject: _Optional[_Union[_value_pb2.SubjectId, _Mapping]] = ..., signal: _Optional[str] = ..., cleared: _Optional[bool] = ..., method: _Optional[str] = ..., jurisdiction: _Optional[str] = ...) -> None: ...

class RecordPrivacySignalResponse(_message.Message):
    __slots__ = ("record", "subject_token")
    RECORD_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    record: ConsentRecord
    subject_token: str
    def __init__(self, record: _Optional[_Union[ConsentRecord, _Mapping]] = ..., subject_token: _Optional[str] = ...) -> None: ...

class GetConsentsRequest(_message.Message):
    __slots__ = ("subject",)
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    subject: _value_pb2.SubjectId
    def __init__(self, subject: _Optional[_Union[_value_pb2.SubjectId, _Mapping]] = ...) -> None: ...

class GetConsentsResponse(_message.Message):
    __slots__ = ("consents", "subject_token", "marketing_objection_time", "signals", "restrict_time", "jurisdiction")
    CONSENTS_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MARKETING_OBJECTION_TIME_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    RESTRICT_TIME_FIELD_NUMBER: _ClassVar[int]
    JURISDICTION_FIELD_NUMBER: _ClassVar[int]
    consents: _containers.RepeatedCompositeFieldContainer[PurposeConsent]
    subject_token: str
    marketing_objection_time: _timestamp_pb2.Timestamp
    signals: _containers.RepeatedScalarFieldContainer[str]
    restrict_time: _timestamp_pb2.Timestamp
    jurisdiction: str
    def __init__(self, consents: _Optional[_Iterable[_Union[PurposeConsent, _Mapping]]] = ..., subject_token: _Optional[str] = ..., marketing_objection_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., signals: _Optional[_Iterable[str]] = ..., restrict_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., jurisdiction: _Optional[str] = ...) -> None: ...

class ListConsentHistoryRequest(_message.Message):
    __slots__ = ("subject", "page_size", "page_token")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    subject: _value_pb2.SubjectId
    page_size: int
    page_token: str
    def __init__(self, subject: _Optional[_Union[_value_pb2.SubjectId, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListConsentHistoryResponse(_message.Message):
    __slots__ = ("records", "next_page_token")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[ConsentRecord]
    next_page_token: str
    def __init__(self, records: _Optional[_Iterable[_Union[ConsentRecord, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
