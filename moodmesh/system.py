"""What the machine must bring that pip cannot install, and whether a port is free.

Imports nothing of the package but its errors: cv2 and mediapipe fail to import where these
libraries are missing.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import errno
import functools
import gc
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from moodmesh.errors import UserError

# The shared libraries that cv2 and mediapipe load, and the Debian/Ubuntu package of each.
LIBRARIES = {"libGL.so.1": "libgl1", "libEGL.so.1": "libegl1", "libGLESv2.so.2": "libgles2"}

# What MediaPipe's and LiteRT's C++ parts say whenever they start; nobody can do anything about it.
CHATTER = (
    "^WARNING: Logging before InitGoogle",
    "^INFO: Created TensorFlow Lite XNNPACK delegate",
    r"^[IW][0-9]{4} .*(inference_feedback_manager|face_landmarker_graph|portable_clearcut"
    r"|gl_context|hand_landmarker_graph|holistic_landmarker|landmark_projection_calculator)",
)


def hush() -> None:
    """Keeps the C++ parts' start-up lines off standard error; everything else still gets there.

    They write to the descriptor itself and offer no switch for it. The lines run through a `grep`
    of its own process, so that a crash here still shows its last words. Where there is no grep,
    or no descriptor, all stays as it is.
    """
    grep = shutil.which("grep")
    if grep is None or os.environ.get("MOODMESH_VERBOSE"):
        return
    try:
        patterns = [part for pattern in CHATTER for part in ("-e", pattern)]
        filtering = subprocess.Popen(
            [grep, "-v", "-E", "--line-buffered", "-a", *patterns],
            stdin=subprocess.PIPE,
            stdout=2,
            # Ctrl-C is for us; it ends when the last writer has gone.
            start_new_session=True,
        )
        assert filtering.stdin is not None
        sys.stderr.flush()
        os.dup2(filtering.stdin.fileno(), 2)
        filtering.stdin.close()
    except OSError:
        return
    atexit.register(_last_words, filtering)


@functools.cache
def settle(loaded: str) -> None:
    """Spares later garbage collections what is loaded by now; once for each name of it.

    Streamlit collects all garbage after each drawing of a page or a part of it, which looks at
    every object there is and holds up every thread: 145 ms, several times a second while a camera
    is on, where songs, MediaPipe and Streamlit's own modules make up nearly all of them. What is
    loaded stays anyway, so it is never looked at again (`gc.freeze`). Of the visits that are open
    at this moment, what only refers to itself stays too: once or twice in a server's life.
    """
    gc.collect()
    gc.freeze()


# A proxy of a kind that does not exist: libcurl gives up before it looks up a name or connects.
NO_PROXY_AT_ALL = "none://none"


def keep_mediapipe_offline() -> None:
    """Stops MediaPipe's usage statistics; call it before mediapipe is imported.

    MediaPipe 1.2.2 counts what it is used for and how fast it is, sends that to
    https://play.googleapis.com/log and has no switch for it
    (github.com/google-ai-edge/mediapipe/issues/6291). It sends through a libcurl of its own, which
    reads the proxy to use from the C library's environment each time. `os.putenv` writes there
    and not into `os.environ`, where Python's own clients look: a proxy that is set for them stays.
    Processes started later inherit it; of ours, none needs the network.
    """
    os.putenv("https_proxy", NO_PROXY_AT_ALL)
    for name in ("no_proxy", "NO_PROXY"):  # would lead past it
        os.unsetenv(name)


def _last_words(filtering: subprocess.Popen[bytes]) -> None:
    """Lets what was said last reach the terminal before the shell's prompt does."""
    sys.stderr.flush()
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    with contextlib.suppress(subprocess.TimeoutExpired):
        filtering.wait(0.5)


def missing_packages() -> list[str]:
    """The Debian packages of the system libraries that cannot be loaded."""
    missing = []
    for library, package in LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
    return missing


def require_libraries() -> None:
    """Raises UserError where a system library is missing, with the command that brings it."""
    if packages := missing_packages():
        raise UserError(
            "Reading faces needs system libraries that are not installed here. On Debian or "
            f"Ubuntu: sudo apt-get install {' '.join(packages)}"
        )


def has_browser() -> bool:
    """Whether a browser window can be opened here: not on a server without a screen."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")) or (
        sys.platform in {"darwin", "win32"}
    )


def require_free_port(address: str, port: int) -> None:
    """Raises UserError where nothing can listen on this port."""
    try:
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, place = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        why = (
            "is in use by another program (perhaps moodmesh is open already)"
            if error.errno == errno.EADDRINUSE
            else f"cannot be used ({error.strerror})"
        )
        raise UserError(
            f"Port {port} {why}. Close that program or choose another port: "
            f"make app PORT={port + 1 if port < 65535 else 8501}"
        ) from None


# Names that never lead away from this machine (RFC 6761, 6.3).
LOCAL_HOSTS = ("localhost", "*.localhost", "127.0.0.1", "::1")


def allowed_hosts(address: str, names: Sequence[str]) -> list[str]:
    """The names that a browser may have in its address bar; empty for any.

    Without them a page on the internet could point its own name at this machine and read along (DNS
    rebinding). Where the app listens to a whole network, only who runs it knows its names.
    """
    everywhere = address in {"", "0.0.0.0", "::"}
    return [] if everywhere and not names else [*LOCAL_HOSTS, address, *names]
