"""The process that tests' services are forked by."""

from pathlib import Path

from tests.conftest import wait_until
from tests.measuring import unmeasured
from tests.nursery import Nursery


def test_nobody_outlives_the_nursery(environment: dict[str, str], tmp_path: Path) -> None:
    """A service goes with it, also where whoever wanted it was killed, and closed nothing."""
    nursery = Nursery(unmeasured(environment))
    born = nursery.begin_logging(environment, ["serve", "--port", "0"], tmp_path / "log")
    wait_until(lambda: b"startup complete" in (tmp_path / "log").read_bytes())
    assert born.poll() is None

    nursery.close()

    assert born.wait(30) == -9
    wait_until(lambda: not Path(f"/proc/{born.pid}").exists())
