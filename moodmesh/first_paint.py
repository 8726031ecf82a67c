"""The app's own looks from the first pixel on: its style sheet inside the page that is sent.

Streamlit sends an empty page and its own looks, narrow and white; ours would come with the first
answer over the WebSocket, and everything that stands there by then would jump.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st
from starlette.datastructures import MutableHeaders

CSS = Path(__file__).parent / "pages" / "shell.css"


def ground(theme: str) -> str:
    """The page's background colour in the 'light' or the 'dark' theme."""
    return st.get_option(f"theme.{theme}.backgroundColor") or "transparent"


def style() -> bytes:
    """The style element; light or dark as the browser asks, which Streamlit follows too."""
    dark = f"@media (prefers-color-scheme: dark) {{ :root {{ --mm-ground: {ground('dark')} }} }}"
    colours = f":root {{ --mm-ground: {ground('light')} }} {dark}"
    return f"<style>{colours} {CSS.read_text('utf-8')}</style>".encode()


class FirstPaint:
    """ASGI middleware that adds :func:`style` to the head of every HTML page."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers one request."""
        headers = scope.get("headers", [])
        if any(name == b"accept" and b"text/html" in value for name, value in headers):
            # A page has to come uncompressed to be added to; it has 12 kB.
            scope = {**scope, "headers": [h for h in headers if h[0] != b"accept-encoding"]}
        started: Any = None
        body = b""

        async def send_styled(message: Any) -> None:
            nonlocal started, body
            if message["type"] == "http.response.start" and _is_page(message):
                started = message
            elif started is not None and message["type"] == "http.response.body":
                body += message.get("body", b"")
                if message.get("more_body"):
                    return
                if body:  # none for HEAD
                    body = body.replace(b"</head>", style() + b"</head>", 1)
                    headers = MutableHeaders(scope=started)
                    headers["content-length"] = str(len(body))
                    # They tell the age of Streamlit's file, and not that of the style sheet.
                    for name in ("etag", "last-modified"):
                        del headers[name]
                await send(started)
                await send({"type": "http.response.body", "body": body})
            else:
                await send(message)

        await self.app(scope, receive, send_styled)


def _is_page(message: Any) -> bool:
    headers = MutableHeaders(scope=message)
    return (
        message["status"] == 200
        and headers.get("content-type", "").startswith("text/html")
        and "content-encoding" not in headers
    )
