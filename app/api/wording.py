"""Wording: what Pydantic finds wrong with a value, told as all other faults are."""

import re
from collections.abc import Mapping
from typing import Any

from app.faults import Fault
from app.tables.cells import describe

TYPES = {
    "missing": "a value",
    "list_type": "a list",
    "dict_type": "an object",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "string_type": "a text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}
"""What belongs there, by the type of Pydantic's error, where its message speaks of types of a programming language."""
SAID_AROUND = re.compile(r"^(?:Input should be (?:a valid )?|\w+ should have )| after validation, not .*$")
"""What Pydantic says beside what belongs there."""


def in_our_words(detail: Mapping[str, Any], field: str) -> Fault:
    """Say of one of Pydantic's errors what belongs into a field, and what is there."""
    expected = TYPES.get(detail["type"], SAID_AROUND.sub("", detail["msg"]))
    return Fault(expected, got="nothing" if detail["type"] == "missing" else describe(detail["input"]), field=field)
