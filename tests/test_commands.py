"""Tests of the commands as a person types them: what they print, on which stream, which status."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import pytest

from moodmesh import system
from tests import warped_face

ROOT = Path(__file__).parent.parent


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
    )


def own_words(stderr: str) -> list[str]:
    """The lines of ours; MediaPipe and LiteRT log to the same stream."""
    return [line for line in stderr.splitlines() if line.startswith("moodmesh:")]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("photos")
    paths = {name: folder / f"{name}.png" for name in ("happy", "empty")}
    cv2.imwrite(str(paths["happy"]), warped_face.render("happy")[:, :, ::-1])
    cv2.imwrite(str(paths["empty"]), warped_face.empty()[:, :, ::-1])
    paths["video"] = warped_face.write_video(folder / "clip.mp4", [("happy", 2.0), (None, 2.0)])
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    paths["broken"] = folder / "broken.png"
    (folder / "nothing.mp4").write_bytes(b"")
    paths["nothing"] = folder / "nothing.mp4"
    return paths


def test_read_prints_one_json_line_a_picture(photos: dict[str, Path]) -> None:
    done = run("-m", "moodmesh", "read", photos["happy"], photos["empty"], "--json")
    assert done.returncode == 0
    happy, empty = map(json.loads, done.stdout.splitlines())
    assert happy["expression"] == "happy"
    assert happy["faces"] == 1
    assert happy["time_s"] is None
    assert sum(happy["probabilities"].values()) == pytest.approx(1, abs=0.01)
    assert happy["from"] in {"landmarks", "ensemble"}
    assert empty["faces"] == 0


def test_read_follows_a_video(photos: dict[str, Path]) -> None:
    done = run("-m", "moodmesh", "read", photos["video"], "--json")
    assert done.returncode == 0
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["time_s"] for line in lines] == pytest.approx(
        [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5], abs=0.1
    )
    assert [line["faces"] for line in lines][:3] == [1, 1, 1]
    assert lines[-1]["faces"] == 0


def test_read_goes_on_after_a_file_it_cannot_read(photos: dict[str, Path]) -> None:
    done = run("-m", "moodmesh", "read", photos["broken"], photos["happy"], "--json")
    assert json.loads(done.stdout)["expression"] == "happy"
    assert done.returncode == 2
    assert "broken.png is not a picture that can be read" in own_words(done.stderr)[-1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["read", "missing.jpg"], "missing.jpg cannot be opened"),
        (["read", "missing.mp4"], "There is no file missing.mp4"),
        (["read", "x.jpg", "--model", "no/such/model"], "There is no model in no/such/model"),
        (["songs", "jolly"], "Choose one of: happy"),
        (["songs", "sad", "--language", "xx"], "xx"),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_status_2(arguments: list[str], words: str) -> None:
    done = run("-m", "moodmesh", *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    lines = own_words(done.stderr)
    assert len(lines) == 1
    assert words in lines[0]


def test_an_empty_video_is_named(photos: dict[str, Path]) -> None:
    done = run("-m", "moodmesh", "read", photos["nothing"])
    assert done.returncode == 2
    assert "nothing.mp4 is not a video that can be read" in own_words(done.stderr)[0]


def test_songs_prints_the_contract() -> None:
    done = run(
        "-m", "moodmesh", "songs", "sad", "--mode", "lift", "--language", "hi", "-n", "4", "--json"
    )
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert (answer["mood"], answer["mode"], len(answer["songs"])) == ("sad", "lift", 4)
    for song in answer["songs"]:
        assert {
            "title",
            "artist",
            "language",
            "year",
            "video_id",
            "url",
            "valence",
            "energy",
            "why",
        } <= song.keys()
        assert song["language"] == "hi"


@contextmanager
def listening() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_port_in_use_is_said_before_anything_starts() -> None:
    with listening() as port:
        done = run("app.py", "--address", "127.0.0.1", "--port", str(port), "--no-browser")
    assert done.returncode == 2
    assert f"Port {port} is in use" in own_words(done.stderr)[0]
    assert f"PORT={port + 1}" in own_words(done.stderr)[0]


def test_missing_system_libraries_are_named_with_their_packages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(system, "LIBRARIES", {"libnosuch.so.9": "libnosuch9"})
    with pytest.raises(Exception, match="sudo apt-get install libnosuch9"):
        system.require_libraries()


def test_benchmark_reports_ratios_and_writes_them(tmp_path: Path) -> None:
    done = run("-m", "moodmesh", "benchmark", "--frames", "8", "--json", "--out", str(tmp_path))
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    frame = answer["frame_ms"]
    for ratio, alone in (
        ("ratio_to_shipped", "landmarker_as_shipped"),
        ("ratio_to_landmarker", "landmarker_alone"),
    ):
        times_as_long = frame["total"]["median"] / frame[alone]["median"]
        assert frame[ratio] == pytest.approx(times_as_long, abs=0.001)
    assert all(stage["median"] <= stage["p95"] for stage in frame["stages"].values())
    assert set(frame["floors"]) < set(frame["stages"])
    assert answer["sessions_at_15_fps"] in range(65)
    reference = answer["reference_ms"]
    assert reference["times_slower"] == pytest.approx(
        reference["median"] / reference["moodmesh"], abs=0.01
    )
    assert json.loads((tmp_path / "benchmark.json").read_text()) == answer
    assert (tmp_path / "benchmark.png").stat().st_size > 10_000
    assert set(answer) >= {"machine", "frame_ms", "sessions_at_15_fps", "memory_mb", "startup_s"}
