"""Tests of a segmenter without any service: its examples, and rows of one's own."""

from __future__ import annotations

import datetime
from typing import Any

import pyarrow as pa

from . import answers
from .configuration import judged
from .description import Description
from .segmenter import Call, Segmenter

#: The "now" of calls that name none: 2026-01-01.
AS_OF_US = 1_767_225_600_000_000


class Session:
    """A segmenter with a configuration, asked as Sextant asks it."""

    def __init__(self, segmenter: type[Segmenter], config: dict[str, Any] | None = None):
        description = Description(segmenter)
        self._segmenter = segmenter(judged(description.config_schema, description.config(config or {})))
        #: What it reads and answers with the configuration.
        self.description = description.configured(self._segmenter)

    def rows(self, rows: list[list[Any]]) -> pa.RecordBatch:
        """Rows with a value for each feature, the descriptor's before those of the configuration; None: unknown."""
        self._check_width(rows)
        if not self.description.features:
            return pa.RecordBatch.from_struct_array(pa.array([{} for _ in rows], pa.struct([])))
        columns = zip(*rows) if rows else [[] for _ in self.description.features]
        arrays = [_array(column, field.type) for column, field in zip(columns, self.description.schema)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.description.schema)

    def segments(self, rows: list[list[Any]], as_of_us: int = AS_OF_US) -> list[str | None]:
        """The segment of each row; of one that answers scores, as Sextant cuts them."""
        answer, places = self._answer(rows, as_of_us)
        if self.description.output == "score":
            told = [self.description.cut(score) for score in answer.column("score").to_pylist()]
        else:
            keys = {index: key for key, index in self.description.segments.items()} | {0xFFFF: "", 0xFFFE: None}
            told = [keys[index] for index in answer.column("segment").to_pylist()]
        return _spread(told, places, len(rows), None)

    def scores(self, rows: list[list[Any]], as_of_us: int = AS_OF_US) -> list[float | None]:
        """The score of each row, with the 32 bits that Sextant keeps; None: it has none."""
        answer, places = self._answer(rows, as_of_us)
        told = answer.column("score").to_pylist() if "score" in answer.schema.names else []
        return _spread(told, places, len(rows), None)

    def _answer(self, rows: list[list[Any]], as_of_us: int) -> tuple[pa.RecordBatch, list[int]]:
        shown, places = self._shown(rows)
        given = self._segmenter.segment(shown, self._call(as_of_us)) if places else []
        return answers.answer(self.description, given, shown.num_rows), places

    def reasons(self, rows: list[list[Any]], top_k: int = 3, as_of_us: int = AS_OF_US) -> list[list[tuple[str, float, str]]]:
        """The strongest reasons of each row that is shown to the segmenter; of the others none."""
        shown, places = self._shown(rows)
        given = self._segmenter.explain(shown, self._call(as_of_us), top_k) if places else []
        told = answers.reasons(self.description, given, shown.num_rows, top_k)
        told = [[(self.description.features[feature], weight, text) for feature, weight, text in of_row] for of_row in told]
        return _spread(told, places, len(rows), [])

    def _shown(self, rows: list[list[Any]]) -> tuple[pa.RecordBatch, list[int]]:
        """The rows that a segmenter is shown, as every feature's on_missing says, and their places."""
        shown, places = [], []
        self._check_width(rows)
        for place, row in enumerate(rows):
            lacking = [position for position, value in enumerate(row) if value is None]
            policies = {position: self.description.on_missing[position] for position in lacking}
            for position, (policy, _) in policies.items():
                if policy == "fail":
                    raise ValueError(f"row {place} has no value for {self.description.features[position]}, whose on_missing is fail")
            if any(policy == "skip_row" for policy, _ in policies.values()):
                continue
            shown.append([policies[position][1] if position in policies else value for position, value in enumerate(row)])
            places.append(place)
        return self.rows(shown), places

    def _check_width(self, rows: list[list[Any]]) -> None:
        width = len(self.description.features)
        for place, row in enumerate(rows):
            if len(row) != width:
                raise ValueError(f"row {place} has {len(row)} values, there are {width} features")

    @staticmethod
    def _call(as_of_us: int) -> Call:
        return Call(tenant_id="test", as_of_us=as_of_us, seed=7)


def _spread(answers: list, places: list[int], rows: int, otherwise: Any) -> list:
    """Answers at their places; the rows between them have none."""
    by_place = dict(zip(places, answers))
    return [by_place.get(place, otherwise) for place in range(rows)]


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        values = [None if value is None else epoch + datetime.timedelta(microseconds=value) for value in values]
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode().cast(kind)
    return pa.array(values, kind)


def check_examples(segmenter: type[Segmenter]) -> int:
    """Holds a segmenter to the examples of its descriptor, of which it has to be able to say why; returns how many there are."""
    description = Description(segmenter)
    for number, example in enumerate(description.examples):
        session = Session(segmenter, example.get("config"))
        found = session.segments(example["rows"])
        if found != example["expect"]:
            raise AssertionError(f"example {number} of {description.id}: expected {example['expect']}, answered {found}")
        if segmenter.explains():
            session.reasons(example["rows"])
    return len(description.examples)
