"""Unit: settings of the network and of what is kept, and the ICE servers made from them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import tomllib
from pathlib import Path

import pytest
from aiortc.rtcicetransport import parse_stun_turn_uri

from moodmesh import ice, settings
from moodmesh.errors import UserError
from moodmesh.settings import Network, Privacy, Settings

EXAMPLE = Path(__file__).parent.parent / "moodmesh.example.toml"


def of(tmp_path: Path, text: str, **environment: str) -> Settings:
    path = tmp_path / "moodmesh.toml"
    path.write_text(text)
    return settings.read(path, environment)


def test_nothing_set_asks_no_server_for_anything(tmp_path: Path) -> None:
    plain = settings.read(tmp_path / "absent.toml", {})
    assert plain == Settings()
    assert ice.browser(plain.network, "me") == {"iceServers": []}
    assert plain.privacy == Privacy(None, None, True)


def test_the_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    text = '[network]\nstun = ["stun:a.example:3478"]\n[privacy]\nhistory_days = 30\n'
    read = of(tmp_path, text, MOODMESH_STUN="stun:b.example, stun:c.example:1")
    assert read.network.stun == ("stun:b.example", "stun:c.example:1")
    assert read.privacy.history_days == 30


def test_a_file_may_be_named_and_must_then_be_there(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[privacy]\nfind_songs = false\n")
    named = {settings.FILE_VARIABLE: str(path)}
    assert settings.read(environment=named).privacy.find_songs is False
    path.unlink()
    with pytest.raises(UserError, match="cannot be read"):
        settings.read(environment=named)


def test_every_setting_is_explained_in_the_example(tmp_path: Path) -> None:
    text = EXAMPLE.read_text()
    assert tomllib.loads(text) == {"network": {}, "privacy": {}}
    for (_, name), variable in settings.VARIABLES.items():
        assert re.search(rf"^# {name} = .*# {variable}$", text, re.M), name
    # Without its '#' each line is one that the reader takes.
    lines = re.sub(r"^# (?=[a-z_]+ = )", "", text, flags=re.M)
    lines = re.sub(r"^(turn_username|turn_password) .*", "", lines, flags=re.M)
    path = tmp_path / "all.toml"
    path.write_text(lines.replace('turn_secret = ""', 'turn_secret = "s"'))
    assert settings.read(path, {}).network.turn_hours == settings.TURN_HOURS


WRONG = {
    "no TOML": ("[network", "is not TOML"),
    "an unknown section": ("[net]\nstun = []\n", "unknown setting 'net.stun'"),
    "an unknown setting": ("[network]\nturm = []\n", "unknown setting 'network.turm'"),
    "a setting outside sections": ("stun = 3\n", "unknown setting 'stun'"),
    "a bare host": ('[network]\nstun = ["turn.example"]\n', "Write stun:HOST:3478"),
    "TURN as STUN": ('[network]\nstun = ["turn:a:3478"]\n', "Write stun:HOST:3478"),
    "a number as address": ("[network]\nstun = [3478]\n", "no such address"),
    "TURN without a password": ('[network]\nturn = ["turn:a"]\n', "without a password"),
    "a password without TURN": ('[network]\nturn_secret = "x"\n', "without a server"),
    "two kinds of password": (
        '[network]\nturn = ["turn:a"]\nturn_secret = "x"\nturn_username = "u"\n',
        "both set",
    ),
    "half a password": ('[network]\nturn = ["turn:a"]\nturn_username = "u"\n', "go together"),
    "relay without TURN": ("[network]\nrelay_only = true\n", "needs a TURN server"),
    "no hours": ('[network]\nturn_hours = "soon"\n', "number of hours"),
    "negative days": ("[privacy]\nhistory_days = -1\n", "number of days, 0 or more"),
    "half a day": ("[privacy]\nhistory_days = 0.5\n", "number of days"),
    "takes for no day": ("[privacy]\ntakes_days = 0\n", "number of days, 1 or more"),
    "perhaps": ('[privacy]\nfind_songs = "perhaps"\n', "true or false"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_bad_setting_is_one_line_that_names_it(tmp_path: Path, kind: str) -> None:
    text, about = WRONG[kind]
    with pytest.raises(UserError, match=re.escape(about)) as error:
        of(tmp_path, text)
    assert "\n" not in str(error.value)


def test_a_bad_variable_is_named() -> None:
    with pytest.raises(UserError, match="MOODMESH_HISTORY_DAYS has to be a number of days"):
        settings.read(Path("absent"), {"MOODMESH_HISTORY_DAYS": "soon"})


TURN = Network(turn=("turn:a.example:3478",), turn_secret="north", turn_hours=1.0)


def test_turn_passwords_are_those_that_coturn_expects() -> None:
    """`use-auth-secret`: the user name is 'expiry:name', the password its HMAC-SHA1 in base64."""
    (server,) = ice.servers(TURN, "visit", now_s=1_000_000.0)
    expiry, name = server["username"].split(":")
    assert name == "visit"
    assert 3600 <= int(expiry) - 1_000_000 <= 7200
    digest = hmac.new(b"north", server["username"].encode(), hashlib.sha1).digest()
    assert server["credential"] == base64.b64encode(digest).decode()


def test_turn_passwords_expire_and_stay_the_same_between_redraws() -> None:
    hour = 1_000_800.0  # a whole number of hours
    one, soon, later = (ice.servers(TURN, "v", hour + s)[0] for s in (0.0, 3599.0, 3601.0))
    assert one == soon != later


def test_fixed_turn_passwords_are_handed_on() -> None:
    network = Network(turn=("turn:a",), turn_username="u", turn_password="p", relay_only=True)
    assert ice.browser(network, "v") == {
        "iceServers": [{"urls": ["turn:a"], "username": "u", "credential": "p"}],
        "iceTransportPolicy": "relay",
    }


@pytest.mark.parametrize(
    "address",
    ["turn:a.example", "turn:1.2.3.4:3478?transport=tcp", "turns:a.example:5349?transport=tcp"],
)
def test_addresses_that_pass_are_those_that_the_server_understands(
    tmp_path: Path, address: str
) -> None:
    text = f'[network]\nturn = ["{address}"]\nturn_secret = "s"\n'
    assert parse_stun_turn_uri(of(tmp_path, text).network.turn[0])["host"]


def test_secrets_are_not_shown() -> None:
    assert "north" not in repr(Settings(TURN))
