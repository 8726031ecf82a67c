"""Tests of FER2013 training: landmarks of stills and figures as units; the commands end to end on
a few dozen small pictures, in processes of their own (they load TensorFlow, tests must not)."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from moodmesh import bundle
from moodmesh.classifier import Combination, softmax
from moodmesh.errors import UserError
from moodmesh.fer2013 import CSV_LABELS, LABELS, USAGES, Fer2013
from moodmesh.training import calibrate, cluster, evaluate, landmark_cache, metrics
from moodmesh.training.evaluate import Logits
from moodmesh.training.landmark_cache import find_landmarks

REPOSITORY = Path(__file__).resolve().parent.parent


@cache
def small_face() -> np.ndarray:
    """Eileen Collins (NASA, public domain) as FER2013 would hold her, uint8 (96, 96)."""
    gray = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2GRAY)
    return cv2.resize(gray[50:190, 155:295], (96, 96), interpolation=cv2.INTER_AREA)


def pictures(count: int, seed: int = 0) -> np.ndarray:
    """The face, turned and shifted a little differently in each picture, uint8 (n, 48, 48)."""
    random = np.random.default_rng(seed)
    images = np.empty((count, 48, 48), np.uint8)
    for image in images:
        matrix = cv2.getRotationMatrix2D((48, 48), random.uniform(-12, 12), random.uniform(0.9, 1))
        matrix[:, 2] += random.uniform(-4, 4, 2)
        turned = cv2.warpAffine(small_face(), matrix, (96, 96), borderMode=cv2.BORDER_REPLICATE)
        image[:] = cv2.resize(turned, (48, 48), interpolation=cv2.INTER_AREA)
    return images


def test_landmarks_of_small_pictures_are_found_and_misses_are_marked(tmp_path: Path) -> None:
    images = np.concatenate([pictures(3), np.zeros((1, 48, 48), np.uint8)])
    found = find_landmarks(images, tmp_path)
    assert found.found.tolist() == [True, True, True, False]
    assert found.size == (48, 48)
    features = found.features()
    assert features.shape == (4, 1486)
    assert not features[3].any()


def test_a_killed_search_goes_on_where_it_stopped(tmp_path: Path) -> None:
    images = pictures(6)
    searched: list[int] = []

    def killed(function, chunks):  # type: ignore[no-untyped-def]
        for number, chunk in enumerate(chunks):
            if number == 2:
                raise KeyboardInterrupt
            searched.append(len(chunk[1]))
            yield function(chunk)

    def counted(function, chunks):  # type: ignore[no-untyped-def]
        for chunk in reversed(chunks):  # a cluster returns them in any order
            searched.append(len(chunk[1]))
            yield function(chunk)

    with pytest.raises(KeyboardInterrupt):
        find_landmarks(images, tmp_path, killed, chunk=2)
    assert searched == [2, 2]
    resumed = find_landmarks(images, tmp_path, counted, chunk=2)
    assert searched == [2, 2, 2]
    unbroken = find_landmarks(images, tmp_path / "other", chunk=6)
    np.testing.assert_array_equal(resumed.landmarks, unbroken.landmarks)
    assert not list(tmp_path.glob("*.part"))


def test_a_damaged_or_changed_chunk_is_searched_again(tmp_path: Path) -> None:
    images = pictures(2)
    first = find_landmarks(images, tmp_path)
    (path,) = tmp_path.glob("*.npz")
    path.write_bytes(path.read_bytes()[:1000])
    np.testing.assert_array_equal(find_landmarks(images, tmp_path).landmarks, first.landmarks)
    images[0] = 0
    assert find_landmarks(images, tmp_path).found.tolist() == [False, True]
    assert len(list(tmp_path.glob("*.npz"))) == 2


def test_a_full_disk_keeps_the_landmarks_found_so_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = pictures(2)
    find_landmarks(images[:1], tmp_path)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"No space left.*found so far is kept"):
        find_landmarks(images, tmp_path)
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]


def test_samples_are_drawn_with_the_mesh_that_was_found(tmp_path: Path) -> None:
    images = np.concatenate([pictures(2), np.zeros((1, 48, 48), np.uint8)])
    data = Fer2013(images, np.array([0, 1, 2]), np.full(3, 1), np.arange(3))
    logits = Logits(np.ones(3, bool), np.zeros((3, 7)), None)
    test = evaluate.Test(data, logits, np.zeros(3, bool), None)
    evaluate.write_samples(tmp_path / "samples.png", test, tmp_path / "cache")
    drawn = cv2.imread(str(tmp_path / "samples.png")).astype(int)
    coloured = np.ptp(drawn, axis=2) > 60
    # The first row is 'happy' and holds a mesh; the third holds a black picture without a face.
    rows = np.array_split(coloured, len(LABELS))
    assert rows[0].sum() > 100 and rows[2].sum() == 0


def test_processes_and_this_process_find_the_same(tmp_path: Path) -> None:
    images = pictures(4)
    chunks = [(number, images[2 * number : 2 * number + 2]) for number in range(2)]
    several = dict(landmark_cache.on_this_machine(landmark_cache.find_chunk, chunks))
    for chunk in chunks:
        number, arrays = landmark_cache.find_chunk(chunk)
        np.testing.assert_array_equal(arrays["landmarks"], several[number]["landmarks"])


def end_this_process(chunk: landmark_cache.Chunk) -> landmark_cache.ChunkResult:
    os.kill(os.getpid(), signal.SIGKILL)
    return landmark_cache.find_chunk(chunk)


@pytest.mark.timeout(60)
def test_a_process_that_is_killed_ends_the_search_with_a_message() -> None:
    chunks = [(number, pictures(1)) for number in range(4)]
    with pytest.raises(UserError, match=r"ended from outside.*start the same command again"):
        list(landmark_cache.on_this_machine(end_this_process, chunks))


@pytest.mark.parametrize(
    ("probabilities", "labels", "expected"),
    [
        ([[1.0, 0.0], [1.0, 0.0]], [0, 0], 0.0),
        ([[1.0, 0.0], [1.0, 0.0]], [0, 1], 0.5),
        # Two bins, each with a gap: half at 0.9 that are right, half at 0.6 that are wrong.
        ([[0.9, 0.1], [0.6, 0.4]], [0, 1], 0.5 * 0.1 + 0.5 * 0.6),
    ],
)
def test_calibration_error(
    probabilities: list[list[float]], labels: list[int], expected: float
) -> None:
    error = metrics.calibration_error(np.array(probabilities), np.array(labels))
    assert error == pytest.approx(expected)


def test_figures_by_class_count_missing_answers_as_missed() -> None:
    labels, predicted = np.array([0, 0, 0, 1]), np.array([0, -1, 1, 1])
    zero, one = metrics.by_class(predicted, labels, 2)
    assert (zero.precision, zero.recall, zero.f1) == (1.0, pytest.approx(1 / 3), pytest.approx(0.5))
    assert (one.precision, one.recall, one.count) == (0.5, 1.0, 1)
    assert metrics.accuracy(predicted, labels) == 0.5
    assert metrics.confusion(predicted, labels, 2).tolist() == [[1, 1], [0, 1]]


def noisy_logits(
    count: int, strength: float, seed: int, missing: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Calibrated logits of a made-up task, their labels, and which are there."""
    random = np.random.default_rng(seed)
    logits = strength * random.normal(size=(count, len(LABELS)))
    labels = np.array([random.choice(len(LABELS), p=row) for row in softmax(logits)])
    return logits, labels, random.random(count) >= missing


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_fitted_temperature_undoes_over_and_underconfidence(temperature: float) -> None:
    logits, labels, _ = noisy_logits(4000, 2.0, 0)
    assert metrics.fit_temperature(logits * temperature, labels) == pytest.approx(
        temperature, rel=0.06
    )


def test_what_is_sure_is_right_often_enough() -> None:
    logits, labels, _ = noisy_logits(4000, 2.0, 1)
    probabilities = softmax(logits)
    threshold = metrics.sure_threshold(probabilities, labels, 0.85)
    sure = probabilities.max(axis=1) >= threshold
    right = probabilities.argmax(axis=1) == labels
    assert right[sure].mean() >= 0.85
    assert right.mean() < 0.85 and sure.mean() > 0.2
    assert metrics.sure_threshold(probabilities[:, ::-1], labels, 1.01) == 1.0


def two_networks(count: int, seed: int) -> tuple[Logits, np.ndarray]:
    """Two networks that each see another half of the evidence."""
    random = np.random.default_rng(seed)
    landmarks, cnn = random.normal(size=(2, count, len(LABELS)))
    evidence = softmax(1.5 * landmarks + 2.5 * cnn)
    labels = np.array([random.choice(len(LABELS), p=row) for row in evidence])
    found = random.random(count) >= 0.1
    return Logits(found, np.where(found[:, None], landmarks, 0), cnn), labels


def test_the_fitted_ensemble_beats_both_parts_on_other_images() -> None:
    how = calibrate.fit_combination(*two_networks(6000, 0))
    assert how.weights == pytest.approx((1.5, 2.5), rel=0.1)
    logits, labels = two_networks(6000, 1)
    given = evaluate.answers(logits, how)
    right = {name: metrics.accuracy(one.predicted, labels) for name, one in given.items()}
    assert right["ensemble"] > max(right["landmarks"], right["cnn"]) + 0.03
    everywhere = given["ensemble"]
    assert metrics.calibration_error(everywhere.probabilities, labels) < 0.03


def test_image_networks_share_by_what_each_knows() -> None:
    everywhere = np.ones(6000, bool)
    random = np.random.default_rng(5)
    halves = random.normal(size=(2, 6000, len(LABELS)))
    evidence = softmax(3 * halves[0] + 1 * halves[1])
    labels = np.array([random.choice(len(LABELS), p=row) for row in evidence])
    two = Logits(everywhere, halves[0], halves.mean(axis=0), halves)
    assert calibrate.mix_networks(two, labels) == pytest.approx((0.75, 0.25), abs=0.03)
    assert calibrate.mix_networks(replace(two, parts=None), labels) == ()


def test_the_gate_decides_whom_the_ensemble_follows() -> None:
    logits, _ = two_networks(200, 2)
    never = evaluate.answers(logits, Combination(gate=0.0))
    always = evaluate.answers(logits, Combination(gate=1.1))
    found = logits.found
    for name, given in (("never", never), ("always", always)):
        np.testing.assert_array_equal(
            given["ensemble"].probabilities[~found], given["cnn"].probabilities[~found], name
        )
    np.testing.assert_array_equal(
        never["ensemble"].probabilities[found], never["landmarks"].probabilities[found]
    )
    assert not np.allclose(
        always["ensemble"].probabilities[found], always["landmarks"].probabilities[found]
    )


def test_every_asked_figure_of_a_split_is_counted() -> None:
    """Five images by hand: three with landmarks, one of them unsure; one copy; one FER+ tie."""
    found = np.array([True, True, True, False, False])
    labels = np.array([0, 1, 2, 3, 4])

    def logits(*answers: int) -> np.ndarray:
        return 9 * np.eye(len(LABELS))[list(answers)]

    landmarks = logits(0, 1, 0, 0, 0)
    landmarks[2] /= 9  # unsure, and wrong: the image network joins
    landmarks[~found] = 0
    data = Fer2013(np.zeros((5, 48, 48), np.uint8), labels, np.full(5, 2), np.arange(5))
    result = evaluate.evaluate_logits(
        Logits(found, landmarks, logits(0, 1, 2, 3, 0)),
        Combination(gate=0.9, sure=0.5),
        data,
        np.array([True, False, False, False, False]),
        np.array([0, 2, -1, 3, 4]),
    )
    assert result["images"] == 5 and result["faces_found"] == 0.6
    assert result["cnn_asked"] == pytest.approx(3 / 5)
    assert result["without_landmarks"] == {"images": 2, "cnn_accuracy": 0.5, "bought": 0.2}
    right = {name: result[name]["accuracy"] for name in ("landmarks", "cnn", "ensemble")}
    assert right == pytest.approx({"landmarks": 0.4, "cnn": 0.8, "ensemble": 0.8})
    assert result["landmarks"]["accuracy_without_copies"] == pytest.approx(1 / 4)
    assert result["ensemble"]["ferplus_accuracy"] == pytest.approx(2 / 4)
    assert result["ensemble"]["by_class"][LABELS[4]]["recall"] == 0
    figures = {"model": "m", "public_test": result, "private_test": result, "time_ms": {"cnn": 5.0}}
    text = evaluate.table(figures)
    for line in ("without copies", "by FER+ majority", "macro F1", "calibration error", "sure"):
        assert line in text
    assert "right in 50.0%: 20.0 points of all" in text


def write_csv(path: Path, count: int = 56) -> Path:
    """A FER2013 in small: seven classes, three quarters for training, an eighth for each test."""
    lines = ["emotion,pixels,Usage"]
    for index, image in enumerate(pictures(count)):
        usage = USAGES[0] if index < count * 3 // 4 else USAGES[1 + (index // 7) % 2]
        label = LABELS[index % 7]
        # Each class has a mark a net can learn: the face is bent by another amount.
        bend = cv2.resize(image, (48, 48 + 4 * (index % 7)))[:48]
        lines.append(f"{CSV_LABELS.index(label)},{' '.join(map(str, bend.ravel()))},{usage}")
    path.write_text("\n".join(lines))
    return path


def train(*arguments: str | Path, environment: dict[str, str] | None = None) -> str:
    """Runs train.py as a user would; its standard output."""
    done = subprocess.run(
        [sys.executable, REPOSITORY / "train.py", *arguments],
        capture_output=True,
        text=True,
        timeout=900,
        cwd=REPOSITORY,
        env={**os.environ, **(environment or {})},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.training
def test_train_and_evaluate_end_to_end(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "fer2013.csv")
    out = tmp_path / "model"
    settings = ("--epochs", "3", "--batch", "16", "--cache", tmp_path / "cache")
    settings += ("--checkpoints", tmp_path / "checkpoints")
    settings += ("--cnn", bundle.GENERAL / "cnn.tflite")
    printed = train("fer2013", "--data", data, "--out", out, *settings)
    assert "PrivateTest: 7 images" in printed
    model = bundle.read(out)
    expected = "landmarks.tflite weights.npz history.csv curves.png confusion_matrix.png"
    expected += " cnn.tflite landmark_importance.csv"
    assert {*expected.split(), "reliability.png", "architecture.png"} <= set(model.files)
    assert model.trained_on["taught_by_image_network"] > 0
    assert len(model.path("history.csv").read_text().splitlines()) == 1 + 3
    figures = json.loads(
        train("evaluate", "--data", data, "--model", out, "--json", "--cache", tmp_path / "cache")
    )
    for test in ("public_test", "private_test"):
        assert {"landmarks", "ensemble", "faces_found"} <= set(figures[test])
        keys = {"accuracy", "accuracy_without_copies", "macro_f1", "calibration_error"}
        assert keys <= set(figures[test]["landmarks"])
        # What is shipped must reproduce what was printed when it was made.
        assert figures[test]["landmarks"] == model.metrics[test]["landmarks"]


def test_a_personal_model_is_not_judged_on_fer2013(tmp_path: Path) -> None:
    general = bundle.read(bundle.GENERAL)
    files = {name: general.path(name) for name in ("landmarks.tflite", "weights.npz")}
    labels = ("wink", *general.labels[1:])
    bundle.write(tmp_path / "own", replace(general, labels=labels, files={}), files)
    data = write_csv(tmp_path / "fer2013.csv", 28)
    args = ["evaluate", "--data", str(data), "--model", str(tmp_path / "own")]
    sys.path.insert(0, str(REPOSITORY))
    import train as command

    with pytest.raises(UserError, match=r"reads wink, .* can only judge one that reads happy"):
        command.main(args)


# Trains a small net on made-up rows. With an epoch to be killed at, it is interrupted there and
# then started afresh, as a user would. Prints the history.
FIT = """
import json, sys
from pathlib import Path
import keras, numpy as np, tensorflow as tf
from moodmesh.training import cluster
from moodmesh.training.fit import Examples, Recipe, fit
from moodmesh.training.progress import Progress

folder, killed_at = Path(sys.argv[1]), int(sys.argv[2])
strategy = (
    tf.distribute.MultiWorkerMirroredStrategy() if cluster.has_workers()
    else tf.distribute.get_strategy()
)
random = np.random.default_rng(0)
rows = np.repeat(random.normal(size=(1, 192, 20)), 2, axis=0).astype(np.float32)
labels = (rows[0] @ random.normal(size=(20, 3))).argmax(axis=1)
targets = np.eye(3, dtype=np.float32)[labels]
examples = Examples(rows, np.ones((2, 192), bool), targets, np.ones(192, np.float32))

class Killed(Progress):
    def step(self, stage, done, total, **figures):
        if done == killed_at:
            raise KeyboardInterrupt

class Counted(Progress):
    epochs = []
    def step(self, stage, done, total, **figures):
        self.epochs.append(done)

def run(progress):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        net = keras.Sequential([
            keras.Input((20,)), keras.layers.Dense(16, "gelu"), keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.2, seed=1), keras.layers.Dense(3),
        ])
        return fit(
            net, examples, (rows[0], targets),
            Recipe(epochs=6, batch=32, mixup=0.2, rate=0.02),
            folder / "run.npz", progress, chief=cluster.is_chief(), tensorboard=folder / "logs",
        )

if killed_at:
    try:
        run(Killed(quiet=True))
    except KeyboardInterrupt:
        print("killed", flush=True)
history = run(Counted(quiet=True))
# A run that began anew would have the same curve: what it did itself tells them apart.
assert Counted.epochs == list(range(killed_at + 1, 7)), Counted.epochs
print(json.dumps([[row["loss"], row["val_loss"]] for row in history]))
"""


def start_fit(
    folder: Path, killed_at: int = 0, environment: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", FIT, folder, str(killed_at)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", **(environment or {})},
    )


def finish_fit(process: subprocess.Popen[str]) -> np.ndarray:
    """Losses on training and validation rows, (epochs, 2)."""
    output, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors[-3000:]
    return np.array(json.loads(output.splitlines()[-1]))


@pytest.mark.training
def test_killed_and_shared_training_have_the_loss_curve_of_an_unbroken_one(tmp_path: Path) -> None:
    with socket.create_server(("localhost", 0)) as one, socket.create_server(("localhost", 0)) as b:
        addresses = [f"localhost:{server.getsockname()[1]}" for server in (one, b)]
    configurations = [
        {
            "TF_CONFIG": json.dumps(
                {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            )
        }
        for index in range(2)
    ]
    unbroken = start_fit(tmp_path / "unbroken")
    killed = start_fit(tmp_path / "killed", killed_at=3)
    workers = [
        start_fit(tmp_path / f"worker{index}", environment=configuration)
        for index, configuration in enumerate(configurations)
    ]
    expected = finish_fit(unbroken)
    assert expected.shape == (6, 2) and expected[-1, 1] < 0.7 * expected[0, 1]
    assert list((tmp_path / "unbroken" / "logs").rglob("*tfevents*"))
    np.testing.assert_allclose(finish_fit(killed), expected, rtol=1e-4)
    # Each worker drops other units and normalises by its own half of a batch.
    for worker in workers:
        np.testing.assert_allclose(finish_fit(worker), expected, rtol=0.1)
    assert not (tmp_path / "worker1" / "run.npz").exists()


@pytest.fixture
def dask_cluster(tmp_path: Path) -> Iterator[str]:
    """A scheduler and two workers in processes of their own; the scheduler's address."""
    file = tmp_path / "scheduler.json"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    commands = [[*dask, "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file)]
    commands += [[*worker, "--nthreads", "1", "--no-dashboard", "--no-nanny"]] * 2
    processes = [
        subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for command in commands
    ]
    try:
        for _ in range(600):
            if file.is_file() and file.stat().st_size:
                break
            assert processes[0].poll() is None
            time.sleep(0.1)
        from distributed import Client

        address = json.loads(file.read_text())["address"]
        with Client(address) as client:
            client.wait_for_workers(2, timeout=60)
        yield address
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait(timeout=30)


def test_dask_finds_the_same_landmarks_as_this_machine(dask_cluster: str, tmp_path: Path) -> None:
    images = pictures(8)
    local = find_landmarks(images, tmp_path / "local", chunk=2)
    shared = find_landmarks(images, tmp_path / "dask", cluster.on_dask(dask_cluster), chunk=2)
    for name in ("found", "landmarks", "blendshapes", "pose"):
        np.testing.assert_array_equal(getattr(shared, name), getattr(local, name))


def test_a_dask_scheduler_that_does_not_answer_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    with pytest.raises(UserError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        find_landmarks(pictures(1), tmp_path, cluster.on_dask("tcp://127.0.0.1:9"))
