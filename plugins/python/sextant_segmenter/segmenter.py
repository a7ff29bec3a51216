"""What an author writes: a class with a descriptor and one method."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Iterable, Union

import pyarrow as pa

#: What `segment` gives for a row that was judged and is in none of the segments.
NONE = ""
#: What `segment` gives for a row that could not be judged, because data is missing.
ABSTAIN = None


class Refused(Exception):
    """Raised by a segmenter that does not take a configuration or a batch; the message is for people."""

    def __init__(self, message: str, *, field: str = "", row: int | None = None):
        super().__init__(message)
        #: Feature, or JSON pointer into the configuration.
        self.field = field
        #: First bad row of the batch.
        self.row = row


@dataclass(frozen=True)
class Call:
    """The context of a call: the only source of time and randomness of a model, so that replays give the same answer."""

    #: The tenant whose accounts are judged.
    tenant_id: str
    #: The "now" of the model, in microseconds since 1970-01-01 UTC.
    as_of_us: int
    #: Seed of the model's randomness.
    seed: int


@dataclass(frozen=True)
class Reason:
    """Why a row is in its segment."""

    #: The feature, as the descriptor names it.
    feature: str
    #: Signed weight; the greater its absolute value, the stronger.
    contribution: float
    #: A sentence for people, cut behind 1,024 bytes.
    text: str = ""


class Segmenter:
    """A model. An instance answers for a configuration, and another one gives the reasons; calls of one instance never overlap."""

    #: The descriptor: a dict, or the path of a JSON file beside the module of the class.
    descriptor: ClassVar[Union[dict, str, Path]]
    #: True: the same configuration, moment, seed and rows give the same answers.
    deterministic: ClassVar[bool] = True
    #: True: what is said of a row does not depend on the other rows.
    row_independent: ClassVar[bool] = True

    def __init__(self, config: dict[str, Any]):
        """Takes the configuration, which is valid by the descriptor's config_schema and has every default."""
        self.config = config

    def segment(self, rows: pa.RecordBatch, call: Call) -> Iterable[str | None]:
        """Judges every row, of which there is at least one: its segment's key, NONE or ABSTAIN. A pair of lists adds scores.

        Where the descriptor says output "score": the score of every row, None or NaN where it abstains. A pair of lists adds
        confidences.
        """
        raise NotImplementedError

    # A class that gives reasons defines this, too:
    #
    #   def explain(self, rows: pa.RecordBatch, call: Call, top_k: int) -> Iterable[Sequence[Reason]]:
    #       """The reasons of every row; Sextant takes the strongest top_k."""
    #
    # One whose configurations decide on what is read or answered defines one of these, or both. What they give depends on the
    # configuration alone:
    #
    #   def features(self) -> list[dict]:
    #       """With dynamic_features: features like those in requires, whose columns come behind the descriptor's."""
    #
    #   def segments(self) -> list[dict]:
    #       """With dynamic_segments: segments like the descriptor's."""

    @classmethod
    def explains(cls) -> bool:
        """Whether the class gives reasons."""
        return callable(getattr(cls, "explain", None))

    @classmethod
    def serve(cls, listen: str = "127.0.0.1:8080", token: str | None = None) -> None:
        """Answers Sextant until the process is told to end."""
        from .server import Server

        with Server(cls, listen=listen, token=token) as server:
            print(f"{server.description.id} {server.description.version} answers at {server.address}", flush=True)
            server.wait()
