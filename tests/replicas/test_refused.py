"""What a replica is told to serve: what several servers cannot share is refused before anything is answered."""

import pytest

from app.opening import Unservable, settings_of_replicas
from app.settings import Settings
from tests.conftest import MakeKey


def test_a_folder_that_is_somewhere_else_for_each_is_refused() -> None:
    """Ray decides in which folder a replica begins."""
    with pytest.raises(Unservable, match="Set an absolute path"):
        settings_of_replicas(Settings(insecure=True), nodes=1)


@pytest.mark.only_on("sqlite")
def test_sqlite_is_for_replicas_of_one_machine(settings: Settings) -> None:
    """On one node they share the file, as workers do; on two, each would have its own."""
    open_to_all = settings.model_copy(update={"insecure": True})

    assert settings_of_replicas(open_to_all, nodes=1).models == settings.models
    with pytest.raises(Unservable, match=r"the cluster has 2\. Set NETLET_DATABASE_URL, and NETLET_STORE"):
        settings_of_replicas(open_to_all, nodes=2)


def test_without_a_key_replicas_are_not_begun(settings: Settings, make_key: MakeKey) -> None:
    """Whatever address is set: Serve listens, and who reaches it is not known here; whoever wants that says so."""
    with pytest.raises(Unservable, match=r"netlet keys create.*NETLET_INSECURE=true"):
        settings_of_replicas(settings, nodes=1)

    assert not settings_of_replicas(settings.model_copy(update={"insecure": True}), nodes=1).is_exposed
    make_key("predict", expires=1.0)
    with pytest.raises(Unservable):
        settings_of_replicas(settings, nodes=1)
    make_key("predict")
    assert settings_of_replicas(settings, nodes=1).is_exposed
