"""Answers `sextant.segmenter.v1` for one class."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import pyarrow as pa

from . import answers
from .contract import evaluation_service_pb2 as pb
from .contract import evaluation_service_pb2_grpc as rpc
from .description import Configured, Description
from .segmenter import Call, Refused, Segmenter

_LOG = logging.getLogger("sextant_segmenter")
#: Largest message: 16,384 rows of 60 columns are 8 MiB.
_MAX_MESSAGE_BYTES = 64 << 20
#: Instances that are kept; the one that was not asked for longest is the first to go.
_MAX_INSTANCES = 256
#: Calls that may wait for the model: what the server is can be asked meanwhile.
_MAX_WAITING = 60


class _Instance:
    """A segmenter with a configuration. Its calls never overlap."""

    def __init__(self, segmenter: Segmenter):
        self.segmenter = segmenter
        self.turn = threading.BoundedSemaphore()


class _Configured:
    """What answers for a configuration. Reasons are asked of an instance of their own: who gives none in time answers all the same."""

    def __init__(self, made: type[Segmenter], description: Description, config: dict[str, Any]):
        segmenter = made(config)
        self.description = description.configured(segmenter)
        self.answers = _Instance(segmenter)
        self._make = lambda: _Instance(made(config))
        self._reasons: _Instance | None = None
        self._making = threading.BoundedSemaphore()

    def reasons(self, context: grpc.ServicerContext) -> _Instance:
        with _held(self._making, context):
            if self._reasons is None:
                self._reasons = self._make()
            return self._reasons


class _Evaluations(rpc.EvaluationServiceServicer):
    def __init__(self, segmenter: type[Segmenter], description: Description, token: str | None, workers: int):
        self._segmenter = segmenter
        self._description = description
        self._token = token
        self._answering = threading.BoundedSemaphore(workers)
        self._explaining = threading.BoundedSemaphore(workers)
        self._instances: OrderedDict[bytes, _Configured] = OrderedDict()
        self._lock = threading.Lock()

    def _check(self, context: grpc.ServicerContext) -> None:
        if self._token is None:
            return
        given = dict(context.invocation_metadata()).get("authorization", "")
        if not hmac.compare_digest(str(given), f"Bearer {self._token}"):
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token is not the one that this server was started with")

    def Describe(self, request: pb.DescribeRequest, context: grpc.ServicerContext) -> pb.DescribeResponse:
        self._check(context)
        from . import __version__

        return pb.DescribeResponse(
            descriptor_json=self._description.json,
            server=f"sextant-segmenter-python {__version__}",
            explains=self._segmenter.explains(),
            deterministic=self._segmenter.deterministic,
            row_independent=self._segmenter.row_independent,
        )

    def Configure(self, request: pb.ConfigureRequest, context: grpc.ServicerContext) -> pb.ConfigureResponse:
        self._check(context)
        try:
            _, instance = self._made(request.config_json)
        except Exception as error:  # whatever an author's code raises is an answer
            return pb.ConfigureResponse(failure=_failure(error, pb.FAILURE_CODE_INVALID_CONFIG))
        told = instance.description
        return pb.ConfigureResponse(configured=pb.Configured(features_json=told.features_json, segments_json=told.segments_json))

    def Prepare(self, request: pb.PrepareRequest, context: grpc.ServicerContext) -> pb.PrepareResponse:
        self._check(context)
        try:
            name, instance = self._made(request.config_json)
        except Exception as error:
            return pb.PrepareResponse(failure=_failure(error, pb.FAILURE_CODE_INVALID_CONFIG))
        try:
            columns = pa.ipc.open_stream(request.input_schema).schema.names
            if columns != instance.description.features:
                raise Refused(f"the columns are {', '.join(columns)}, and not {', '.join(instance.description.features)}")
        except Exception as error:
            return pb.PrepareResponse(failure=_failure(error, pb.FAILURE_CODE_INVALID_INPUT))
        output = answers.output_schema(instance.description)
        return pb.PrepareResponse(instance=pb.Instance(id=name, output_schema=_stream(output)))

    def _made(self, config_json: str) -> tuple[bytes, _Configured]:
        """The instance of a configuration, which is made where there is none, and its name."""
        # Its configuration names it, so that it has the same name in every replica: what it reads follows from that.
        name = hashlib.sha256(config_json.encode()).digest()
        instance = self._instance(name)
        if instance is None:
            config = self._description.config(json.loads(config_json or "{}"))
            instance = _Configured(self._segmenter, self._description, config)
            with self._lock:
                # Who was asked for the same at the same time may have been faster.
                instance = self._instances.setdefault(name, instance)
                while len(self._instances) > _MAX_INSTANCES:
                    self._instances.popitem(last=False)
        return name, instance

    def _instance(self, name: bytes) -> _Configured | None:
        with self._lock:
            instance = self._instances.get(name)
            if instance is not None:
                self._instances.move_to_end(name)
            return instance

    @contextlib.contextmanager
    def _turn(self, instance: _Instance, beside: threading.Semaphore, context: grpc.ServicerContext) -> Iterator[None]:
        """A call of an instance, beside a few of others. Who has gone meanwhile is not answered."""
        with _held(instance.turn, context), _held(beside, context):
            if not context.is_active():
                raise Refused("nobody waits for the answer any more")
            yield
            if not context.is_active():
                _LOG.warning("a call has ended after its time, and nobody has its answer")

    def Segment(self, request: pb.SegmentRequest, context: grpc.ServicerContext) -> pb.SegmentResponse:
        self._check(context)
        instance = self._instance(request.instance_id)
        if instance is None:
            return pb.SegmentResponse(failure=_unknown())
        try:
            rows = _rows(request.batch)
            with self._turn(instance.answers, self._answering, context):
                # Most models refuse to be asked about no rows.
                given = instance.answers.segmenter.segment(rows, _call(request.context)) if rows.num_rows else []
                answer = answers.answer(instance.description, given, rows.num_rows)
        except Exception as error:
            return pb.SegmentResponse(failure=_failure(error, pb.FAILURE_CODE_INTERNAL))
        return pb.SegmentResponse(batch=_stream(answer.schema, answer))

    def Explain(self, request: pb.ExplainRequest, context: grpc.ServicerContext) -> pb.ExplainResponse:
        self._check(context)
        instance = self._instance(request.instance_id)
        if instance is None:
            return pb.ExplainResponse(failure=_unknown())
        if not self._segmenter.explains():
            return pb.ExplainResponse(failure=pb.Failure(code=pb.FAILURE_CODE_UNSUPPORTED, message="it gives no reasons"))
        try:
            rows = _rows(request.batch)
            of = instance.reasons(context)
            with self._turn(of, self._explaining, context):
                given = of.segmenter.explain(rows, _call(request.context), request.top_k) if rows.num_rows else []
                told = answers.reasons(instance.description, given, rows.num_rows, request.top_k)
        except Exception as error:
            return pb.ExplainResponse(failure=_failure(error, pb.FAILURE_CODE_INTERNAL))
        explanations = [
            pb.Explanation(grounds=[pb.Ground(feature=feature, contribution=weight, text=text) for feature, weight, text in of_row])
            for of_row in told
        ]
        return pb.ExplainResponse(explanations=pb.Explanations(rows=explanations))


class _Late(Exception):
    """A call whose caller has waited for its whole time."""


@contextlib.contextmanager
def _held(turn: threading.Semaphore, context: grpc.ServicerContext) -> Iterator[None]:
    """A turn that is waited for as long as the caller waits: behind a call that never ends, callers come and go."""
    if not turn.acquire(timeout=context.time_remaining()):
        _LOG.warning("a call has waited for its whole time: those before it have not ended")
        raise _Late("its turn has not come in time")
    try:
        yield
    finally:
        turn.release()


def _rows(batch: bytes) -> pa.RecordBatch:
    table = pa.ipc.open_stream(batch).read_all()
    return table.combine_chunks().to_batches()[0] if table.num_rows else pa.RecordBatch.from_pylist([], table.schema)


def _stream(schema: pa.Schema, *batches: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def _call(context: pb.Context) -> Call:
    return Call(tenant_id=context.tenant_id, as_of_us=context.as_of_us, seed=context.seed)


def _unknown() -> pb.Failure:
    return pb.Failure(code=pb.FAILURE_CODE_INSTANCE_UNKNOWN, message="this server does not know the instance")


def _failure(error: Exception, otherwise: int) -> pb.Failure:
    if isinstance(error, Refused):
        code = pb.FAILURE_CODE_INVALID_CONFIG if otherwise == pb.FAILURE_CODE_INVALID_CONFIG else pb.FAILURE_CODE_INVALID_INPUT
        failure = pb.Failure(code=code, message=str(error), field=error.field)
        if error.row is not None:
            failure.row = error.row
        return failure
    if isinstance(error, _Late):
        return pb.Failure(code=pb.FAILURE_CODE_DEADLINE, message=str(error), retryable=True)
    if isinstance(error, answers.Mistake):
        return pb.Failure(code=pb.FAILURE_CODE_OUTPUT, message=str(error))
    if isinstance(error, MemoryError):
        return pb.Failure(code=pb.FAILURE_CODE_RESOURCE, message="out of memory", retryable=True)
    _LOG.exception("the segmenter raised")
    return pb.Failure(code=otherwise, message=f"{type(error).__name__}: {error}")


class Server:
    """A server of one class, from when it is entered until it is left.

    `token` is what callers have to send; `workers` calls are answered at one time, and as many explained. With `certificate`, a private key and the chain of
    certificates for it, both PEM, callers speak TLS.
    """

    def __init__(
        self,
        segmenter: type[Segmenter],
        listen: str = "127.0.0.1:0",
        token: str | None = None,
        workers: int = 4,
        certificate: tuple[bytes, bytes] | None = None,
    ):
        self.description = Description(segmenter)
        options = [("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES), ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES)]
        # Another server at the same port would answer half of the calls.
        options.append(("grpc.so_reuseport", 0))
        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers=workers + _MAX_WAITING), options=options)
        rpc.add_EvaluationServiceServicer_to_server(_Evaluations(segmenter, self.description, token, workers), self._server)
        if certificate is None:
            port = self._server.add_insecure_port(listen)
        else:
            port = self._server.add_secure_port(listen, grpc.ssl_server_credentials([certificate]))
        #: Where it answers, with the port that it was given.
        self.address = f"{'http' if certificate is None else 'https'}://{listen.rsplit(':', 1)[0]}:{port}"

    def __enter__(self) -> "Server":
        self._server.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._server.stop(grace=5).wait()

    def wait(self) -> None:
        """Returns when the process is told to end."""
        try:
            self._server.wait_for_termination()
        except KeyboardInterrupt:
            pass
