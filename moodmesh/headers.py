"""What the app tells every browser to allow its pages: themselves, and YouTube's player.

Streamlit sends no such headers of its own. A page that somehow got foreign text into it could load
no script, send nothing and show no frame but from the places named here.
"""

from __future__ import annotations

from typing import Any

from starlette.datastructures import MutableHeaders

YOUTUBE = "https://www.youtube.com"
PLAYER = "https://www.youtube-nocookie.com"
# Streamlit's own front end makes styles, functions and modules while it runs: without 'inline',
# 'eval' and 'blob:' it shows an empty page.
CONTENT = {
    "default-src": "'self'",
    "script-src": f"'self' 'unsafe-inline' 'unsafe-eval' blob: {YOUTUBE}",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob: https://i.ytimg.com",
    "media-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "frame-src": f"'self' {YOUTUBE} {PLAYER}",
    "frame-ancestors": "'self'",
    "object-src": "'none'",
    "base-uri": "'self'",
}
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in CONTENT.items()),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    # YouTube's player refuses to play for a page that does not say where it is.
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), usb=(), payment=()",
}


class Headers:
    """ASGI middleware that adds :data:`HEADERS` to every answer."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers one request."""

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_headers)
