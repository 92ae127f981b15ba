"""HEAD: what GET would be answered, without its body, on every path that takes GET."""

from anyio import CancelScope
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadMethod:
    """Lets routes see GET where HEAD was asked; whoever is in front of this sees HEAD, and sends no body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection; anything but HEAD passes through."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        asked = {**scope, "method": "GET"}

        async def answer(message: Message) -> None:
            scope.update(asked, method="HEAD")  # which route took it, for those in front
            if message.get("more_body", False):
                rest.cancel()  # of a stream, which might never end
            elif not rest.cancel_called:
                await send(message)

        with CancelScope() as rest:
            await self.app(asked, receive, answer)
        if rest.cancel_called:
            await send({"type": "http.response.body"})
