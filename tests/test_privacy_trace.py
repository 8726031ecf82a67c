"""The real app under strace while a camera is on: which files are written, who is spoken to.

strace sees every system call of the server's threads and of what it starts, so that nothing a
library does can be missed. Skips plainly where strace is not installed or may not trace.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import psutil
import pytest

from tests import browser, warped_face

STRACE = shutil.which("strace")
pytestmark = [
    *browser.marks,
    pytest.mark.skipif(
        STRACE is None and not os.environ.get("MOODMESH_NEEDS_STRACE"),
        reason="strace is not installed (sudo apt-get install strace)",
    ),
]

PATIENCE_MS = 60_000
# How long the camera is watched once a face has been read from it.
WATCHED_S = 6.0
# What opens, makes, renames or sends. Writing into a file needs it opened for writing first; files
# that were open before are found in /proc.
CALLS = (
    "open,openat,openat2,creat,rename,renameat,renameat2,mkdir,mkdirat,link,linkat,"
    "connect,sendto,sendmsg,sendmmsg"
)
# Not files: memory, devices that keep nothing, and the kernel's own tables.
NO_FILE = re.compile(r"^(/dev/(null|zero|shm/|urandom|tty|pts/)|/proc/|/sys/|memfd:|/memfd)")
_OPENED = re.compile(r'(?:open|openat|openat2|creat)\((?:[^"]*, )?"([^"]*)"(.*)')
_CONNECTED = re.compile(r"(?:connect|sendto|sendmsg|sendmmsg)\(.*sa_family=(AF_INET6?), (.*)")


@dataclass(frozen=True)
class Traced:
    """What a process did: paths it opened for writing or made, addresses it spoke to."""

    written: set[str]
    spoken_to: set[str]


def read(lines: Iterable[str]) -> Traced:
    """What these lines of strace tell."""
    written: set[str] = set()
    spoken: set[str] = set()
    for line in lines:
        if found := _CONNECTED.search(line):
            # An attempt counts, whatever came of it.
            address = re.search(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"', line)
            assert address, line
            spoken.add(address.group(1) or address.group(2))
        elif " = -1 E" in line:
            continue  # what failed wrote nothing
        elif found := _OPENED.search(line):
            path, how = found.groups()
            if re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC|APPEND)|creat\(", how) or "creat(" in line:
                written.add(path)
        elif re.search(r"(rename|mkdir|link)\w*\(", line):
            written |= set(re.findall(r'"([^"]*)"', line))
    return Traced({path for path in written if not NO_FILE.match(path)}, spoken)


def test_the_reader_sees_what_is_done() -> None:
    """Lines as strace writes them; without this, a changed format would find nothing wrong."""
    found = read(
        [
            '7 openat(AT_FDCWD, "/home/a.png", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 9',
            '7 openat(AT_FDCWD, "/home/read.txt", O_RDONLY|O_CLOEXEC) = 9',
            '7 openat(AT_FDCWD, "/dev/null", O_RDWR) = 9',
            '7 openat(AT_FDCWD, "/denied", O_WRONLY|O_CREAT, 0666) = -1 EACCES (denied)',
            '7 mkdir("/home/new", 0777) = 0',
            "7 connect(9, {sa_family=AF_INET, sin_port=htons(443), "
            'sin_addr=inet_addr("203.0.113.9")}, 16) = -1 EINPROGRESS (in progress)',
            '8 sendto(9, "x", 1, 0, {sa_family=AF_INET6, sin6_port=htons(5), sin6_flowinfo=0,'
            ' inet_pton(AF_INET6, "2001:db8::1", &sin6_addr), sin6_scope_id=0}, 28) = 1',
            '8 connect(9, {sa_family=AF_UNIX, sun_path="/run/x"}, 110) = 0',
        ]
    )
    assert found.written == {"/home/a.png", "/home/new"}
    assert found.spoken_to == {"203.0.113.9", "2001:db8::1"}


def named(lines: Iterable[str]) -> list[str]:
    """What names a computer of Google: where MediaPipe's usage statistics would go.

    A name may be looked up on this very machine (systemd-resolved), over any kind of socket.
    """
    return [line for line in lines if "googleapis" in line]


FINDS_A_FACE = """
import os, time
from skimage.data import astronaut
from moodmesh.face import FaceFinder, FaceTracker
before = dict(os.environ)
with FaceFinder() as finder, FaceTracker() as tracker:
    for time_ms in range(0, 300, 33):
        assert finder.find(astronaut()) and tracker.track(astronaut(), time_ms)
    time.sleep(1)  # they are sent by a thread of their own, at the start and when it closes
time.sleep(1)
assert os.environ == before  # songs are still looked up over a proxy that is set for them
"""


@pytest.mark.parametrize(
    "proxies",
    [{}, {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "*", "all_proxy": "http://127.0.0.1:9"}],
    ids=["no proxy", "a proxy and a way past it"],
)
def test_from_its_first_face_to_its_last_mediapipe_speaks_to_nobody(
    tmp_path: Path, proxies: dict[str, str]
) -> None:
    assert STRACE is not None, "strace is not installed (sudo apt-get install strace)"
    log = tmp_path / "trace"
    strace = [STRACE, "-f", "-qq", "-s", "256", "-e", f"trace={CALLS}", "-e", "signal=none"]
    done = subprocess.run(
        [*strace, "-o", log, sys.executable, "-c", FINDS_A_FACE],
        cwd=browser.ROOT,
        env=os.environ | proxies,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if "ptrace" in done.stderr and done.returncode:
        _refused(done.stderr)
    assert done.returncode == 0, done.stderr
    lines = log.read_text("utf-8", "replace").splitlines()
    assert any("face_landmarker.task" in line for line in lines), "nothing was traced"
    assert named(lines) == []
    assert read(lines).spoken_to == set()


def _refused(words: str) -> NoReturn:
    """Ends a test where the machine lets nobody trace: a failure where that was promised."""
    stop = pytest.fail if os.environ.get("MOODMESH_NEEDS_STRACE") else pytest.skip
    stop(f"strace may not trace here: {words.strip()}")


def own_addresses() -> set[str]:
    """This machine's own: where the browser of this test is."""
    found = {a.address.split("%")[0] for all_ in psutil.net_if_addrs().values() for a in all_}
    return found | {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def open_for_writing(pid: int) -> set[str]:
    """The files that a process could write into without opening them."""
    found = set()
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        for file in process.open_files():  # regular files alone
            if file.mode != "r":
                found.add(file.path)
    return {path for path in found if not NO_FILE.match(path)}


def test_while_the_camera_is_on_nothing_is_written_and_nobody_else_is_spoken_to(
    tmp_path: Path,
) -> None:
    clip = warped_face.write_webcam_clip(tmp_path / "face.mjpeg", [("happy", 6.0), ("sad", 6.0)])
    port = browser.free_port()
    home = tmp_path / "home"
    environment = browser.home(home) | {"TMPDIR": str(home / "tmpdir")}
    (home / "tmpdir").mkdir(parents=True)
    # The journal and the search for songs are about music, and are told of on Privacy; without
    # them, whatever is found comes from the camera.
    environment |= {"MOODMESH_HISTORY_DAYS": "0", "MOODMESH_FIND_SONGS": "false"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"  # modules that are new here, compiled
    command = ["app.py", "--port", str(port), "--no-browser"]
    log = tmp_path / "trace"
    with (
        browser.serving(command, port, environment) as (address, app),
        browser.launched(clip) as chromium,
    ):
        page = chromium.new_page()
        page.set_default_timeout(PATIENCE_MS)
        browser.stub_youtube(page)
        page.goto(address)
        # The first camera of a server loads libraries, some of which write caches of their own
        # (matplotlib its list of fonts). From the second on there are only pictures.
        page.get_by_role("button", name="Turn on camera").click()
        page.wait_for_selector('.mm-look[data-state="seen"]')
        page.get_by_role("button", name="Turn off camera").click()
        page.get_by_role("button", name="Turn on camera").wait_for()
        before = {path for path in home.rglob("*") if path.is_file()}
        assert STRACE is not None, "strace is not installed (sudo apt-get install strace)"
        attach = [STRACE, "-f", "-qq", "-s", "256", "-e", f"trace={CALLS}"]
        strace = subprocess.Popen(
            [*attach, "-o", log, "-p", str(app.pid)], stderr=subprocess.PIPE, text=True
        )
        try:
            deadline = time.monotonic() + 20
            while "TracerPid:\t0" in Path(f"/proc/{app.pid}/status").read_text():
                if strace.poll() is not None and strace.stderr:
                    _refused(strace.stderr.read())
                assert time.monotonic() < deadline, "strace did not attach"
                time.sleep(0.05)
            page.get_by_role("button", name="Turn on camera").click()
            page.wait_for_selector('.mm-look[data-state="seen"]')
            page.wait_for_timeout(WATCHED_S * 1000)
            writable = open_for_writing(app.pid)
            page.get_by_role("button", name="Turn off camera").click()
            page.get_by_role("button", name="Turn on camera").wait_for()
        finally:
            strace.terminate()
            strace.wait(10)
    lines = log.read_text("utf-8", "replace").splitlines()
    traced = read(lines)
    assert traced.spoken_to, "not even the stream to the browser was seen"
    assert traced.written | writable == set()
    assert {path for path in home.rglob("*") if path.is_file()} <= before
    assert traced.spoken_to <= own_addresses()
    assert named(lines) == []
