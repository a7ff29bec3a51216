"""What an author writes: a class with a descriptor and one method."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Iterable, Union

import pyarrow as pa

#: What `segment` gives for a row that was judged and is in none of the segments.
NONE = ""
#: What `segment` gives for a row that could not be judged, because data is missing.
ABSTAIN = None

#: The Arrow types of features.
TYPES = {
    "float64": pa.float64(),
    "int64": pa.int64(),
    "bool": pa.bool_(),
    "utf8": pa.utf8(),
    "dictionary<int32,utf8>": pa.dictionary(pa.int32(), pa.utf8()),
    "timestamp[us,UTC]": pa.timestamp("us", tz="UTC"),
}


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
    #: A sentence for people.
    text: str = ""


class Segmenter:
    """A model. Sextant makes an instance for each configuration; calls of one instance never overlap."""

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
        """Judges every row, of which there is at least one: its segment's key, NONE or ABSTAIN. A pair of lists adds scores."""
        raise NotImplementedError

    # A class that gives reasons defines this, too:
    #
    #   def explain(self, rows: pa.RecordBatch, call: Call, top_k: int) -> Iterable[Sequence[Reason]]:
    #       """The reasons of every row; Sextant takes the strongest top_k."""

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


class Description:
    """A descriptor as far as a server needs it."""

    def __init__(self, segmenter: type[Segmenter]):
        self.json = _text_of(segmenter)
        try:
            document = json.loads(self.json)
            self.id: str = document["id"]
            self.version: str = document["version"]
            self.features: list[str] = []
            #: What becomes of a row that lacks a feature, and what stands in for it where that says default.
            self.on_missing: list[tuple[str, Any]] = []
            self.schema = pa.schema(self._fields(document))
            self.segments = {segment["key"]: index for index, segment in enumerate(document["segments"])}
            self.examples: list[dict] = document.get("examples", [])
            properties = document.get("config_schema", {}).get("properties", {})
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"the descriptor of {segmenter.__name__} cannot be used: {error!r}") from error
        self.defaults = {name: rule["default"] for name, rule in properties.items() if "default" in rule}

    def _fields(self, document: dict) -> Iterable[pa.Field]:
        for feature in [*document["requires"], *document.get("optional", [])]:
            kind = feature["type"].replace(" ", "")
            if kind not in TYPES:
                raise ValueError(f"feature {feature['feature']} has type {feature['type']}; there are {', '.join(TYPES)}")
            self.features.append(feature["feature"])
            self.on_missing.append((feature.get("on_missing", "null"), feature.get("default")))
            yield pa.field(feature["feature"], TYPES[kind], nullable=True)


def _text_of(segmenter: type[Segmenter]) -> str:
    descriptor = getattr(segmenter, "descriptor", None)
    if isinstance(descriptor, dict):
        return json.dumps(descriptor, ensure_ascii=False)
    if isinstance(descriptor, (str, Path)):
        path = Path(descriptor)
        if not path.is_absolute():
            # Beside the class that names it, which may be a base of this one.
            owner = next(one for one in segmenter.__mro__ if "descriptor" in vars(one))
            path = Path(inspect.getfile(owner)).parent / path
        return path.read_text(encoding="utf-8")
    raise TypeError(f"{segmenter.__name__}.descriptor is missing: a dict, or the path of a JSON file")
