"""A coturn for tests: deploy/turnserver.conf as it is shipped, on loopback ports of its own."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import browser

CONFIGURATION = Path(__file__).parent.parent / "deploy" / "turnserver.conf"
TURNSERVER = shutil.which("turnserver")
SECRET = "north-by-northwest"

# Where continuous integration has installed coturn, its absence is a failure.
mark = pytest.mark.skipif(
    TURNSERVER is None and not os.environ.get("MOODMESH_NEEDS_COTURN"),
    reason="coturn is not installed (sudo apt-get install coturn)",
)


@dataclass(frozen=True)
class Coturn:
    """A running one: where it listens, and the file it logs to."""

    port: int
    log: Path

    @property
    def environment(self) -> dict[str, str]:
        """What tells moodmesh of it."""
        return {
            "MOODMESH_TURN": f"turn:127.0.0.1:{self.port}",
            "MOODMESH_TURN_SECRET": SECRET,
        }


def own_address() -> str:
    """This machine's address, the one that a stream's other end sees; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        address: str = probe.getsockname()[0]
    return address


def configuration(folder: Path, port: int) -> str:
    """The shipped configuration with the values that its comments call yours."""
    text = CONFIGURATION.read_text()
    text = text.replace("CHANGE-ME", SECRET).replace("203.0.113.10", own_address())
    text = re.sub(r"^(tls-listening-port|cert|pkey)=.*\n", "", text, flags=re.M)
    text = text.replace("listening-port=3478", f"listening-port={port}").replace("\nsyslog\n", "\n")
    # Everything on one machine: the relay itself, and the relay of the other end, are on loopback.
    loopback = "allowed-peer-ip=127.0.0.1\nallow-loopback-peers\nno-tls\nno-dtls\n"
    here = f"listening-ip=127.0.0.1\nrelay-ip=127.0.0.1\nlog-file={folder}/turn.log\nsimple-log\n"
    return f"{text}{loopback}{here}pidfile={folder}/turn.pid\nuserdb={folder}/turn.db\nverbose\n"


@contextmanager
def running(folder: Path) -> Iterator[Coturn]:
    """coturn on a free port."""
    port = browser.free_port()
    path = folder / "turnserver.conf"
    path.write_text(configuration(folder, port))
    assert TURNSERVER is not None, "coturn is not installed (sudo apt-get install coturn)"
    process = subprocess.Popen(
        [TURNSERVER, "-c", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        browser.wait_for_port(port, process, 20, lambda: "coturn did not start")
        yield Coturn(port, folder / "turn.log")
    finally:
        process.terminate()
        process.wait(10)
