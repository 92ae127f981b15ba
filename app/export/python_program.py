"""A model as one file of Python: NumPy, the weights, and the few lines that it takes to answer with them."""

from collections.abc import Iterator

from app.engine.activations import LEAK
from app.export.constants import Language, categories, weights
from app.export.description import Description
from app.export.literals import listed, named, pairs
from app.tables.cells import LARGEST_NUMBER
from app.tables.texts import MISSING as MISSING_TEXTS

ACTIVATIONS = {
    "sigmoid": "return 1 / (1 + np.exp(-z))",
    "tanh": "return np.tanh(z)",
    "relu": "return np.maximum(z, 0)",
    "leaky_relu": f"return np.where(z > 0, z, {LEAK} * z)",
    "elu": "return np.maximum(z, 0) + np.expm1(np.minimum(z, 0))",
    "silu": "return z / (1 + np.exp(-z))",
    "softplus": "return np.logaddexp(0, z)",
    "exponential": "return np.exp(z)",
    "identity": "return z",
    "softmax": "e = np.exp(z - z.max(axis=-1, keepdims=True))\n    return e / e.sum(axis=-1, keepdims=True)",
}
"""Each of the engine's activations, of an array z."""

NUMBERS_OF = '''
def values_of(row):
    """Give a row's numbers in the order of COLUMNS; texts are not read as such."""
    row = [row[name] for name in COLUMNS] if isinstance(row, dict) else list(row)
    if len(row) != len(COLUMNS) or not all(isinstance(x, Real) and type(x) is not bool and abs(x) <= LARGEST for x in row):
        raise ValueError(f"a row is {len(COLUMNS)} numbers, none of them missing: {row}")
    return row
'''.replace("LARGEST", f"{LARGEST_NUMBER:g}")  # noqa: E501 - of the program
VALUES = '''
def values_of(row):
    """Give a row's values in the order of COLUMNS."""
    row = [row[name] for name in COLUMNS] if isinstance(row, dict) else list(row)
    if len(row) != len(COLUMNS):
        raise ValueError(f"a row has {len(COLUMNS)} values, and this one has {len(row)}")
    return [None if is_missing(value) else value.strip() if isinstance(value, str) else value for value in row]
'''
MISSING = f'''
def is_missing(value):
    """Tell whether there is no value: None, NaN, or a text that says so."""
    return value is None or value != value or isinstance(value, str) and value.strip() in {MISSING_TEXTS!r}
'''
NUMBER = '''
def number(value):
    """Let a number, or a missing one, pass; texts are not read as numbers."""
    if value is None or isinstance(value, Real) and not isinstance(value, bool) and abs(value) <= LARGEST:
        return value
    raise TypeError(f"{value!r} is no number")
'''.replace("LARGEST", f"{LARGEST_NUMBER:g}")
PARTS = r'''
DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII)


def part_of(value, part):
    """Give a part of a date such as "2024-12-31" or "2024-12-31T23:59", in UTC; of a text that is no level, -1."""
    if part is None or value is None:
        return number(value)
    if part == "text":
        return -1
    if not DATE.fullmatch(value):
        raise ValueError(f"{value!r} is no date")
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is not None:
        moment = moment.astimezone(timezone.utc)
    if part == "weekday":
        return moment.weekday()
    if part == "hour":
        return (moment - moment.replace(hour=0, minute=0, second=0, microsecond=0)) / timedelta(hours=1)
    return getattr(moment, part)
'''
PLACES = '''
def places(values, levels):
    """Find each value among the levels; -1 where it is none of them."""
    place = {level: number for number, level in enumerate(levels)}
    return np.array([place.get(value, -1) for value in values], dtype=int)
'''
NUMBERS_ALONE = """
    x = np.array(list(map(values_of, rows)), dtype=float).reshape(-1, len(COLUMNS))
"""
ANY_COLUMNS = """
    columns = {name: [row[place] for row in rows] for place, name in enumerate(COLUMNS)}
    for name in COLUMNS:
        if name not in MAY_MISS and None in columns[name]:
            raise ValueError(f"{name} is missing, and never was when the network learnt")
        if name in TRUE_OR_FALSE and not all(value is None or type(value) is bool for value in columns[name]):
            raise TypeError(f"{name} is True or False")
"""
CATEGORIES = """
    categories = []
    for name, levels in CATEGORIES:
        place = places(columns[name], levels)[:, None]
        if len(levels) == 2:
            categories.append((place == 1) * 1.0 - (place == 0))
        else:
            categories.append(place == np.arange(len(levels)))
"""
EMBEDDED = """
    vectors = [
        table[..., places(columns[name], levels) + 1, :] for (name, levels), table in zip(EMBEDDED, EMBEDDINGS)
    ]
    return np.concatenate([np.broadcast_to(a, vectors[0].shape[:-1] + a.shape[1:]), *vectors], axis=-1)
"""


def write(description: Description, note: str) -> bytes:
    """Write the program, with a note on how it was checked."""
    parts = [
        _head(description, note),
        "\n".join(_constants(description)),
        *_functions(description),
        "\n".join(_inputs(description)),
        "\n".join(_scores(description)),
        *_answers(description),
        f'if __name__ == "__main__":\n    print(predict([{_example(description)}]))',
    ]
    return "\n\n\n".join(part.strip("\n") for part in parts).encode() + b"\n"


def _head(description: Description, note: str) -> str:
    targets, columns = named(description.targets, repr), named([column.name for column in description.columns], repr)
    needed = {
        "import re\n": description.has_parts,
        "from datetime import datetime, timedelta, timezone\n": description.has_parts,
        "from numbers import Real\n": bool(description.numbers),
    }
    imports = "".join(line for line, is_needed in needed.items() if is_needed)
    imports = f"{imports}\n" if imports else ""
    return f"""# {targets} from {columns}: the network {description.model}, as netlet {description.netlet} wrote it.
# {note}
#
# It needs Python 3.11 and NumPy, nothing else. Run it for an example, or import predict from it.
# A row is a dict, or a list in the order of COLUMNS; None is a missing value.

{imports}import numpy as np"""


def _constants(description: Description) -> Iterator[str]:
    """Write all names and numbers."""
    numbers = description.numbers
    yield f"COLUMNS = {listed(repr(column.name) for column in description.columns)}"
    if description.is_plain:
        yield "\n# Scaling: s = (x - CENTER) / SCALE, column by column."
    else:
        yield f"MAY_MISS = {listed(repr(column.name) for column in description.columns if column.missing)}"
        yield f"TRUE_OR_FALSE = {listed(repr(name) for name in description.flags)}"
        yield "\n# Scaling: numbers (of columns, or parts of dates) become s = (x - CENTER) / SCALE."
        yield f"NUMBERS = {pairs([(number.column, number.part) for number in numbers], repr)}"
    yield f"CENTER = np.array({listed(repr(number.center) for number in numbers)})"
    yield f"SCALE = np.array({listed(repr(number.scale) for number in numbers)})"
    if any(number.fill is not None for number in numbers):
        yield f"FILL = np.array({listed(repr(number.fill or 0.0) for number in numbers)})  # for a missing one"
    if description.clip is not None:
        yield f"CLIP = {description.clip!r}  # what s approaches"
    if description.bins:
        yield "\n# Bins run from -1 where they begin to 1 where they end; BIN_OF tells of which number."
        yield f"BIN_OF = {listed(str(own.number) for own in description.bins)}"
        yield f"BIN_BEGINS = np.array({listed(repr(own.begins) for own in description.bins)})"
        yield f"BIN_WIDTH = np.array({listed(repr(own.width) for own in description.bins)})"
    language = _language(description)
    yield from categories(description, language)
    yield from weights(description, language)
    if description.classes:
        yield f"\nCLASSES = {listed(map(repr, description.classes))}"


def _language(description: Description) -> Language:
    kind = ", dtype=np.float32" if description.precision == "float32" else ""
    return Language(
        comment="#",
        state=lambda name, literal: f"{name} = {literal}",
        word=repr,
        numbers=lambda lists: f"np.array({lists})",
        weights=lambda lists: f"np.array({lists}{kind})",
        bias=lambda b: b[:, None],
    )


def _functions(description: Description) -> Iterator[str]:
    yield from (NUMBERS_OF,) if description.is_plain else (MISSING, VALUES)
    if description.numbers and not description.is_plain:
        yield NUMBER
    if description.has_parts:
        yield PARTS
    if description.categories:
        yield PLACES
    for name in dict.fromkeys(layer.activation for layer in description.layers):
        if name != "identity":
            yield f"def {name}(z):\n    {ACTIVATIONS[name]}"


def _inputs(description: Description) -> Iterator[str]:
    """Write the function that turns rows into what the first layer takes."""
    yield "def inputs(rows):"
    yield '    """Turn rows into what the first layer takes."""'
    if not description.is_plain:
        yield "    rows = list(map(values_of, rows))"
    yield (NUMBERS_ALONE if description.is_plain else ANY_COLUMNS).strip("\n")
    parts = []
    if description.numbers:
        yield from _numbers(description)
        parts.append("s")
    if description.bins:
        yield "    bins = 2 * np.clip((x[:, BIN_OF] - BIN_BEGINS) / BIN_WIDTH, 0, 1) - 1"
        parts.append("bins")
    if description.missing:
        yield "    missing = np.array([[value is None for value in columns[name]] for name in TOLD_MISSING]).T"
        parts.append("missing")
    if description.plain:
        yield CATEGORIES.strip("\n")
        parts.append("*categories")
    whole = parts[0] if parts == ["s"] else f"np.concatenate([{', '.join(parts)}], axis=1)"
    whole = whole if parts else "np.empty((len(rows), 0))"
    kind = ".astype(np.float32)" if description.precision == "float32" else ""
    if description.embedded:
        yield f"    a = {whole}{kind}"
        yield EMBEDDED.strip("\n")
    else:
        yield f"    return {whole}{kind}"


def _numbers(description: Description) -> Iterator[str]:
    if not description.is_plain:
        own = "part_of(value, part)" if description.has_parts else "number(value)"
        values = f"[{own} for value in columns[name]]"
        yield f"    x = np.array([{values} for name, part in NUMBERS], dtype=float).T"
    if any(number.fill is not None for number in description.numbers):
        yield "    x = np.where(np.isnan(x), FILL, x)"
    yield "    s = (x - CENTER) / SCALE"
    if description.clip is not None:
        yield "    s = s / np.hypot(1, s / CLIP)"


def _scores(description: Description) -> Iterator[str]:
    """Write the function that runs the network."""
    what = "probabilities" if description.classes else "answers"
    yield "def scores(rows):"
    yield f'    """Run the network: {what}, a row for each row."""'
    yield '    with np.errstate(over="ignore"):'
    yield "        a = inputs(rows)"
    for number, layer in enumerate(description.layers, start=1):
        z = f"a @ W{number}" + (f" + B{number}" if layer.b is not None else "")
        yield f"        a = {z if layer.activation == 'identity' else f'{layer.activation}({z})'}"
    if description.precision == "float32":
        yield "    a = a.astype(float)"
    if description.target is not None:
        several = description.outputs > len(description.targets)
        yield f"    a = a{'[..., : len(TARGET_SCALE)]' if several else ''} * TARGET_SCALE + TARGET_CENTER"
    elif description.labels and description.outputs == 1:
        yield "    a = np.concatenate([1 - a, a], axis=-1)  # of the second class"
    yield "    return a" if description.members == 1 else "    return a.mean(axis=0)  # over the networks"


def _answers(description: Description) -> Iterator[str]:
    """Write the functions that a user calls."""
    if description.labels:
        answer = "[CLASSES[place] for place in scores(rows).argmax(axis=1)]"
    elif description.classes:
        answer = "(scores(rows) > 0.5).tolist()"
    else:
        answer = f"scores(rows){'[:, 0]' if len(description.targets) == 1 else ''}.tolist()"
    yield f'def predict(rows):\n    """Answer rows, in your own units."""\n    return {answer}'
    if description.classes:
        told = "return [dict(zip(CLASSES, row)) for row in scores(rows).tolist()]"
        yield f'def probabilities(rows):\n    """Tell how likely each class is."""\n    {told}'


def _example(description: Description) -> str:
    pairs_ = (f"{column.name!r}: {column.example!r}" for column in description.columns)
    return "{" + ", ".join(pairs_) + "}"
