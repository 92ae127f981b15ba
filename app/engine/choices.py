"""How a setting says what it allows: a new row in a table is a new choice, everywhere."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.docstrings import Described

DESCRIBED = {"json_schema_extra": Described()}
"""What Pydantic reads from `__pydantic_config__`: the texts below the fields belong into the OpenAPI document."""
FINITE = {"allow_inf_nan": False, **DESCRIBED}
"""The same, and numbers are finite."""
STRICT = {"extra": "forbid", "strict": True, "allow_inf_nan": False, **DESCRIBED}
"""The same, and unknown settings and near types are errors."""


@dataclass(frozen=True, eq=False)
class OneOf:
    """Annotates a string that must be a key of `table`."""

    table: Mapping[str, object]

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> dict[str, object]:
        """Tell Pydantic at the door (its schemas are plain dicts) without importing it here."""
        return {"type": "literal", "expected": list(self.table)}
