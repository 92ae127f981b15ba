"""Problems: every error as RFC 9457 `application/problem+json`, bounded in size."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from math import ceil
from typing import Any, NamedTuple

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from app import errors
from app.api.schemas import FaultAnswer, Problem
from app.api.wording import in_our_words
from app.faults import MOST_FAULTS, Fault

MEDIA_TYPE = "application/problem+json"
MOST_ECHOED = 140  # bytes of what was sent that the faults may repeat; with the message's, below 200
MOST_BYTES = 4000
LONGEST_ECHO = 40
FOREIGN = ("/v1/", "/v2")
"""Paths of protocols whose errors are `{"error": …}`."""
MOST_SAID = 3  # faults in one sentence
METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")  # and HEAD, where GET is

log = logging.getLogger(__name__)


class Kind(NamedTuple):
    """What a kind of error is in HTTP."""

    status: int
    slug: str
    title: str
    retry_after: int | None = None


KINDS: dict[type[errors.NetletError], Kind] = {
    errors.MalformedBody: Kind(400, "malformed-json", "The body cannot be read"),
    errors.DuplicateKey: Kind(400, "duplicate-key", "A key is there twice"),
    errors.NonFiniteNumber: Kind(400, "not-a-number", "Some numbers are not finite"),
    errors.UnsupportedEncoding: Kind(415, "unsupported-encoding", "The body's compression is not known"),
    errors.BodyTooLarge: Kind(413, "body-too-large", "The body is too large"),
    errors.InvalidRequest: Kind(422, "validation", "The request does not fit"),
    errors.TooManyKeys: Kind(422, "too-many-keys", "An object has too many keys"),
    errors.MalformedKey: Kind(400, "malformed-key", "The Idempotency-Key is none"),
    errors.BadTable: Kind(422, "table", "The rows do not fit"),
    errors.TableTooLarge: Kind(413, "table-too-large", "The table is too large"),
    errors.MalformedTable: Kind(422, "table-format", "The body is not the table it says it is"),
    errors.UnsuitableTarget: Kind(422, "target", "The target cannot be learnt as set"),
    errors.Unreachable: Kind(422, "unreachable", "No row is answered like that"),
    errors.BudgetExceeded: Kind(422, "budget", "The training is too large"),
    errors.Diverged: Kind(422, "diverged", "The training diverged"),
    errors.JobOver: Kind(409, "job-over", "The job has ended"),
    errors.NotPaused: Kind(409, "not-paused", "The job is not paused"),
    errors.Cancelled: Kind(409, "cancelled", "The training was cancelled"),
    errors.TrainingTooLong: Kind(422, "too-long", "The training took too long"),
    errors.DeadlineExceeded: Kind(504, "deadline", "The time is up"),
    errors.NotAcceptable: Kind(406, "not-acceptable", "The answer cannot have that form"),
    errors.ModelNotFound: Kind(404, "model-not-found", "No such model"),
    errors.VersionNotFound: Kind(404, "version-not-found", "No such version"),
    errors.AliasNotFound: Kind(404, "alias-not-found", "No such alias"),
    errors.JobNotFound: Kind(404, "job-not-found", "No such job"),
    errors.KeyNotFound: Kind(404, "key-not-found", "No such key"),
    errors.DatasetNotFound: Kind(404, "dataset-not-found", "No such dataset"),
    errors.PictureNotFound: Kind(404, "picture-not-found", "No such picture"),
    errors.NoPicture: Kind(404, "no-picture", "The model has no such picture"),
    errors.PicturesNotInstalled: Kind(501, "pictures-not-installed", "Pictures cannot be drawn here"),
    errors.SearchNotInstalled: Kind(422, "search-not-installed", "Nothing can be searched here"),
    errors.DatasetDamaged: Kind(503, "dataset-corrupt", "The dataset's file is damaged", 3600),
    errors.DatasetFormatNewer: Kind(503, "dataset-newer", "The dataset's file is too new", 3600),
    errors.DatasetInUse: Kind(409, "dataset-in-use", "The dataset is being learnt from"),
    errors.NotVerifiable: Kind(409, "not-verifiable", "The version cannot be trained again"),
    errors.VersionInUse: Kind(409, "version-in-use", "An alias points to the version"),
    errors.AliasMoved: Kind(412, "alias-moved", "The alias is not where it should be"),
    errors.NothingToRestore: Kind(409, "nothing-to-restore", "The alias cannot go back"),
    errors.SnapshotDamaged: Kind(503, "corrupt", "The model's file is damaged", 3600),
    errors.SnapshotFormatNewer: Kind(409, "format-newer", "The model's file is too new"),
    errors.ExportRefused: Kind(409, "export-refused", "The export would answer something else"),
    errors.ExportTooLarge: Kind(413, "export-too-large", "The export would be too long"),
    errors.OnnxUnavailable: Kind(501, "onnx-unavailable", "ONNX is not installed here"),
    errors.MalformedSnapshot: Kind(422, "snapshot", "The body is no snapshot"),
    errors.NewerSnapshot: Kind(409, "snapshot-newer", "The snapshot is too new"),
    errors.MalformedOnnx: Kind(422, "onnx", "The body is no ONNX model"),
    errors.UnsupportedOnnx: Kind(422, "onnx-unsupported", "The ONNX model is none that netlet has"),
    errors.StorageFull: Kind(507, "storage-full", "The disk is full"),
    errors.StorageError: Kind(503, "storage", "The disk refuses", 10),
    errors.BucketAway: Kind(503, "bucket-away", "The bucket does not answer", 10),
    errors.Contended: Kind(503, "contended", "Others write the same", 1),
    errors.Unauthorized: Kind(401, "unauthorized", "A valid key is needed"),
    errors.TooManyFailures: Kind(429, "too-many-failures", "Too many requests without a key", 60),
    errors.Forbidden: Kind(403, "forbidden", "The key may not do this"),
    errors.ScopeMissing: Kind(403, "scope", "The key is for other requests"),
    errors.ModelForbidden: Kind(403, "model-forbidden", "The key is for other models"),
    errors.RateExceeded: Kind(429, "rate-limited", "The key asks too often", 1),
    errors.QuotaExceeded: Kind(429, "quota", "The key has as much as it may", 60),
    errors.ForeignSite: Kind(403, "cross-origin", "Sent by another site"),
    errors.Busy: Kind(429, "busy", "Too many trainings are waiting", 5),
    errors.KeyReused: Kind(409, "key-reused", "The Idempotency-Key is another request's"),
    errors.LeaseLost: Kind(503, "lease-lost", "The training is run by another process", 1),
    errors.StoreInUse: Kind(503, "store-in-use", "Another process uses the store", 10),
    errors.CatalogueDamaged: Kind(503, "catalogue-damaged", "The catalogue is damaged", 3600),
    errors.CatalogueNewer: Kind(503, "catalogue-newer", "The catalogue is too new", 3600),
    errors.CatalogueForeign: Kind(503, "catalogue-foreign", "The catalogue is another store's", 3600),
    errors.StoreNotEmpty: Kind(409, "store-not-empty", "There is something already"),
    errors.StoreUnfinished: Kind(503, "store-unfinished", "A restore is not finished", 10),
    errors.BackupDamaged: Kind(422, "backup", "The file is no backup"),
    errors.BackupNewer: Kind(409, "backup-newer", "The backup is too new"),
    errors.OrderDamaged: Kind(503, "order-damaged", "The training's table is damaged", 1),
    errors.OrderNewer: Kind(503, "order-newer", "The training's table is too new", 3600),
    errors.OutOfMemory: Kind(507, "out-of-memory", "The training ran out of memory"),
    errors.WorkerLost: Kind(503, "worker-lost", "The training's process was lost", 1),
    errors.MalformedHttp: Kind(400, "malformed-http", "This is no HTTP/1.1"),
    errors.TooSlow: Kind(408, "request-timeout", "The request arrives too slowly"),
    errors.UriTooLong: Kind(414, "uri-too-long", "The address is too long"),
    errors.BadHost: Kind(421, "bad-host", "Not a name of this service"),
    errors.HeadersTooLarge: Kind(431, "headers-too-large", "The headers are too large"),
    errors.UnknownMethod: Kind(501, "unknown-method", "No such method"),
    errors.UnknownCoding: Kind(501, "unknown-coding", "The transfer of the body is not known"),
    errors.Overloaded: Kind(503, "overloaded", "Too much at once", 1),
    errors.TooManyStreams: Kind(429, "too-many-streams", "Too many streams are open", 5),
    errors.ShuttingDown: Kind(503, "shutting-down", "The service is shutting down", 10),
    errors.TooManyAnswers: Kind(413, "too-many-answers", "The answer would be too long"),
    errors.Unforeseen: Kind(500, "internal", "Something went wrong here"),
}
"""Each concrete error and what it is in HTTP; the slug is the end of the problem's type."""


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe for OpenAPI the problems that a route may answer with."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def install(app: FastAPI) -> None:
    """Make an application answer every error as a problem."""
    app.add_exception_handler(errors.NetletError, _netlet_error)
    app.add_exception_handler(RequestValidationError, _unfit_parameters)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ClientDisconnect, _left)
    app.add_exception_handler(Exception, _unexpected)


def render(request: Request, kind: Kind, error: errors.NetletError) -> Response:
    """Write a problem with a request as a response."""
    return problem_with(request.url.path, request.state.request_id, kind, error)


def problem_with(path: str, request_id: str, kind: Kind, error: errors.NetletError) -> Response:
    """Write a problem as a response of less than 4 KB that repeats at most 200 bytes of what was sent."""
    faults = list(getattr(error, "faults", ()))[:MOST_FAULTS]
    echo = _Echo()
    problem = Problem(
        type=f"/problems/{kind.slug}",
        title=kind.title,
        status=kind.status,
        detail=str(error)[:1000],
        instance=echo.text(path),
        request_id=request_id,
        errors=[echo.fault(fault) for fault in faults] or None,
        total_errors=getattr(error, "total", None) if faults else None,
    )
    if path.startswith(FOREIGN):
        return _in_one_sentence(problem, kind, _headers(kind, error))
    body = to_json(problem, exclude_none=True)
    while len(body) > MOST_BYTES and problem.errors:
        problem.errors.pop()
        body = to_json(problem, exclude_none=True)
    return Response(body, kind.status, _headers(kind, error), MEDIA_TYPE)


def _headers(kind: Kind, error: errors.NetletError) -> dict[str, str]:
    """Tell in headers when to try again, how much may be asked for, and how one shows who one is."""
    headers = {} if kind.retry_after is None else {"retry-after": str(kind.retry_after)}
    if isinstance(error, errors.Unauthorized):
        headers["www-authenticate"] = 'Bearer realm="netlet"'
    if isinstance(error, errors.RateExceeded):
        seconds = ceil(error.seconds)
        headers["retry-after"] = str(seconds)
        headers["ratelimit-policy"] = f'"{error.what}";q={error.most:g};w=1'
        headers["ratelimit"] = f'"{error.what}";r=0;t={seconds}'
    if isinstance(error, errors.QuotaExceeded):
        headers["ratelimit"] = f'"{error.quota}";r=0'
    return headers


def _in_one_sentence(problem: Problem, kind: Kind, headers: dict[str, str]) -> Response:
    """Tell a problem to clients of other servers, which know one text and of the statuses only some."""
    said = problem.detail
    for fault in (problem.errors or [])[:MOST_SAID]:
        places = {"row": fault.row, "column": fault.column, "field": fault.field}
        place = ", ".join(f"{name} {value}" for name, value in places.items() if value is not None) or "body"
        got = "" if fault.got is None else f"; got {fault.got}"
        said += f" ({place}: expected {fault.expected}{got})"
    status = HTTPStatus.BAD_REQUEST if kind.status == HTTPStatus.UNPROCESSABLE_ENTITY else kind.status
    return Response(to_json({"error": said[: MOST_BYTES // 2]}), status, headers, "application/json")


class _Echo:
    """Repeats what was sent as long as the budget lasts; naming the same place again costs nothing."""

    def __init__(self) -> None:
        self.left = MOST_ECHOED
        self.places: dict[str, str] = {}

    def fault(self, fault: Fault) -> FaultAnswer:
        return FaultAnswer(
            row=fault.row,
            column=self.place(fault.column),
            field=self.place(fault.field),
            got=self.text(fault.got) if fault.got else None,
            expected=fault.expected[:200] + (f"; is it {self.name(fault.instead)}?" if fault.instead else ""),
        )

    def name(self, name: str) -> str:
        """Give a name so that it can be told where it begins and ends."""
        return f"{self.place(name)}" if name == name.strip() else f'"{self.place(name)}"'

    def place(self, name: str | None) -> str | None:
        if name is not None and name not in self.places:
            self.places[name] = self.text(name)
        return None if name is None else self.places[name]

    def text(self, text: str) -> str:
        shown = _printable(text[: LONGEST_ECHO + 1])
        cut = shown.encode()[: min(LONGEST_ECHO, self.left)].decode(errors="ignore")
        self.left -= len(cut.encode())
        return cut if cut == shown else cut + "…"


def _printable(text: str) -> str:
    """Write what cannot be seen, or turns what follows around, as its number."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def kind_of(error: errors.NetletError) -> Kind:
    """Look an error up by its class, else by the nearest class above it."""
    return next(KINDS[base] for base in type(error).__mro__ if base in KINDS)


def shutting_down(request: Request) -> Response:
    """Answer whoever the service cannot wait for any longer, since it ends."""
    return render(request, KINDS[errors.ShuttingDown], errors.ShuttingDown())


async def _netlet_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.NetletError)  # noqa: S101 - what it is installed for
    if isinstance(error, errors.StorageError) and not isinstance(error, errors.StorageFull):
        request.app.state.parts.store.is_suspect = True
    return render(request, kind_of(error), error)


async def _unfit_parameters(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what it is installed for
    faults = [in_our_words(detail, ".".join(map(str, detail["loc"]))[:LONGEST_ECHO]) for detail in error.errors()]
    message = "A parameter of the address is not what this route takes."
    return render(request, KINDS[errors.InvalidRequest], errors.InvalidRequest(message, faults))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is installed for
    headers: Mapping[str, str] = error.headers or {}
    phrase = HTTPStatus(error.status_code).phrase
    detail = f"{phrase}. GET /docs lists what can be asked."
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers = {"allow": ", ".join(_allowed(request))}
        detail = f"This path takes {headers['allow']}."
    kind = Kind(error.status_code, phrase.lower().replace(" ", "-"), phrase)
    response = render(request, kind, errors.InputError(detail))
    response.headers.update(headers)
    return response


def _allowed(request: Request) -> list[str]:
    """All methods of a path: the router itself tells only those of the first route that fits."""
    found = [
        method
        for method in METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    ]
    return sorted([*found, "HEAD"] if "GET" in found else found)


async def _left(_request: Request, _error: Exception) -> Response:
    """Answer nobody: the client has gone away, which is no fault of the service."""
    return Response(status_code=HTTPStatus.BAD_REQUEST)


async def _unexpected(request: Request, error: Exception) -> Response:
    request_id = request.state.request_id
    log.error("request %s failed unexpectedly", request_id, exc_info=error, extra={"request_id": request_id})
    response = render(request, KINDS[errors.Unforeseen], errors.Unforeseen())
    response.headers["x-request-id"] = request.state.request_id  # this answer passes by EveryRequest
    response.raw_headers.extend(request.app.state.parts.origins.headers(request.headers.get("origin")))
    return response
