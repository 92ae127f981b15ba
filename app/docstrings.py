"""The text below the fields of a class, for the OpenAPI document: read once somebody asks for it.

Pydantic can read it too (`use_attribute_docstrings`), but does so for each class as it is made, which is a fifth of the
time that the service takes to begin.
"""

import ast
import inspect
import sys
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any


def docstrings_of(cls: type) -> dict[str, str]:
    """Give the text below each field of a class, its bases' among them."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        found |= _of_module(base.__module__).get(base.__name__, {}) if base.__module__.startswith("app.") else {}
    return found


@dataclass(frozen=True)
class Described:
    """Completes the JSON schema that Pydantic makes of a class, with the texts below its fields and an example."""

    example: Any = None

    def __call__(self, schema: dict[str, Any], cls: type) -> None:
        """Complete a schema."""
        properties = schema.get("properties", {})
        for name, text in docstrings_of(cls).items():
            if name in properties:
                properties[name].setdefault("description", text)
        if self.example is not None:
            schema["examples"] = [self.example]


@cache
def _of_module(name: str) -> dict[str, dict[str, str]]:
    try:
        tree = ast.parse(inspect.getsource(sys.modules[name]))
    except OSError:  # only what was compiled is there
        return {}
    return {node.name: _below_fields(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _below_fields(node: ast.ClassDef) -> dict[str, str]:
    found = {}
    for field, below in pairwise(node.body):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = inspect.cleandoc(text)
    return found
