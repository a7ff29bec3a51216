"""Segmenters whose configurations decide on features and segments, that answer scores, and whose columns are lists."""

import json

import grpc
import pyarrow as pa
import pytest

from sextant_segmenter import Refused, Segmenter, Server
from sextant_segmenter.answers import Mistake
from sextant_segmenter.configuration import Invalid
from sextant_segmenter.contract import evaluation_service_pb2 as pb
from sextant_segmenter.contract import evaluation_service_pb2_grpc as rpc
from sextant_segmenter.testing import Session, check_examples

LISTS = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3, "uniqueItems": True}


class Above(Segmenter):
    """Counts the features of its configuration that are above its limits, and has a segment for every number."""

    descriptor = {
        "id": "test.above",
        "version": "1.0.0",
        "abi": "1.0",
        "title": "Above",
        "output": "single",
        "requires": [{"feature": "revenue.seats", "type": "int64", "on_missing": "skip_row"}],
        "dynamic_features": True,
        "feature_scope": ["usage.*", "support.open"],
        "dynamic_segments": {"max": 3},
        "config_schema": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "features": {**LISTS, "default": ["usage.logins"]},
                "on_missing": {"type": "string", "default": "skip_row", "enum": ["skip_row", "null", "default", "fail"]},
                "limit": {"type": "integer", "minimum": 0, "default": 10},
            },
        },
        "examples": [
            {"config": {}, "rows": [[1, 11.0], [1, 3.0], [1, None]], "expect": ["above_1", "above_0", None]},
            {"config": {"features": ["usage.a", "usage.b"]}, "rows": [[1, 11.0, 12.0]], "expect": ["above_2"]},
        ],
    }
    default = 99.0

    def features(self):
        return [self._feature(name) for name in self.config["features"]]

    def _feature(self, name):
        feature = {"feature": name, "type": "float64", "on_missing": self.config["on_missing"]}
        return {**feature, "default": self.default} if feature["on_missing"] == "default" else feature

    def segments(self):
        return [{"key": f"above_{number}"} for number in range(len(self.config["features"]) + 1)]

    def segment(self, rows, call):
        assert rows.schema.names == ["revenue.seats", *self.config["features"]]
        columns = [column.to_pylist() for column in rows.columns[1:]]
        above = [sum(value is not None and value > self.config["limit"] for value in row) for row in zip(*columns)]
        return [f"above_{number}" for number in above]


def test_the_features_of_a_configuration_come_behind_those_of_the_descriptor():
    assert check_examples(Above) == 2
    session = Session(Above, {"features": ["usage.b", "support.open"]})
    assert session.description.features == ["revenue.seats", "usage.b", "support.open"]
    assert list(session.description.segments) == ["above_0", "above_1", "above_2"]
    with pytest.raises(ValueError, match="row 1 has 2 values, there are 3 features"):
        session.segments([[1, 1.0, 1.0], [1, 1.0]])


def test_a_configuration_may_read_nothing():
    class Blind(Above):
        descriptor = {**Above.descriptor, "requires": []}

        def features(self):
            return []

        def segment(self, rows, call):
            return ["above_0"] * rows.num_rows

    assert Session(Blind).segments([[], []]) == ["above_0", "above_0"]


@pytest.mark.parametrize(("policy", "segment"), [("skip_row", None), ("null", "above_0"), ("default", "above_1")])
def test_what_becomes_of_a_row_without_them_is_what_the_configuration_says(policy, segment):
    assert Session(Above, {"on_missing": policy}).segments([[1, None]]) == [segment]


def test_a_row_without_a_feature_that_must_not_be_missing_is_named():
    with pytest.raises(ValueError, match="row 0 has no value for usage.logins, whose on_missing is fail"):
        Session(Above, {"on_missing": "fail"}).segments([[1, None]])


@pytest.mark.parametrize(
    ("config", "what"),
    [
        ({"features": ["usage.a", "revenue.mrr"]}, 'features/1: "revenue.mrr" is outside of feature_scope, which is usage.*, support.open'),
        ({"features": ["support.open_for"]}, 'features/0: "support.open_for" is outside of feature_scope'),
        ({"features": ["usage.a", "usage.b", "usage.c"]}, "segments: there are 4 segments, and have to be 1 to 3"),
    ],
)
def test_what_a_configuration_may_not_ask_for_or_answer_is_told(config, what):
    with pytest.raises(Mistake) as told:
        Session(Above, config)
    assert what in str(told.value)


@pytest.mark.parametrize(
    ("features", "segments", "what"),
    [
        ([{"feature": "usage.a"}], [{"key": "a"}], "features/0/type: feature usage.a has type None"),
        ([{"feature": "usage.a", "type": "int64"}], [{"key": "a"}], "features/0/on_missing: is null"),
        (
            [{"feature": "usage.a", "type": "int64", "on_missing": "default", "default": 1.5}],
            [{"key": "a"}],
            "features/0/default: 1.5 does not have type int64",
        ),
        (
            [{"feature": "usage.a", "type": "int64", "on_missing": "fail", "optional": True}],
            [{"key": "a"}],
            "features/0/on_missing: of an optional feature must be null or default",
        ),
        ([{"feature": "usage.a", "type": "int64", "optional": True}] * 2, [{"key": "a"}], 'features/1: feature "usage.a" is listed twice'),
        ([], [], "segments: there are 0 segments"),
        ([], [{"key": "a"}, {"key": "a"}], 'segments/1/key: "a" is no text, empty or used twice'),
        ([], [{"key": "a", "from_score": 1}], 'segments/0/from_score: is for output "score"'),
    ],
)
def test_lists_that_are_none_are_told_by_place(features, segments, what):
    class Listed(Above):
        def features(self):
            return features

        def segments(self):
            return segments

    with pytest.raises(Mistake) as told:
        Session(Listed)
    assert what in str(told.value)


def test_an_answer_is_one_of_the_segments_of_the_configuration():
    class Other(Above):
        def segment(self, rows, call):
            return ["above_2"] * rows.num_rows

    assert Session(Other, {"features": ["usage.a", "usage.b"]}).segments([[1, 1.0, 1.0]]) == ["above_2"]
    with pytest.raises(Mistake, match='row 0 is in "above_2", which is none of its segments: above_0, above_1'):
        Session(Other).segments([[1, 1.0]])


def test_a_list_that_an_author_changes_is_no_default_of_others():
    class Greedy(Above):
        def __init__(self, config):
            super().__init__(config)
            self.config["features"].append("usage.more")

    for _ in range(2):
        assert Session(Greedy).description.features == ["revenue.seats", "usage.logins", "usage.more"]


@pytest.mark.parametrize(
    ("config", "what"),
    [
        ({"features": []}, '"/features": has 0 items, the least is 1'),
        ({"features": ["a", "b", "c", "d"]}, '"/features": has 4 items, the most is 3'),
        ({"features": ["a", "a"]}, '"/features/1": "a" is there twice'),
        ({"features": [1]}, '"/features/0": 1 is not a string'),
        ({"features": "usage.a"}, '"/features": "usage.a" is not an array'),
        ({"limit": -1}, '"/limit": -1 is below the minimum 0'),
        ({"limit": 1.5}, '"/limit": 1.5 is not an integer'),
        ({"limit": True}, '"/limit": true is not an integer'),
        ({"on_missing": "drop"}, '"/on_missing": "drop" is not one of: "skip_row", "null"'),
        ({"limits": 1}, '"/limits": is not known; known are: features, limit, on_missing'),
    ],
)
def test_a_configuration_that_sextant_would_refuse_is_refused(config, what):
    with pytest.raises(Invalid) as told:
        Session(Above, config)
    assert what in str(told.value)


def test_a_whole_number_is_an_integer():
    assert Session(Above, {"limit": 30.0}).segments([[1, 30.5]]) == ["above_1"]


@pytest.mark.parametrize(
    ("changes", "without", "what"),
    [
        ({"feature_scope": []}, None, "feature_scope must list what configurations may ask for"),
        ({"dynamic_segments": {"max": 0}}, None, "dynamic_segments.max must be 1 to 65534"),
        ({"segments": [{"key": "a"}]}, None, "segments must not be there beside dynamic_segments"),
        ({"dynamic_features": False}, None, "dynamic_features in the descriptor and a method features belong together"),
        ({}, "segments", "dynamic_segments in the descriptor and a method segments belong together"),
        ({"output": "multi"}, None, "output multi is not one of: single, score"),
    ],
)
def test_a_descriptor_that_does_not_fit_the_class_is_told_when_the_server_is_made(changes, without, what):
    methods = {"descriptor": {**Above.descriptor, **changes}}
    if without:
        methods[without] = None
    with pytest.raises(ValueError) as told:
        Server(type("Other", (Above,), methods))
    assert what in str(told.value)


class Likely(Segmenter):
    descriptor = {
        "id": "test.likely",
        "version": "1.0.0",
        "abi": "1.0",
        "title": "Likely",
        "output": "score",
        "requires": [{"feature": "x", "type": "float64", "on_missing": "null"}],
        "segments": [
            {"key": "high", "from_score": 0.7},
            {"key": "some", "from_score": 0.2},
            {"key": "low"},
        ],
        "examples": [{"config": {}, "rows": [[0.7], [0.69], [0.2], [-1.0], [None]], "expect": ["high", "some", "some", "low", None]}],
    }

    def segment(self, rows, call):
        return rows.column("x")


def test_scores_are_cut_as_sextant_cuts_them():
    assert check_examples(Likely) == 1
    session = Session(Likely)
    nan, infinity = float("nan"), float("inf")
    assert session.segments([[nan], [infinity], [-infinity]]) == [None, "high", "low"]
    assert session.scores([[0.5], [None]]) == [0.5, None]


def test_a_score_below_all_segments_is_in_none():
    class Bounded(Likely):
        descriptor = {**Likely.descriptor, "segments": [{"key": "high", "from_score": 0.7}]}

    assert Session(Bounded).segments([[0.9], [0.1], [None]]) == ["high", "", None]


@pytest.mark.parametrize(
    ("gives", "what"),
    [
        ([0.5], "segment gave 1 scores for 2 rows"),
        (([0.5, 0.5], [1.0]), "segment gave 1 confidences for 2 rows"),
        ([0.5, "0.5"], "row 1: '0.5' among the scores is no number"),
        (["high", "low"], "row 0: 'high' among the scores is no number"),
    ],
)
def test_what_is_no_score_is_a_mistake_that_names_the_row(gives, what):
    class Gives(Likely):
        def segment(self, rows, call):
            return gives

    with pytest.raises(Mistake) as told:
        Session(Gives).segments([[1.0], [1.0]])
    assert what in str(told.value)


@pytest.mark.parametrize("segments", [[{"key": "a"}, {"key": "b"}], [{"key": "a", "from_score": 1}, {"key": "b", "from_score": 1.0}]])
def test_cuts_that_are_there_twice_are_told(segments):
    with pytest.raises(ValueError, match="segments/1/from_score: is missing or there twice"):
        Server(type("Other", (Likely,), {"descriptor": {**Likely.descriptor, "segments": segments}}))


def test_lists_are_columns():
    class Trend(Segmenter):
        descriptor = {
            "id": "test.trend",
            "version": "1.0.0",
            "requires": [{"feature": "h", "type": "list<float64>", "on_missing": "null"}],
            "segments": [{"key": "up"}, {"key": "down"}],
        }

        def segment(self, rows, call):
            histories = rows.column("h").to_pylist()
            return [None if one is None else "" if not one else "up" if one[-1] > one[0] else "down" for one in histories]

    assert Session(Trend).segments([[[1.0, 2.0]], [[2, 1]], [[]], [None]]) == ["up", "down", "", None]


def stream(schema, *batches):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


@pytest.fixture
def serve():
    running = []

    def started(segmenter):
        server = Server(segmenter)
        channel = grpc.insecure_channel(server.address.removeprefix("http://"))
        running.extend([server.__enter__(), channel])
        return rpc.EvaluationServiceStub(channel)

    yield started
    for server, channel in zip(running[::2], running[1::2]):
        channel.close()
        server.__exit__()


def asked(stub, segmenter, config, rows):
    batch = Session(segmenter, config).rows(rows)
    made = stub.Prepare(pb.PrepareRequest(config_json=json.dumps(config), input_schema=stream(batch.schema)))
    answer = stub.Segment(pb.SegmentRequest(instance_id=made.instance.id, batch=stream(batch.schema, batch)))
    assert not answer.failure.message
    answer = pa.ipc.open_stream(answer.batch).read_all()
    assert answer.schema.names[0] == pa.ipc.open_stream(made.instance.output_schema).schema.names[0]
    return answer.to_pydict()


def test_a_server_says_what_a_configuration_reads_and_answers_and_is_asked_so(serve):
    stub = serve(Above)
    told = stub.Configure(pb.ConfigureRequest(config_json='{"features": ["usage.b", "usage.a"]}')).configured
    assert [one["feature"] for one in json.loads(told.features_json)] == ["usage.b", "usage.a"]
    assert [one["key"] for one in json.loads(told.segments_json)] == ["above_0", "above_1", "above_2"]
    assert asked(stub, Above, {"features": ["usage.b", "usage.a"]}, [[1, 11.0, 12.0], [1, 0.0, 0.0]]) == {"segment": [2, 0]}
    assert asked(stub, Above, {}, [[1, 11.0]]) == {"segment": [1]}
    refused = stub.Configure(pb.ConfigureRequest(config_json='{"features": ["revenue.mrr"]}')).failure
    assert (refused.code, "outside of feature_scope" in refused.message) == (pb.FAILURE_CODE_OUTPUT, True)
    other = stream(pa.schema([pa.field("usage.b", pa.float64())]))
    refused = stub.Prepare(pb.PrepareRequest(config_json="{}", input_schema=other)).failure
    assert refused.code == pb.FAILURE_CODE_INVALID_INPUT
    assert refused.message == "the columns are usage.b, and not revenue.seats, usage.logins"


def test_a_configuration_that_the_class_refuses_is_refused_when_it_is_asked_what_it_reads(serve):
    class Picky(Above):
        def features(self):
            raise Refused("there are none", field="/features")

    refused = serve(Picky).Configure(pb.ConfigureRequest(config_json="{}")).failure
    assert (refused.code, refused.message, refused.field) == (pb.FAILURE_CODE_INVALID_CONFIG, "there are none", "/features")


def test_a_configuration_is_made_ready_once_for_what_it_reads_and_for_its_answers(serve):
    made = []

    class Slow(Above):
        def __init__(self, config):
            super().__init__(config)
            made.append(config)

    stub = serve(Slow)
    for _ in range(2):
        stub.Configure(pb.ConfigureRequest(config_json="{}"))
        schema = pa.schema([pa.field("revenue.seats", pa.int64()), pa.field("usage.logins", pa.float64())])
        stub.Prepare(pb.PrepareRequest(config_json="{}", input_schema=stream(schema)))
    assert len(made) == 1


def test_a_server_answers_scores_and_confidences(serve):
    class Sure(Likely):
        def segment(self, rows, call):
            return rows.column("x"), [0.25, None]

    assert asked(serve(Sure), Sure, {}, [[0.5], [None]]) == {"score": [0.5, None], "confidence": [0.25, None]}
