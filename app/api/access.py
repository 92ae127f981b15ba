"""Access: what a key has to be for each request, asked before anything of it is read."""

import asyncio
import re
from functools import lru_cache
from http import HTTPStatus
from time import time

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import Scope

from app.access.keyring import Caller
from app.api.heads import key_in
from app.api.parts import READING, Parts
from app.errors import Forbidden, JobNotFound, StorageError
from app.store.deeds import Deed

OF_ALL = "Figures are of all models, and this key is for some. Use a key that is for all."
MODEL = r"/models/[^/]+(/versions/[^/]+)?"
SCOPES = {
    # Probes, and what is the same for everybody; what the page and its plain form ask for is asked for with a key.
    None: (
        r"(GET|HEAD) (/|/docs|/plain|/assets/[^/]+|/problems/[^/]+|/openapi\.json)",
        r"POST /plain",
        r"GET (/livez|/readyz|/ping|/health|/v2/?|/v2/health/(live|ready))",
    ),
    "predict": (
        rf"POST ({MODEL})?/predict",
        r"POST (/models/[^/]+)?/invocations",
        r"POST /v1/models/[^/]+:(predict|explain)",
        rf"POST /v2{MODEL}/infer",
        r"POST /v2/repository/index",
        rf"GET (/models|{MODEL}(/schema|/openapi\.json|/ping|/health)?)",
        r"GET /v[12]/models(/.+)?",
    ),
    "train": (
        rf"POST ({MODEL})?/train",
        r"POST /train/batch",
        rf"POST {MODEL}/(trace|gradcheck|counterfactual|verify)",
        r"GET /models/.+",
        r"(GET|POST|DELETE) (/jobs|/datasets)(/.+)?",
    ),
    "metrics": (r"GET /metrics",),
}
"""The scope of each request, by its method and path; whatever is not here is for administrators."""
ASKING = re.compile(rf"POST (/v2/repository/index|{MODEL}/(trace|gradcheck|counterfactual|verify)|/plain)")
_RULES = [(scope, re.compile("|".join(patterns))) for scope, patterns in SCOPES.items()]


@lru_cache(1000)
def scope_of(method: str, path: str) -> str | None:
    """Tell which scope a request needs; None where it needs no key."""
    return next((scope for scope, rule in _RULES if rule.fullmatch(f"{method} {path}")), "admin")


def is_deed(method: str, path: str) -> bool:
    """Tell whether a request, if it succeeds, changes something that is to be remembered."""
    needed = scope_of(method, path)
    return method not in READING and needed in {"train", "admin"} and not ASKING.fullmatch(f"{method} {path}")


async def require_access(request: Request) -> None:
    """Find out who sends a request; raise unless it may be sent, with what that says of a model, a job or a dataset.

    Raises Unauthorized, TooManyFailures, ScopeMissing, RateExceeded; NotFound for what belongs to others.
    """
    parts: Parts = request.app.state.parts
    needed = scope_of(request.method, request.url.path)
    if needed is None:
        request.state.caller = Caller(_address_of(request))
        return
    caller = await require_scope(request, needed)
    if not caller.grant.sees_all:
        await _require_own(parts, caller, request.path_params)


async def require_scope(request: Request, needed: str) -> Caller:
    """Find out who sends a request; raise unless it has a key with a scope, or needs none, as `require_access` does.

    Figures are of all models: raises Forbidden for a key that is for some.
    """
    parts: Parts = request.app.state.parts
    caller = await parts.keyring.admit(_key_of(request), _address_of(request))
    request.state.caller = caller
    caller.require(needed)
    if needed == "metrics" and not caller.grant.sees_all:
        raise Forbidden(OF_ALL)
    caller.take("requests", 1)
    return caller


async def is_admitted(request: Request) -> bool:
    """Tell whether whoever sent a request that is still being answered would be let in now."""
    parts: Parts = request.app.state.parts
    try:
        return await parts.keyring.opens(_key_of(request))
    except StorageError:  # nobody can tell
        return False


def _key_of(request: Request) -> str:
    return key_in(request.headers.get("authorization", ""), request.headers.get("x-api-key", ""))


def _address_of(request: Request) -> str:
    return request.client.host if request.client else ""


async def _require_own(parts: Parts, caller: Caller, named: dict[str, str]) -> None:
    """Raise NotFound for a model, a job or a dataset of others; what makes several models is of who asked for it."""
    if "name" in named:
        caller.require_model(named["name"])
    if "job_id" in named:
        job = await parts.jobs.get(named["job_id"])
        if not (caller.sees(job.name) if job.groups is None else job.caller == caller.name):
            raise JobNotFound(job.id)
    if "dataset" in named:
        await asyncio.to_thread(caller.require_dataset, parts.store.catalogue, named["dataset"])


def deed_of(scope: Scope, status: int, headers: Headers) -> Deed | None:
    """Tell what a request has done that is to be remembered; None where that is nothing."""
    caller: Caller | None = scope["state"].get("caller")
    method, path = scope["method"], scope["path"]
    if caller is None or status >= HTTPStatus.BAD_REQUEST or not is_deed(method, path):
        return None
    return Deed(
        at=time(),
        who="" if caller.key is None else caller.name,
        address=caller.address,
        method=method,
        path=path,
        status=status,
        made=headers.get("location"),
        request=scope["state"]["request_id"],
    )
