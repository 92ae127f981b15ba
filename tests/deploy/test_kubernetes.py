"""The manifests belong together, and hold netlet to Kubernetes' own restricted profile."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from app.main import create_app
from app.settings import Settings
from tests.deploy.linting import DEPLOY, documents, manifest, pod

FOLDER = DEPLOY / "kubernetes"
LABELS = {"app.kubernetes.io/name": "netlet"}
SELECTORS = {
    "deployment": ("selector", "matchLabels"),
    "service": ("selector",),
    "disruptions": ("selector", "matchLabels"),
    "network": ("podSelector", "matchLabels"),
}


def first_key() -> Any:
    """Read what the pod is to be that makes the first key."""
    return manifest("first-key")["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def test_every_manifest_is_applied() -> None:
    """None lies in the folder that kustomization does not name."""
    there = {file.name for file in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}

    assert set(manifest("kustomization")["resources"]) == there


def test_kustomize_puts_the_image_and_the_namespace_everywhere() -> None:
    """What `kubectl apply --kustomize` sends."""
    if not shutil.which("kubectl"):
        pytest.skip("there is no kubectl here, which has kustomize in it")
    run = subprocess.run(["kubectl", "kustomize", str(FOLDER)], capture_output=True, text=True, check=True)  # noqa: S607 - as people do

    sent = documents(run.stdout)

    assert {each["metadata"].get("namespace") for each in sent if each["kind"] != "Namespace"} == {"netlet"}
    (deployment,) = [each for each in sent if each["kind"] == "Deployment"]
    (image,) = manifest("kustomization")["images"]
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == f"{image['newName']}:{image['newTag']}"


@pytest.mark.parametrize("name", SELECTORS)
def test_selectors_mean_our_pods(name: str) -> None:
    """Each finds them by the label that they have."""
    found = manifest(name)["spec"]
    for key in SELECTORS[name]:
        found = found[key]

    assert found == LABELS
    assert manifest("deployment")["spec"]["template"]["metadata"]["labels"] == LABELS


def test_the_autoscaler_counts_the_deployment_and_nothing_else_does() -> None:
    """A number of replicas in the manifest would undo what the autoscaler did, each time it is applied."""
    target = manifest("autoscaler")["spec"]["scaleTargetRef"]
    deployment = manifest("deployment")

    assert (target["kind"], target["name"]) == (deployment["kind"], deployment["metadata"]["name"])
    assert "replicas" not in deployment["spec"]


def test_servers_on_several_nodes_share_one_folder() -> None:
    """More than one replica needs storage that many nodes may write."""
    (models, _) = pod()["volumes"]

    assert manifest("autoscaler")["spec"]["minReplicas"] > 1
    assert models["persistentVolumeClaim"]["claimName"] == manifest("storage")["metadata"]["name"]
    assert manifest("storage")["spec"]["accessModes"] == ["ReadWriteMany"]


def test_probes_ask_what_netlet_answers() -> None:
    """Each is a route; whether the store can be used takes it out of the service, but does not restart it."""
    (container,) = pod()["containers"]
    asked = {name: container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}

    assert asked == {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    assert set(asked.values()) <= create_app(Settings(executor="thread")).openapi()["paths"].keys()


def test_the_name_of_the_service_is_no_setting() -> None:
    """For a service called netlet, Kubernetes sets NETLET_PORT to an address, unless it is told not to."""
    assert manifest("service")["metadata"]["name"] == "netlet"
    assert pod()["enableServiceLinks"] is False


@pytest.mark.parametrize("of", [pod, first_key])
def test_pods_are_held_to_the_restricted_profile_and_more(of: Callable[[], Any]) -> None:
    """What the namespace enforces, and beyond it a root file system that is read-only and no token of the cluster."""
    (container,) = of()["containers"]
    labels = manifest("namespace")["metadata"]["labels"]

    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert of()["securityContext"]["runAsNonRoot"] is True
    assert of()["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert of()["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & of().keys()


def test_the_first_key_is_made_where_the_servers_look_for_it(environment: dict[str, str]) -> None:
    """The same image, user, folder and database; and the command is one that makes a key."""
    server, key = pod(), first_key()
    (serving,), (making,) = server["containers"], key["containers"]
    (netlet, *arguments) = making["command"]

    run = subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments], env=environment, capture_output=True, text=True, check=False
    )

    assert key["securityContext"] == server["securityContext"]
    assert (netlet, making["image"]) == ("netlet", serving["image"])
    assert making["env"][0] == serving["env"][0]
    assert (making["volumeMounts"][0], key["volumes"][0]) == (serving["volumeMounts"][0], server["volumes"][0])
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout


def test_the_password_of_the_database_is_in_no_file() -> None:
    """It is named as a secret, which nobody can apply from here."""
    (url,) = [each for each in pod()["containers"][0]["env"] if each["name"] == "NETLET_DATABASE_URL"]

    assert url["valueFrom"]["secretKeyRef"] == {"name": "netlet-database", "key": "url"}
    assert not [file for file in FOLDER.glob("*.yaml") if "kind: Secret" in file.read_text(encoding="utf-8")]
