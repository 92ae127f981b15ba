"""`GET /metrics`, for Prometheus."""

from fastapi import APIRouter, Request, Response

from app.api.accepting import by_preference
from app.api.measuring import figures_of
from app.api.parts import PartsOf
from app.telemetry.exposition import OPEN_METRICS, exposed

router = APIRouter(tags=["run"])


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(parts: PartsOf, request: Request) -> Response:
    """Tell what the service has counted and measured, that of all its workers together."""
    is_open = OPEN_METRICS in by_preference(request.headers.get("accept", ""))
    content, media_type = exposed(await figures_of(parts), is_open=is_open)
    return Response(content, media_type=media_type)
