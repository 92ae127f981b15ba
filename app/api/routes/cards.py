"""Model cards: all that is known of a version, on one page."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from app.api.accepting import by_preference
from app.api.answers import as_json
from app.api.caching import answer_once
from app.api.card_answers import card_of
from app.api.card_markdown import in_markdown
from app.api.card_schemas import Card
from app.api.named import meant, one_version
from app.api.parts import FELT, Parts, PartsOf
from app.api.problems import documented
from app.store.store import Stored

MARKDOWN, PLAIN = "text/markdown", "text/plain"
FORMS = {"application/json": "json", MARKDOWN: "markdown"}
WRITTEN: dict[int | str, dict[str, Any]] = {
    200: {"content": {MARKDOWN: {}, PLAIN: {}}, "description": "The card"},
    304: {"description": "The client has it already"},
}

router = APIRouter(prefix="/models", tags=["models"], responses=documented(404, 409, 422, 503) | WRITTEN)

Form = Annotated[
    Literal["json", "markdown"] | None, Query(alias="format", description="As Accept says, where it is not given.")
]


@router.get("/{name}/card", response_model=Card)
async def model_card(
    request: Request, parts: PartsOf, stored: Annotated[Stored, Depends(meant)], form: Form = None
) -> Response:
    """Tell all that is known of the version that the name means, as Markdown or JSON."""
    return await answer_once(request, stored, lambda: _card(request, parts, stored, form))


@router.get("/{name}/versions/{version}/card", response_model=Card)
async def version_card(
    request: Request, parts: PartsOf, stored: Annotated[Stored, Depends(one_version)], form: Form = None
) -> Response:
    """Tell all that is known of one version, as Markdown or JSON."""
    return await answer_once(request, stored, lambda: _card(request, parts, stored, form))


async def _card(request: Request, parts: Parts, stored: Stored, form: str | None) -> Response:
    accepted = by_preference(", ".join(request.headers.getlist("accept")))
    if (form or next((FORMS[each] for each in accepted if each in FORMS), "markdown")) == "json":
        return await parts.answer(FELT, lambda: as_json(card_of(stored)))
    shown = PLAIN if "text/html" in accepted else MARKDOWN  # which browsers do not show, but save
    return await parts.answer(FELT, lambda: Response(in_markdown(card_of(stored)), media_type=shown))
