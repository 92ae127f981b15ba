"""Conditions: at which revisions of what is to be changed a request may be done, by If-Match and If-None-Match."""

import re
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Header, Request

from app.errors import InvalidRequest
from app.faults import Fault

ANY = "*"
TAG = r'(?:W/)?"[!#-~\x80-\xff]*"'
TAGS = re.compile(rf"{TAG}(?:[ \t]*,[ \t]*{TAG})*")

TOLD = {"pattern": r'^(\*|"[!#-~]*"(, *"[!#-~]*")*)$'}
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match", description="Revisions at which this may be done; * is any.", json_schema_extra=dict(TOLD)
    ),
]
IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        description="Revisions at which it may not; * lets it be new alone.",
        json_schema_extra=dict(TOLD),
    ),
]


async def allows(
    request: Request, _if_match: IfMatch = None, _if_none_match: IfNoneMatch = None
) -> Callable[[int | None], bool]:
    """Give what tells whether a revision (None where there is nothing yet) is one at which a request may be done.

    Raises InvalidRequest for what is no list of entity tags (RFC 9110, section 13).
    """
    wanted, unwanted = _tags("If-Match", request), _tags("If-None-Match", request)
    unwanted = None if unwanted is None else {tag.removeprefix("W/") for tag in unwanted}

    def allows(revision: int | None) -> bool:
        own = set() if revision is None else {ANY, f'"{revision}"'}
        return (wanted is None or bool(own & wanted)) and not (unwanted and own & unwanted)

    return allows


def _tags(header: str, request: Request) -> set[str] | None:
    lines = request.headers.getlist(header)  # as many as there are
    if not lines:
        return None
    text = ",".join(lines).strip()
    if text == ANY:
        return {ANY}
    if not TAGS.fullmatch(text):
        message = f"{header} is no list of revisions."
        raise InvalidRequest(message, [Fault('revisions in quotes, such as "3", or *', got=text, field=header)])
    return set(re.findall(TAG, text))


Allows = Annotated[Callable[[int | None], bool], Depends(allows)]
