"""nginx as deploy/nginx.conf sets it up, before two stand-ins for replicas of the app.

Skips plainly where nginx is not installed (sudo apt-get install nginx-light).
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests import browser

# Debian puts it where only root's PATH leads.
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
CONFIGURATION = Path(__file__).parent.parent / "deploy" / "nginx.conf"
DOMAIN = "moodmesh.example.org"

pytestmark = pytest.mark.skipif(
    NGINX is None and not os.environ.get("MOODMESH_NEEDS_NGINX"),
    reason="nginx is not installed (sudo apt-get install nginx-light)",
)


class Replica(BaseHTTPRequestHandler):
    """Says which replica it is, and what it was told of the request."""

    def do_GET(self) -> None:
        told = f"{self.server.server_port} {self.headers['Host']} {self.headers['Connection']}"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(told.encode())

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def replicas() -> Iterator[list[int]]:
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), Replica) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield [server.server_port for server in servers]
    for server in servers:
        server.shutdown()


@pytest.fixture(scope="module")
def https(replicas: list[int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("nginx")
    make = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={DOMAIN}".split()
    files = ["-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    subprocess.run([*make, *files], check=True, capture_output=True)
    port, plain = browser.free_port(), browser.free_port()
    site = CONFIGURATION.read_text()
    for before, after in (
        (":8501", f":{replicas[0]}"),
        (":8502", f":{replicas[1]}"),
        ("listen 443 ssl http2;", f"listen 127.0.0.1:{port} ssl http2;"),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        (f"/etc/letsencrypt/live/{DOMAIN}/fullchain.pem", f"{folder}/cert.pem"),
        (f"/etc/letsencrypt/live/{DOMAIN}/privkey.pem", f"{folder}/key.pem"),
    ):
        assert before in site, before
        site = site.replace(before, after)
    site = re.sub(r" *listen \[::\].*\n", "", site)
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\n{temporary}\n{site}\n}}\n"
    )
    assert NGINX is not None, "nginx is not installed (sudo apt-get install nginx-light)"
    process = subprocess.Popen([NGINX, "-c", folder / "nginx.conf", "-e", folder / "error.log"])
    deadline = time.monotonic() + 10
    while True:
        with suppress(OSError):
            ask(port)
            break
        log = folder / "error.log"
        said = log.read_text() if log.exists() else ""
        assert process.poll() is None and time.monotonic() < deadline, said
        time.sleep(0.05)
    yield port
    process.terminate()
    process.wait(10)


def ask(port: int, path: str = "/", **headers: str) -> tuple[int, http.client.HTTPMessage, str]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
    connection.request("GET", path, headers={"Host": DOMAIN, **headers})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, text


def test_a_visit_stays_with_its_replica_and_visits_are_spread(https: int) -> None:
    first = set()
    for _ in range(12):
        _, headers, text = ask(https)
        cookie = headers["Set-Cookie"].split(";")[0]
        replica = text.split()[0]
        first.add(replica)
        again = {ask(https, Cookie=cookie)[2].split()[0] for _ in range(3)}
        assert again == {replica}
    assert len(first) == 2


def test_a_cookie_that_is_not_ours_is_replaced(https: int) -> None:
    _, headers, _ = ask(https, Cookie="moodmesh_visit=../../etc")
    assert re.search(r"moodmesh_visit=[0-9a-f]{32};.*HttpOnly; Secure", headers["Set-Cookie"])


def test_the_app_learns_its_name_and_of_a_websocket(https: int) -> None:
    assert ask(https)[2].split()[1] == DOMAIN
    status, _, text = ask(https, Upgrade="websocket", Connection="Upgrade")
    assert (status, text.split()[-1]) == (200, "upgrade")


def test_the_answers_ask_for_https_and_hide_the_numbers(https: int) -> None:
    _, headers, _ = ask(https)
    assert headers["Strict-Transport-Security"]
    assert ask(https, "/_stcore/metrics")[0] == 403
