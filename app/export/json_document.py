"""A model as one JSON document that says how it is read."""

from pydantic_core import to_json

from app.engine.arrays import Array
from app.export.description import Description

HOW = {
    "numbers": (
        "Of a column, or of a part of a date (year, month, day; weekday from 0 for Monday; hour with its fraction; in "
        "UTC), or -1 for any text where part is text. A missing one is its fill. Then s = (x - center) / scale, and "
        "where clip is a number, s / sqrt(1 + (s / clip)^2)."
    ),
    "bins": (
        "2 * min(max((x - begins) / width, 0), 1) - 1 of a number x, filled but not scaled; numbers count from 0."
    ),
    "missing": "1 where the value of the column is missing, else 0.",
    "categories": (
        "A pair is -1 for its first level and 1 for its second; levels are 1 for the level that is there and 0 for the "
        "others; embedded is a row of its embeddings: row 0 for no level, row 1 for the first. What is no level, or "
        "missing, is 0, or row 0."
    ),
    "inputs": (
        "Numbers, bins, missing, categories, in this order; embedded categories come last. All further arithmetic is "
        "done in the precision that is named."
    ),
    "layers": (
        "activation(inputs W + b), for each of the members; W has a row for each input, a column for each unit."
    ),
    "answers": (
        "The mean over the members of a * scale + center, of the first outputs, where there is a target; else of "
        "probabilities: of each label (a single output is that of the second one), or of each target's yes."
    ),
}


def write(description: Description, note: str) -> bytes:
    """Write the document, with a note on how it was checked."""
    fields = {"how": HOW, "checked": note} | vars(description)
    return to_json(fields, fallback=_listed, inf_nan_mode="null", indent=None) + b"\n"


def _listed(array: Array) -> object:
    return array.tolist()
