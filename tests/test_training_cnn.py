"""The image network's training: the rebuilt trunk against LiteRT, and small runs in a process.

TensorFlow is imported in subprocesses only: it must not share a process with what other tests
import.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from moodmesh.training import tfjs

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.training


def _run(code: str, *arguments: object) -> str:
    """Runs Python code in a process of its own and returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_the_rebuilt_trunk_gives_the_maps_of_the_original():
    output = _run(
        """
        import zipfile
        import numpy as np
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
        from moodmesh.face import MODEL
        from moodmesh.training import trunk

        original = Interpreter(
            model_content=zipfile.ZipFile(MODEL).read(trunk.NETWORK),
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
        original.allocate_tensors()
        gray = np.random.default_rng(0).random((1, 256, 256, 1), np.float32)
        original.set_tensor(original.get_input_details()[0]["index"], np.repeat(gray, 3, 3))
        original.invoke()
        tensors = {
            tuple(t["shape"]): t["index"]  # the last of a shape is the stage's last map
            for t in sorted(original.get_tensor_details(), key=lambda t: t["index"])
            if len(t["shape"]) == 4 and t["shape"][1] == t["shape"][2]
            and "p_re_lu" in t["name"]
        }
        for rebuilt in trunk.load_trunk(MODEL)(gray):
            rebuilt = np.asarray(rebuilt)
            theirs = original.get_tensor(tensors[rebuilt.shape])
            print(np.abs(rebuilt - theirs).max() / np.abs(theirs).max())
        """
    )
    differences = [float(line) for line in output.split()]
    assert len(differences) == 7
    assert max(differences) < 1e-4


def test_other_recognition_weights_are_refused_by_name(tmp_path):
    output = _run(
        """
        import sys
        from pathlib import Path
        from moodmesh.errors import UserError
        from moodmesh.training import faceres, recognition

        folder = Path(sys.argv[1])
        for content in (None, b"other"):
            if content is not None:
                (folder / "face_recognition_model.bin").write_bytes(content)
                (folder / "face_recognition_model-weights_manifest.json").write_text("[]")
                (folder / "faceres.bin").write_bytes(content)
                (folder / "faceres.json").write_text('{"weightsManifest": []}')
            for branch in (recognition.branch, faceres.branch):
                try:
                    branch(folder)
                except UserError as error:
                    print(error)
        """,
        tmp_path,
    )
    lines = output.splitlines()
    assert "npm pack @vladmandic/face-api@1.7.15" in lines[0]
    assert "npm pack @vladmandic/human@3.3.6" in lines[1]
    assert "is not the one of @vladmandic/face-api@1.7.15" in lines[2]
    assert "is not the one of @vladmandic/human@3.3.6" in lines[3]


def test_weights_are_read_as_they_were_packed(tmp_path):
    halves, bytes_ = np.array([0.5, -2, 3], np.float16), np.array([[0, 255]], np.uint8)
    singles = np.array([1e-7], np.float32)
    raw = halves.tobytes() + bytes_.tobytes() + singles.tobytes()
    (tmp_path / "net.bin").write_bytes(raw)
    parts = [
        {"name": "a", "shape": [3], "dtype": "float32", "quantization": {"dtype": "float16"}},
        {
            "name": "b",
            "shape": [1, 2],
            "dtype": "float32",
            "quantization": {"dtype": "uint8", "scale": 0.1, "min": -1.0},
        },
        {"name": "c", "shape": [], "dtype": "float32"},
    ]
    (tmp_path / "net.json").write_text(json.dumps([{"weights": parts}]))
    digest = hashlib.sha256(raw).hexdigest()
    arrays = tfjs.read_weights(tmp_path, "net.bin", "net.json", digest, "a package")
    assert arrays["a"].tolist() == [0.5, -2, 3]
    assert arrays["b"] == pytest.approx(np.array([[-1, 24.5]]))
    assert arrays["c"].shape == () and arrays["c"] == np.float32(1e-7)


TRAIN = """
    import os
    import sys
    from pathlib import Path

    import numpy as np
    from moodmesh import crop, fer2013
    from moodmesh.classifier import Network
    from moodmesh.training import branch, cnn, faceres, mesh, recognition
    from moodmesh.training.landmark_cache import FoundLandmarks

    SETTINGS = branch.Settings(
        variants=1, plain_share=0.6, epochs=2, batch=16, hidden=8, tower=(8, 8), mixup=0.2
    )

    def untrained_arrays():
        # Of the recognition network's shapes, with small random numbers.
        rng = np.random.default_rng(3)
        arrays, before = {}, 32
        shapes = [("conv32_down", 7, 3, 32)]
        for name, width, _ in recognition.BLOCKS:
            shapes += [(f"{name}/conv1", 3, before, width), (f"{name}/conv2", 3, width, width)]
            before = width
        for name, size, deep, width in shapes:
            spread = (size * size * deep) ** -0.5
            arrays[f"{name}/conv/filters"] = rng.normal(0, spread, (size, size, deep, width))
            arrays[f"{name}/conv/bias"] = np.zeros(width)
            arrays[f"{name}/scale/weights"] = np.ones(width)
            arrays[f"{name}/scale/biases"] = rng.normal(0, 0.1, width)
        return arrays

    def untrained_pairs():
        # Of the faceres network's shapes.
        rng = np.random.default_rng(4)
        arrays, before = {}, 32
        arrays["conv1/convolution/merged_input"] = rng.normal(0, 0.005, (3, 3, 3, 32))
        arrays["conv1_bn/batchnorm_1/sub"] = np.zeros(32)
        for number, (width, _) in enumerate(faceres.PAIRS, 1):
            deep, flat = f"conv_dw_{number}", f"conv_pw_{number}"
            arrays[f"{deep}/depthwise_kernel"] = rng.normal(0, 0.3, (3, 3, before, 1))
            arrays[f"{deep}_bn/batchnorm_1/mul"] = np.full(before, 1.5)
            spread = before**-0.5
            kernel = rng.normal(0, spread, (1, 1, before, width))
            arrays[f"{flat}/convolution/merged_input"] = kernel
            for name, count in ((deep, before), (flat, width)):
                arrays[f"{name}_bn/batchnorm_1/sub"] = rng.normal(0, 0.1, count)
            before = width
        return arrays

    def branch_of(name):
        recognition.read_weights = lambda *_: untrained_arrays()
        faceres.read_weights = lambda *_: untrained_pairs()
        match name:
            case "mesh":
                return mesh.branch(SETTINGS)
            case "recognition":
                return recognition.branch(Path(), SETTINGS)
            case "faceres":
                return faceres.branch(Path(), SETTINGS)

    def striped():
        rng = np.random.default_rng(0)
        labels = np.arange(48) % 7
        images = rng.integers(0, 40, (48, 48, 48)).astype(np.uint8)
        for image, label in zip(images, labels):
            image[6 * label : 6 * label + 6] += 200
        usage = np.array([0] * 32 + [1] * 8 + [2] * 8)
        return fer2013.Fer2013(images, labels, usage, np.arange(48))

    def some_votes():
        votes = np.random.default_rng(1).multinomial(10, [0.1] * 10, 48)
        votes[5] = 0  # a picture that nobody voted on
        return votes

    def train(name, folder, kill_after=None):
        def report(line):
            print(line, flush=True)
            if kill_after and line.startswith(kill_after):
                os._exit(9)  # no clean-up runs, as after a kill

        nowhere = FoundLandmarks(
            np.zeros(48, bool), np.zeros((48, 478, 3)), np.zeros((48, 52)),
            np.zeros((48, 4, 4)), (48, 48),
        )
        return cnn.train_cnn(
            striped(), nowhere, branch_of(name), folder / "cnn.tflite",
            folder / "checkpoints", folder.parent / "cache", report, votes=some_votes(),
        )

    if __name__ == "__main__":
        folder, name = Path(sys.argv[1]), sys.argv[2]
        if sys.argv[3:] == ["killed"]:
            train(name, folder / "a", "epoch 1/")
        for run in sys.argv[3:] or ["a"]:
            made = train(name, folder / run)
            print("losses", *[epoch["loss"] for epoch in made["history"]])
        network = Network(folder / "a" / "cnn.tflite")
        print("logits", *network(crop.face_crop(np.zeros((48, 48, 3), np.uint8), None)))
        print("megabytes", (folder / "a" / "cnn.tflite").stat().st_size / 1e6)
"""


def _train(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # A file, not -c: the processes that make the maps start by importing it.
    script = folder / "train_small.py"
    script.write_text(textwrap.dedent(TRAIN), encoding="utf-8")
    return subprocess.run(
        [sys.executable, script, folder, *arguments],
        capture_output=True,
        text=True,
        timeout=900,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)},
    )


def _values(output: str, name: str) -> list[list[float]]:
    lines = [line.split()[1:] for line in output.splitlines() if line.startswith(name)]
    return [[float(value) for value in line] for line in lines]


@pytest.mark.parametrize("branch", ["mesh", "recognition"])
def test_a_killed_training_goes_on_and_ends_as_an_unbroken_one(tmp_path, branch):
    killed = _train(tmp_path, branch, "killed")
    assert killed.returncode == 9, killed.stderr[-3000:]
    assert "epoch 2/2" not in killed.stdout

    done = _train(tmp_path, branch, "a", "b")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Going on after epoch 1" in done.stdout
    resumed, unbroken = _values(done.stdout, "losses")
    assert len(resumed) == 2
    assert resumed == pytest.approx(unbroken, rel=0.01)
    assert len(_values(done.stdout, "logits")[0]) == 7
    assert _values(done.stdout, "megabytes")[0][0] < 8


def test_the_faceres_branch_trains_into_a_file_small_enough(tmp_path):
    done = _train(tmp_path, "faceres")
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(_values(done.stdout, "losses")[0]) == 2
    assert len(_values(done.stdout, "logits")[0]) == 7
    assert _values(done.stdout, "megabytes")[0][0] < 8


def test_the_landmark_net_as_shipped_says_what_the_trained_one_says():
    output = _run(
        """
        import numpy as np
        from moodmesh.features import FEATURES, mirror
        from moodmesh.training import networks

        rng = np.random.default_rng(0)
        faces = rng.normal(size=(40, FEATURES)).astype(np.float32)
        shape = networks.Shape(components=16, hidden=(24, 12))
        net = networks.build(shape, networks.fit_scaling(faces, 16, shape.whitening))
        for weight in net.get_layer("hidden_1_scale").weights:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        shipped = np.asarray(networks.symmetric(networks.folded(net))(faces))
        means = (np.asarray(net(faces)) + np.asarray(net(mirror(faces)))) / 2
        print(np.abs(shipped - means).max(), means.std())
        """
    )
    difference, spread = (float(number) for number in output.split())
    assert difference < 1e-4 * spread
