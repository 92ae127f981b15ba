"""Replicas: servers of the same application on the nodes of a Ray cluster, as many as there is work for.

`serve run app.replicas:application` runs them; Ray Serve takes the connections, and chooses who answers.
"""

import ray
from ray import serve
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.connections.proxied import Proxied
from app.errors import NetletError
from app.listening import most_connections
from app.main import connection_limits, create_app, parts_in
from app.memory import keep_freed_blocks
from app.opening import settings_of_replicas
from app.settings import Settings
from app.store.references import Reference
from app.telemetry import log_json_lines

MOST_REMEMBERED = 1000
"""Models that Serve remembers of a replica: those that it was asked for last, as in its own cache."""


@serve.deployment(
    name="netlet",
    max_ongoing_requests=512,  # NETLET_MOST_REQUESTS and NETLET_MOST_STREAMS: what is more, netlet itself refuses
    max_queued_requests=512,
    autoscaling_config={"min_replicas": 1, "max_replicas": 100, "target_ongoing_requests": 8},
    graceful_shutdown_timeout_s=30.0,
    graceful_shutdown_wait_loop_s=0.5,
    max_constructor_retry_count=3,  # what cannot be served now is told soon
    logging_config={"enable_access_log": False},  # netlet's own lines tell more
)
@serve.ingress()
class Replica:
    """One of them: a server with all its parts, which answers any model and tells Serve which ones it has loaded."""

    def __init__(self) -> None:
        """Read settings from the environment; raise Unservable where several servers cannot share what they name."""
        log_json_lines()
        self.settings = settings_of_replicas(Settings(), nodes=_nodes())
        most_connections()

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """Make the application, as Serve wants it: in the process that answers."""
        keep_freed_blocks()
        self.service = create_app(self.settings)
        proxied = Proxied(self.service, connection_limits(self.settings, self.settings.most_connections))

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            """Answer a request; from then on Serve sends those for the same model here, too."""
            await proxied(scope, receive, send)
            if scope["type"] == "http" and self._has_loaded(model := serve.get_multiplexed_model_id()):
                await self.remember(model)

        return answer

    def _has_loaded(self, model: str) -> bool:
        parts = parts_in(self.service)
        try:
            return parts is not None and Reference.parse(model).name in parts.loaded.cache.of
        except NetletError:
            return False

    @serve.multiplexed(max_num_models_per_replica=MOST_REMEMBERED)  # type: ignore[untyped-decorator] # it has no types
    async def remember(self, model: str) -> str:
        """Let Serve know that a model is loaded here, whose bytes are counted where they are."""
        return model


def _nodes() -> int:
    """Count the machines on which a replica may be."""
    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    return sum(node["Alive"] and node["Resources"].get("CPU", 0) >= 1 for node in nodes)


application = Replica.bind()  # type: ignore[attr-defined] # which is a deployment by then
