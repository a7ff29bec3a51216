"""From what a segmenter gives to what Sextant takes, with an error that names the row where it does not fit."""

from __future__ import annotations

import math
from typing import Any, Iterable

import pyarrow as pa

from .segmenter import Description, Reason

_NO_SEGMENT = 0xFFFF
_ABSTAINED = 0xFFFE


class Mistake(Exception):
    """What a segmenter gave breaks the contract."""


def answer(description: Description, given: Any, rows: int) -> pa.RecordBatch:
    """The batch that tells the segments."""
    keys, scores = given if isinstance(given, tuple) else (given, None)
    keys = list(keys.to_pylist() if isinstance(keys, (pa.Array, pa.ChunkedArray)) else keys)
    if len(keys) != rows:
        raise Mistake(f"segment gave {len(keys)} answers for {rows} rows")
    columns = {"segment": pa.array([_index(description, row, key) for row, key in enumerate(keys)], pa.uint16())}
    if scores is not None:
        scores = [None if score is None else float(score) for score in scores]
        if len(scores) != rows:
            raise Mistake(f"segment gave {len(scores)} scores for {rows} rows")
        columns["score"] = pa.array(scores, pa.float32())
    return pa.RecordBatch.from_pydict(columns)


def _index(description: Description, row: int, key: Any) -> int:
    if key is None:
        return _ABSTAINED
    if key == "":
        return _NO_SEGMENT
    index = description.segments.get(str(key))
    if index is None:
        raise Mistake(f"row {row} is in \"{key}\", which the descriptor does not list; it lists {', '.join(description.segments)}")
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
            raise Mistake(f"row {row}: a reason names {reason.feature}, which the descriptor does not list")
        if not math.isfinite(reason.contribution):
            raise Mistake(f"row {row}: the contribution of {reason.feature} is {reason.contribution}")
        told.append((description.features.index(reason.feature), float(reason.contribution), reason.text))
    return sorted(told, key=lambda one: -abs(one[1]))
