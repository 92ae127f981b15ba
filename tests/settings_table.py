"""The settings as README's table has them, read from the code that defines them."""

from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter

from app.engine.config import TrainingConfig
from app.engine.network import Architecture
from app.models.preprocessing import Scaling
from app.settings import Settings

GROUPS = {"network": Architecture, "training": TrainingConfig, "scaling": Scaling}


def rows() -> Iterator[str]:
    """Write one table row for each setting."""
    for group, config in GROUPS.items():
        for name, schema in TypeAdapter(config).json_schema()["properties"].items():
            yield row(f"{group}.{name}", schema)
    for name, schema in Settings.model_json_schema()["properties"].items():
        yield row(f"NETLET_{name.upper()}", schema)


def row(name: str, schema: dict[str, Any]) -> str:
    """Write one: name, default, meaning, and the choices where it is one of some words."""
    default = schema["default"]
    shown = "none" if default is None else f"`{default}`".replace("True", "true")
    meaning = " ".join(schema["description"].split())
    choices = [word for option in [schema, *schema.get("anyOf", [])] for word in option.get("enum", [])]
    if choices:
        meaning += " One of " + ", ".join(f"`{choice}`" for choice in choices) + "."
    return f"| `{name}` | {shown} | {meaning} |"
