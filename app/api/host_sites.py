"""Pages of other sites: what the chat widget needs, they may load and call."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

FOR_HOST_SITES = ("/v1/conversations", "/web/")


class HostSites:
    """Lets the pages of any origin use the customers' routes and the widget's files, and nothing else.

    The caller is known by a token in a header, never by a cookie: a page that does not hold a customer's token can do
    no more from a browser than from anywhere else.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.same_origin = app
        self.any_origin = CORSMiddleware(
            app,
            allow_origins=["*"],
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "Last-Event-ID", "Prefer"],
            max_age=86400,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on by its path."""
        shared = scope["type"] == "http" and scope["path"].startswith(FOR_HOST_SITES)
        await (self.any_origin if shared else self.same_origin)(scope, receive, send)
