"""Runs localstripe, a stateful stand-in for Stripe, as a process of its own: prints its port, then serves.

It listens on the loopback alone and keeps nothing on disk. Three things that it does not know are added here: the
parameters `proration_behavior` and `payment_behavior` of a changed subscription, which are taken and left aside, and
the route that sends an invoice, which does nothing.
"""

import socket
from typing import Any

from aiohttp import web
from localstripe import resources, server


def lenient(update: Any) -> Any:
    """The update of a subscription with the two parameters that localstripe does not know."""

    def updated(self: Any, proration_behavior: str = "", payment_behavior: str = "", **known: Any) -> None:
        update(self, **known)

    return updated


def main() -> None:
    """Serve until the process is ended."""
    resources.Store.dump_to_disk = lambda self: None
    resources.Subscription._update = lenient(resources.Subscription._update)
    route = "/v1/invoices/{id}/send"
    server.app.router.add_post(route, server.api_extra(resources.Invoice._api_retrieve, route))
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    web.run_app(server.app, sock=listening, print=None, access_log=None)


if __name__ == "__main__":
    main()
