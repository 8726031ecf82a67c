"""Command tests: `python -m moodmesh songs` without the process around it."""

from __future__ import annotations

import argparse
import json
from typing import Any

import pytest

from moodmesh.errors import UserError
from moodmesh.songs import command


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    assert command.run(parser.parse_args(argv)) == 0
    return capsys.readouterr().out


def run_json(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, Any]:
    return json.loads(run(capsys, *argv, "--json"))


def test_json_has_the_promised_shape(capsys: pytest.CaptureFixture[str]) -> None:
    result = run_json(capsys, "sad", "--mode", "lift", "--language", "hi", "-n", "10")
    assert (result["mood"], result["mode"], len(result["songs"])) == ("sad", "lift", 10)
    for song in result["songs"]:
        assert {"title", "artist", "language", "year", "video_id", "url", "valence", "energy"} <= (
            song.keys()
        )
        assert song["language"] == "hi" and song["why"]
        assert song["url"].startswith("https://www.youtube.com/")
        assert 0 <= song["valence"] <= 1 and 0 <= song["energy"] <= 1


def test_the_mode_defaults_to_what_suits_the_mood(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_json(capsys, "fear")["mode"] == "calm"
    assert run_json(capsys, "happy")["mode"] == "match"
    assert len(run_json(capsys, "happy")["songs"]) == 10


def test_languages_may_be_several_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    result = run_json(capsys, "happy", "--language", "Hindi,ko", "--language", "EN", "-n", "40")
    assert {song["language"] for song in result["songs"]} == {"hi", "ko", "en"}


def test_a_comma_too_many_is_none_of_the_languages(capsys: pytest.CaptureFixture[str]) -> None:
    result = run_json(capsys, "happy", "--language", "hi,", "-n", "5")
    assert {song["language"] for song in result["songs"]} == {"hi"}


def test_songs_that_do_not_suit_the_mood_are_not_praised(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = run(capsys, "happy", "--language", "zh", "-n", "5")
    assert text.startswith("Few songs here are like that: these come nearest")
    assert "nearest" in run_json(capsys, "happy", "--language", "zh")["introduction"]
    assert "Bright music" in run_json(capsys, "happy", "--language", "es")["introduction"]


def test_the_same_seed_gives_the_same_queue(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "sad", "--seed", "7") == run(capsys, "sad", "--seed", "7")


def test_people_get_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys, "happy", "-n", "3")
    assert "as you picked happy" in text and "  3  " in text


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["blue"], "happy, surprise, neutral"),
        (["sad", "--mode", "loud"], "match, lift, calm"),
        (["sad", "--mode", ""], "match, lift, calm"),
        (["sad", "--language", ","], "Name a language"),
        (["sad", "--language", "klingon"], r"en \(English\)"),
        (["sad", "-n", "0"], "1 to 500"),
        (["sad", "--seed", "-1"], "from 0 on"),
    ],
)
def test_a_choice_that_does_not_exist_names_the_choices(argv: list[str], named: str) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    with pytest.raises(UserError, match=named):
        command.run(parser.parse_args(argv))
