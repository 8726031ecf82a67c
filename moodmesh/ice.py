"""The STUN and TURN servers that both ends of the camera's stream are told, with passwords.

A TURN server relays a stream where no direct way leads through. Its passwords are made here and
expire: the scheme of draft-uberti-behave-turn-rest-00, coturn's ``use-auth-secret``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any

from moodmesh.settings import Network


def servers(network: Network, user: str, now_s: float | None = None) -> list[dict[str, Any]]:
    """The ICE servers as WebRTC wants them; none where none are set.

    user: a name for this visit, which the TURN server counts by; it says nothing of the person.
    """
    found: list[dict[str, Any]] = []
    if network.stun:
        found.append({"urls": list(network.stun)})
    if network.turn:
        username, credential = network.turn_username, network.turn_password
        if network.turn_secret:
            now_s = time.time() if now_s is None else now_s
            username, credential = _short_lived(network, user, now_s)
        found.append({"urls": list(network.turn), "username": username, "credential": credential})
    return found


def browser(network: Network, user: str) -> dict[str, Any]:
    """The browser's RTCConfiguration."""
    policy = {"iceTransportPolicy": "relay"} if network.relay_only else {}
    return {"iceServers": servers(network, user), **policy}


def _short_lived(network: Network, user: str, now_s: float) -> tuple[str, str]:
    """User name and password for at least turn_hours, the same ones for that long.

    The same ones, because a page that is redrawn must not hand its running stream new ones.
    """
    lifetime_s = network.turn_hours * 3600
    expiry = int((now_s // lifetime_s + 2) * lifetime_s)
    username = f"{expiry}:{user}"
    digest = hmac.digest(network.turn_secret.encode(), username.encode(), hashlib.sha1)
    return username, base64.b64encode(digest).decode()
