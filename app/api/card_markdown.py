"""A model card as Markdown, in which what users wrote is text and nothing else."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

from app.api.card_schemas import Card
from app.api.schemas import Column

MARKUP = re.compile(
    r"([\\`*\[\]<>{}|~$&!#@^]"  # wherever they stand
    r"|(?<![^\W_])_|_(?![^\W_])"  # unless within a word
    r"|^[-+=](?=[-=\s]|$)"  # a list, or a line
    r"|:(?=\S)|(?<=www)\.|/(?=/)|(?<=/)/)",  # an address
    re.IGNORECASE,
)
NUMBERED = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")  # a list, too
MOST_COLUMNS, MOST_LEVELS = 200, 10
LONGEST = 200  # characters of a text


def in_markdown(card: Card) -> str:
    """Write a card."""
    parts = [
        *_head(card),
        *("## Answers", _answers(card)),
        *("## Takes", *_takes(card.columns)),
        *("## Judged by", f"These rest on {card.rests_on}.", *_metrics(card)),
        *("## Limits", _bullets(card.limits)),
        *("## Learnt from", _table(("what", "is"), _origin(card))),
        *("## Settings", f"{escaped(card.report.choice)}", _table(("setting", "value"), _settings(card))),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(text: object, most: int = LONGEST) -> str:
    """Write what somebody else wrote so that it stands there as it is: in one line, no markup, no HTML, no link."""
    seen = "".join(c if c.isprintable() else " " for c in str(text))
    line = " ".join(seen.split())
    cut = line if len(line) <= most else line[: most - 1] + "…"
    return NUMBERED.sub(r"\1\\\2", MARKUP.sub(r"\\\1", cut))


def _head(card: Card) -> Iterator[str]:
    yield f"# {escaped(card.reference)}"
    yield escaped(card.description, 2000)
    tags = ", ".join(f"{escaped(name)}: {escaped(value)}" for name, value in card.tags.items())
    yield f"Tags: {tags}" if tags else ""


def _answers(card: Card) -> str:
    targets = _listed(card.target if isinstance(card.target, list) else [card.target])
    if card.labels:
        return f"Which of {len(card.labels)} classes {targets} is: {_listed(card.labels)}."
    if card.task == "multilabel":
        return f"Yes or no for each of: {targets}."
    return f"Numbers: {targets}."


def _takes(columns: Sequence[Column]) -> Iterator[str]:
    rows = [(column.name, column.kind, *_extent(column), f"{column.missing_share:.1%}") for column in columns]
    yield _table(("column", "kind", "from", "to", "values", "missing"), rows[:MOST_COLUMNS])
    if len(rows) > MOST_COLUMNS:
        yield f"{len(rows) - MOST_COLUMNS} more columns are in the card as JSON."


def _extent(column: Column) -> tuple[object, object, object]:
    if column.kind in {"category", "boolean"}:
        levels = column.levels or []
        more = (column.level_count or len(levels)) - MOST_LEVELS
        return "", "", ", ".join(map(_word, levels[:MOST_LEVELS])) + (f" and {more} more" if more > 0 else "")
    return column.lowest, column.highest, ""


def _metrics(card: Card) -> Iterator[str]:
    metrics = card.report.metrics
    names = dict.fromkeys(name for each in metrics.values() for name in each)
    rows = [(name, *(_number(each.get(name)) for each in metrics.values())) for name in names]
    yield _table(("metric", *metrics), rows)
    certainty = card.certainty
    if certainty.highest_level is not None:
        yield f"Intervals or label sets can be asked for up to a level of {certainty.highest_level:.3f}."


def _origin(card: Card) -> Iterator[tuple[object, object]]:
    report = card.report
    yield "rows", report.rows
    yield "SHA-256 of the rows", report.fingerprint or "not known: they came from a long dataset"
    yield "dataset", card.dataset or "not kept"
    yield "continued from", card.continued_from or "random weights"
    yield "seed", card.seed
    yield "epochs", f"{report.epochs} ({report.stopped})"
    yield "parameters", card.parameters
    yield "created", card.created.isoformat()
    yield "SHA-256 of the model", card.sha256
    yield from ((f"{library} version", version) for library, version in card.libraries.items())


def _settings(card: Card) -> Iterator[tuple[object, object]]:
    for group in ("network", "training", "scaling"):
        for name, value in asdict(getattr(card, group)).items():
            yield f"{group}.{name}", "none" if value is None else _word(value)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [[escaped(cell) for cell in head], ["---"] * len(head)]
    lines += [["" if cell is None else escaped(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _bullets(texts: Iterable[str]) -> str:
    return "\n".join(f"- {escaped(text, 1000)}" for text in texts)


def _listed(names: Sequence[object]) -> str:
    more = f" and {len(names) - MOST_LEVELS} more" if len(names) > MOST_LEVELS else ""
    return ", ".join(escaped(_word(name)) for name in names[:MOST_LEVELS]) + more


def _word(value: object) -> str:
    """Write a value as JSON has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
