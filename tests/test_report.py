"""Unit: the report's files on a model's networks, from the shipped bundle and small histories."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moodmesh import bundle, fer2013, importance
from moodmesh.errors import UserError
from moodmesh.training import combine, report
from moodmesh.training.model_card import model_card
from tests.test_training_fer2013 import pictures


def test_the_image_network_is_drawn_from_the_file_itself() -> None:
    network = bundle.GENERAL / "cnn.tflite"
    boxes = report.layers_of(network)
    assert boxes[-1].title == "7 expressions"
    # float16: all but a few bytes of the file are weights, and each is counted once.
    weights = sum(box.weights for box in boxes)
    assert 0.8 * network.stat().st_size < 2 * weights < network.stat().st_size


def test_curves_come_from_checkpoints_and_tables_one_after_another(tmp_path: Path) -> None:
    rounds = [{"loss": 1.5, "accuracy": 0.4, "public_test_accuracy": 0.5, "seconds": 9.0}] * 2
    np.savez(tmp_path / "first.npz", history=json.dumps(rounds))
    table = "epoch,loss,accuracy,val_accuracy\n1,1.2,0.6,0.62\n"
    (tmp_path / "second.csv").write_text(table)
    rows = report.read_history([tmp_path / "first.npz", tmp_path / "second.csv"])
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert [row["val_accuracy"] for row in rows] == [0.5, 0.5, 0.62]


@pytest.mark.parametrize("content", ["", "epoch,loss\n1,2\n", "epoch,loss,accuracy\n1,x,y\n"])
def test_a_file_without_a_history_is_named(content: str, tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    path.write_text(content)
    if not content:
        path = tmp_path / "none.npz"
    with pytest.raises(UserError, match=f"{path.name} holds no history"):
        report.read_history([path])


def test_the_report_joins_a_bundle_and_changes_nothing_else(tmp_path: Path) -> None:
    general = bundle.read(bundle.GENERAL)
    names = ("landmarks.tflite", "cnn.tflite", "weights.npz")
    files = {name: general.path(name) for name in names}
    files["cnn_2.tflite"] = files["cnn_3.tflite"] = files["cnn.tflite"]
    settings = {**general.settings, "shares": [0.5, 0.25, 0.25]}
    model = bundle.write(tmp_path / "m", replace(general, files={}, settings=settings), files)
    images = pictures(6)
    data = fer2013.Fer2013(images, np.arange(6) % 7, np.full(6, 1), np.arange(6))
    history = tmp_path / "h.csv"
    history.write_text("epoch,loss,accuracy,val_accuracy\n1,1.5,0.4,0.5\n2,1.2,0.6,0.62\n")
    histories = {"cnn.tflite": [history], "cnn_2.tflite": [history], "cnn_3.tflite": [history]}
    made = report.complete(model, data, histories, tmp_path / "cache")
    for name in files:
        assert made.files[name] == model.files[name]
    assert (made.metrics, made.settings) == (model.metrics, model.settings)
    expected = {"architecture_cnn.png", "curves_cnn.png", "history_cnn.csv"}
    expected |= {"architecture_cnn_2.png", "curves_cnn_2.png", "history_cnn_2.csv"}
    expected |= {"architecture_cnn_3.png", "curves_cnn_3.png", "history_cnn_3.csv"}
    assert expected <= set(made.files)
    table = importance.read(made.path("landmark_importance.csv"), made.labels)
    assert table.share.max() <= 1 and table.share.shape == (478, 7)


def test_the_card_says_what_each_image_network_began_as() -> None:
    general = bundle.read(bundle.GENERAL)
    said = combine.grown_on([Path("cache/cnn/mesh.tflite"), Path("mine.tflite")])
    card = model_card("A model", general.trained_on | said, general.metrics)
    assert "MediaPipe's face mesh network." in card
    assert "dlib" not in card and "mine" not in card
    none = model_card("A model", general.trained_on | combine.grown_on([]), general.metrics)
    assert "seen far more faces" not in none
