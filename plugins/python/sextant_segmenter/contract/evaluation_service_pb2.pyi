# Written by generate.py from proto/sextant/segmenter/v1/evaluation_service.proto.
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FailureCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_CODE_UNSPECIFIED: _ClassVar[FailureCode]
    FAILURE_CODE_INVALID_CONFIG: _ClassVar[FailureCode]
    FAILURE_CODE_INVALID_INPUT: _ClassVar[FailureCode]
    FAILURE_CODE_NOT_FITTED: _ClassVar[FailureCode]
    FAILURE_CODE_CANCELLED: _ClassVar[FailureCode]
    FAILURE_CODE_DEADLINE: _ClassVar[FailureCode]
    FAILURE_CODE_RESOURCE: _ClassVar[FailureCode]
    FAILURE_CODE_UNSUPPORTED: _ClassVar[FailureCode]
    FAILURE_CODE_STATE: _ClassVar[FailureCode]
    FAILURE_CODE_PANIC: _ClassVar[FailureCode]
    FAILURE_CODE_INTERNAL: _ClassVar[FailureCode]
    FAILURE_CODE_INSTANCE_UNKNOWN: _ClassVar[FailureCode]
    FAILURE_CODE_OUTPUT: _ClassVar[FailureCode]
    FAILURE_CODE_STATE_UNKNOWN: _ClassVar[FailureCode]
FAILURE_CODE_UNSPECIFIED: FailureCode
FAILURE_CODE_INVALID_CONFIG: FailureCode
FAILURE_CODE_INVALID_INPUT: FailureCode
FAILURE_CODE_NOT_FITTED: FailureCode
FAILURE_CODE_CANCELLED: FailureCode
FAILURE_CODE_DEADLINE: FailureCode
FAILURE_CODE_RESOURCE: FailureCode
FAILURE_CODE_UNSUPPORTED: FailureCode
FAILURE_CODE_STATE: FailureCode
FAILURE_CODE_PANIC: FailureCode
FAILURE_CODE_INTERNAL: FailureCode
FAILURE_CODE_INSTANCE_UNKNOWN: FailureCode
FAILURE_CODE_OUTPUT: FailureCode
FAILURE_CODE_STATE_UNKNOWN: FailureCode

class DescribeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DescribeResponse(_message.Message):
    __slots__ = ("descriptor_json", "server", "explains", "deterministic", "row_independent", "fits")
    DESCRIPTOR_JSON_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    EXPLAINS_FIELD_NUMBER: _ClassVar[int]
    DETERMINISTIC_FIELD_NUMBER: _ClassVar[int]
    ROW_INDEPENDENT_FIELD_NUMBER: _ClassVar[int]
    FITS_FIELD_NUMBER: _ClassVar[int]
    descriptor_json: str
    server: str
    explains: bool
    deterministic: bool
    row_independent: bool
    fits: bool
    def __init__(self, descriptor_json: _Optional[str] = ..., server: _Optional[str] = ..., explains: bool = ..., deterministic: bool = ..., row_independent: bool = ..., fits: bool = ...) -> None: ...

class ConfigureRequest(_message.Message):
    __slots__ = ("config_json", "state_digest")
    CONFIG_JSON_FIELD_NUMBER: _ClassVar[int]
    STATE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    config_json: str
    state_digest: bytes
    def __init__(self, config_json: _Optional[str] = ..., state_digest: _Optional[bytes] = ...) -> None: ...

class ConfigureResponse(_message.Message):
    __slots__ = ("configured", "failure")
    CONFIGURED_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    configured: Configured
    failure: Failure
    def __init__(self, configured: _Optional[_Union[Configured, _Mapping]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ...) -> None: ...

class Configured(_message.Message):
    __slots__ = ("features_json", "segments_json")
    FEATURES_JSON_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_JSON_FIELD_NUMBER: _ClassVar[int]
    features_json: str
    segments_json: str
    def __init__(self, features_json: _Optional[str] = ..., segments_json: _Optional[str] = ...) -> None: ...

class LoadStateRequest(_message.Message):
    __slots__ = ("piece",)
    PIECE_FIELD_NUMBER: _ClassVar[int]
    piece: bytes
    def __init__(self, piece: _Optional[bytes] = ...) -> None: ...

class LoadStateResponse(_message.Message):
    __slots__ = ("digest",)
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    digest: bytes
    def __init__(self, digest: _Optional[bytes] = ...) -> None: ...

class SaveStateRequest(_message.Message):
    __slots__ = ("instance_id",)
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: bytes
    def __init__(self, instance_id: _Optional[bytes] = ...) -> None: ...

class SaveStateResponse(_message.Message):
    __slots__ = ("piece", "failure")
    PIECE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    piece: bytes
    failure: Failure
    def __init__(self, piece: _Optional[bytes] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ...) -> None: ...

class FitRequest(_message.Message):
    __slots__ = ("start", "batch", "pass_end")
    START_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    PASS_END_FIELD_NUMBER: _ClassVar[int]
    start: FitStart
    batch: bytes
    pass_end: FitPassEnd
    def __init__(self, start: _Optional[_Union[FitStart, _Mapping]] = ..., batch: _Optional[bytes] = ..., pass_end: _Optional[_Union[FitPassEnd, _Mapping]] = ...) -> None: ...

class FitStart(_message.Message):
    __slots__ = ("config_json", "input_schema", "context", "rows")
    CONFIG_JSON_FIELD_NUMBER: _ClassVar[int]
    INPUT_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    config_json: str
    input_schema: bytes
    context: Context
    rows: int
    def __init__(self, config_json: _Optional[str] = ..., input_schema: _Optional[bytes] = ..., context: _Optional[_Union[Context, _Mapping]] = ..., rows: _Optional[int] = ...) -> None: ...

class FitPassEnd(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FitResponse(_message.Message):
    __slots__ = ("failure", "passed", "state")
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    failure: Failure
    passed: FitPassed
    state: bytes
    def __init__(self, failure: _Optional[_Union[Failure, _Mapping]] = ..., passed: _Optional[_Union[FitPassed, _Mapping]] = ..., state: _Optional[bytes] = ...) -> None: ...

class FitPassed(_message.Message):
    __slots__ = ("again",)
    AGAIN_FIELD_NUMBER: _ClassVar[int]
    again: bool
    def __init__(self, again: bool = ...) -> None: ...

class PrepareRequest(_message.Message):
    __slots__ = ("config_json", "input_schema", "state_digest")
    CONFIG_JSON_FIELD_NUMBER: _ClassVar[int]
    INPUT_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    STATE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    config_json: str
    input_schema: bytes
    state_digest: bytes
    def __init__(self, config_json: _Optional[str] = ..., input_schema: _Optional[bytes] = ..., state_digest: _Optional[bytes] = ...) -> None: ...

class PrepareResponse(_message.Message):
    __slots__ = ("instance", "failure")
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    instance: Instance
    failure: Failure
    def __init__(self, instance: _Optional[_Union[Instance, _Mapping]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ...) -> None: ...

class Instance(_message.Message):
    __slots__ = ("id", "output_schema")
    ID_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    output_schema: bytes
    def __init__(self, id: _Optional[bytes] = ..., output_schema: _Optional[bytes] = ...) -> None: ...

class Context(_message.Message):
    __slots__ = ("tenant_id", "as_of_us", "seed")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    AS_OF_US_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    as_of_us: int
    seed: int
    def __init__(self, tenant_id: _Optional[str] = ..., as_of_us: _Optional[int] = ..., seed: _Optional[int] = ...) -> None: ...

class SegmentRequest(_message.Message):
    __slots__ = ("instance_id", "context", "batch")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    instance_id: bytes
    context: Context
    batch: bytes
    def __init__(self, instance_id: _Optional[bytes] = ..., context: _Optional[_Union[Context, _Mapping]] = ..., batch: _Optional[bytes] = ...) -> None: ...

class SegmentResponse(_message.Message):
    __slots__ = ("batch", "failure")
    BATCH_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    batch: bytes
    failure: Failure
    def __init__(self, batch: _Optional[bytes] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ...) -> None: ...

class ExplainRequest(_message.Message):
    __slots__ = ("instance_id", "context", "batch", "top_k")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    instance_id: bytes
    context: Context
    batch: bytes
    top_k: int
    def __init__(self, instance_id: _Optional[bytes] = ..., context: _Optional[_Union[Context, _Mapping]] = ..., batch: _Optional[bytes] = ..., top_k: _Optional[int] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("explanations", "failure")
    EXPLANATIONS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    explanations: Explanations
    failure: Failure
    def __init__(self, explanations: _Optional[_Union[Explanations, _Mapping]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ...) -> None: ...

class Explanations(_message.Message):
    __slots__ = ("rows",)
    ROWS_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[Explanation]
    def __init__(self, rows: _Optional[_Iterable[_Union[Explanation, _Mapping]]] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("grounds",)
    GROUNDS_FIELD_NUMBER: _ClassVar[int]
    grounds: _containers.RepeatedCompositeFieldContainer[Ground]
    def __init__(self, grounds: _Optional[_Iterable[_Union[Ground, _Mapping]]] = ...) -> None: ...

class Ground(_message.Message):
    __slots__ = ("feature", "contribution", "text")
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    feature: int
    contribution: float
    text: str
    def __init__(self, feature: _Optional[int] = ..., contribution: _Optional[float] = ..., text: _Optional[str] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("code", "message", "field", "row", "retryable")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    code: FailureCode
    message: str
    field: str
    row: int
    retryable: bool
    def __init__(self, code: _Optional[_Union[FailureCode, str]] = ..., message: _Optional[str] = ..., field: _Optional[str] = ..., row: _Optional[int] = ..., retryable: bool = ...) -> None: ...
