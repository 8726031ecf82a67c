"""Unit and pipeline: face, hands and shoulders, on real MediaPipe output of a drawn hand."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import skimage.data

from moodmesh import bundle, collecting, exchange, quality, takes
from moodmesh.bundle import Bundle
from moodmesh.classifier import Classifier
from moodmesh.errors import UserError
from moodmesh.face import FaceFinder
from moodmesh.features import FEATURES, feature_vector
from moodmesh.holistic import Body, HolisticFinder, HolisticTracker, draw_body
from moodmesh.holistic_features import (
    HOLISTIC_FEATURES,
    LEFT_SHAPE,
    RIGHT_PLACE,
    RIGHT_SHAPE,
    SEEN,
    UPPER_PLACES,
    holistic_vector,
    mirror_holistic,
    seen_numbers,
)
from moodmesh.live import Stream
from moodmesh.recording import Recording, in_frame_of
from moodmesh.takes import Take
from moodmesh.training.augment import vary_holistic
from moodmesh.training.heads import standard_features
from moodmesh.training.personal import choose, gather
from tests import drawn_hand, warped_face

ROOT = Path(__file__).resolve().parent.parent


@cache
def person(gesture: str | None, distance: float = 1.0, roll: float = 0.0) -> Body:
    """The last of a second of frames; MediaPipe needs a few to find a hand."""
    seen = drawn_hand.bodies(gesture, 1.0, seed=1, distance=distance, roll=roll)
    return max(seen, key=lambda body: (body.right is not None, body.left is None))


def shown_up_to(body: Body, **parts: np.ndarray | None) -> Body:
    return dataclasses.replace(body, **parts)  # type: ignore[arg-type]


def take_of(label: str, bodies: list[Body]) -> Take:
    return Take.of_bodies(label, bodies, [40 * number for number in range(len(bodies))])


# --- seeing -----------------------------------------------------------------------------------


def test_a_photo_has_a_face_and_shoulders_and_marks_the_hands_absent() -> None:
    with HolisticFinder() as finder:
        body = finder.find(skimage.data.astronaut())
    assert body.left is None and body.right is None
    assert body.face is not None and body.upper is not None
    with FaceFinder() as faces:
        alone = faces.find(skimage.data.astronaut())[0]
    # The same face, and the same pose of the head though only one of the two landmarkers tells it.
    apart = np.linalg.norm(body.face.points - alone.points, axis=1).mean()
    assert apart < 0.02 * np.ptp(alone.points[:, 0])
    turned = quality.angles(np.stack([body.face.pose, alone.pose]))
    assert np.abs(turned[0] - turned[1]).max() < 6
    near, far = quality.distances_cm(np.stack([body.face.pose, alone.pose]))
    assert near == pytest.approx(far, rel=0.05)
    left, right = body.upper[11, :2], body.upper[12, :2]
    assert left[0] > right[0] and body.upper[[11, 12], 3].min() > 0.9


@pytest.mark.parametrize("gesture", ["fist", "thumbs up"])
def test_a_hand_is_found_where_it_was_drawn(gesture: str) -> None:
    body = person(gesture)
    assert body.right is not None
    middle = body.right[:, :2].mean(axis=0) * body.size
    assert np.linalg.norm(middle - (140, 225)) < 50
    assert person(None).left is None and person(None).right is None


def test_an_empty_room_is_nobody() -> None:
    with HolisticTracker() as tracker:
        body = tracker.track(warped_face.empty(), 0)
    assert not body and body.upper is None and body.face is None


def test_a_stream_whose_pictures_change_in_size_goes_on() -> None:
    rgb = drawn_hand.render(None)
    with HolisticTracker() as tracker:
        for number, size in enumerate([(640, 480), (320, 240), (480, 640), (640, 480)]):
            body = tracker.track(cv2.resize(rgb, size), 40 * number)
            assert body.face is not None and body.size == size


@pytest.mark.parametrize("size", [(1, 1), (2, 640), (40_000, 10)])
def test_pictures_of_any_size_are_defined(size: tuple[int, int]) -> None:
    with HolisticFinder() as finder:
        assert not finder.find(np.full((size[1], size[0], 3), 90, np.uint8))


def test_mesh_arms_and_hand_are_drawn_and_only_what_is_seen() -> None:
    black = np.zeros((480, 640, 3), np.uint8)

    def drawn(body: Body) -> np.ndarray:
        picture = black.copy()
        draw_body(picture, body)
        return picture.max(axis=2) > 0

    body = person("fist")
    everything = drawn(body)
    hand = drawn(Body(None, None, body.right, None, body.size))
    shoulders = drawn(Body(None, None, None, body.upper, body.size))
    assert hand.sum() > 300 and shoulders.sum() > 300
    assert (everything & hand).sum() == hand.sum()
    assert not drawn(Body(None, None, None, None, body.size)).any()
    hidden = body.upper.copy() if body.upper is not None else np.zeros((23, 4), np.float32)
    hidden[:, 3] = 0.1
    assert not drawn(Body(None, None, None, hidden, body.size)).any()


# --- the feature vector -----------------------------------------------------------------------


def test_the_face_part_is_the_face_vector_and_what_is_unseen_is_marked() -> None:
    body = person("fist")
    row = holistic_vector(body)
    assert row.shape == (HOLISTIC_FEATURES,) == (1714,)
    assert body.face is not None
    np.testing.assert_array_equal(row[:FEATURES], feature_vector(body.face))
    assert row[SEEN].tolist() == [1, 0, 1, 1]
    assert not row[LEFT_SHAPE].any() and row[RIGHT_SHAPE].any()
    nothing = holistic_vector(Body(None, None, None, None, (640, 480)))
    assert not nothing.any()


@pytest.mark.parametrize(("distance", "roll"), [(1.25, 0.0), (0.9, 8.0), (1.1, -10.0)])
def test_distance_and_tilt_change_the_hand_less_than_another_gesture(
    distance: float, roll: float
) -> None:
    fist, thumb = holistic_vector(person("fist")), holistic_vector(person("thumbs up"))
    again = holistic_vector(person("fist", distance, roll))
    same = np.linalg.norm(again[RIGHT_SHAPE] - fist[RIGHT_SHAPE])
    other = np.linalg.norm(thumb[RIGHT_SHAPE] - fist[RIGHT_SHAPE])
    assert same < 0.5 * other
    assert np.abs(again[RIGHT_PLACE] - fist[RIGHT_PLACE]).max() < 0.35


def test_the_same_person_in_a_picture_of_another_shape_is_the_same_vector() -> None:
    body = person("fist")
    other = in_frame_of(body, (1280, 300))
    np.testing.assert_allclose(holistic_vector(other), holistic_vector(body), atol=2e-3)


def test_without_shoulders_the_face_tells_where_the_hand_is() -> None:
    body = person("fist")
    row = holistic_vector(body)
    alone = holistic_vector(shown_up_to(body, upper=None))
    assert alone[SEEN].tolist() == [1, 0, 1, 0] and not alone[UPPER_PLACES].any()
    assert np.linalg.norm(alone[RIGHT_PLACE] - row[RIGHT_PLACE]) < 0.5


def test_mirroring_swaps_the_hands_and_is_undone_by_mirroring() -> None:
    rows = holistic_vector(person("thumbs up"))[None]
    mirrored = mirror_holistic(rows)
    assert mirrored[0, SEEN].tolist() == [1, 1, 0, 1]
    np.testing.assert_allclose(mirrored[0, LEFT_SHAPE][1::3], rows[0, RIGHT_SHAPE][1::3])
    np.testing.assert_allclose(mirror_holistic(mirrored), rows, atol=1e-6)


def test_varied_and_standardised_vectors_keep_what_is_unseen_silent() -> None:
    bodies = [person("fist"), person(None), shown_up_to(person("fist"), face=None)]
    rows = np.stack([holistic_vector(body) for body in bodies])
    varied = vary_holistic(rows, np.random.default_rng(0))
    there = seen_numbers(rows)
    assert not varied[~there].any() and not np.allclose(varied, rows)
    np.testing.assert_array_equal(varied[:, SEEN], rows[:, SEEN])
    standard = standard_features(rows)
    assert not standard(rows)[~there].any()
    # The network does the same by one linear layer on the plain vector.
    kernel = np.random.default_rng(1).standard_normal((HOLISTIC_FEATURES, 3)).astype(np.float32)
    folded, bias = standard.folded(kernel)
    np.testing.assert_allclose(rows @ folded + bias, standard(rows) @ kernel, atol=2e-2)


# --- takes ------------------------------------------------------------------------------------


def test_a_holistic_take_comes_back_with_absent_parts_marked(tmp_path: Path) -> None:
    bodies = [person("fist"), person(None), shown_up_to(person("fist"), face=None)]
    take = take_of("facepalm", bodies)
    back = takes.read(takes.write(take, tmp_path))
    assert back.kind == "holistic" and back.seen is not None and back.hands is not None
    assert back.seen.tolist() == [
        [True, False, True, True],
        [True, False, False, True],
        [False, False, True, True],
    ]
    assert np.isnan(back.hands[:, 0]).all() and np.isnan(back.landmarks[2]).all()
    np.testing.assert_array_equal(back.features, take.features)
    assert np.isfinite(back.features).all()
    np.testing.assert_allclose(back.features[0], holistic_vector(bodies[0]), atol=1e-5)


def test_a_holistic_take_gives_a_face_take_and_not_the_reverse() -> None:
    take = take_of("wave", [person("fist"), shown_up_to(person("fist"), face=None)])
    faces = take.of_kind("face")
    assert faces is not None and (faces.kind, len(faces)) == ("face", 1)
    assert faces.features.shape == (1, FEATURES)
    assert faces.of_kind("holistic") is None
    assert take_of("hidden", [shown_up_to(person("fist"), face=None)]).of_kind("face") is None


@pytest.mark.parametrize(
    ("changes", "about"),
    [
        pytest.param({"hands": None}, "hands", id="no hands"),
        pytest.param({"seen": np.ones((2, 4), bool)}, "numbers", id="an unseen hand said to be"),
        pytest.param({"seen": np.zeros((2, 4), bool)}, "numbers", id="a seen face said not to be"),
        pytest.param({"seen": np.ones((2, 3), bool)}, "seen", id="too few parts"),
        pytest.param({"seen": np.ones((2, 4))}, "numbers", id="numbers for flags"),
        pytest.param({"upper": np.zeros((2, 33, 4))}, "upper", id="another pose"),
    ],
)
def test_a_crafted_holistic_take_is_refused(
    tmp_path: Path, changes: dict[str, np.ndarray | None], about: str
) -> None:
    path = takes.write(take_of("wave", [person("fist")] * 2), tmp_path)
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files} | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(UserError, match=about):
        takes.read(path)


def test_a_recording_of_hands_leaves_faces_alone_out_and_fits_pictures_of_another_size() -> None:
    body = person("fist")
    assert body.face is not None
    recording = Recording("fist", "holistic")
    recording.add(body.face, 0, 100)
    recording.add(body, 40, 100)
    recording.add(in_frame_of(body, (320, 240)), 80, 100)
    recording.add(Body(None, None, None, None, (640, 480)), 120, 100)
    take = recording.take()
    assert (len(take), recording.frames, take.size) == (2, 3, (640, 480))
    np.testing.assert_allclose(take.features[0], take.features[1], atol=2e-3)
    with pytest.raises(UserError, match=r"Nobody was found.*shoulders"):
        Recording("fist", "holistic").take()


def test_hints_of_takes_with_hands() -> None:
    fist, down = take_of("fist", [person("fist")] * 12), take_of("idle", [person(None)] * 12)

    def kinds(take: Take, *others: Take) -> set[str]:
        return {hint.kind for hint in quality.hints(take, len(take), 120, others)}

    assert "no hand" in kinds(down) and "no hand" not in kinds(fist, down)
    # The face is the same: only the hand tells the two apart.
    assert "like another" not in kinds(fist, down)
    assert "like another" in kinds(dataclasses.replace(fist, label="stop"), fist)
    hidden = take_of("facepalm", [shown_up_to(person("fist"), face=None)] * 12)
    assert not {"still", "turned away"} & kinds(hidden)
    assert quality.advice({"facepalm": [hidden] * 3})[0].text == ""


# --- kinds that do not go together ------------------------------------------------------------


def face_take(label: str) -> Take:
    face = person(None).face
    assert face is not None
    return Take.of_faces(label, [face] * 12, list(range(12)))


def test_mixed_takes_make_a_face_model_and_say_so_or_leave_the_faces_out() -> None:
    mixed = [
        face_take("happy"),
        take_of("happy", [person(None)] * 12),
        take_of("fist", [person("fist")] * 12),
        face_take("sad"),
    ]
    kind, chosen, said = choose(mixed, None)
    assert kind == "face" and len(chosen) == 4 and gather(chosen).features.shape == (48, FEATURES)
    assert "only the face counts" in said[0] and "'happy', 'sad'" in said[0]
    kind, chosen, said = choose(mixed, "holistic")
    assert kind == "holistic" and sorted(take.label for take in chosen) == ["fist", "happy"]
    assert "left out" in said[0] and "'sad' has no take for this kind" in said[1]
    assert gather(chosen).kind == "holistic"
    assert choose(mixed[1:3], None)[0] == "holistic"
    assert choose([], None)[0] == "face"


def test_a_model_of_the_wrong_kind_is_refused(tmp_path: Path) -> None:
    files = {"landmarks.tflite": bundle.read(bundle.GENERAL).path("landmarks.tflite")}
    labels = bundle.read(bundle.GENERAL).labels
    made = bundle.write(tmp_path / "m", Bundle("mine", labels, kind="holistic"), files)
    assert bundle.read(tmp_path / "m").kind == "holistic"
    with pytest.raises(UserError, match="reads face, hands and shoulders; one that reads faces"):
        bundle.read(tmp_path / "m", "face")
    # A network that takes faces does not fit a manifest that says hands.
    with pytest.raises(UserError, match="does not fit its kind"):
        exchange.unpack(exchange.pack(made), tmp_path / "personal")
    manifest = tmp_path / "m" / "bundle.json"
    for kind, about in (("legs", "does not know"), ("face", "train again")):
        text = json.loads(manifest.read_text()) | {"kind": kind}
        manifest.write_text(json.dumps(text))
        with pytest.raises(UserError, match=about):
            bundle.read(tmp_path / "m")


# --- the whole way ----------------------------------------------------------------------------


@pytest.mark.training
def test_a_thumbs_up_is_collected_trained_and_seen_live(tmp_path: Path) -> None:
    labels = {"thumbs up": "thumbs up", "stop": "fist", "nothing": None}
    for label, gesture in labels.items():
        for number in range(3):
            clip = drawn_hand.write_video(tmp_path / "clip.mp4", gesture, 2, seed=10 + number)
            arguments = [label, "--holistic", "--source", str(clip), "--data", str(tmp_path / "d")]
            assert collecting.main(arguments) == 0
    assert all(take.kind == "holistic" for take in takes.read_all(tmp_path / "d")[0])
    done = subprocess.run(
        [
            *(sys.executable, str(ROOT / "train.py"), "personal"),
            *("--data", str(tmp_path / "d"), "--out", str(tmp_path / "personal")),
        ],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    made = bundle.read(tmp_path / "personal")
    assert (made.kind, made.labels) == ("holistic", ("nothing", "stop", "thumbs up"))
    classifier = Classifier(made)
    stream = Stream(made)
    try:
        for label, gesture in labels.items():
            right, seen = [], 0
            for number, rgb in enumerate(drawn_hand.frames(gesture, 1.5, seed=40)):
                stream.recv(av.VideoFrame.from_ndarray(rgb, format="rgb24"))
                snapshot = stream.snapshot
                assert snapshot.body is not None and snapshot.expression is not None
                assert snapshot.problem is None
                if gesture is not None and snapshot.body.right is None:
                    continue  # MediaPipe lost the drawn hand
                if number < 6:
                    continue  # no arm comes and goes between two frames: the pose has to settle
                seen += 1
                right.append(snapshot.expression.likeliest == label)
                again = classifier.of_body(snapshot.body)
                assert again is not None and again.likeliest == snapshot.expression.likeliest
            assert seen >= 5 and np.mean(right) > 0.7, label
        stream.use(bundle.read(bundle.GENERAL))
        stream.recv(av.VideoFrame.from_ndarray(drawn_hand.render(None), format="rgb24"))
        assert stream.snapshot.body is None and stream.snapshot.face is not None
    finally:
        stream.on_ended()


def test_a_face_model_looks_at_hands_only_while_the_page_asks() -> None:
    stream = Stream(bundle.read(bundle.GENERAL))
    told: list[object] = []
    stream.watch(lambda found, *_: told.append(found))
    try:
        for kind in ("face", "holistic", "face"):
            stream.look_at(kind)
            for _ in range(8):  # a new landmarker may need a few to find the face
                # The mesh is drawn into the frame.
                stream.recv(av.VideoFrame.from_ndarray(drawn_hand.render(None), format="rgb24"))
                seen = stream.snapshot
                if seen.face is not None:
                    break
            assert (seen.body is not None) == (kind == "holistic")
            assert seen.face is not None and seen.expression is not None
            assert isinstance(told[-1], Body) == (kind == "holistic")
    finally:
        stream.on_ended()
