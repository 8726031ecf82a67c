"""What whoever runs the app may set: STUN and TURN servers, how long things are kept.

Read once a start from ``moodmesh.toml`` beside ``app.py`` (``moodmesh.example.toml`` explains each
line); an environment variable wins over the file. Without either, everything stays on this machine
and no other server is asked for anything.
"""

from __future__ import annotations

import functools
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moodmesh.errors import UserError

FILE_VARIABLE = "MOODMESH_SETTINGS"
FILE = Path(__file__).resolve().parent.parent / "moodmesh.toml"

# RFC 7064 and RFC 7065, as far as aiortc and browsers both read them: no IPv6 address in brackets.
_STUN = re.compile(r"stuns?:[A-Za-z0-9.-]+(:\d{1,5})?")
_TURN = re.compile(r"turns?:[A-Za-z0-9.-]+(:\d{1,5})?(\?transport=(udp|tcp))?")
# A stream that runs all day is cut off by no clock of ours: coturn checks a password when a
# relay is asked for, not while it works.
TURN_HOURS = 12.0


@dataclass(frozen=True)
class Network:
    """Where the camera's stream may find its way through a network.

    stun, turn: addresses such as "turn:turn.example.org:3478". turn_secret: what coturn has as
    ``static-auth-secret``; it makes passwords that are good for turn_hours. turn_username,
    turn_password: for a TURN server with fixed ones instead. relay_only: never a direct way, for
    tests of the TURN server.
    """

    stun: tuple[str, ...] = ()
    turn: tuple[str, ...] = ()
    turn_secret: str = field(default="", repr=False)
    turn_username: str = ""
    turn_password: str = field(default="", repr=False)
    turn_hours: float = TURN_HOURS
    relay_only: bool = False


@dataclass(frozen=True)
class Privacy:
    """What is kept, and whom this server asks.

    history_days: how long the journal keeps what was played and read; None for ever, 0 not at
    all. takes_days: the same for takes on Teach (None or 1 and more). find_songs: whether YouTube
    Music may be asked for the videos of songs.
    """

    history_days: int | None = None
    takes_days: int | None = None
    find_songs: bool = True


@dataclass(frozen=True)
class Settings:
    """All settings."""

    network: Network = field(default_factory=Network)
    privacy: Privacy = field(default_factory=Privacy)


# Section and key of the file -> the environment variable that wins over it.
VARIABLES = {
    ("network", "stun"): "MOODMESH_STUN",
    ("network", "turn"): "MOODMESH_TURN",
    ("network", "turn_secret"): "MOODMESH_TURN_SECRET",
    ("network", "turn_username"): "MOODMESH_TURN_USERNAME",
    ("network", "turn_password"): "MOODMESH_TURN_PASSWORD",
    ("network", "turn_hours"): "MOODMESH_TURN_HOURS",
    ("network", "relay_only"): "MOODMESH_RELAY_ONLY",
    ("privacy", "history_days"): "MOODMESH_HISTORY_DAYS",
    ("privacy", "takes_days"): "MOODMESH_TAKES_DAYS",
    ("privacy", "find_songs"): "MOODMESH_FIND_SONGS",
}


@functools.cache
def current() -> Settings:
    """The settings of this process, read once."""
    return read()


def read(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings in this file and environment; UserError that names the line to mend."""
    environment = os.environ if environment is None else environment
    named = environment.get(FILE_VARIABLE)
    path = path or (Path(named) if named else FILE)
    values: dict[tuple[str, str], tuple[Any, str]] = {}
    if path.is_file() or named:
        values |= _of_file(path)
    for key, variable in VARIABLES.items():
        if text := environment.get(variable, "").strip():
            values[key] = (text, variable)
    read_values = {key: _READERS[key](value, where) for key, (value, where) in values.items()}
    settings = Settings(
        Network(**{name: v for (section, name), v in read_values.items() if section == "network"}),
        Privacy(**{name: v for (section, name), v in read_values.items() if section == "privacy"}),
    )
    _check(settings.network)
    return settings


def _of_file(path: Path) -> dict[tuple[str, str], tuple[Any, str]]:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(
            f"The settings in {path} cannot be read ({error.strerror}). Check the name, or unset "
            f"{FILE_VARIABLE}."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} is not TOML ({error}). moodmesh.example.toml shows how each line is written."
        ) from None
    values: dict[tuple[str, str], tuple[Any, str]] = {}
    for section, lines in content.items():
        for name, value in lines.items() if isinstance(lines, dict) else [("", lines)]:
            if (section, name) not in VARIABLES:
                known = ", ".join(f"{a}.{b}" for a, b in VARIABLES)
                wrong = f"{section}.{name}" if name else section
                raise UserError(f"{path} has an unknown setting '{wrong}'. There are: {known}.")
            values[section, name] = (value, f"{section}.{name} in {path}")
    return values


def _addresses(pattern: re.Pattern[str], example: str) -> Any:
    def read_addresses(value: Any, where: str) -> tuple[str, ...]:
        texts = value if isinstance(value, list) else re.split(r"[\s,]+", str(value).strip())
        for text in texts:
            if not isinstance(text, str) or not pattern.fullmatch(text):
                raise UserError(f"{where} has {text!r}, which is no such address. Write {example}.")
        return tuple(texts)

    return read_addresses


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise UserError(f"{where} has to be text in quotes.")
    return value


def _hours(value: Any, where: str) -> float:
    try:
        hours = float(value)
    except (TypeError, ValueError):
        hours = 0.0
    if not 0 < hours <= 24 * 30:
        raise UserError(f"{where} has to be a number of hours, for example {TURN_HOURS:g}.")
    return hours


def _days(least: int) -> Any:
    def read_days(value: Any, where: str) -> int | None:
        if value == "forever":
            return None
        try:
            days = int(value)
        except (TypeError, ValueError):
            days = -1
        if isinstance(value, bool | float) or not least <= days <= 36_500:
            raise UserError(f'{where} has to be a number of days, {least} or more, or "forever".')
        return days

    return read_days


def _yes_or_no(value: Any, where: str) -> bool:
    answers = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    answer = value if isinstance(value, bool) else answers.get(str(value).lower())
    if answer is None:
        raise UserError(f"{where} has to be true or false.")
    return answer


_READERS: dict[tuple[str, str], Any] = {
    ("network", "stun"): _addresses(_STUN, "stun:HOST:3478"),
    ("network", "turn"): _addresses(_TURN, "turn:HOST:3478 or turns:HOST:5349?transport=tcp"),
    ("network", "turn_secret"): _text,
    ("network", "turn_username"): _text,
    ("network", "turn_password"): _text,
    ("network", "turn_hours"): _hours,
    ("network", "relay_only"): _yes_or_no,
    ("privacy", "history_days"): _days(0),
    ("privacy", "takes_days"): _days(1),
    ("privacy", "find_songs"): _yes_or_no,
}


def _check(network: Network) -> None:
    """UserError where the TURN settings contradict each other."""
    fixed = bool(network.turn_username or network.turn_password)
    if network.turn and not (network.turn_secret or fixed):
        raise UserError(
            "network.turn is set without a password: set network.turn_secret to coturn's "
            "static-auth-secret, or network.turn_username and network.turn_password."
        )
    if network.turn_secret and fixed:
        raise UserError(
            "network.turn_secret and network.turn_username are both set: keep the one that the "
            "TURN server knows."
        )
    if fixed and not (network.turn_username and network.turn_password):
        raise UserError("network.turn_username and network.turn_password go together: set both.")
    if (network.turn_secret or fixed) and not network.turn:
        raise UserError(
            "A TURN password is set without a server: set network.turn, for example turn:HOST:3478."
        )
    if network.relay_only and not network.turn:
        raise UserError("network.relay_only needs a TURN server: set network.turn.")
