"""Looking around in a service: its models, aliases, jobs and datasets; models that leave and come in."""

from collections.abc import AsyncGenerator, Mapping
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from app.client.asking import Asking
from app.client.errors import NotUsable
from app.client.references import part, path_of, path_of_alias
from app.client.results import Alias, Dataset, Export, Job, Kept, ListedDataset, ListedModel, Model, Move
from app.client.rows import address_of, as_json
from app.client.wires import Request

A_PAGE = 100
NO_TAGS: Mapping[str, str | None] = MappingProxyType({})

T = TypeVar("T")


class Catalogue(Asking):
    """What a client asks about what there is."""

    async def models(
        self, prefix: str = "", *, tags: Mapping[str, str | None] = NO_TAGS, newest_first: bool = False
    ) -> AsyncGenerator[ListedModel]:
        """List models whose names begin with a prefix, and that have all of the tags, None being any value.

        They come by name, or the newest first; pages are asked for as they are needed. Raises NotUsable for a tag
        with = in it.
        """
        if unfit := next((tag for tag in tags if "=" in tag), None):
            message = f"No model is found by the tag {unfit!r}: what comes after = is asked for as its value."
            raise NotUsable(message)
        tagged = [("tag", tag if value is None else f"{tag}={value}") for tag, value in tags.items()]
        wanted = [("prefix", prefix), *tagged, ("sort", "newest" if newest_first else "name")]
        async for told in self._pages("/models", "models", wanted):
            yield ListedModel.of(told)

    async def model(self, reference: str) -> Model:
        """Describe a model: `exam`, `exam/3` or `exam@live`."""
        return Model.of(await self._told(Request("GET", path_of(reference))))

    async def delete(self, reference: str) -> None:
        """Delete a version, or a model with all its versions and aliases, for good."""
        await self._gone(path_of(reference))

    async def keep(self, name: str, keep_last: int | None) -> Kept:
        """Say how many of its newest versions a model keeps; None is all."""
        body = as_json({"keep_last": keep_last})
        return Kept.of(await self._told(Request("PATCH", path_of(name), body=body)))

    async def aliases(self, name: str) -> list[Alias]:
        """List a model's aliases."""
        told = await self._told(Request("GET", f"{path_of(name)}/aliases"))
        return [Alias.of(alias) for alias in told["aliases"]]

    async def alias(self, name: str, alias: str) -> Alias:
        """Tell where an alias points."""
        return Alias.of(await self._told(Request("GET", path_of_alias(name, alias))))

    async def point(
        self, name: str, alias: str, version: int, *, why: str = "", who: str = "", revision: int | None = None
    ) -> Alias:
        """Point an alias at a version; where a revision is given, only if the alias is at that one."""
        body = as_json({"version": version, "why": why, "who": who})
        return await self._moved(Request("PUT", path_of_alias(name, alias), body=body), revision)

    async def roll_back(
        self,
        name: str,
        alias: str,
        to: int | None = None,
        *,
        why: str = "",
        who: str = "",
        revision: int | None = None,
    ) -> Alias:
        """Undo the last move of an alias, or go to where it was at a revision."""
        body = as_json({"why": why, "who": who} | ({} if to is None else {"to": to}))
        path = f"{path_of_alias(name, alias)}/rollback"
        return await self._moved(Request("POST", path, body=body, is_repeatable=False), revision)

    async def delete_alias(self, name: str, alias: str) -> None:
        """Delete an alias, but not its history."""
        await self._gone(path_of_alias(name, alias))

    async def moves(self, name: str, alias: str) -> AsyncGenerator[Move]:
        """List what happened to an alias, the newest first."""
        params = [("limit", str(A_PAGE))]
        while True:
            told = await self._told(Request("GET", f"{path_of_alias(name, alias)}/history", params))
            for move in told["moves"]:
                yield Move.of(move)
            if len(told["moves"]) < A_PAGE:
                return
            params = [("limit", str(A_PAGE)), ("before", str(told["moves"][-1]["revision"]))]

    async def jobs(self, state: str | None = None, limit: int = 100) -> list[Job]:
        """List trainings, the newest first, all or those in a state."""
        params = [("limit", str(limit))] + ([] if state is None else [("state", state)])
        told = await self._told(Request("GET", "/jobs", params))
        return [Job.of(job) for job in told["jobs"]]

    async def job(self, job: str) -> Job:
        """Tell how far a training is, and how it ended."""
        return Job.of(await self._told(Request("GET", _job(job))))

    async def cancel(self, job: str, *, keep_best: bool = False) -> Job:
        """End a training; with `keep_best`, what it had come to is kept as a version."""
        params = [("keep_best", "true")] if keep_best else []
        return Job.of(await self._told(Request("DELETE", _job(job), params)))

    async def pause(self, job: str) -> Job:
        """Let a training wait after the epoch that is under way."""
        return Job.of(await self._told(Request("POST", f"{_job(job)}/pause")))

    async def step(self, job: str, epochs: int = 1) -> Job:
        """Let a training that is paused take some epochs, and pause again."""
        request = Request("POST", f"{_job(job)}/step", [("epochs", str(epochs))], is_repeatable=False)
        return Job.of(await self._told(request))

    async def resume(self, job: str) -> Job:
        """Let a training that is paused go on."""
        return Job.of(await self._told(Request("POST", f"{_job(job)}/resume", is_repeatable=False)))

    async def datasets(self) -> AsyncGenerator[ListedDataset]:
        """List datasets; pages are asked for as they are needed."""
        async for told in self._pages("/datasets", "datasets", []):
            yield ListedDataset.of(told)

    async def dataset(self, dataset: str) -> Dataset:
        """Describe a dataset, column by column."""
        return Dataset.of(await self._told(Request("GET", _dataset(dataset))))

    async def delete_dataset(self, dataset: str) -> None:
        """Delete a dataset for good, unless a training needs it."""
        await self._gone(_dataset(dataset))

    async def snapshot(self, reference: str) -> bytes:
        """Give the file of a version, which another netlet takes in."""
        return (await self._ask(Request("GET", f"{path_of(reference)}/snapshot"))).content

    async def export(self, reference: str, form: str) -> Export:
        """Give a version as a file that answers by itself: `python`, `javascript`, `onnx` or `json`."""
        answer = await self._ask(Request("GET", f"{path_of(reference)}/export", [("format", form)]))
        try:
            return Export.of(answer.headers, answer.content)
        except (KeyError, ValueError) as error:
            raise self._other(error) from error

    async def import_snapshot(self, name: str, snapshot: bytes | str | PathLike[str]) -> Model:
        """Take a snapshot in as the model's next version; one that it is already stays that version."""
        request = Request("PUT", f"{path_of(name)}/snapshot", body=_bytes_of(snapshot))
        return Model.of(await self._told(request))

    async def import_onnx(
        self,
        name: str,
        network: bytes | str | PathLike[str],
        *,
        columns: list[str] | None = None,
        target: str | list[str] | None = None,
        labels: list[str] | None = None,
    ) -> Model:
        """Make a dense network in ONNX the model's next version."""
        named = {"columns": columns, "target": target, "labels": labels}
        params = address_of({what: names for what, names in named.items() if names is not None})
        return Model.of(await self._told(Request("PUT", f"{path_of(name)}/onnx", params, body=_bytes_of(network))))

    async def _pages(self, path: str, what: str, params: list[tuple[str, str]]) -> AsyncGenerator[dict[str, Any]]:
        after: str | None = ""
        while after is not None:
            told = await self._told(Request("GET", path, [*params, ("after", after), ("limit", str(A_PAGE))]))
            for one in told[what]:
                yield one
            after = told["next"]

    async def _moved(self, request: Request, revision: int | None) -> Alias:
        if revision is not None:
            request = request._replace(headers={"if-match": f'"{revision}"'}, is_repeatable=False)
        return Alias.of(await self._told(request))


def _job(job: str) -> str:
    return f"/jobs/{part(job)}"


def _dataset(dataset: str) -> str:
    return f"/datasets/{part(dataset)}"


def _bytes_of(file: bytes | str | PathLike[str]) -> bytes:
    return file if isinstance(file, bytes) else Path(file).read_bytes()
