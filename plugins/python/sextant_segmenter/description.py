"""A descriptor as far as a server needs it, and what a configuration adds to it."""

from __future__ import annotations

import copy
import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from .segmenter import Segmenter

#: The Arrow types of features.
TYPES = {
    "float64": pa.float64(),
    "int64": pa.int64(),
    "bool": pa.bool_(),
    "utf8": pa.utf8(),
    "dictionary<int32,utf8>": pa.dictionary(pa.int32(), pa.utf8()),
    "timestamp[us,UTC]": pa.timestamp("us", tz="UTC"),
    "list<float64>": pa.list_(pa.float64()),
}
#: What may become of a row that lacks a feature.
POLICIES = ("skip_row", "null", "default", "fail")
#: Positions from here on mean that a row is in no segment, or was not judged.
_MOST_SEGMENTS = 0xFFFE
#: Bytes of a list of a configuration.
_MOST_BYTES = 64 << 10


class Mistake(Exception):
    """What a segmenter gave breaks the contract."""


class Description:
    """A descriptor as far as a server needs it."""

    def __init__(self, segmenter: type[Segmenter]):
        self.json = _text_of(segmenter)
        try:
            document = json.loads(self.json)
            self._read(document)
            for declared, name in ((self.scope is not None, "features"), (self.most_segments is not None, "segments")):
                if declared != callable(getattr(segmenter, name, None)):
                    raise ValueError(f"dynamic_{name} in the descriptor and a method {name} belong together")
        except (AttributeError, KeyError, TypeError, ValueError, Mistake) as error:
            raise ValueError(f"the descriptor of {segmenter.__name__} cannot be used: {error!r}") from error

    def _read(self, document: dict) -> None:
        self.id: str = document["id"]
        self.version: str = document["version"]
        #: "single", or "score".
        self.output: str = document.get("output", "single")
        if self.output not in ("single", "score"):
            raise ValueError(f"output {self.output} is not one of: single, score")
        #: Patterns of the features that a configuration may ask for; None: it asks for none.
        self.scope: list[str] | None = document.get("feature_scope") if document.get("dynamic_features") else None
        if document.get("dynamic_features") and not self.scope:
            raise ValueError("feature_scope must list what configurations may ask for, such as usage.*")
        #: Most segments of a configuration, where configurations have their own.
        self.most_segments: int | None = document["dynamic_segments"]["max"] if "dynamic_segments" in document else None
        if self.most_segments is not None and not 1 <= self.most_segments <= _MOST_SEGMENTS:
            raise ValueError(f"dynamic_segments.max must be 1 to {_MOST_SEGMENTS}")
        #: The features in the order of the columns.
        self.features: list[str] = []
        #: What becomes of a row that lacks a feature, and what stands in for it where that says default.
        self.on_missing: list[tuple[str, Any]] = []
        self.schema = pa.schema([])
        self._add("requires", document["requires"])
        self._add("optional", [{"optional": True, **feature} for feature in document.get("optional", [])])
        #: Positions of the segments by key.
        self.segments: dict[str, int] = {}
        #: What scores are cut by: the least score of each segment.
        self.from_score: list[float] = []
        if self.most_segments is None:
            self._name("segments", document["segments"], _MOST_SEGMENTS)
        elif document.get("segments"):
            raise ValueError("segments must not be there beside dynamic_segments")
        self.examples: list[dict] = document.get("examples", [])
        self.config_schema: dict[str, Any] = document.get("config_schema", {})

    def config(self, given: dict[str, Any]) -> dict[str, Any]:
        """A configuration with every default."""
        properties = self.config_schema.get("properties", {})
        defaults = {name: rule["default"] for name, rule in properties.items() if "default" in rule}
        # An author's code may change what it is given: lists are its own.
        return copy.deepcopy({**defaults, **given})

    def configured(self, segmenter: Segmenter) -> Configured:
        """The same with what a configuration reads and answers."""
        return Configured(self, segmenter)

    def _add(self, at: str, features: list[dict]) -> None:
        for place, feature in enumerate(features):
            name, kind, policy, default = _feature(f"{at}/{place}", feature)
            if name in self.features:
                raise Mistake(f'{at}/{place}: feature "{name}" is listed twice')
            self.features.append(name)
            self.on_missing.append((policy, default))
            self.schema = self.schema.append(pa.field(name, kind, nullable=True))

    def _name(self, at: str, segments: list[dict], most: int) -> None:
        if not 1 <= len(segments) <= most:
            raise Mistake(f"{at}: there are {len(segments)} segments, and have to be 1 to {most}")
        for place, segment in enumerate(segments):
            key = segment.get("key") if isinstance(segment, dict) else None
            if not isinstance(key, str) or not key or key in self.segments:
                raise Mistake(f"{at}/{place}/key: {json.dumps(key)} is no text, empty or used twice")
            cut = segment.get("from_score")
            if self.output == "single" and cut is not None:
                raise Mistake(f'{at}/{place}/from_score: is for output "score"')
            # Scores are 32 bits wide, and cut as they are sent.
            least = -float("inf") if cut is None else pa.scalar(cut, pa.float32()).as_py()
            if self.output == "score" and least in self.from_score:
                raise Mistake(f"{at}/{place}/from_score: is missing or there twice: one segment may be without")
            self.segments[key] = place
            self.from_score.append(least)

    def cut(self, score: float | None) -> str | None:
        """The segment of a score, as Sextant cuts it: of those that it reaches the one that takes most."""
        if score is None or score != score:
            return None
        reached = [(least, key) for key, least in zip(self.segments, self.from_score) if score >= least]
        return max(reached)[1] if reached else ""


class Configured(Description):
    """A description with what a configuration reads and answers."""

    def __init__(self, description: Description, segmenter: Segmenter):
        vars(self).update(vars(description))
        self.features, self.on_missing = list(self.features), list(self.on_missing)
        #: What it reads and answers beside the descriptor, as Sextant is told; empty: nothing.
        self.features_json = self.segments_json = ""
        if self.scope is not None:
            features = list(segmenter.features())
            self._add("features", features)
            for place, feature in enumerate(features):
                if not any(_covers(pattern, feature["feature"]) for pattern in self.scope):
                    scope = ", ".join(self.scope)
                    raise Mistake(f'features/{place}: "{feature["feature"]}" is outside of feature_scope, which is {scope}')
            self.features_json = _json("features", features)
        if self.most_segments is not None:
            segments = list(segmenter.segments())
            self.segments, self.from_score = {}, []
            self._name("segments", segments, self.most_segments)
            self.segments_json = _json("segments", segments)


def _feature(at: str, feature: dict) -> tuple[str, pa.DataType, str, Any]:
    name, kind = (feature.get(key) if isinstance(feature, dict) else None for key in ("feature", "type"))
    if not isinstance(name, str) or not name:
        raise Mistake(f"{at}/feature: is missing")
    if str(kind).replace(" ", "") not in TYPES:
        raise Mistake(f"{at}/type: feature {name} has type {kind}; there are {', '.join(TYPES)}")
    optional = bool(feature.get("optional"))
    policy = feature.get("on_missing", "null" if optional else None)
    if policy not in POLICIES:
        raise Mistake(f"{at}/on_missing: is {json.dumps(policy)}; say {', '.join(POLICIES)}")
    if optional and policy in ("skip_row", "fail"):
        raise Mistake(f"{at}/on_missing: of an optional feature must be null or default")
    if (policy == "default") != (feature.get("default") is not None):
        raise Mistake(f"{at}/default: belongs to on_missing default, and is not there or too much")
    default, arrow = feature.get("default"), TYPES[kind.replace(" ", "")]
    if default is not None and not _is_of(arrow, default):
        raise Mistake(f"{at}/default: {json.dumps(default)} does not have type {kind}")
    return name, arrow, policy, default


def _is_of(kind: pa.DataType, value: Any) -> bool:
    if pa.types.is_boolean(kind):
        return isinstance(value, bool)
    if pa.types.is_floating(kind):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if pa.types.is_integer(kind) or pa.types.is_timestamp(kind):
        return isinstance(value, int) and not isinstance(value, bool)
    # What stands in for an unknown history cannot be said.
    return isinstance(value, str) and not pa.types.is_list(kind)


def _covers(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _json(name: str, values: list[dict]) -> str:
    text = json.dumps(values, ensure_ascii=False)
    if len(text.encode()) > _MOST_BYTES:
        raise Mistake(f"{name}: its list has {len(text.encode())} bytes, the most is {_MOST_BYTES}")
    return text


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
