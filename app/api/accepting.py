"""Accepting: the form of an answer, as the client's Accept header asks for it."""

from starlette.datastructures import Headers

from app.errors import NotAcceptable
from app.tables.formats import FORMATS, format_of

JSON = ("application/json", "application/problem+json")


def form_of_answer(headers: Headers) -> str | None:
    """Give the format that is asked for, None for JSON; where any will do, answer in that of the body.

    Raises NotAcceptable if there is none that the client takes.
    """
    same = format_of(headers.get("content-type", ""))
    for media_type in by_preference(", ".join(filter(None, headers.getlist("accept"))) or "*/*"):
        if media_type in {"*/*", "application/*"}:
            return same
        if media_type in JSON:
            return None
        if (found := format_of(media_type)) is not None:
            return found
        if media_type == "text/*":
            return "csv"
    raise NotAcceptable([JSON[0], *(format_.media_types[0] for format_ in FORMATS.values())])


def by_preference(accept: str) -> list[str]:
    """Sort media types by their quality, those that are refused left out."""
    weighed = []
    for entry in accept.split(","):
        media_type, *parameters = (part.strip().lower() for part in entry.split(";"))
        quality = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        weighed.append((_number(quality), media_type))
    return [media_type for quality, media_type in sorted(weighed, key=lambda pair: -pair[0]) if quality > 0]


def _number(quality: str) -> float:
    try:
        return float(quality)
    except ValueError:
        return 0.0
