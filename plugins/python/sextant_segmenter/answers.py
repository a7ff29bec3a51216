"""From what a segmenter gives to what Sextant takes, with an error that names the row where it does not fit."""

from __future__ import annotations

import math
from typing import Any, Iterable

import pyarrow as pa

from .description import Description, Mistake
from .segmenter import Reason

#: Bytes of the longest text of a reason, which the contract names.
_MAX_TEXT_BYTES = 1024

__all__ = ["Mistake", "answer", "output_schema", "reasons"]

_NO_SEGMENT = 0xFFFF
_ABSTAINED = 0xFFFE


def answer(description: Description, given: Any, rows: int) -> pa.RecordBatch:
    """The batch that tells the segments, or the scores that Sextant cuts into segments."""
    first, second = given if isinstance(given, tuple) else (given, None)
    if description.output == "score":
        columns = {"score": _numbers("scores", first, rows)}
        if second is not None:
            columns["confidence"] = _numbers("confidences", second, rows)
        return pa.RecordBatch.from_pydict(columns)
    keys = _listed("answers", first, rows)
    columns = {"segment": pa.array([_index(description, row, key) for row, key in enumerate(keys)], pa.uint16())}
    if second is not None:
        columns["score"] = _numbers("scores", second, rows)
    return pa.RecordBatch.from_pydict(columns)


def output_schema(description: Description) -> pa.Schema:
    """The columns that an answer has at least."""
    if description.output == "score":
        return pa.schema([pa.field("score", pa.float32())])
    return pa.schema([pa.field("segment", pa.uint16(), nullable=False)])


def _listed(what: str, given: Any, rows: int) -> list:
    values = list(given.to_pylist() if isinstance(given, (pa.Array, pa.ChunkedArray)) else given)
    if len(values) != rows:
        raise Mistake(f"segment gave {len(values)} {what} for {rows} rows")
    return values


def _numbers(what: str, given: Any, rows: int) -> pa.Array:
    return pa.array([_number(what, row, value) for row, value in enumerate(_listed(what, given, rows))], pa.float32())


def _number(what: str, row: int, value: Any) -> float | None:
    if value is None:
        return None
    try:
        # float() takes texts, too.
        if not isinstance(value, str):
            return float(value)
    except (TypeError, ValueError):
        pass
    raise Mistake(f"row {row}: {value!r} among the {what} is no number")


def _index(description: Description, row: int, key: Any) -> int:
    if key is None:
        return _ABSTAINED
    if key == "":
        return _NO_SEGMENT
    index = description.segments.get(str(key))
    if index is None:
        raise Mistake(f"row {row} is in \"{key}\", which is none of its segments: {', '.join(description.segments)}")
    return index


def reasons(description: Description, given: Iterable[Iterable[Reason]], rows: int, top_k: int) -> list[list[tuple[int, float, str]]]:
    """The strongest reasons of each row, as positions of features."""
    given = [list(of_row) for of_row in given]
    if len(given) != rows:
        raise Mistake(f"explain gave reasons of {len(given)} rows, there are {rows}")
    return [_of_row(description, row, of_row)[:top_k] for row, of_row in enumerate(given)]


def _of_row(description: Description, row: int, of_row: list[Reason]) -> list[tuple[int, float, str]]:
    told = []
    for reason in of_row:
        if reason.feature not in description.features:
            raise Mistake(f"row {row}: a reason names {reason.feature}, which is none of its features")
        if not math.isfinite(reason.contribution):
            raise Mistake(f"row {row}: the contribution of {reason.feature} is {reason.contribution}")
        text = (reason.text or "").encode()[:_MAX_TEXT_BYTES].decode(errors="ignore")
        told.append((description.features.index(reason.feature), float(reason.contribution), text))
    return sorted(told, key=lambda one: -abs(one[1]))
