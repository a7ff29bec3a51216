"""The package against its example, over real gRPC where that matters."""

import sys
import threading
from pathlib import Path

import grpc
import pyarrow as pa
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))

from health import Health  # noqa: E402

from sextant_segmenter import Reason, Refused, Segmenter, Server  # noqa: E402
from sextant_segmenter.answers import Mistake  # noqa: E402
from sextant_segmenter.contract import evaluation_service_pb2 as pb  # noqa: E402
from sextant_segmenter.contract import evaluation_service_pb2_grpc as rpc  # noqa: E402
from sextant_segmenter.testing import Session, check_examples  # noqa: E402


class Odd(Health):
    """Gives what a test tells it to give."""

    gives: object = None

    def segment(self, rows, call):
        if isinstance(self.gives, Exception):
            raise self.gives
        return self.gives


def test_the_examples_of_the_descriptor_hold():
    assert check_examples(Health) == 1


def test_an_example_whose_reasons_cannot_be_told_does_not_hold():
    class Vague(Health):
        def explain(self, rows, call, top_k):
            return [[Reason("usage.mood", 1.0)]] * rows.num_rows

    with pytest.raises(Mistake, match="a reason names usage.mood"):
        check_examples(Vague)


def test_a_configuration_changes_the_answer_and_defaults_are_filled_in():
    assert Session(Health).segments([[100, 0.9]]) == ["potential"]
    assert Session(Health, {"arr_min_minor": 1}).segments([[100, 0.9]]) == ["key"]


def test_a_row_that_lacks_a_feature_is_skipped_filled_or_refused_as_sextant_does_it():
    class Told(Segmenter):
        descriptor = {
            "id": "a.b",
            "version": "1.0.0",
            "requires": [
                {"feature": "skipped", "type": "int64", "on_missing": "skip_row"},
                {"feature": "filled", "type": "int64", "on_missing": "default", "default": 7},
                {"feature": "refused", "type": "int64", "on_missing": "fail"},
            ],
            "optional": [{"feature": "null", "type": "int64"}],
            "segments": [{"key": "all"}],
        }

        def segment(self, rows, call):
            self.shown.append(rows.to_pydict())
            return ["all"] * rows.num_rows

        def explain(self, rows, call, top_k):
            return [[Reason("null", 1.0)]] * rows.num_rows

    Told.shown = []
    rows = [[None, 1, 1, 1], [1, None, 1, None], [2, 2, 2, 2]]
    assert Session(Told).segments(rows) == [None, "all", "all"]
    assert Told.shown == [{"skipped": [1, 2], "filled": [7, 2], "refused": [1, 2], "null": [None, 2]}]
    assert Session(Told).reasons(rows) == [[], [("null", 1.0, "")], [("null", 1.0, "")]]
    # A model is not asked about no rows.
    assert Session(Told).segments([[None, 1, 1, 1]]) == [None]
    assert len(Told.shown) == 1
    with pytest.raises(ValueError, match="row 0 has no value for refused"):
        Session(Told).segments([[1, 1, None, 1]])


def test_reasons_come_strongest_first_and_no_more_than_asked_for():
    session = Session(Health)
    [told] = session.reasons([[9_000_000, 0.9]], top_k=2)
    assert [feature for feature, _, _ in told] == ["usage.seat_share", "revenue.arr_minor"]
    assert [text for _, _, text in told] == ["90% of the seats are in use", "90,000 a year"]
    assert session.reasons([[9_000_000, 0.9]], top_k=1) == [told[:1]]


@pytest.mark.parametrize(
    ("gives", "what"),
    [
        (["key"], "1 answers for 2 rows"),
        (["key", "vip"], 'row 1 is in "vip"'),
        ((["key", "low"], [0.5]), "1 scores for 2 rows"),
    ],
)
def test_a_wrong_answer_is_a_mistake_that_names_the_row(gives, what):
    Odd.gives = gives
    with pytest.raises(Mistake, match=what):
        Session(Odd).segments([[1, 0.5], [2, 0.5]])


def test_a_descriptor_that_cannot_be_used_is_told_when_the_server_is_made():
    class Bare(Segmenter):
        descriptor = {"id": "a.b", "version": "1.0.0", "requires": [{"feature": "x", "type": "decimal"}], "segments": []}

    with pytest.raises(ValueError, match="has type decimal"):
        Server(Bare)


def stream(batch):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


@pytest.fixture
def served():
    with Server(Odd, token="sesame") as server:
        channel = grpc.insecure_channel(server.address.removeprefix("http://"))
        yield rpc.EvaluationServiceStub(channel)
        channel.close()


KEY = [("authorization", "Bearer sesame")]


def prepared(stub):
    schema = pa.ipc.open_stream(stream(Session(Odd).rows([]))).schema
    sink = pa.BufferOutputStream()
    pa.ipc.new_stream(sink, schema).close()
    request = pb.PrepareRequest(config_json="{}", input_schema=sink.getvalue().to_pybytes())
    return stub.Prepare(request, metadata=KEY).instance.id


def test_who_has_no_token_is_refused(served):
    with pytest.raises(grpc.RpcError) as refused:
        served.Describe(pb.DescribeRequest())
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("gives", "code"),
    [
        (Refused("too young", row=1), pb.FAILURE_CODE_INVALID_INPUT),
        (KeyError("share"), pb.FAILURE_CODE_INTERNAL),
        (MemoryError(), pb.FAILURE_CODE_RESOURCE),
        (["key"], pb.FAILURE_CODE_OUTPUT),
    ],
)
def test_what_goes_wrong_is_a_failure_and_the_server_goes_on(served, gives, code):
    batch = stream(Session(Odd).rows([[1, 0.5], [2, None]]))
    request = pb.SegmentRequest(instance_id=prepared(served), batch=batch)
    Odd.gives = gives
    assert served.Segment(request, metadata=KEY).failure.code == code
    Odd.gives = ["key", None]
    answer = pa.ipc.open_stream(served.Segment(request, metadata=KEY).batch).read_all()
    assert answer.column("segment").to_pylist() == [0, 0xFFFE]
    Odd.gives = KeyError("asked about no rows")
    empty = pb.SegmentRequest(instance_id=request.instance_id, batch=stream(Session(Odd).rows([])))
    answer = pa.ipc.open_stream(served.Segment(empty, metadata=KEY).batch).read_all()
    assert answer.num_rows == 0


def test_an_instance_that_is_not_known_is_told(served):
    failure = served.Segment(pb.SegmentRequest(instance_id=b"other"), metadata=KEY).failure
    assert failure.code == pb.FAILURE_CODE_INSTANCE_UNKNOWN


def test_a_reason_of_a_feature_that_there_is_not_is_a_mistake():
    class Wrong(Health):
        descriptor = str(Path(__file__).resolve().parent.parent / "examples" / "health.json")

        def explain(self, rows, call, top_k):
            return [[Reason("usage.logins", 1.0)]]

    with pytest.raises(Mistake, match="usage.logins"):
        Session(Wrong).reasons([[1, 0.5]])


def test_a_reason_is_a_sentence_and_no_book():
    class Long(Health):
        descriptor = str(Path(__file__).resolve().parent.parent / "examples" / "health.json")

        def explain(self, rows, call, top_k):
            return [[Reason("usage.seat_share", 1.0, "a" + "\u00e9" * 600)]]

    # A letter of two bytes is left out whole.
    [[[_, _, text]]] = Session(Long).reasons([[1, 0.5]])
    assert len(text.encode()) == 1023


def test_two_servers_do_not_share_a_port():
    with Server(Odd) as server:
        with pytest.raises(RuntimeError):
            Server(Odd, listen=server.address.removeprefix("http://"))


def test_what_it_is_can_be_asked_while_calls_wait_and_who_has_gone_is_not_answered(caplog):
    asked, may_end = [], threading.Event()

    class Slow(Odd):
        def segment(self, rows, call):
            asked.append(call.seed)
            may_end.wait()
            return [None] * rows.num_rows

    with Server(Slow, token="sesame", workers=1) as server:
        with grpc.insecure_channel(server.address.removeprefix("http://")) as channel:
            stub = rpc.EvaluationServiceStub(channel)
            batch = stream(Session(Odd).rows([[1, 0.5]]))
            request = pb.SegmentRequest(instance_id=prepared(stub), batch=batch, context=pb.Context(seed=1))
            first = stub.Segment.future(request, metadata=KEY)
            while not asked:
                pass
            request.context.seed = 2
            # More than it has threads: they have to be free again.
            waiting = [stub.Segment.future(request, metadata=KEY, timeout=0.05) for _ in range(80)]
            told = [call.result() for call in waiting if call.code() != grpc.StatusCode.DEADLINE_EXCEEDED]
            failures = {(answer.failure.code, answer.failure.message) for answer in told}
            assert failures <= {(pb.FAILURE_CODE_DEADLINE, "its turn has not come in time")}
            assert stub.Describe(pb.DescribeRequest(), metadata=KEY, timeout=30).row_independent
            assert "those before it have not ended" in caplog.text
            may_end.set()
            first.result()
            request.context.seed = 3
            stub.Segment(request, metadata=KEY)
    assert asked == [1, 3]


def test_who_gives_no_reasons_in_time_answers_all_the_same():
    asked, may_end = threading.Event(), threading.Event()

    class Vague(Health):
        def explain(self, rows, call, top_k):
            asked.set()
            may_end.wait()
            return [[]] * rows.num_rows

    with Server(Vague, token="sesame", workers=1) as server:
        with grpc.insecure_channel(server.address.removeprefix("http://")) as channel:
            stub = rpc.EvaluationServiceStub(channel)
            name, batch = prepared(stub), stream(Session(Vague).rows([[1, 0.5]]))
            why = stub.Explain.future(pb.ExplainRequest(instance_id=name, batch=batch, top_k=1), metadata=KEY)
            assert asked.wait(30)
            answer = stub.Segment(pb.SegmentRequest(instance_id=name, batch=batch), metadata=KEY, timeout=30)
            assert pa.ipc.open_stream(answer.batch).read_all().num_rows == 1
            may_end.set()
            assert len(why.result().explanations.rows) == 1
