"""What all tests share: a store with a catalogue of its own, an application, a real server."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from threading import Event

import coverage
import httpx
import hypothesis
import pytest
from pydantic import SecretStr

from app.engine.config import TrainingConfig
from app.main import create_app
from app.models.learning import learn
from app.models.model import Model
from app.models.recipe import Recipe
from app.opening import store_of
from app.settings import Settings
from app.store import api_keys
from app.store.api_keys import NO_QUOTAS, Grant, Quotas
from app.store.catalogue import Catalogue, Unit
from app.store.listing import places
from app.store.store import ModelStore
from tests import postgresql, seaweedfs
from tests.models.tables import EXAM
from tests.nursery import Nursery
from tests.postgresql import PostgreSQL
from tests.seaweedfs import SeaweedFS

ROWS = [
    {"hours_studied": 2, "hours_slept": 9, "score": 92},
    {"hours_studied": 1, "hours_slept": 5, "score": 86},
    {"hours_studied": 3, "hours_slept": 6, "score": 89},
]
TUTORIAL = {"name": "exam", "preset": "tutorial", "rows": ROWS, "target": "score"}


QUICK = Recipe(training=TrainingConfig(optimizer="adam", epochs=2))
LONGEST_LOG = 2**20  # bytes that a server may write without being read
DATABASES = ("sqlite", "postgresql")
FILES = ("folder", "s3")

hypothesis.settings.register_profile("any machine", deadline=None)  # no test depends on how fast it is
hypothesis.settings.load_profile("any machine")

SettingsOf = Callable[[Path], Settings]
StoreIn = Callable[[Path], ModelStore]
MakeKey = Callable[..., dict[str, str]]
Write = Callable[[Callable[[Unit], object]], object]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=DATABASES, default=DATABASES[0], help="what the catalogues of tests are in")
    parser.addoption("--files", choices=FILES, default=FILES[0], help="where files are, with catalogues in PostgreSQL")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the tests that are about another database, or about files elsewhere."""
    chosen = {config.getoption("database"), config.getoption("files")}
    for item in items:
        for mark in item.iter_markers("only_on"):
            if not chosen.issuperset(mark.args):
                item.add_marker(pytest.mark.skip(reason=f"about {mark.args[0]}"))


def pytest_configure() -> None:
    """Keep what is compiled, whatever the environment says: a server that compiles all of itself begins much later."""
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_sessionfinish() -> None:
    """Keep what was measured: a worker that takes its time to end (it waits for its threads) is killed for it."""
    if (measuring := coverage.Coverage.current()) is not None:
        measuring.save()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def server_of_databases(pytestconfig: pytest.Config) -> Iterator[PostgreSQL | None]:
    """Run PostgreSQL for as long as tests do, if they are to use it."""
    if pytestconfig.getoption("database") == "sqlite":
        yield None
    else:
        with postgresql.running() as server:
            yield server


@pytest.fixture(scope="session")
def server_of_files(pytestconfig: pytest.Config) -> Iterator[SeaweedFS | None]:
    """Run an object store for as long as tests do, if they are to use it."""
    if pytestconfig.getoption("files") == "folder":
        yield None
    else:
        with seaweedfs.running() as server, pytest.MonkeyPatch.context() as patch:
            for name, value in server.environment.items():
                patch.setenv(name, value)
            yield server


@pytest.fixture
def buckets(server_of_files: SeaweedFS | None) -> SeaweedFS:
    """Give the server to tests that are about S3."""
    assert server_of_files is not None
    return server_of_files


@pytest.fixture
def databases(server_of_databases: PostgreSQL | None) -> PostgreSQL:
    """Give the server to tests that are about PostgreSQL."""
    assert server_of_databases is not None
    return server_of_databases


@pytest.fixture
def settings_of(server_of_databases: PostgreSQL | None, server_of_files: SeaweedFS | None) -> Iterator[SettingsOf]:
    """Give the settings for the store in a folder, whose catalogue is one of its own for as long as the test runs.

    Where files are in buckets, it has one of its own, too.
    """
    made: dict[Path, Settings] = {}

    def settings_of(root: Path) -> Settings:
        if root not in made:
            url = None if server_of_databases is None else SecretStr(server_of_databases.create())
            bucket = None if server_of_files is None else server_of_files.bucket()
            made[root] = Settings(models=root, database_url=url, store=bucket, executor="thread")
        return made[root]

    yield settings_of
    for settings in made.values():
        if server_of_databases is not None and settings.database_url is not None:
            server_of_databases.drop(settings.database_url.get_secret_value())


@pytest.fixture
def settings(tmp_path: Path, settings_of: SettingsOf) -> Settings:
    return settings_of(tmp_path / "models")


@pytest.fixture
def store_in(settings_of: SettingsOf) -> StoreIn:
    """Make stores, to be opened, in folders."""
    return lambda root: store_of(settings_of(root))


@pytest.fixture
def model() -> Model:
    """Learn a model, quickly."""
    return learn(EXAM, QUICK)


@pytest.fixture
def store(tmp_path: Path, store_in: StoreIn) -> Iterator[ModelStore]:
    """Open a store of its own."""
    with closing(store_in(tmp_path / "models")) as store:
        store.open()
        yield store


def names_in(store: ModelStore) -> list[str]:
    """Name the models that the catalogue lists."""
    return [place.name for place in places(store.catalogue, limit=1000)]


@contextmanager
def held(store: ModelStore) -> Iterator[None]:
    """Keep the catalogue from writing, so that what is asked for meanwhile shares a transaction."""
    began, go_on = Event(), Event()

    def hold(_unit: Unit) -> None:
        began.set()
        go_on.wait(30)

    holding = store.catalogue.write(hold)
    began.wait(30)
    yield
    go_on.set()
    holding.result(30)


@asynccontextmanager
async def client_of(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Start an application of its own and give a client of it."""
    app = create_app(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://netlet", timeout=60) as client,
    ):
        yield client


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(settings) as client:
        yield client


@pytest.fixture
def catalogue(settings: Settings) -> Iterator[Catalogue]:
    """Open the catalogue beside the service, as the command line does."""
    with closing(store_of(settings)) as store:
        store.open()
        yield store.catalogue


@pytest.fixture
def write(catalogue: Catalogue) -> Write:
    return lambda do: catalogue.write(do).result()


@pytest.fixture
def make_key(catalogue: Catalogue) -> MakeKey:
    """Make keys; each is given as the headers that show it."""

    def make(
        *scopes: str, models: tuple[str, ...] = ("*",), quotas: Quotas = NO_QUOTAS, expires: float | None = None
    ) -> dict[str, str]:
        grant = Grant(frozenset(scopes), models, quotas)
        text = catalogue.write(lambda unit: api_keys.create(unit, "test", grant, expires)).result()
        return {"authorization": f"Bearer {text}"}

    return make


@pytest.fixture
async def admin(make_key: MakeKey, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client with a key for everything, of a service that needs one."""
    key = make_key("admin")
    async with client_of(settings) as client:
        client.headers.update(key)
        yield client


class Server:
    """A real `netlet serve` in a process of its own; a nursery makes it at once, where it can."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *arguments: str,
        under: Sequence[str] = (),
        nursery: Nursery | None = None,
    ) -> None:
        words = ["serve", "--port", "0", *arguments]
        if nursery is not None and nursery.fits(environment) and not under:
            self.process: subprocess.Popen[str] = nursery.begin(environment, words)
        else:
            command = [*under, sys.executable, "-m", "app.cli", *words]
            told = {**environment, "PYTHONFAULTHANDLER": "1"}
            self.process = subprocess.Popen(command, env=told, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        fcntl.fcntl(
            self.process.stderr, fcntl.F_SETPIPE_SZ, LONGEST_LOG
        )  # a server waits where nobody reads what it says
        try:
            self.url = self._address()
        except BaseException:
            self.process.kill()
            self.process.communicate()
            raise

    def _address(self) -> str:
        """Read the log up to the line that names the address, then until the service is ready."""
        assert self.process.stderr is not None
        url, said = "", ""
        for line in self.process.stderr:
            said += line
            if "listening on" in line:
                url = line.split("listening on ")[1].split()[0].strip('",}')
            if "startup complete" in line:
                return url
        message = f"the server ended before it listened, and said: {said}"
        raise AssertionError(message)

    def client(self) -> httpx.Client:
        """Make a client of this server."""
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def end(self, how: signal.Signals = signal.SIGINT, seconds: float = 30) -> int:
        """Send a signal, as Ctrl-C does unless told otherwise, and wait for the end; give the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(self._told_by_those_that_hang()) from None
        return self.process.returncode

    def _told_by_those_that_hang(self) -> str:
        """Let all who could still write to the log die, and say there where each of their threads is."""
        assert self.process.stderr is not None
        log = f"pipe:[{os.fstat(self.process.stderr.fileno()).st_ino}]"
        hanging = [int(link.parts[2]) for link in Path("/proc").glob("[0-9]*/fd/2") if _meant_by(link) == log]
        states = [Path(f"/proc/{pid}/stat").read_text(encoding="utf-8") for pid in hanging]
        for pid in hanging:
            for how in (signal.SIGABRT, signal.SIGCONT):
                os.kill(pid, how)
            time.sleep(0.2)  # that they do not all speak at once
        _, told = self.process.communicate(timeout=30)
        return "\n".join(["these did not end:", *states, told])


def _meant_by(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # of a process that is gone, or another's
        return ""


StartServer = Callable[..., Server]


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve for all tests that only ask a service; each names its models as no other does."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NETLET_")}
    server = Server(kept | {"NETLET_MODELS": str(tmp_path_factory.mktemp("service") / "models")})
    yield server.url
    server.end()


@pytest.fixture
def environment(settings: Settings, tmp_path: Path) -> dict[str, str]:
    """Variables of a process that uses the store of this test, and no setting but the usual ones beside."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NETLET_")}
    named = {} if settings.database_url is None else {"NETLET_DATABASE_URL": settings.database_url.get_secret_value()}
    named |= {} if settings.store is None else {"NETLET_STORE": settings.store}
    return kept | named | {"NETLET_MODELS": str(settings.models), "TMPDIR": str(tmp_path)}


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery | None]:
    """Let servers begin at once; None, in the place of this, where a test is about how they begin."""
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
def start_server(environment: dict[str, str], nursery: Nursery | None) -> Iterator[StartServer]:
    """Start servers on one store, all of which are ended with the test."""
    servers: list[Server] = []

    def start(*arguments: str, **more: str) -> Server:
        servers.append(Server(environment | more, *arguments, nursery=nursery))
        return servers[-1]

    yield start
    for server in servers:
        server.end()


def wait_until(true: Callable[[], bool], *, seconds: float = 60) -> None:
    """Wait for something to become true, but not longer than this."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.02)
