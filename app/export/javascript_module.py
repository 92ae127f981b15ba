"""A model as one module of JavaScript, for a browser or Node, that needs no other."""

from collections.abc import Iterator

from app.engine.activations import LEAK
from app.export.constants import Language, categories, weights
from app.export.description import Description
from app.export.literals import in_javascript as word
from app.export.literals import listed, named, pairs
from app.tables.cells import LARGEST_NUMBER
from app.tables.texts import MISSING as MISSING_TEXTS

LANGUAGE = Language("//", lambda name, literal: f"const {name} = {literal};", word, str, str)

ACTIVATIONS = {
    "sigmoid": "z.map((v) => 1 / (1 + Math.exp(-v)))",
    "tanh": "z.map((v) => Math.tanh(v))",
    "relu": "z.map((v) => Math.max(v, 0))",
    "leaky_relu": f"z.map((v) => (v > 0 ? v : {LEAK} * v))",
    "elu": "z.map((v) => (v > 0 ? v : Math.expm1(v)))",
    "silu": "z.map((v) => v / (1 + Math.exp(-v)))",
    "softplus": "z.map((v) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v))))",
    "exponential": "z.map((v) => Math.exp(v))",
    "identity": "z",
    "softmax": "shares(z.map((v) => Math.exp(v - z.reduce((most, other) => Math.max(most, other)))))",
}
"""Each of the engine's activations, of a list z."""

MISSING = """
const MISSING = MISSING_TEXTS; // texts that stand for no value
const isText = (value) => typeof value === "string";
const isMissing = (value) =>
  value === null || value === undefined || Number.isNaN(value) || (isText(value) && MISSING.includes(value.trim()));
""".replace("MISSING_TEXTS", listed(map(word, MISSING_TEXTS)))
NUMBER = """
/** Let a number pass; texts are not read as numbers. */
function number(value) {
  if (typeof value === "number" && Math.abs(value) <= LARGEST) return value;
  throw new TypeError(`${JSON.stringify(value)} is no number`);
}
""".replace("LARGEST", f"{LARGEST_NUMBER:g}")
PARTS = r"""
const DATE = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(?:(Z)|([+-])(\d\d):?(\d\d))?)?$/;

/** A part of a date such as "2024-12-31" or "2024-12-31T23:59", in UTC; of a text that is no level, -1. */
function partOf(value, part) {
  if (part === null) return number(value);
  if (part === "text") return -1;
  const [, year, month, day, hour = 0, minute = 0, second = 0, fraction = "", , sign, hours = 0, minutes = 0] =
    DATE.exec(value);
  if (+hour > 23 || +minute > 59 || +second > 59) throw new RangeError(`${value} is no date`);
  const east = (sign === "-" ? -1 : 1) * (60 * hours + 1 * minutes);
  const date = new Date(0);
  date.setUTCFullYear(+year, month - 1, +day);
  if (date.getUTCDate() !== +day || date.getUTCMonth() !== month - 1) throw new RangeError(`${value} is no date`);
  date.setUTCHours(+hour, minute - east, +second);
  const seconds = 60 * (60 * date.getUTCHours() + date.getUTCMinutes()) + date.getUTCSeconds();
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    weekday: (date.getUTCDay() + 6) % 7,
    hour: (1e6 * seconds + +fraction.padEnd(6, "0")) / 3.6e9,
  }[part];
}
"""
LAYER = """
/** What a layer's units sum up, for one row: a W + b. */
function layer(a, W, b) {
  return W[0].map((_, unit) => a.reduce((sum, value, input) => sum + value * W[input][unit], b ? b[unit] : 0));
}
"""
SHARES = """
/** Divide by the sum. */
function shares(values) {
  const sum = values.reduce((total, value) => total + value, 0);
  return values.map((value) => value / sum);
}
"""
VALUES = """
  if (Array.isArray(row) && row.length !== COLUMNS.length) {
    throw new Error(`a row has ${COLUMNS.length} values, and this one has ${row.length}`);
  }
  const value = Object.create(null);
  COLUMNS.forEach((name, place) => {
    if (!Array.isArray(row) && !Object.hasOwn(row, name)) throw new Error(`${name} is not in the row`);
    const own = Array.isArray(row) ? row[place] : row[name];
    value[name] = isMissing(own) ? null : isText(own) ? own.trim() : own;
    if (value[name] === null && !MAY_MISS.includes(name)) {
      throw new Error(`${name} is missing, and never was when the network learnt`);
    }
    if (TRUE_OR_FALSE.includes(name) && value[name] !== null && typeof value[name] !== "boolean") {
      throw new TypeError(`${name} is true or false`);
    }
  });
"""
CATEGORIES = """
  const categories = CATEGORIES.flatMap(([name, levels]) => {
    const place = levels.indexOf(value[name]);
    return levels.length === 2 ? (place < 0 ? 0 : 2 * place - 1) : levels.map((_, other) => Number(place === other));
  });
"""
MEAN = "all[0].map((_, place) => all.reduce((sum, own) => sum + own[place], 0) / all.length)"


def write(description: Description, note: str) -> bytes:
    """Write the module, with a note on how it was checked."""
    parts = [
        _head(description, note),
        "\n".join(_constants(description)),
        *_functions(description),
        "\n".join(_inputs(description)),
        "\n".join(_scores(description)),
        *_answers(description),
        _example(description),
    ]
    return "\n\n".join(part.strip("\n") for part in parts).encode() + b"\n"


def _head(description: Description, note: str) -> str:
    targets, columns = named(description.targets, word), named([column.name for column in description.columns], word)
    return f"""// {targets} from {columns}: the network {description.model}, as netlet {description.netlet} wrote it.
// {note}
//
// A module for browsers and Node, which needs no other: import {{ predict }} from it, or run it in Node for an example.
// A row is an object, or a list in the order of COLUMNS; null is a missing value."""


def _constants(description: Description) -> Iterator[str]:
    """Write all names and numbers."""
    numbers = description.numbers
    yield f"export const COLUMNS = {listed(word(column.name) for column in description.columns)};"
    yield f"const MAY_MISS = {listed(word(column.name) for column in description.columns if column.missing)};"
    yield f"const TRUE_OR_FALSE = {listed(map(word, description.flags))};"
    yield "\n// Scaling: numbers (of columns, or parts of dates) become s = (x - CENTER) / SCALE."
    yield f"const NUMBERS = {pairs([(number.column, number.part) for number in numbers], word)};"
    yield f"const CENTER = {listed(repr(number.center) for number in numbers)};"
    yield f"const SCALE = {listed(repr(number.scale) for number in numbers)};"
    yield f"const FILL = {listed(repr(number.fill or 0.0) for number in numbers)}; // for a missing one"
    if description.clip is not None:
        yield f"const CLIP = {description.clip!r}; // what s approaches"
    if description.bins:
        bins = [f"[{own.number}, {own.begins!r}, {own.width!r}]" for own in description.bins]
        yield f"\n// Bins, of which number and from where on, run from -1 to 1.\nconst BINS = {listed(bins)};"
    yield from categories(description, LANGUAGE)
    yield from weights(description, LANGUAGE)
    classes = listed(map(word, description.classes)) if description.classes else "null"
    yield f"\nexport const CLASSES = {classes};"


def _functions(description: Description) -> Iterator[str]:
    yield MISSING
    if description.numbers:
        yield NUMBER
    if description.has_parts:
        yield PARTS
    yield LAYER
    used = dict.fromkeys(layer.activation for layer in description.layers)
    if "softmax" in used:
        yield SHARES
    yield "\n".join(f"const {name} = (z) => {ACTIVATIONS[name]};" for name in used if name != "identity")


def _inputs(description: Description) -> Iterator[str]:
    """Write the function that turns a row into what the first layer takes."""
    yield "/** What the first layer takes, for one row. */"
    yield f"function inputs(row{_member(description)}) {{"
    yield VALUES.strip("\n")
    parts = []
    if description.numbers:
        own = "partOf(value[name], part)" if description.has_parts else "number(value[name])"
        yield f"  const x = NUMBERS.map(([name, part], n) => (value[name] === null ? FILL[n] : {own}));"
        yield "  const s = x.map((number, n) => (number - CENTER[n]) / SCALE[n]);"
        parts.append("...s.map((v) => v / Math.hypot(1, v / CLIP))" if description.clip is not None else "...s")
    if description.bins:
        yield "  const within = ([n, begins, width]) => Math.min(Math.max((x[n] - begins) / width, 0), 1);"
        yield "  const bins = BINS.map((bin) => 2 * within(bin) - 1);"
        parts.append("...bins")
    if description.missing:
        parts.append("...TOLD_MISSING.map((name) => Number(value[name] === null))")
    if description.plain:
        yield CATEGORIES.strip("\n")
        parts.append("...categories")
    if description.embedded:
        table = "EMBEDDINGS[n]" if description.members == 1 else "EMBEDDINGS[n][member]"
        yield f"  const vectors = EMBEDDED.flatMap(([name, levels], n) => {table}[levels.indexOf(value[name]) + 1]);"
        parts.append("...vectors")
    yield f"  return [{', '.join(parts)}];\n}}"


def _member(description: Description, *, comma: str = ", ") -> str:
    return "" if description.members == 1 else f"{comma}member"


def _scores(description: Description) -> Iterator[str]:
    """Write the functions that run the network, and average the answers where there are several."""
    own = "" if description.members == 1 else "[member]"
    what = "Probabilities" if description.classes else "Answers"
    name = "scores" if description.members == 1 else "scoresOf"
    yield f"/** {what} for one row{'' if description.members == 1 else ', by one of the networks'}. */"
    yield f"function {name}(row{_member(description)}) {{"
    yield f"  let a = inputs(row{_member(description)});"
    for number, layer in enumerate(description.layers, start=1):
        b = f", B{number}{own}" if layer.b is not None else ""
        z = f"layer(a, W{number}{own}{b})"
        yield f"  a = {z if layer.activation == 'identity' else f'{layer.activation}({z})'};"
    if description.target is not None:
        yield "  return TARGET_SCALE.map((scale, target) => a[target] * scale + TARGET_CENTER[target]);\n}"
    elif description.labels and description.outputs == 1:
        yield "  return [1 - a[0], a[0]];\n}"
    else:
        yield "  return a;\n}"
    if description.members > 1:
        yield "\n/** The same, averaged over the networks. */\nfunction scores(row) {"
        yield f"  const all = W1.map((_, member) => scoresOf(row, member));\n  return {MEAN};\n}}"


def _answers(description: Description) -> Iterator[str]:
    """Write the functions that a user calls."""
    answer = "scores(row)[0]" if len(description.targets) == 1 else "scores(row)"
    if description.labels:
        answer = "likeliest(scores(row))"
        yield "const likeliest = (p) => CLASSES[p.indexOf(p.reduce((most, other) => Math.max(most, other)))];"
    elif description.classes:
        answer = "scores(row).map((p) => p > 0.5)"
    yield "/** Answer rows, in your own units. */"
    yield f"export function predict(rows) {{\n  return rows.map((row) => {answer});\n}}"
    if description.classes:
        yield "/** Tell how likely each class is. */"
        told = "rows.map((row) => Object.fromEntries(scores(row).map((p, place) => [CLASSES[place], p])))"
        yield f"export function probabilities(rows) {{\n  return {told};\n}}"


def _example(description: Description) -> str:
    values = ", ".join(f"[{word(column.name)}]: {word(column.example)}" for column in description.columns)
    return (
        "if (globalThis.process?.argv?.[1] && import.meta.url === new URL(`file://${process.argv[1]}`).href) {\n"
        f"  console.log(predict([{{ {values} }}]));\n}}"
    )
