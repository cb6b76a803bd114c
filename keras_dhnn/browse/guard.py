"""Let nobody but the page itself ask: names, origins, a token for what changes something, and what a page may load.

A page of another site can make its visitor's browser send requests here. By a name of its own that leads here it could
read the answers too (DNS rebinding), so Host and Origin must be this server's. The token is in an answer that only the
page can read, and in a header that only its own scripts can set.
"""

import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keras_dhnn.browse.refusal import Refusal
from keras_dhnn.saved_models.serving.hosts import Hosts

TOKEN = "x-keras-dhnn-token"
_SAFE = ("GET", "HEAD")
# No script or style but from files of ours, nothing from other hosts; a map library's workers are blobs.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "font-src 'self'",
        "worker-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class Guard:
    """Check every request before an application sees it, and say in every answer what a page may load.

    Args:
        app: the ASGI application.
        hosts: `Hosts` by which it may be asked.
        token: what requests that change something must have; see `new_token`.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts, token: str):
        self.app, self.hosts, self.token = app, hosts, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        try:
            self._check(scope["method"], Headers(scope=scope))
        except Refusal as refusal:
            await JSONResponse(refusal.to_json(), refusal.status)(scope, receive, send_guarded)
            return
        await self.app(scope, receive, send_guarded)

    def _check(self, method, headers):
        host, origin = headers.get("host"), headers.get("origin")
        if not self.hosts.allow(host):
            raise Refusal(403, "host", f"This page does not answer to the name {host!r}. Allow it by --allow-host.")
        if not self.hosts.allow_origin(origin):
            raise Refusal(403, "host", f"This page does not answer to pages of {origin!r}.")
        if method not in _SAFE and not secrets.compare_digest(headers.get(TOKEN, "").encode(), self.token.encode()):
            raise Refusal(403, "token", "The page is of an earlier start of the server. Load it again.")


def new_token() -> str:
    """Return a token that nobody guesses."""
    return secrets.token_urlsafe(24)
