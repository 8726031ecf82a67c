"""What the machine must bring that pip cannot install, and whether a port is free.

Imports nothing of the package but its errors: cv2 and mediapipe fail to import where these
libraries are missing.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import sys

from moodmesh.errors import UserError

# The shared libraries that cv2 and mediapipe load, and the Debian/Ubuntu package of each.
LIBRARIES = {"libGL.so.1": "libgl1", "libEGL.so.1": "libegl1", "libGLESv2.so.2": "libgles2"}


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
