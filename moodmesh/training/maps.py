"""The frozen trunk's maps of FER2013, made once: what the image network's upper stages learn from.

The trunk's lower stages find edges, lids and lips; the face mesh's training has taught them that
better than 28,000 pictures of 48x48 can. Left as they are, they need not be run again in every
epoch: each training picture goes through them in a few variants, as a photograph would vary, and
the upper stages are trained on these maps. That makes an epoch three times cheaper than one
through the whole network. LiteRT runs the lower stages, in one process a core.

Every variant is one file, complete or not there: a killed run makes only the missing ones again.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from tqdm import tqdm

from moodmesh import crop
from moodmesh.errors import UserError
from moodmesh.training.processes import in_processes

# Pictures a process works on at a time: about a second.
CHUNK = 256

# How far a variant's cut strays from the true one, as standard deviations: the mesh of the same
# face moves about this much between two landmarkers or two frames, and faces tilt and turn.
ROTATION = math.radians(6)
SCALE = 0.06
SHIFT = 0.03  # of the box's side
STRETCH = 0.04  # of width against height, as faces differ
# Light: contrast and gamma as exponents' standard deviations, brightness in gray levels.
CONTRAST = 0.2
GAMMA = 0.2
BRIGHTNESS = 15.0
# A share of the variants is blurred or noisy as webcams are, or has a patch hidden by a hand.
BLURRED = 0.15
NOISY = 0.15
NOISE = 6.0  # gray levels
HIDDEN = 0.35
HIDDEN_SIDE = (0.15, 0.4)  # of the crop


@dataclass(frozen=True)
class Pictures:
    """Pictures to run through the trunk.

    images: uint8 (n, height, width). boxes: float64 (n, 4), each one's MeshBox as
    (x, y, side, angle).
    """

    images: np.ndarray
    boxes: np.ndarray

    def part(self, chosen: np.ndarray) -> Pictures:
        """Those that are chosen, bool (n,)."""
        return Pictures(self.images[chosen], self.boxes[chosen])


def pictures(images: np.ndarray, landmarks: np.ndarray, found: np.ndarray) -> Pictures:
    """Pictures with the boxes of their faces.

    images: uint8 (n, height, width). landmarks: (n, 478, 3) as MediaPipe gives them, used where
    found, bool (n,), is true.
    """
    size = (images.shape[2], images.shape[1])
    boxes = np.empty((len(images), 4))
    for index in range(len(images)):
        if found[index]:
            box = crop.mesh_box(landmarks[index, :, :2] * np.array(size, np.float32))
        else:
            box = crop.frame_box(size)
        boxes[index] = (*box.centre, box.side, box.angle)
    return Pictures(images, boxes)


def _box(row: np.ndarray) -> crop.MeshBox:
    return crop.MeshBox((float(row[0]), float(row[1])), float(row[2]), float(row[3]))


def stray_box(row: np.ndarray, rng: np.random.Generator) -> crop.MeshBox:
    """A box near the true one, (x, y, side, angle)."""
    shift = rng.normal(0, SHIFT, 2) * row[2]
    return crop.MeshBox(
        (float(row[0] + shift[0]), float(row[1] + shift[1])),
        float(row[2] * math.exp(rng.normal(0, SCALE))),
        float(row[3] + rng.normal(0, ROTATION)),
    )


def vary(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The crop, uint8 (side, side), as another camera in another light might have seen it."""
    side = len(picture)
    values: np.ndarray = picture.astype(np.float32)
    stretch = math.exp(rng.normal(0, STRETCH))
    matrix = np.array([[stretch, 0, (1 - stretch) * side / 2], [0, 1, 0]])
    values = cv2.warpAffine(values, matrix, (side, side), flags=cv2.INTER_LINEAR)
    seen = values > 0  # black beyond the picture stays black
    values = 255 * (values.clip(0, 255) / 255) ** math.exp(rng.normal(0, GAMMA))
    middle = float(values[seen].mean()) if seen.any() else 0.0
    values = (values - middle) * math.exp(rng.normal(0, CONTRAST)) + middle
    values += rng.normal(0, BRIGHTNESS)
    if rng.random() < BLURRED:
        values = cv2.GaussianBlur(values, (0, 0), rng.uniform(1, 4))
    if rng.random() < NOISY:
        coarse = rng.normal(0, NOISE, (side // 4, side // 4)).astype(np.float32)
        values += cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    values = np.where(seen, values, 0)
    if rng.random() < HIDDEN:
        height, width = (rng.uniform(*HIDDEN_SIDE, 2) * side).astype(int)
        top, left = rng.integers(0, side - height), rng.integers(0, side - width)
        values[top : top + height, left : left + width] = rng.uniform(0, 255)
    return np.rint(values.clip(0, 255)).astype(np.uint8)


@dataclass(frozen=True)
class Job:
    """One call's share of the pictures, start to stop.

    seed: of random variants, half of them mirrored; None for the plain cut. mirrored: of the
    plain cut.
    """

    start: int
    stop: int
    seed: int | None
    mirrored: bool


class _Worker:
    """What one process keeps between jobs."""

    network: Interpreter
    pictures: Pictures
    dtype: str


def _start(network: bytes, pictures: Pictures, dtype: str) -> None:
    cv2.setNumThreads(1)
    _Worker.network = Interpreter(model_content=network, num_threads=1)
    _Worker.network.allocate_tensors()
    _Worker.pictures = pictures
    _Worker.dtype = dtype


def network_crop(pictures: Pictures, index: int, job: Job) -> np.ndarray:
    """The network's input for one picture, plain or as a random variant."""
    image, row = pictures.images[index], pictures.boxes[index]
    if job.seed is None:
        mirrored, cut = job.mirrored, crop.cut(image, _box(row))
    else:
        # Seeded by picture, so that the result does not hang on how the work was shared out.
        rng = np.random.default_rng((job.seed, index))
        cut = vary(crop.cut(image, stray_box(row, rng)), rng)
        mirrored = bool(rng.random() < 0.5)
    ready = crop.network_input(cut)
    return crop.mirrored(ready) if mirrored else ready


def _kept(values: np.ndarray, dtype: str) -> np.ndarray:
    if dtype == "uint8":
        return np.rint(values).clip(0, 255).astype(np.uint8)
    return values.astype(dtype)


def _run(job: Job) -> tuple[int, np.ndarray]:
    network = _Worker.network
    feed = network.get_input_details()[0]["index"]
    fetch = network.get_output_details()[0]["index"]
    outputs = []
    for index in range(job.start, job.stop):
        network.set_tensor(feed, network_crop(_Worker.pictures, index, job)[None])
        network.invoke()
        outputs.append(_kept(network.get_tensor(fetch)[0], _Worker.dtype))
    return job.start, np.stack(outputs)


def _results(
    jobs: list[Job], network: bytes, pictures: Pictures, dtype: str, processes: int | None
) -> Iterator[tuple[int, np.ndarray]]:
    """Each job's start and values, in the order in which they are ready."""
    if len(jobs) == 1 and processes is None:  # a process of its own would take longer to start
        _start(network, pictures, dtype)
        yield _run(jobs[0])
    else:
        yield from in_processes(_run, jobs, _start, (network, pictures, dtype), processes)


def _jobs(count: int, seed: int | None, mirrored: bool) -> list[Job]:
    return [
        Job(start, min(start + CHUNK, count), seed, mirrored) for start in range(0, count, CHUNK)
    ]


def _shape(network: bytes) -> tuple[int, ...]:
    output = Interpreter(model_content=network).get_output_details()[0]
    return tuple(int(length) for length in output["shape"][1:])


def run_network(
    network: bytes, pictures: Pictures, mirrored: bool = False, processes: int | None = None
) -> np.ndarray:
    """A network's outputs for all pictures' plain cuts, float32 (n, ...).

    network: a .tflite with one crop in and one array out.
    """
    outputs = np.empty((len(pictures.images), *_shape(network)), np.float32)
    jobs = _jobs(len(outputs), None, mirrored)
    for start, part in _results(jobs, network, pictures, "float32", processes):
        outputs[start : start + len(part)] = part
    return outputs


def make_maps(
    folder: Path,
    network: bytes,
    pictures: Pictures,
    wanted: dict[str, tuple[int | None, bool]],
    processes: int | None = None,
    dtype: str = "float16",
) -> dict[str, np.ndarray]:
    """Maps of all pictures by name, (n, height, width, channels), on disk.

    Missing files are made; a file is whole or not there.

    network: a .tflite with one crop in and one map out.
    wanted: name -> (seed, mirrored) as in :class:`Job`. dtype: of the maps; uint8 rounds them.
    """
    paths = {name: folder / f"{name}.npy" for name in wanted}
    missing = [name for name, path in paths.items() if not path.is_file()]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        count, shape = len(pictures.images), _shape(network)
        # Asked beforehand: writing to a mapped file on a full disk kills the process.
        needed = len(missing) * count * math.prod(shape) * np.dtype(dtype).itemsize
        if shutil.disk_usage(folder).free < needed:
            raise UserError(
                f"The maps of {count} pictures need {needed / 1e9:.1f} GB in {folder}, which has "
                "less free. Make room there and start the training again."
            )
        for name in missing:
            partial = paths[name].with_suffix(".part")
            whole = np.lib.format.open_memmap(partial, "w+", dtype, (count, *shape))
            jobs = _jobs(count, *wanted[name])
            done = _results(jobs, network, pictures, dtype, processes)
            for start, part in tqdm(done, desc=f"Maps {name}", total=len(jobs), unit="chunk"):
                whole[start : start + len(part)] = part
            whole.flush()
            del whole
            partial.replace(paths[name])
    return {name: np.load(path, mmap_mode="r") for name, path in paths.items()}
