"""nginx as deploy/nginx.conf sets it up, before two stand-ins for replicas of the app.

Skips plainly where nginx is not installed (sudo apt-get install nginx-light).
"""

from __future__ import annotations

import http.client
import re
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests import nginx

pytestmark = nginx.mark


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
    with nginx.running(tmp_path_factory.mktemp("nginx"), replicas) as port:
        yield port


def ask(port: int, path: str = "/", **headers: str) -> tuple[int, http.client.HTTPMessage, str]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
    connection.request("GET", path, headers={"Host": nginx.DOMAIN, **headers})
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
    assert ask(https)[2].split()[1] == nginx.DOMAIN
    status, _, text = ask(https, Upgrade="websocket", Connection="Upgrade")
    assert (status, text.split()[-1]) == (200, "upgrade")


def test_the_answers_ask_for_https_and_hide_the_numbers(https: int) -> None:
    _, headers, _ = ask(https)
    assert headers["Strict-Transport-Security"]
    assert ask(https, "/_stcore/metrics")[0] == 403
