"""Pictures of a model: what is in them as JSON, or drawn as SVG or PNG."""

from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic_core import to_json

from app.api.caching import answer_once
from app.api.named import meant, one_version
from app.api.openapi import in_path
from app.api.parts import Parts, PartsOf
from app.api.patience import Patience, PatienceOf
from app.api.picture_schemas import PictureQuery
from app.api.problems import documented
from app.engine.control import GoOn
from app.errors import PictureNotFound
from app.pictures.kinds import PICTURES, AnyPicture, Kind, drawn, kind_named, require_taken
from app.store.store import Stored

MEDIA_TYPES = {"svg": "image/svg+xml", "png": "image/png", "json": "application/json"}
INERT = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}  # in a tab of its own, too
DRAWN: dict[int | str, dict[str, Any]] = {
    200: {"content": {MEDIA_TYPES["svg"]: {}, MEDIA_TYPES["png"]: {}}, "description": "The picture, or its data"},
    304: {"description": "The client has it already"},
}

router = APIRouter(prefix="/models", tags=["pictures"], responses=documented(404, 409, 422, 501, 503, 504) | DRAWN)


class Chosen(NamedTuple):
    """A picture, in one of its forms."""

    kind: Kind
    form: str
    asking: PictureQuery


async def chosen(
    picture: Annotated[str, in_path("Which.", f"({'|'.join(PICTURES)})", "learning-curve")],
    form: Annotated[str, in_path("svg, png, or json for what is in it.", f"({'|'.join(MEDIA_TYPES)})", "svg")],
    asking: Annotated[PictureQuery, Query()],
) -> Chosen:
    """Give the picture that an address names; raises PictureNotFound, or InvalidRequest for what it does not take."""
    if form not in MEDIA_TYPES:
        raise PictureNotFound(PICTURES)
    kind = kind_named(picture)
    require_taken(kind, asking.asked())
    return Chosen(kind, form, asking)


Choice = Annotated[Chosen, Depends(chosen)]


@router.get("/{name}/{picture}.{form}", response_model=AnyPicture)
async def model_picture(
    request: Request, parts: PartsOf, stored: Annotated[Stored, Depends(meant)], choice: Choice, patience: PatienceOf
) -> Response:
    """Draw a picture of the version that the name means."""
    return await answer_once(request, stored, lambda: _picture(parts, stored, choice, patience))


@router.get("/{name}/versions/{version}/{picture}.{form}", response_model=AnyPicture)
async def version_picture(
    request: Request,
    parts: PartsOf,
    stored: Annotated[Stored, Depends(one_version)],
    choice: Choice,
    patience: PatienceOf,
) -> Response:
    """Draw a picture of one version."""
    return await answer_once(request, stored, lambda: _picture(parts, stored, choice, patience))


async def _picture(parts: Parts, stored: Stored, choice: Chosen, patience: Patience) -> Response:
    def made(go_on: GoOn) -> bytes:
        picture = choice.kind.make(stored.model, choice.asking.asked(), go_on)
        if choice.form == "json":
            return to_json(picture, inf_nan_mode="null")
        return drawn(picture, choice.form, choice.asking.width)

    content = await parts.draw_patiently(patience, made)
    return Response(content, headers=INERT, media_type=MEDIA_TYPES[choice.form])
