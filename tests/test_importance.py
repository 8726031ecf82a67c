"""Unit: which landmarks an answer hangs on, and the table that a bundle keeps of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from moodmesh import importance
from moodmesh.errors import UserError
from moodmesh.features import FEATURES, MIRRORED_LANDMARKS

LABELS = ("up", "out")
CORNER = 61


def made_up() -> tuple[np.ndarray, np.ndarray]:
    """300 faces of trembling landmarks, and a net that says 'up' where both mouth corners rise."""
    random = np.random.default_rng(0)
    features = random.normal(size=(300, FEATURES)).astype(np.float32)
    rise = random.normal(size=300).astype(np.float32)
    for landmark in (CORNER, MIRRORED_LANDMARKS[CORNER]):
        features[:, 3 * landmark + 1] = -0.1 * rise
    return features, np.stack([rise, np.zeros(300)], axis=1)


def test_the_landmarks_an_answer_follows_stand_out_and_show_where_they_go() -> None:
    found = importance.measure(*made_up(), LABELS)
    others = np.setdiff1d(np.arange(478), [CORNER, MIRRORED_LANDMARKS[CORNER]])
    assert found.share[CORNER, 0] > 0.99
    assert found.share[others].max() < 0.1
    np.testing.assert_allclose(found.shift[CORNER, 0, 1], -0.1, atol=0.01)
    np.testing.assert_allclose(found.shift[CORNER, 1, 1], 0.1, atol=0.01)


def test_a_face_that_never_moves_tells_nothing() -> None:
    features = np.ones((20, FEATURES), np.float32)
    features[:, : 478 * 3 : 3] = 0  # the mirror would move it
    found = importance.measure(features, np.random.default_rng(1).normal(size=(20, 2)), LABELS)
    assert found.share.max() < 1e-3


def test_the_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    found = importance.measure(*made_up(), LABELS)
    (tmp_path / "t.csv").write_bytes(importance.to_csv(found))
    back = importance.read(tmp_path / "t.csv", LABELS)
    for name in ("face", "share", "shift"):
        np.testing.assert_allclose(getattr(back, name), getattr(found, name), atol=1e-4)


@pytest.mark.parametrize(
    ("content", "labels"),
    [
        (None, ("up", "down")),
        (b"", LABELS),
        (b"landmark,x\n0,left\n", LABELS),
        (b"landmark,x\n0,1\n1\n", LABELS),
    ],
)
def test_a_foreign_table_is_refused(
    content: bytes | None, labels: tuple[str, ...], tmp_path: Path
) -> None:
    own = importance.to_csv(importance.measure(*made_up(), LABELS))
    (tmp_path / "t.csv").write_bytes(own if content is None else content)
    with pytest.raises(UserError, match=r"Train (the model|it) again"):
        importance.read(tmp_path / "t.csv", labels)
