"""The plain page: a form that trains and asks, for browsers without JavaScript and for where the page is not built."""

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import parse_qs, quote

import httpx
from fastapi import Request

from app.store.references import NAME, VERSION
from app.web.files import INDEX, names

EXAMPLE = {"table": "hours_studied,hours_slept,score\n2,9,92\n1,5,86\n3,6,89\n", "target": "score", "name": "exam"}
BUILDING = """<h2>Where is the page?</h2>
<p>It shows the network learning, and was not built here. With Node 20.19, or 22.12 and newer:</p>
<pre>cd app/web &amp;&amp; npm ci &amp;&amp; npm run build</pre>
<p>Then start the service again.</p>"""
UNDOCUMENTED = """<div role="alert"><p>The documentation of the routes was not built here, as is said below.
It is made from <a href="openapi.json">openapi.json</a>, which is always there.</p></div>"""
MOST_FIELDS = 2_000
REFERENCE = re.compile(f"({NAME.pattern})/({VERSION.pattern})", re.ASCII)


@dataclass(frozen=True)
class PlainPage:
    """A page to send, and the hash by which its styles are let in."""

    html: str
    style_hash: str
    status: int = 200


@cache
def _template() -> Template:
    return Template((Path(__file__).parent / "plain.html").read_text(encoding="utf-8"))


@cache
def _style_hash() -> str:
    styles = re.search(r"<style>(.*?)</style>", _template().template, re.DOTALL)
    if styles is None:  # the file is ours
        raise ValueError
    return base64.b64encode(hashlib.sha256(styles[1].encode()).digest()).decode()


def document(result: str = "", form: dict[str, str] | None = None, status: int = 200) -> PlainPage:
    """Make the page, with what came of a form before it, which is HTML."""
    values = {name: escape((form or EXAMPLE).get(name, "")) for name in EXAMPLE}
    building = "" if INDEX in names() else BUILDING
    return PlainPage(_template().substitute(values, result=result, building=building), _style_hash(), status)


async def answered(request: Request, form: bytes) -> PlainPage:
    """Do what a form says, by the same routes that everybody uses, for whoever has sent it."""
    try:
        fields = parse_qs(form.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return document(_alert("The form could not be read.", []), status=400)
    values = {name: texts[-1] for name, texts in fields.items()}
    caller = (request.client.host, request.client.port) if request.client else ("", 0)
    transport = httpx.ASGITransport(request.app, client=caller)
    kept = {name: request.headers[name] for name in ("authorization", "x-api-key") if name in request.headers}
    headers = kept | {"x-request-id": str(request.state.request_id)}
    async with httpx.AsyncClient(transport=transport, base_url="http://netlet", headers=headers) as client:
        return await (_asked(client, values) if "model" in values else _trained(client, values))


async def _trained(client: httpx.AsyncClient, form: dict[str, str]) -> PlainPage:
    asked = {"target": form.get("target", "")} | ({"name": form["name"]} if form.get("name") else {})
    response = await client.post(
        "/train", params=asked, content=form.get("table", "").encode(), headers={"content-type": "text/csv"}
    )
    if response.is_error:
        return document(_problem(response), form, response.status_code)
    told = response.json()
    if "job" in told:
        job = quote(told["job"])
        return document(f'<p>Still training: <a href="jobs/{job}">look how far it is</a>.</p>', form)
    return document(_question(told, told["report"]["choice"]), form)


async def _asked(client: httpx.AsyncClient, form: dict[str, str]) -> PlainPage:
    reference = REFERENCE.fullmatch(form["model"])
    if reference is None:
        return document(_alert("There is no such model.", []), status=404)
    path = f"/models/{reference[1]}/versions/{reference[2]}"
    row = {column.removeprefix("column."): text for column, text in form.items() if column.startswith("column.")}
    model = await client.get(path)
    response = await client.post(f"{path}/predict", json={"rows": [row], "applicability": True})
    if model.is_error or response.is_error:
        failed = model if model.is_error else response
        return document(_problem(failed), status=failed.status_code)
    told = response.json()
    answer = f"<p>{escape(str(model.json()['target']))}: <output>{escape(str(told['predictions'][0]))}</output></p>"
    outside = [each["column"] for each in told["applicability"][0]["outside"]]
    if outside:
        answer += f"<p>Outside of what it was trained on: {escape(', '.join(outside))}.</p>"
    return document(answer + _question(model.json(), "", row))


def _question(model: dict[str, Any], sentence: str | None, row: dict[str, str] | None = None) -> str:
    """Make the form that asks a model, as HTML."""
    values: dict[str, Any] = dict(row) if row else {column["name"]: column["example"] for column in model["columns"]}
    fields = "".join(
        f'<label for="c{place}">{escape(name)}</label>'
        f'<input id="c{place}" name="column.{escape(name)}" value="{escape("" if value is None else str(value))}">'
        for place, (name, value) in enumerate(values.items())
    )
    return (
        f"<h2>Ask {escape(model['reference'])}</h2><p>{escape(sentence or '')}</p>"
        f'<form method="post" action="plain"><input type="hidden" name="model" value="{escape(model["reference"])}">'
        f"{fields}<div><button>Ask</button></div></form>"
    )


def _problem(response: httpx.Response) -> str:
    told = response.json()
    return _alert(f"{told['title']}: {told.get('detail', '')}", told.get("errors") or [])


def _alert(sentence: str, faults: Iterable[dict[str, Any]]) -> str:
    told = "".join(
        f"<li>{escape(', '.join(f'{name} {value}' for name, value in fault.items() if value is not None))}</li>"
        for fault in faults
    )
    return f'<div role="alert"><p>{escape(sentence)}</p><ul>{told}</ul></div>'
