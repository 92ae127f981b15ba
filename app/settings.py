"""Every setting of the service: a `NETLET_*` variable each, typed, documented, once."""

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le
from pydantic import AfterValidator, SecretStr, ValidationInfo
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from app.api.connections.hosts import names_in
from app.api.connections.origins import origins_in
from app.docstrings import Described
from app.engine.choices import OneOf
from app.engine.device import DEVICES

NODE = re.compile(r"auto|[A-Za-z0-9._-]+:[0-9]{1,5}|\[[0-9a-fA-F:.]+\]:[0-9]{1,5}")
BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/(?!\.\.?(/|$))[A-Za-z0-9!_.*'()-]+)*/?", re.ASCII)
POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")


def _require_device(name: str) -> str:
    """Raise ValueError for a device that is not there."""
    try:
        DEVICES[name]()
    except (ImportError, RuntimeError) as error:  # CuPy's errors are of the latter
        message = f"{name} needs CuPy and a GPU, and one of them is not there ({error})"
        raise ValueError(message) from None
    return name


def _require_executor(name: str) -> str:
    """Raise ValueError for one that takes what is not installed."""
    if name == "ray" and find_spec("ray") is None:
        message = "ray needs the extra `cluster`, which is not installed: pip install 'netlet[cluster]'"
        raise ValueError(message)
    return name


def _require_node(address: str) -> str:
    """Raise ValueError for an address that is not one of a cluster which this machine can be a node of."""
    if not NODE.fullmatch(address):
        message = (
            "it is not auto, or host:port of the head; this machine is a node of the cluster itself, "
            "by `ray start --address=host:port --num-cpus=0` where it is to train nothing"
        )
        raise ValueError(message)
    return address


def _require_postgresql(url: SecretStr) -> SecretStr:
    """Raise ValueError, which repeats nothing of it, for an address that is not one of PostgreSQL."""
    try:
        parsed = make_url(url.get_secret_value())
    except (ArgumentError, ValueError):
        message = "it is not postgresql://user:password@host/database"
        raise ValueError(message) from None
    if parsed.drivername not in POSTGRESQL:
        message = f"a catalogue can be in {POSTGRESQL[0]}://, and without this setting in SQLite, but nowhere else"
        raise ValueError(message)
    if "@" in (parsed.host or ""):
        message = "write %40 for an @ in the password"
        raise ValueError(message)
    return url


def _require_bucket(url: str, info: ValidationInfo) -> str:
    """Raise ValueError for what names no bucket, or where its catalogue would not be shared as it is."""
    if not BUCKET.fullmatch(url):
        message = "it is not s3://bucket or s3://bucket/prefix"
        raise ValueError(message)
    if info.data.get("database_url") is None:
        message = "servers that share a bucket share a catalogue in PostgreSQL: set NETLET_DATABASE_URL, too"
        raise ValueError(message)
    return url


def _require_origins(text: str) -> str:
    """Raise ValueError for what no page comes from."""
    origins_in(text)
    return text


def _require_names(text: str) -> str:
    """Raise ValueError for names that no host can have."""
    names_in(text)
    return text


NEARLY = 0.9  # how like each other two names are, from 0 to 1, of which one is probably meant for the other


class Settings(BaseSettings):
    """What an operator can set; the environment variable is the name in capitals after `NETLET_`."""

    model_config = SettingsConfigDict(
        env_prefix="NETLET_", frozen=True, hide_input_in_errors=True, json_schema_extra=Described()
    )

    models: Path = Path("models")
    """Folder of the snapshots; made if it is missing."""
    reserve_bytes: Annotated[int, Ge(0)] = 16 * 2**20
    """Fewest bytes that are free on the disk of that folder while the service is ready."""
    database_url: Annotated[SecretStr, AfterValidator(_require_postgresql)] | None = None
    """The catalogue, `postgresql://user:password@host/database`; SQLite inside the store where it is not given."""
    store: Annotated[str, AfterValidator(_require_bucket)] | None = None
    """Where files are that servers share, `s3://bucket/prefix`, with a catalogue in PostgreSQL; the folder of the
    snapshots has copies then. Keys and the address of the storage are `AWS_*` variables."""
    copies_bytes: Annotated[int, Ge(0)] = 8 * 2**30
    """Bytes that these copies may take, about: those that were not used for longest are removed, and sooner where fewer
    than `NETLET_RESERVE_BYTES` are free."""
    host: str = "127.0.0.1"
    """Address to listen on. Another than this machine's own is listened on only once there is a key."""
    insecure: bool = False
    """Whether other machines are let in without a key: anyone who reaches the service can train and delete models."""
    port: Annotated[int, Ge(0), Le(65535)] = 8000
    """Port to listen on; 0 takes any free one."""
    hosts: Annotated[str, AfterValidator(_require_names)] = ""
    """Names under which the service answers, with commas between them, beside `localhost`, the machine's own and IP
    addresses; `*.example.org` is all names below that one, `*` is any."""
    cors_origins: Annotated[str, AfterValidator(_require_origins)] = ""
    """Where pages come from, beside netlet's own, that a browser lets ask and read the answers, with commas between, as
    in `https://app.example.org`; without it, none. A page shows a key in a header, and `*` is refused."""
    workers: Annotated[int, Ge(1), Le(64)] = 1
    """Processes that share the port and the store, each with its own memory of loaded models and its own trainings."""
    drain_seconds: Annotated[float, Ge(0), Le(3600)] = 0
    """Seconds for which a service that is asked to end takes new connections, while whoever sends them sees /readyz."""
    grace_seconds: Annotated[float, Ge(0), Le(3600)] = 25
    """Seconds in which a service that is asked to end answers what it was asked; the last may take a few more."""
    silence_seconds: Annotated[float, Gt(0), Le(3600)] = 20
    """Seconds without a sign of life after which one of several workers is taken for hung, killed and replaced."""
    executor: Annotated[Literal["process", "thread", "ray"], AfterValidator(_require_executor)] = "process"
    """Where trainings run: in processes of the service, or on the nodes of a Ray cluster, with the extra `cluster`;
    threads are for tests."""
    ray_address: Annotated[str, AfterValidator(_require_node)] = "auto"
    """Where the head of that cluster is, as in `10.0.0.5:6379`; auto is the cluster that this machine is a node of."""
    device: Annotated[str, OneOf(DEVICES), AfterValidator(_require_device)] = "cpu"
    """Where trainings compute: cpu, or cuda with CuPy installed (the extra `cuda`) and a GPU at hand."""
    threads: Annotated[int, Ge(1), Le(1024)] = 1
    """Threads that one training may share out large batches among; the result is the same for any number."""
    nodes: Annotated[int, Ge(1), Le(1024)] = 1
    """Nodes of that cluster that one training may share out among them what is longer than 16,384 rows of a batch; the
    result is the same for any number."""
    trainings_at_once: Annotated[int, Ge(1), Le(1024)] = 2
    """Trainings that run at the same time, each in a process of its own."""
    most_waiting: Annotated[int, Ge(0)] = 100
    """Trainings that may wait for their turn before new ones are refused."""
    lease_seconds: Annotated[float, Ge(0.5), Le(3600)] = 10
    """Seconds after which a server that has not been heard of is taken for dead, and its trainings are taken over."""
    most_attempts: Annotated[int, Ge(1), Le(100)] = 3
    """How often a training is begun whose process or server was lost, before it fails."""
    checkpoint_seconds: Annotated[float, Gt(0)] = 10
    """Seconds after which the state of a training is written down again, for whoever has to go on with it."""
    training_seconds: Annotated[float, Gt(0)] = 600
    """Longest time one training may take."""
    training_bytes: Annotated[int, Ge(2**28)] = 4 * 2**30
    """Most memory that the process of one training may take, in bytes; that of a GPU is not counted."""
    train_bytes: Annotated[int, Ge(1)] = 64 * 2**20
    """Longest table to learn from, in bytes, inflated."""
    upload_bytes: Annotated[int, Ge(1)] = 8 * 2**30
    """Longest dataset to keep, in bytes, inflated; in JSON, no longer than a table to learn from."""
    snapshot_bytes: Annotated[int, Ge(1)] = 128 * 2**20
    """Longest snapshot, or model in ONNX, that is brought in, in bytes, inflated."""
    predict_bytes: Annotated[int, Ge(1)] = 16 * 2**20
    """Longest table in JSON to answer, in bytes, inflated."""
    bulk_bytes: Annotated[int, Ge(1)] = 4 * 2**30
    """Longest table in another format to answer, in bytes, inflated; also the most cells, rows x columns, of one."""
    most_cells: Annotated[int, Ge(1)] = 16_000_000
    """Most cells, rows x columns, of a table that is read at once."""
    most_rows: Annotated[int, Ge(1), Le(10**9 - 1)] = 10**9 - 1
    """Most rows of any table, a dataset too."""
    most_columns: Annotated[int, Ge(1), Le(20_000)] = 20_000
    """Most columns of any table, the target and those to ignore among them; at most 10,000 are learnt from."""
    longest_cell: Annotated[int, Ge(1), Le(2**16)] = 2**16
    """Longest text of a cell, in bytes."""
    json_depth: Annotated[int, Ge(4), Le(100)] = 100
    """How many lists and objects of a body in JSON may be within each other."""
    most_answers: Annotated[int, Ge(1)] = 1_000_000
    """Most numbers in one answer in JSON to a prediction: rows x targets, or rows x labels."""
    most_groups: Annotated[int, Ge(1), Le(30_000)] = 10_000
    """Most models that one request trains of as many groups."""
    most_parameters: Annotated[int, Ge(1)] = 10_000_000
    """Most parameters a network may have."""
    most_numbers: Annotated[int, Ge(1)] = 250_000_000
    """Most numbers a training may be estimated to hold at once, 8 bytes each."""
    most_operations: Annotated[float, Gt(0)] = 1e14
    """Most arithmetic operations a training may be estimated to take; tens of billions are done in a second."""
    deed_days: Annotated[float, Gt(0)] = 400
    """Days for which it is remembered who changed what; what is older is forgotten when the service starts."""
    most_connections: Annotated[int, Ge(8)] = 4096
    """Connections that each process has open: one more ends those that are idle or slow, the oldest first."""
    most_requests: Annotated[int, Ge(1)] = 256
    """Requests that each process answers, and bodies that arrive: more are 503, and the slowest body is 408."""
    queue_seconds: Annotated[float, Ge(0.05), Le(3600)] = 0.25
    """Seconds that a prediction may have to wait for those before it; where it would be longer, it is 503 at once."""
    most_streams: Annotated[int, Ge(0)] = 256
    """Streams of events that each process has open; more are 429."""
    most_pipelined: Annotated[int, Ge(1)] = 1000
    """Requests in a row that a client may send ahead of the answers, after which its connection ends."""
    head_bytes: Annotated[int, Ge(4096), Le(2**20)] = 32 * 2**10
    """Longest head of a request, its first line and headers, in bytes."""
    most_headers: Annotated[int, Ge(50), Le(1000)] = 100
    """Most headers of a request."""
    url_bytes: Annotated[int, Ge(1024), Le(2**20)] = 8 * 2**10
    """Longest address of a request, in bytes."""
    receive_seconds: Annotated[float, Ge(0.1), Le(3600)] = 8
    """Seconds within which the head of a request arrives, and a body at `NETLET_SLOWEST_BYTES` a second or more."""
    send_seconds: Annotated[float, Ge(0.1), Le(3600)] = 30
    """Seconds after which a client that takes no more than that of its answer is left."""
    slowest_bytes: Annotated[int, Ge(1)] = 1024
    """Fewest bytes a second at which bodies are sent and answers are taken."""
    unsent_bytes: Annotated[int, Ge(2**20)] = 256 * 2**20
    """Most bytes of answers that clients have yet to take: beyond them, who has taken nothing for longest is left."""
    idle_seconds: Annotated[float, Gt(0), Le(3600)] = 30
    """Seconds that a connection stays open without a request."""
    log_requests: Literal["changes", "all"] = "changes"
    """Requests that are a line of the log: those that changed something or failed, or all of them."""
    cache_bytes: Annotated[int, Ge(0)] = 512 * 2**20
    """Most bytes of snapshots kept loaded."""

    @property
    def is_exposed(self) -> bool:
        """Whether other machines may reach the service, so that a key is needed even where none was made."""
        return not self.insecure and not is_own(self.host)


def misspelt(variables: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Name the variables that are nearly called as a setting, each with that: what they say goes unheard."""
    prefix = Settings.model_config["env_prefix"]
    known = [prefix + name.upper() for name in Settings.model_fields]
    for name in sorted(variables):
        near = get_close_matches(name, known, n=1, cutoff=NEARLY) if name.startswith(prefix) else []
        if near and name not in known:
            yield name, near[0]


def is_own(host: str) -> bool:
    """Tell whether an address to listen on is one that no other machine reaches."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
