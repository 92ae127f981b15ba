"""What deployments say of netlet is so: its settings, its version, its port, its user, its memory, and how it stops."""

import re
import subprocess
from collections.abc import Callable
from typing import NamedTuple

import pytest

import app
from app.settings import Settings
from tests.deploy.linting import ROOT, compose, manifest, pod, unit

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
GUIDE = ROOT / "docs" / "deploy.md"
IMAGE_USER = 10001
SERVER_BYTES = 2**30
"""What is left for the server itself and for bodies that it reads."""
PATIENCE_SECONDS = 35
"""What netlet takes at most to end, and some more."""


class Deployment(NamedTuple):
    """What one of them sets, allows and waits for."""

    environment: dict[str, str]
    memory: int
    patience: float
    """Seconds between the signal and the end."""


def _kubernetes() -> Deployment:
    (container,) = pod()["containers"]
    memory = int(container["resources"]["limits"]["memory"].removesuffix("Gi"))
    paused = float(container["lifecycle"]["preStop"]["exec"]["command"][1])
    environment = {each["name"]: each.get("value", "") for each in container["env"]}
    return Deployment(environment, memory * 2**30, pod()["terminationGracePeriodSeconds"] - paused)


def _compose() -> Deployment:
    netlet = compose("netlet")
    environment = {name: str(value) for name, value in netlet["environment"].items()}
    memory = int(netlet["mem_limit"].removesuffix("g"))
    return Deployment(environment, memory * 2**30, float(netlet["stop_grace_period"].removesuffix("s")))


def _systemd() -> Deployment:
    told = unit()
    environment = dict(re.findall(r"(\w+)=(\S+)", told["Environment"]))
    return Deployment(environment, int(told["MemoryMax"].removesuffix("G")) * 2**30, float(told["TimeoutStopSec"]))


DEPLOYMENTS: dict[str, Callable[[], Deployment]] = {"kubernetes": _kubernetes, "compose": _compose, "systemd": _systemd}
each_deployment = pytest.mark.parametrize("read", DEPLOYMENTS.values(), ids=DEPLOYMENTS)


@each_deployment
def test_trainings_and_loaded_models_fit_into_the_memory_that_is_allowed(read: Callable[[], Deployment]) -> None:
    """A training that grows is refused by netlet, before the whole service is killed for it."""
    deployment = read()
    told = {f"NETLET_{name}".upper(): field.default for name, field in Settings.model_fields.items()}
    told |= deployment.environment

    trainings = int(told["NETLET_TRAININGS_AT_ONCE"]) * int(told["NETLET_TRAINING_BYTES"])
    models = int(told["NETLET_CACHE_BYTES"])

    assert int(told["NETLET_WORKERS"]) == 1  # each would have all of that
    assert trainings + models + SERVER_BYTES <= deployment.memory


@each_deployment
def test_netlet_has_ended_before_it_would_be_killed(read: Callable[[], Deployment]) -> None:
    """Requests end, and trainings write down how far they are."""
    assert read().patience >= PATIENCE_SECONDS


@each_deployment
def test_every_setting_is_one_that_netlet_has(read: Callable[[], Deployment]) -> None:
    """A name that nobody reads would promise what is not so."""
    known = {f"NETLET_{name}".upper() for name in Settings.model_fields}

    assert {name for name in read().environment if name.startswith("NETLET_")} <= known


def test_the_image_is_of_this_version() -> None:
    """Compose builds it under the name that Kubernetes takes it by."""
    (image,) = manifest("kustomization")["images"]

    assert compose("netlet")["image"] == f"netlet:{app.__version__}"
    assert (image["name"], image["newTag"]) == (pod()["containers"][0]["image"], app.__version__)


def test_everybody_knows_the_images_user_port_and_folder_by_the_same_names() -> None:
    """Kubernetes refuses to run an image whose user has no number, and mounts the store where the image has it."""
    (container,) = pod()["containers"]
    port = Settings.model_fields["port"].default

    assert f"USER {IMAGE_USER}:{IMAGE_USER}" in DOCKERFILE
    assert {pod()["securityContext"][key] for key in ("runAsUser", "runAsGroup", "fsGroup")} == {IMAGE_USER}
    assert f"NETLET_PORT={port}" in DOCKERFILE
    assert container["ports"][0]["containerPort"] == port
    assert compose("netlet")["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert "VOLUME /var/lib/netlet" in DOCKERFILE
    assert container["volumeMounts"][0]["mountPath"] == "/var/lib/netlet"
    assert compose("netlet")["volumes"][0] == "models:/var/lib/netlet"


def test_the_guide_names_this_version_and_files_that_are_there() -> None:
    """What is copied from it is found."""
    guide = GUIDE.read_text(encoding="utf-8")

    assert set(re.findall(r"netlet[:-](\d+\.\d+\.\d+)", guide)) == {app.__version__}
    for link in re.findall(r"\]\(([^)#]+)", guide):
        assert (GUIDE.parent / link).exists(), link


def test_the_guides_commands_are_understood_by_a_shell() -> None:
    """Each block is whole; nothing of it is run."""
    commands = "\n".join(re.findall(r"^```sh\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE))

    run = subprocess.run(["bash", "-n"], input=commands, capture_output=True, text=True, check=False)  # noqa: S607 - any will do

    assert (run.returncode, run.stderr) == (0, "")
