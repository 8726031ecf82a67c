"""Unit: what the Model page says in words, and what the landmark map draws."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from moodmesh import bundle, importance
from moodmesh.face import Face, connections, parts
from moodmesh.features import feature_vector
from moodmesh.pages.landmark_map.landmark_map import map_data
from moodmesh.pages.model import TABLE, in_plain_words


def general_table() -> importance.Importance:
    model = bundle.read(bundle.GENERAL)
    return importance.read(model.path(TABLE), model.labels)


def array(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<i2") / 1000


def test_the_map_draws_the_face_in_view_and_says_its_places(happy_face: Face) -> None:
    data = map_data(general_table(), happy_face, mirrored=False)
    features = feature_vector(happy_face)[: 478 * 3]
    np.testing.assert_allclose(array(data["places"]), features, atol=1e-3)
    np.testing.assert_allclose(
        100 * array(data["pixels"]).reshape(-1, 2), happy_face.points, atol=0.051
    )
    drawn = array(data["drawn"]).reshape(-1, 2)
    assert drawn.min() >= 0 and drawn.max() <= 1 and np.ptp(drawn, axis=0).max() > 0.9
    mirrored = array(map_data(general_table(), happy_face, mirrored=True)["drawn"]).reshape(-1, 2)
    np.testing.assert_allclose(mirrored[:, 0], 1 - drawn[:, 0], atol=2e-3)


def test_without_a_face_the_average_one_is_drawn() -> None:
    data = map_data(general_table(), None, mirrored=False)
    assert data["pixels"] == ""
    edges = (array(data["mesh"]) * 1000).reshape(-1, 2)
    np.testing.assert_array_equal(edges, connections()["tessellation"])
    names = [data["parts"][number] if number >= 0 else "" for number in data["part"]]
    assert (names[61], names[4], names[10]) == ("lips", "nose", "outline")
    assert {"left brow", "right brow"} <= set(names) == {*parts(), ""}


def test_smiles_are_told_by_the_mouth_and_anger_by_the_brows() -> None:
    table = general_table()
    for label, part in (("happy", ["lips"]), ("angry", ["left brow", "right brow"])):
        inside = np.concatenate([parts()[name] for name in part])
        shares = table.share[:, table.labels.index(label)]
        assert shares[inside].max() > 0.9 * shares.max()
    corner = table.shift[61, table.labels.index("happy")]
    assert corner[0] < 0 and corner[1] < 0  # outwards and up: it is on the picture's left


@pytest.mark.parametrize("metrics", [{}, {"private_test": {}}, {"private_test": None}])
def test_a_model_without_figures_claims_nothing(metrics: dict[str, Any]) -> None:
    assert in_plain_words(metrics) == ""


def test_the_shipped_figures_are_said_in_two_sentences() -> None:
    said = in_plain_words(bundle.read(bundle.GENERAL).metrics)
    ensemble = bundle.read(bundle.GENERAL).metrics["private_test"]["ensemble"]
    assert f"names for {100 * ensemble['accuracy']:.0f} " in said
    assert f"sure about {100 * ensemble['sure']['share']:.0f} " in said
