"""Settings as a command line gives them: NAME=VALUE."""

import json
from collections.abc import Iterable
from typing import Any

from app.client import NotUsable


def settings_of(given: Iterable[str]) -> dict[str, Any]:
    """Read settings such as `preset=tutorial` and `training.epochs=100`; raise NotUsable for what is none.

    What stands alone is text, and a list where it is there several times; what is in a group is JSON if it can be.
    """
    alone: dict[str, list[str]] = {}
    groups: dict[str, dict[str, object]] = {}
    for setting in given:
        name, equals, value = setting.partition("=")
        group, dot, inner = name.partition(".")
        if not equals or not group or (dot and not inner) or group in (alone if dot else groups):
            message = f"--set takes NAME=VALUE, such as training.epochs=100, and not {setting}"
            raise NotUsable(message)
        if dot:
            groups.setdefault(group, {})[inner] = _json_or_text(value)
        else:
            alone.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in alone.items()} | groups


def _json_or_text(value: str) -> object:
    try:
        return json.loads(value)
    except ValueError:
        return value
