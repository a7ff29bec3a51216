"""Tests of a segmenter without any service: its examples, and rows of one's own."""

from __future__ import annotations

import datetime
from typing import Any

import pyarrow as pa

from . import answers
from .segmenter import Call, Description, Segmenter

#: The "now" of calls that name none: 2026-01-01.
AS_OF_US = 1_767_225_600_000_000


class Session:
    """A segmenter with a configuration, asked as Sextant asks it."""

    def __init__(self, segmenter: type[Segmenter], config: dict[str, Any] | None = None):
        self.description = Description(segmenter)
        self._segmenter = segmenter({**self.description.defaults, **(config or {})})

    def rows(self, rows: list[list[Any]]) -> pa.RecordBatch:
        """Rows with a value for each feature, in the descriptor's order; None: unknown."""
        columns = zip(*rows) if rows else [[] for _ in self.description.features]
        arrays = [_array(column, field.type) for column, field in zip(columns, self.description.schema)]
        return pa.RecordBatch.from_arrays(arrays, schema=self.description.schema)

    def segments(self, rows: list[list[Any]], as_of_us: int = AS_OF_US) -> list[str | None]:
        """The segment of each row."""
        batch = self.rows(rows)
        given = self._segmenter.segment(batch, self._call(as_of_us))
        answer = answers.answer(self.description, given, batch.num_rows)
        keys = {index: key for key, index in self.description.segments.items()} | {0xFFFF: "", 0xFFFE: None}
        return [keys[index] for index in answer.column("segment").to_pylist()]

    def reasons(self, rows: list[list[Any]], top_k: int = 3, as_of_us: int = AS_OF_US) -> list[list[tuple[str, float, str]]]:
        """The strongest reasons of each row."""
        batch = self.rows(rows)
        given = self._segmenter.explain(batch, self._call(as_of_us), top_k)
        told = answers.reasons(self.description, given, batch.num_rows, top_k)
        return [[(self.description.features[feature], weight, text) for feature, weight, text in of_row] for of_row in told]

    @staticmethod
    def _call(as_of_us: int) -> Call:
        return Call(tenant_id="test", as_of_us=as_of_us, seed=7)


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        values = [None if value is None else epoch + datetime.timedelta(microseconds=value) for value in values]
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode().cast(kind)
    return pa.array(values, kind)


def check_examples(segmenter: type[Segmenter]) -> int:
    """Holds a segmenter to the examples of its descriptor; returns how many there are."""
    description = Description(segmenter)
    for number, example in enumerate(description.examples):
        found = Session(segmenter, example.get("config")).segments(example["rows"])
        if found != example["expect"]:
            raise AssertionError(f"example {number} of {description.id}: expected {example['expect']}, answered {found}")
    return len(description.examples)
