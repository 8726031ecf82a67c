"""Answers a trial connection of the page's connection check, to see which way a stream would take.

The page opens a WebRTC data channel as the camera's stream would open its own, with the same ICE
servers, and this end echoes what comes through it. No camera is needed and nothing is kept.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from typing import Any

from aiortc import RTCPeerConnection, RTCSessionDescription
from streamlit_webrtc.config import compile_rtc_configuration

from moodmesh.errors import UserError

# Longer than any check needs, its slowest part being a TURN server that does not answer (5 s).
LIFETIME_S = 30.0
ANSWER_S = 15.0
# A check takes 4 kB of SDP; more comes from something else than this page.
LONGEST_OFFER = 64_000
# Checks at a time, each a few sockets: more are a flood.
MOST_CHECKS = 16

LOGGER = logging.getLogger(__name__)

_running: set[asyncio.Task[None]] = set()


def answer(offer: str, servers: list[dict[str, Any]]) -> str:
    """The SDP answer to this offer; the other end then has LIFETIME_S to try the way.

    Raises UserError where the offer is none, or too many are being answered.
    """
    if len(offer) > LONGEST_OFFER:
        raise UserError("The check sent too much. Reload the page and try again.")
    if len(_running) >= MOST_CHECKS:
        raise UserError("Many people are checking right now. Try again in half a minute.")
    answering = asyncio.run_coroutine_threadsafe(_answer(offer, servers), _loop())
    try:
        return answering.result(ANSWER_S)
    except TimeoutError:
        raise UserError(
            "The server's own STUN or TURN server does not answer. Whoever runs this server should "
            "check the [network] settings."
        ) from None
    except Exception as error:
        # What aiortc stumbles over in an offer that is none has no common class.
        LOGGER.info("an offer could not be answered: %r", error)
        raise UserError(
            "The check could not be understood. Reload the page and try again."
        ) from None


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """A loop of its own, so that a check never delays a stream's frames or another page."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="connection-check", daemon=True).start()
    return loop


async def _answer(offer: str, servers: list[dict[str, Any]]) -> str:
    end = RTCPeerConnection(compile_rtc_configuration({"iceServers": servers}))
    over = asyncio.Event()

    @end.on("datachannel")
    def _opened(channel: Any) -> None:
        channel.on("message", channel.send)

    @end.on("connectionstatechange")
    def _changed() -> None:
        if end.connectionState in {"closed", "failed"}:
            over.set()

    async def live() -> None:
        try:
            await asyncio.wait_for(over.wait(), LIFETIME_S)
        except TimeoutError:
            pass
        finally:
            await end.close()

    task = asyncio.ensure_future(live())
    _running.add(task)
    task.add_done_callback(_running.discard)
    try:
        await end.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await end.setLocalDescription(await end.createAnswer())
    except BaseException:
        over.set()
        raise
    sdp: str = end.localDescription.sdp
    return sdp
