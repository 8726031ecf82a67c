"""An nginx for tests: deploy/nginx.conf as it is shipped, on loopback ports of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import browser

# Debian puts it where only root's PATH leads.
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
CONFIGURATION = Path(__file__).parent.parent / "deploy" / "nginx.conf"
DOMAIN = "moodmesh.example.org"

mark = pytest.mark.skipif(
    NGINX is None and not os.environ.get("MOODMESH_NEEDS_NGINX"),
    reason="nginx is not installed (sudo apt-get install nginx-light)",
)


def configuration(folder: Path, port: int, replicas: Sequence[int], domain: str) -> str:
    """The shipped configuration with the values that its comments call yours."""
    site = CONFIGURATION.read_text()
    for before, after in (
        (":8501", f":{replicas[0]}"),
        (":8502", f":{replicas[-1]}"),
        ("listen 443 ssl http2;", f"listen 127.0.0.1:{port} ssl http2;"),
        ("listen 80;", f"listen 127.0.0.1:{browser.free_port()};"),
        (f"/etc/letsencrypt/live/{DOMAIN}/fullchain.pem", f"{folder}/cert.pem"),
        (f"/etc/letsencrypt/live/{DOMAIN}/privkey.pem", f"{folder}/key.pem"),
        (DOMAIN, domain),
    ):
        assert before in site, before
        site = site.replace(before, after)
    if replicas[0] == replicas[-1]:
        site = site.replace(f"    server 127.0.0.1:{replicas[0]};\n", "", 1)
    site = re.sub(r" *listen \[::\].*\n", "", site)
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\n{temporary}\n{site}\n}}\n"
    )


@contextmanager
def running(
    folder: Path, replicas: Sequence[int], domain: str = DOMAIN, port: int | None = None
) -> Iterator[int]:
    """nginx before one or two replicas at these ports, with a certificate of its own: its port."""
    port = port or browser.free_port()
    make = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={domain}".split()
    files = ["-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    subprocess.run([*make, *files], check=True, capture_output=True)
    path, log = folder / "nginx.conf", folder / "error.log"
    path.write_text(configuration(folder, port, replicas, domain))
    assert NGINX is not None, "nginx is not installed (sudo apt-get install nginx-light)"
    process = subprocess.Popen([NGINX, "-c", path, "-e", log])
    try:
        browser.wait_for_port(
            port, process, 10, lambda: log.read_text() if log.exists() else "nginx did not start"
        )
        yield port
    finally:
        process.terminate()
        process.wait(10)
