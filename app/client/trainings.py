"""Training: a table is sent, its job is followed, and the model is read."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from inspect import isawaitable
from json import loads
from typing import Any, TypedDict, Unpack

import httpx
from httpx_sse import SSEError

from app.client.asking import Asking, key_of_a_request
from app.client.errors import NotUsable, TooLarge, TrainingCancelled, TrainingFailed, Unreachable
from app.client.references import part, path_of
from app.client.results import Dataset, Event, Groups, Job, Model, Progress, Search
from app.client.rows import Rows, Sent, address_of, laid_out
from app.client.sending import Pairs, Table
from app.client.wires import Request

LARGEST_AT_ONCE = 64 * 2**20  # bytes; services take no longer ones in a training's request, unless set otherwise
SECONDS_TO_READ_A_TABLE = 600
SECONDS_AT_ONCE = 30
"""How long a small training is waited for within its request."""
SECONDS_BETWEEN_STREAMS = 0.2
SILENCE = 60  # seconds; a stream of events says something every 15
ENDS = {"succeeded", "failed", "cancelled"}
READ: dict[str, type[Job] | type[Progress] | type[Search]] = {"progress": Progress, "search": Search}
"""What events tell that are no states."""
LEAVES = "shutdown"
"""The event of a service that ends; the training goes on."""
OF_THE_BODY = {"columns", "delimiter", "decimal", "encoding"}
"""What tells how a table is read."""
OF_THE_JOB = {"priority", "timeout_seconds", "max_epochs", "paused"}

Watch = Callable[[Progress], object]


class Training(TypedDict, total=False):
    """What may be said of a training beside its rows; the service's documentation tells what each means."""

    name: str
    columns: list[str]
    delimiter: str
    decimal: str
    encoding: str
    X: Any
    y: Any
    weight: str
    weights: Any
    dataset: str
    kinds: Mapping[str, str]
    task: str
    network: Mapping[str, Any] | str
    training: Mapping[str, Any] | str
    scaling: Mapping[str, Any]
    sweep: Mapping[str, list[Any]]
    search: Mapping[str, Any]
    preset: str
    tags: Mapping[str, str]
    description: str
    priority: int
    timeout_seconds: float
    max_epochs: int
    paused: bool


class GroupTraining(Training, total=False):
    """The same, and what makes a model of each group."""

    group_by: str


class Trainings(Asking):
    """What a client asks about trainings."""

    async def train(
        self,
        rows: Rows | None = None,
        target: str | list[str] | None = None,
        *,
        progress: Watch | None = None,
        **said: Unpack[Training],
    ) -> Model:
        """Train on a table, wait for it, and give the model.

        `rows` are dicts, lists with `columns`, a data frame, or a file's name; instead of them `X` and `y`, or a
        `dataset`. `progress` is called (and awaited, if it can be) with each `Progress` on the way. What is interrupted
        here goes on in the service.

        Raises TrainingFailed, Problem, Unreachable, NotUsable.
        """
        answer = await self._trained("/train", rows, target, said, wait=0 if progress else SECONDS_AT_ONCE)
        return await self._waited_for(answer, progress)

    async def train_on(
        self,
        reference: str,
        rows: Rows | None = None,
        target: str | list[str] | None = None,
        *,
        progress: Watch | None = None,
        **said: Unpack[Training],
    ) -> Model:
        """Train a version on with more rows, wait for it, and give the model's next version; otherwise as `train`."""
        path = f"{path_of(reference)}/train"
        answer = await self._trained(path, rows, target, said, wait=0 if progress else SECONDS_AT_ONCE)
        return await self._waited_for(answer, progress)

    async def train_batch(
        self,
        rows: Rows | None = None,
        target: str | list[str] | None = None,
        *,
        progress: Watch | None = None,
        **said: Unpack[GroupTraining],
    ) -> Groups:
        """Train a model for each group of a table, told by its column `group_by`, and give them all.

        They are called `name`, a dot and the group. Epochs of the `progress` are groups. Otherwise as `train`.
        """
        answer = await self._trained("/train/batch", rows, target, said, wait=0 if progress else SECONDS_AT_ONCE)
        if answer.get("next") is None and "models" in answer:
            return Groups.of(answer)
        return await self.wait_batch(answer["job"], progress)

    async def begin(
        self, rows: Rows | None = None, target: str | list[str] | None = None, **said: Unpack[GroupTraining]
    ) -> Job:
        """Begin to train on a table, as `train` or `train_batch` does, and give the job without waiting for its end."""
        path = "/train" if said.get("group_by") is None else "/train/batch"
        answer = await self._trained(path, rows, target, said, wait=0)
        if "status" not in answer:
            job = answer.get("job")
            answer = await (self._job_of(answer) if job is None else self._told(Request("GET", f"/jobs/{part(job)}")))
        return Job.of(answer)

    async def wait(self, job: str, progress: Watch | None = None) -> Model:
        """Wait for a training, and give its model; raises TrainingFailed where there is none."""
        made = await self.outcome(job, progress)
        if isinstance(made, Groups):
            message = f"Job {job} makes {len(made.models)} models. wait_batch gives them."
            raise NotUsable(message)
        return made

    async def wait_batch(self, job: str, progress: Watch | None = None) -> Groups:
        """Wait for a training of groups, and give its models; raises TrainingFailed where there are none."""
        made = await self.outcome(job, progress)
        return made if isinstance(made, Groups) else await self._groups_of(job)

    async def outcome(self, job: str, progress: Watch | None = None) -> Model | Groups:
        """Wait for a training, and give its model, or all where it makes one of each group; raises TrainingFailed."""
        ended = await self._ended(job, progress)
        if ended.status != "succeeded":
            raise (TrainingFailed if ended.status == "failed" else TrainingCancelled)(ended)
        return await (self._model_of(ended) if ended.groups is None else self._groups_of(job))

    async def _groups_of(self, job: str) -> Groups:
        told: dict[str, Any] = {"models": [], "next": -1}
        while told["next"] is not None:
            pages = Request("GET", f"/jobs/{part(job)}/models", [("after", str(told["next"]))])
            page = await self._told(pages)
            told = page | {"models": told["models"] + page["models"]}
        return Groups.of(told)

    async def _ended(self, job: str, progress: Watch | None) -> Job:
        """Wait until a training is over."""
        async with aclosing(self.follow(job)) as events:
            async for event in events:
                if isinstance(event.told, Job):
                    if event.name in ENDS:
                        return event.told
                elif (
                    isinstance(event.told, Progress)
                    and progress is not None
                    and isawaitable(waits := progress(event.told))
                ):
                    await waits
        message = "a training is followed to its end"
        raise RuntimeError(message)

    async def follow(self, job: str) -> AsyncGenerator[Event]:
        """Tell what happens to a training until it is over, whatever happens to the connection meanwhile."""
        seen = ""
        while True:
            headers = {"accept": "text/event-stream", "last-event-id": seen}
            request = Request("GET", f"/jobs/{part(job)}/events", headers=headers, seconds=SILENCE)
            try:
                async with self._stream(request) as response, aclosing(self._wire.events(response)) as events:
                    async for event in events:
                        seen = event.id
                        if event.event == LEAVES:
                            break
                        yield Event(event.event, READ.get(event.event, Job).of(loads(event.data)))
                        if event.event in ENDS:
                            return
            except SSEError as error:
                raise self._other(error) from error
            except httpx.TransportError:
                pass  # whoever sent it is gone, or will be back
            await self._wire.sleep(SECONDS_BETWEEN_STREAMS)

    async def upload(
        self, rows: Rows, columns: list[str] | None = None, kinds: dict[str, str] | None = None
    ) -> Dataset:
        """Keep a table to be trained from; the same one twice is one dataset."""
        beside = {} if columns is None else {"columns": columns}
        with laid_out(rows, beside | ({"kinds": kinds} if kinds else {})) as sent:
            return Dataset.of(await self._told(_creating("/datasets", sent)))

    async def _trained(
        self, path: str, rows: Rows | None, target: str | list[str] | None, said: Training, *, wait: float
    ) -> dict[str, Any]:
        """Ask for a training and give the model, or the job where that is not there yet.

        A table that is too large for one request is made a dataset first.
        """
        beside: dict[str, Any] = {} if target is None else {"target": target}
        beside |= {name: value for name, value in said.items() if value is not None and name not in OF_THE_JOB}
        how = address_of({name: value for name, value in said.items() if value is not None and name in OF_THE_JOB})
        how.append(("wait", str(wait)))
        with laid_out(rows, beside) as sent:
            if not isinstance(sent.body, Table):
                return await self._told(_creating(path, sent, how))
            if sent.body.size <= LARGEST_AT_ONCE:
                request = _creating(path, sent, how)
                try:
                    return await self._told(request)
                except TooLarge:
                    pass
            dataset = await self._told(_creating("/datasets", Sent(sent.body, _of_an_upload(sent.params))))
        self._say(f"The table is kept as dataset {dataset['dataset']}, since it is too large for one request.")
        params = [pair for pair in sent.params if pair[0] not in OF_THE_BODY] + [("dataset", dataset["dataset"])]
        return await self._told(_creating(path, Sent(b"", params), how))

    async def _waited_for(self, answer: dict[str, Any], progress: Watch | None) -> Model:
        return await self.wait(answer["job"], progress) if "job" in answer else Model.of(answer)

    async def _model_of(self, job: Job) -> Model:
        return Model.of(await self._told(Request("GET", path_of(f"{job.model}/{job.version}"))))

    async def _job_of(self, model: dict[str, Any]) -> dict[str, Any]:
        """Find the job of a model that was there when the request was sent again."""
        jobs = await self._told(Request("GET", "/jobs", [("limit", "1000")]))
        for job in jobs["jobs"]:
            if (job["model"], job["version"]) == (model["model"], model["version"]):
                told: dict[str, Any] = job
                return told
        message = f"{model['reference']} is trained, and its job is none of the newest 1,000."
        raise Unreachable(message)


def _creating(path: str, sent: Sent, how: Pairs | None = None) -> Request:
    return Request(
        "POST", path, sent.params + (how or []), key_of_a_request(), sent.body, seconds=SECONDS_TO_READ_A_TABLE
    )


def _of_an_upload(params: Pairs) -> Pairs:
    """Give what tells how a table is read, of what is said beside it."""
    told = [pair for pair in params if pair[0] in OF_THE_BODY]
    kinds = {column: kind for name, value in params if name == "kinds" for column, kind in loads(value).items()}
    categories = {column: kind for column, kind in kinds.items() if kind == "category"}
    return told + address_of({"kinds": categories} if categories else {})
