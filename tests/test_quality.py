"""Unit: what a recording lacks, in words, on takes of the real face of the fixture."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from moodmesh import quality
from moodmesh.takes import Take
from tests import warped_face
from tests.warped_face import View


@cache
def recorded(name: str = "happy", view: View = View()) -> Take:  # noqa: B008
    return warped_face.take(name, seconds=2, fps=8, view=view)


def cut(take: Take, frames: slice | np.ndarray) -> Take:
    arrays = {
        name: getattr(take, name)[frames]
        for name in ("landmarks", "blendshapes", "pose", "time_ms")
    }
    return replace(take, **arrays)


def kinds(take: Take, frames: int = 16, brightness: float = 120, *others: Take) -> list[str]:
    return [hint.kind for hint in quality.hints(take, frames, brightness, others)]


def test_a_natural_take_needs_no_hint() -> None:
    assert kinds(recorded(), 16, 120, recorded("surprise"), recorded("sad")) == []


@pytest.mark.parametrize(
    ("take", "frames", "brightness", "others", "kind"),
    [
        pytest.param(lambda: cut(recorded(), slice(0, 4)), 4, 120, (), "short", id="short"),
        pytest.param(recorded, 30, 120, (), "few faces", id="few faces"),
        pytest.param(recorded, 16, 30, (), "dark", id="dark"),
        pytest.param(
            lambda: cut(recorded(), np.zeros(16, int)), 16, 120, (), "still", id="a photograph"
        ),
        pytest.param(
            lambda: replace(recorded("wink"), label="wink"),
            16,
            120,
            (recorded,),
            "like another",
            id="like another",
        ),
    ],
)
def test_each_fault_has_its_hint(take, frames, brightness, others, kind) -> None:  # type: ignore[no-untyped-def]
    assert kind in kinds(take(), frames, brightness, *(other() for other in others))


def test_a_head_turned_away_is_told() -> None:
    take = recorded()
    turn = np.deg2rad(45)
    turned = take.pose.copy()
    turned[:, :3, :3] = [
        [np.cos(turn), 0, np.sin(turn)],
        [0, 1, 0],
        [-np.sin(turn), 0, np.cos(turn)],
    ]
    assert "turned away" in kinds(replace(take, pose=turned))


def test_another_take_of_the_same_label_is_not_another_expression() -> None:
    assert kinds(recorded(), 16, 120, recorded(view=View(distance=1.3))) == []


@pytest.mark.parametrize(
    ("views", "text", "least", "most"),
    [
        ((), "three short takes", 0.0, 0.0),
        ((View(),), "two more takes, a little further away", 0.2, 0.4),
        ((View(), View(distance=1.4)), "one more take", 0.5, 0.7),
        ((View(),) * 3, "one take a little further away", 0.8, 0.95),
        ((View(), View(), View(distance=1.4)), "", 1.0, 1.0),
    ],
)
def test_what_to_record_next(views: tuple[View, ...], text: str, least: float, most: float) -> None:
    (advice,) = quality.advice({"happy": [recorded(view=view) for view in views]})
    assert advice.text == text
    assert least <= advice.done <= most
