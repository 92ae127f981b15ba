"""The two clients: one that others go on beside, and one that waits, which is the same call by call."""

from types import TracebackType
from typing import Self, Unpack

from app.client.asking import How
from app.client.catalogue import Catalogue
from app.client.predictions import Predicting
from app.client.trainings import Trainings
from app.client.wires import AsyncWire, WaitingWire, one_by_one, waiting


class Calls(Trainings, Predicting, Catalogue):
    """All that can be asked, over whatever wire."""

    async def close(self) -> None:
        """Let all connections go."""
        await self._wire.close()


class AsyncClient(Calls):
    """A service, for programs with asyncio or trio; an asynchronous context manager.

    `url` is where it is: NETLET_URL or http://127.0.0.1:8000 where it is not given.
    """

    def __init__(self, url: str | None = None, **how: Unpack[How]) -> None:
        super().__init__(AsyncWire, url, how)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()


class Client:
    """A service, for programs that wait for its answers; a context manager, and safe to share among threads.

    `url` is where it is: NETLET_URL or http://127.0.0.1:8000 where it is not given.
    """

    def __init__(self, url: str | None = None, **how: Unpack[How]) -> None:
        self.calls = Calls(WaitingWire, url, how)
        self.url = self.calls.url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    close = waiting(Calls.close)
    train = waiting(Calls.train)
    train_on = waiting(Calls.train_on)
    train_batch = waiting(Calls.train_batch)
    begin = waiting(Calls.begin)
    wait = waiting(Calls.wait)
    wait_batch = waiting(Calls.wait_batch)
    outcome = waiting(Calls.outcome)
    follow = one_by_one(Calls.follow)
    upload = waiting(Calls.upload)
    predict = waiting(Calls.predict)
    predict_file = waiting(Calls.predict_file)
    models = one_by_one(Calls.models)
    model = waiting(Calls.model)
    delete = waiting(Calls.delete)
    keep = waiting(Calls.keep)
    aliases = waiting(Calls.aliases)
    alias = waiting(Calls.alias)
    point = waiting(Calls.point)
    roll_back = waiting(Calls.roll_back)
    delete_alias = waiting(Calls.delete_alias)
    moves = one_by_one(Calls.moves)
    jobs = waiting(Calls.jobs)
    job = waiting(Calls.job)
    cancel = waiting(Calls.cancel)
    pause = waiting(Calls.pause)
    step = waiting(Calls.step)
    resume = waiting(Calls.resume)
    datasets = one_by_one(Calls.datasets)
    dataset = waiting(Calls.dataset)
    delete_dataset = waiting(Calls.delete_dataset)
    snapshot = waiting(Calls.snapshot)
    export = waiting(Calls.export)
    import_snapshot = waiting(Calls.import_snapshot)
    import_onnx = waiting(Calls.import_onnx)
    call = waiting(Calls.call)
