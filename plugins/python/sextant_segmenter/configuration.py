"""Configurations as Sextant judges them before a segmenter gets them."""

from __future__ import annotations

import json
from typing import Any

_TYPES = {
    "integer": ("an integer", lambda value: _is_number(value) and float(value).is_integer()),
    "number": ("a number", lambda value: _is_number(value)),
    "string": ("a string", lambda value: isinstance(value, str)),
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
    "array": ("an array", lambda value: isinstance(value, list)),
}


class Invalid(ValueError):
    """A configuration that breaks a rule of the descriptor's config_schema."""


def judged(schema: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """The configuration as Sextant passes it on; defaults are filled in already."""
    properties = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in config:
            raise Invalid(f'config "/{name}": is missing')
    values = {}
    for name in sorted(config):
        if name in properties:
            values[name] = _accepted(f"/{name}", properties[name], config[name])
        elif schema.get("additionalProperties", True):
            values[name] = config[name]
        else:
            known = f"known are: {', '.join(sorted(properties))}" if properties else "this segmenter has no configuration"
            raise Invalid(f'config "/{name}": is not known; {known}')
    return values


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _accepted(at: str, rule: dict[str, Any], value: Any) -> Any:
    def refuse(what: str) -> Invalid:
        return Invalid(f'config "{at}": {what}')

    kind = rule["type"]
    expected, fits = _TYPES[kind]
    if not fits(value):
        raise refuse(f"{json.dumps(value)} is not {expected}")
    if kind == "array":
        return _items(at, rule, value)
    if kind == "integer":
        # Languages with one type of numbers write 30 as 30.0.
        value = int(value)
    if kind in ("integer", "number"):
        if value < rule.get("minimum", value):
            raise refuse(f"{value} is below the minimum {rule['minimum']}")
        if value > rule.get("maximum", value):
            raise refuse(f"{value} is above the maximum {rule['maximum']}")
    if rule.get("enum") and value not in rule["enum"]:
        raise refuse(f"{json.dumps(value)} is not one of: {', '.join(map(json.dumps, rule['enum']))}")
    return value


def _items(at: str, rule: dict[str, Any], items: list) -> list:
    least, most = rule.get("minItems", 0), rule.get("maxItems", len(items))
    if len(items) < least:
        raise Invalid(f'config "{at}": has {len(items)} items, the least is {least}')
    if len(items) > most:
        raise Invalid(f'config "{at}": has {len(items)} items, the most is {most}')
    accepted: list = []
    for place, item in enumerate(items):
        item = _accepted(f"{at}/{place}", rule["items"], item)
        if rule.get("uniqueItems") and item in accepted:
            raise Invalid(f'config "{at}/{place}": {json.dumps(item)} is there twice')
        accepted.append(item)
    return accepted
