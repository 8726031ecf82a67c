"""The server as `make app` starts it, seen by a stranger: what it refuses, and what it tells; and
the package's own files: nothing that comes from others is ever unpickled or run."""

from __future__ import annotations

import ast
import http.client
import io
import re
import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from moodmesh import pictures, system
from moodmesh.errors import UserError
from moodmesh.headers import HEADERS
from tests import browser, coturn

ROOT = Path(__file__).parent.parent
MB = 2**20


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    free = browser.free_port()
    home = tmp_path_factory.mktemp("home")
    environment = {"XDG_DATA_HOME": str(home), "XDG_CACHE_HOME": str(home)}
    command = ["app.py", "--port", str(free), "--no-browser"]
    with browser.serving(command, free, environment):
        yield free


def ask(
    port: int, path: str, method: str = "GET", body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body or None, sent)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, content


def test_the_settings_are_the_safe_ones() -> None:
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    server = settings["server"]
    assert server["address"] == "localhost"
    assert server["enableXsrfProtection"] and server["enableCORS"]
    assert server["maxUploadSize"] <= 50
    assert not server["enableAgentApi"]
    assert settings["browser"]["gatherUsageStats"] is False
    assert settings["client"]["showErrorDetails"] == "none"


def test_only_this_machine_is_listened_to(port: int) -> None:
    address = coturn.own_address()
    if address.startswith("127."):
        pytest.skip("this machine has no address but its loopback one")
    with socket.socket() as stranger:
        stranger.settimeout(5)
        assert stranger.connect_ex((address, port)) != 0


@pytest.mark.parametrize("path", ["/", "/teach", "/_stcore/health", "/no/such/page.js"])
def test_every_answer_says_what_its_page_may_do(port: int, path: str) -> None:
    _, headers, _ = ask(port, path)
    for name, value in HEADERS.items():
        assert headers[name.lower()] == value
    assert "frame-ancestors 'self'" in headers["content-security-policy"]


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost", "https://evil.example"),
        ("evil.example", "http://evil.example"),  # a name that was pointed at this machine
    ],
)
def test_no_other_page_can_talk_to_the_app(port: int, host: str, origin: str) -> None:
    def talk(origin: str, host: str) -> None:
        address = f"ws://{host}:{port}/_stcore/stream"
        wire = socket.create_connection(("127.0.0.1", port))
        connect(address, sock=wire, origin=origin, subprotocols=["streamlit"], legacy=True).close()

    talk(f"http://localhost:{port}", "localhost")
    with pytest.raises(InvalidStatus, match="403"):
        talk(origin, host)


def test_a_foreign_page_cannot_upload(port: int) -> None:
    path = "/_stcore/upload_file/session/file"
    status, _, content = ask(port, path, "PUT", b"x", Origin="https://evil.example")
    assert (status, b"XSRF" in content) == (403, True)


def test_usage_is_not_counted_and_agents_are_not_let_in(port: int) -> None:
    _, _, content = ask(port, "/_stcore/host-config")
    assert b"fivetran" not in content
    status, _, _ = ask(port, "/_stcore/agent/interact", "POST", b"{}", Content_Type="text/json")
    assert status in {403, 404}


@pytest.mark.parametrize(
    ("address", "names", "allowed"),
    [
        ("localhost", [], {"localhost", "127.0.0.1"}),
        ("192.0.2.7", ["mood.example"], {"localhost", "192.0.2.7", "mood.example"}),
        ("0.0.0.0", ["mood.example"], {"localhost", "mood.example"}),
    ],
)
def test_the_names_that_lead_to_the_app_are_known(
    address: str, names: list[str], allowed: set[str]
) -> None:
    assert allowed <= set(system.allowed_hosts(address, names))


def test_a_server_for_a_whole_network_without_a_name_takes_any() -> None:
    assert system.allowed_hosts("0.0.0.0", []) == []


# --- files from others ------------------------------------------------------------------------


def encoded(kind: str, size: tuple[int, int] = (8, 8), **options: object) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", size).save(content, kind, **options)
    return content.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_photos_of_the_usual_formats_are_read(kind: str) -> None:
    assert pictures.decode(encoded(kind)).shape == (8, 8, 3)


@pytest.mark.parametrize("kind", ["EPS", "PPM", "ICO", "TGA"])
def test_other_formats_are_refused_before_a_decoder_sees_them(kind: str) -> None:
    with pytest.raises(UserError, match="is not a picture"):
        pictures.decode(encoded(kind, (16, 16)))


def test_a_small_file_of_very_many_pixels_is_refused_before_it_is_decoded() -> None:
    bomb = encoded("PNG", (9_000, 6_000))
    assert len(bomb) < MB
    with pytest.raises(UserError, match="9000x6000 pixels"):
        pictures.decode(bomb)


def test_too_many_bytes_are_refused_unread() -> None:
    with pytest.raises(UserError, match="20 MB at most"):
        pictures.decode(b"\xff\xd8" + bytes(pictures.MOST_BYTES))


UNSAFE = {"pickle", "dill", "joblib", "shelve", "marshal", "cloudpickle", "torch"}


def source_files() -> list[Path]:
    return [*(ROOT / "moodmesh").rglob("*.py"), *ROOT.glob("*.py")]


@pytest.mark.parametrize("path", source_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_that_is_read_can_run(path: Path) -> None:
    """No unpickling, no whole Keras models from files, no eval: where a name of one turns up."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            assert not {alias.name.split(".")[0] for alias in node.names} & UNSAFE
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in UNSAFE
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            assert name not in {"eval", "exec", "yaml.load", "os.system"}, name
            assert not re.search(r"(load_model|extractall|read_pickle)$", name), name
            options = {option.arg: ast.unparse(option.value) for option in node.keywords}
            assert options.get("allow_pickle", "False") == "False", name
            assert options.get("shell", "False") == "False", name


def test_numpy_itself_refuses_pickles_where_nobody_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        np.load(path)


def test_the_deployed_login_example_is_one_that_streamlit_reads() -> None:
    auth = tomllib.loads((ROOT / "deploy" / "secrets.example.toml").read_text())["auth"]
    needed = {"redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url"}
    assert needed <= auth.keys()
    assert auth["redirect_uri"].endswith("/oauth2callback")
