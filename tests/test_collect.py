"""Pipeline: `collect.py` on videos and folders of the warped face, and everything it refuses."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from moodmesh import collecting, recording, takes
from moodmesh.errors import UserError
from moodmesh.holistic import Kind
from moodmesh.recording import Recording, Seen, in_frame_of
from tests import warped_face
from tests.warped_face import View

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of surprise, then an empty room for one."""
    path = tmp_path_factory.mktemp("clips") / "surprise.mp4"
    return warped_face.write_video(path, [("surprise", 2), (None, 1)])


def collect(*arguments: object) -> int:
    return collecting.main([str(argument) for argument in arguments])


def save(rgb: np.ndarray, path: Path) -> None:
    cv2.imwrite(str(path), rgb[:, :, ::-1])


def test_a_video_becomes_one_take(clip: Path, tmp_path: Path) -> None:
    assert collect("surprise", "--source", clip, "--no-window", "--data", tmp_path) == 0
    (take,), problems = takes.read_all(tmp_path)
    assert (take.label, take.size, problems) == ("surprise", (640, 480), [])
    assert 28 <= len(take) <= 30
    assert (np.diff(take.time_ms) > 0).all() and take.time_ms[-1] < 2100


def test_seconds_end_a_take_early(clip: Path, tmp_path: Path) -> None:
    collect("surprise", "--source", clip, "--seconds", 1, "--data", tmp_path)
    assert len(takes.read_all(tmp_path)[0][0]) == 15


def test_a_folder_of_pictures_of_different_sizes_becomes_one_take(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    plain = warped_face.render("happy")
    save(plain, folder / "1.png")
    save(cv2.resize(plain, (960, 720)), folder / "2.jpg")
    save(np.ascontiguousarray(plain[:, 120:520]), folder / "3.png")
    save(warped_face.empty(), folder / "4.png")
    (folder / "5.jpg").write_bytes(b"not a picture")
    (folder / "notes.txt").write_text("not a picture either")
    assert collect("happy", "--source", folder, "--data", tmp_path / "data") == 0
    (take,), _ = takes.read_all(tmp_path / "data")
    assert len(take) == 3
    first, *others = take.features[:, : 478 * 3]
    for other in others:
        assert np.linalg.norm(other - first) < 0.03 * np.linalg.norm(first)


def test_only_landmarks_are_written(clip: Path, tmp_path: Path) -> None:
    collect("surprise", "--source", clip, "--data", tmp_path)
    (path,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    with np.load(path) as stored:
        numbers = {name: stored[name].shape[1:] for name in stored.files}
    assert numbers == {
        "landmarks": (478, 3),
        "blendshapes": (52,),
        "pose": (4, 4),
        "size": (),
        "time_ms": (),
    }


def bad_sources(folder: Path) -> dict[str, Path | str]:
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("not a video")
    (folder / "no pictures").mkdir()
    (folder / "no faces").mkdir()
    save(warped_face.empty(), folder / "no faces" / "room.png")
    save(warped_face.empty(), folder / "room.avi.png")
    return {
        "empty video": folder / "empty.mp4",
        "no video": folder / "text.mp4",
        "no pictures": folder / "no pictures",
        "no face": folder / "no faces",
        "nothing there": folder / "gone.mp4",
        "an address": "https://example.org/clip.mp4",
        "no camera": "97",
    }


@pytest.mark.parametrize(
    ("kind", "about"),
    [
        ("empty video", "not a video that can be read"),
        ("no video", "not a video that can be read"),
        ("no pictures", "no pictures in"),
        ("no face", "No face was found"),
        ("nothing there", "There is no"),
        ("an address", "There is no"),
        ("no camera", "Camera 97 cannot be opened"),
    ],
)
def test_a_source_that_gives_nothing_is_one_line(tmp_path: Path, kind: str, about: str) -> None:
    source = bad_sources(tmp_path)[kind]
    with pytest.raises(UserError, match=about) as caught:
        collect("happy", "--source", source, "--no-window", "--data", tmp_path / "data")
    assert "\n" not in str(caught.value)
    assert not takes.paths(tmp_path / "data")


@pytest.mark.parametrize("label", ["a/b", "..", "a.b", ""])
def test_a_label_that_names_no_folder_is_refused_before_anything_is_opened(
    label: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="label"):
        collect(label, "--source", tmp_path / "gone.mp4")


def test_the_command_ends_with_status_2_and_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "collect.py", "a/b", "--source", tmp_path],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stdout == "" and done.stderr.count("\n") == 1
    assert "without slashes or dots" in done.stderr


def test_a_camera_that_vanishes_keeps_what_was_recorded(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A real capture, of a file: at its end it gives no more frames, as an unplugged camera does.
    monkeypatch.setattr(recording, "open_camera", lambda _: cv2.VideoCapture(str(clip)))
    monkeypatch.setattr(collecting, "COUNTDOWN_S", 0.0)
    with pytest.raises(UserError, match=r"stopped giving pictures. What was recorded is kept"):
        collect("surprise", "--source", 0, "--no-window", "--seconds", 60, "--data", tmp_path)
    (take,), _ = takes.read_all(tmp_path)
    assert len(take) >= 25


def test_ctrl_c_keeps_what_was_recorded(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(path: Path, seconds: float | None, kind: Kind) -> Iterator[Seen]:
        for number, seen in enumerate(recording.video(path, seconds, kind)):
            if number == 12:
                signal.raise_signal(signal.SIGINT)
            yield seen

    monkeypatch.setattr(collecting, "video", interrupted)
    # A shell lets what it starts in the background ignore Ctrl-C, and so these tests.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert collect("surprise", "--source", clip, "--data", tmp_path) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(takes.read_all(tmp_path)[0][0]) == 12


def test_a_window_without_a_display_names_the_way_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match="--no-window"):
        collect("happy", "--data", tmp_path)


@pytest.mark.parametrize(
    ("expression", "state", "kept"),
    [("happy", "space: record", 0), (None, "recording", 3), ("sad", "get ready", 1)],
)
def test_the_window_shows_a_picture_whatever_the_state(
    expression: str | None, state: str, kept: int
) -> None:
    with recording.FaceFinder() as finder:
        rgb = warped_face.render(expression) if expression else warped_face.empty()
        found = finder.find(rgb)
    seen = Seen(rgb, 0, found[0] if found else None)
    shown = collecting.picture(seen, state, 2.5, 7, kept)
    assert shown.shape == rgb.shape and shown.dtype == np.uint8
    assert (shown[440:, :] != rgb[440:, ::-1, ::-1]).any()


class Window:
    """The keys that somebody presses at these frames, and the pictures they are shown."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, keys: dict[int, str]) -> None:
        self.shown: list[np.ndarray] = []
        self._keys = keys
        monkeypatch.setattr(collecting, "has_display", lambda: True)
        for name, made in {
            "namedWindow": lambda *_: None,
            "imshow": lambda _, picture: self.shown.append(picture),
            "waitKey": self._key,
            "getWindowProperty": lambda *_: 1.0,
            "destroyAllWindows": lambda: None,
        }.items():
            monkeypatch.setattr(collecting.cv2, name, made)
        monkeypatch.setattr(collecting, "COUNTDOWN_S", 0.0)
        monkeypatch.setattr(collecting, "camera", self._camera)

    def _key(self, _: int) -> int:
        return ord(self._keys.get(len(self.shown), "\0"))

    def _camera(self, number: int, kind: Kind) -> Iterator[Seen]:
        rgb = warped_face.render("happy", View(noise=0))
        with recording.FaceFinder() as finder:
            face = finder.find(rgb)[0]
        for index in range(200):
            yield Seen(rgb, 66 * index, face)


def test_keys_in_the_window_record_take_back_and_leave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    window = Window(monkeypatch, {2: " ", 40: "u", 42: " ", 90: "q"})
    assert collect("happy", "--seconds", 0.001, "--data", tmp_path) == 0
    assert len(window.shown) == 90
    said = capsys.readouterr().out
    assert said.count("Kept") == 2 and said.count("Deleted") == 1
    assert "1 takes of 'happy' were recorded" in said
    assert len(takes.paths(tmp_path)) == 1


def test_the_window_says_what_is_wrong_at_once() -> None:
    rgb = warped_face.empty()
    plain = collecting.picture(Seen(rgb, 0, None), "", 0.0, 0, 0)
    dark = collecting.picture(Seen(rgb // 8, 0, None), "", 0.0, 0, 0)
    red = [
        (picture[:60, :, 2].astype(int) - picture[:60, :, 1] > 80).sum()
        for picture in (plain, dark)
    ]
    assert min(red) > 200 and red[0] != red[1]


def test_a_face_told_in_another_frame_keeps_its_pixels() -> None:
    with recording.FaceFinder() as finder:
        face = finder.find(warped_face.render("happy", View(noise=0)))[0]
    other = in_frame_of(face, (1000, 300))
    np.testing.assert_allclose(other.points, face.points, rtol=1e-5)


def test_a_recording_counts_frames_without_a_face() -> None:
    made = Recording("happy")
    made.add(None, 0, 100.0)
    assert made.frames == 1
    with pytest.raises(UserError, match="No face was found"):
        made.take()
