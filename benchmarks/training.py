"""Personal training beside the live page: `python benchmarks/training.py [--json]`.

Five labels of 450 frames each are trained as the page does it, in a process of its own, while this
process works on webcam frames as the page does. Told are the seconds from the click to a model
that has read its first face, and the live frame rate, before and meanwhile: once with a webcam's
24 frames a second, once as fast as frames can be worked on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from moodmesh import bundle, takes  # noqa: E402
from moodmesh.classifier import Classifier  # noqa: E402
from moodmesh.live import Stream  # noqa: E402
from moodmesh.takes import Take  # noqa: E402
from moodmesh.teaching import TrainingRun  # noqa: E402
from tests import warped_face  # noqa: E402

LABELS = ("happy", "neutral", "pucker", "sad", "surprise")
TAKES, FRAMES_A_TAKE = 3, 150
WEBCAM_FPS = 24
# Long enough to average over, short enough to be waited for.
ALONE_SECONDS = 10.0
# What the page may lose of its frames meanwhile, and how long a person waits for their model.
LEAST_SHARE, MOST_S = 0.8, 30.0


def recorded() -> list[Take]:
    """The takes. A few real frames of each, trembling, stand for many: only their number counts."""
    rng = np.random.default_rng(0)
    made = []
    for label in LABELS:
        few = warped_face.take(label, seconds=1.0, fps=10)
        for _ in range(TAKES):
            rows = rng.integers(len(few), size=FRAMES_A_TAKE)
            noise = rng.normal(0, 5e-4, (FRAMES_A_TAKE, *few.landmarks.shape[1:]))
            made.append(
                replace(
                    few,
                    landmarks=few.landmarks[rows] + noise.astype(np.float32),
                    blendshapes=few.blendshapes[rows],
                    pose=few.pose[rows],
                    time_ms=np.arange(FRAMES_A_TAKE) * 33,
                )
            )
    return made


class Live:
    """The live page's work on frames, one after the other."""

    def __init__(self) -> None:
        self._stream = Stream(bundle.read(bundle.GENERAL))
        self._frames = [
            av.VideoFrame.from_ndarray(rgb, format="rgb24")
            for rgb in warped_face.frames("happy", 2.0, 10)
        ]
        self.run(2.0, 0, None)  # the first frames load networks

    def run(self, seconds: float, fps: int, training: TrainingRun | None) -> float:
        """Frames a second for so long, or while the training runs; fps 0 is as fast as it goes.

        A frame that comes while another is worked on is dropped, as the page drops it.
        """
        began_s = time.monotonic()
        done = 0
        while True:
            now_s = time.monotonic() - began_s
            if training.state.ended if training else now_s >= seconds:
                return done / now_s
            self._stream.recv(self._frames[done % len(self._frames)])
            done += 1
            if fps:
                passed_s = time.monotonic() - began_s
                time.sleep(np.ceil(passed_s * fps) / fps - passed_s)

    def close(self) -> None:
        """Frees the landmarker."""
        self._stream.on_ended()


def measure() -> dict[str, Any]:
    """All figures of the benchmark."""
    mine = recorded()
    result: dict[str, Any] = {"frames": len(LABELS) * TAKES * FRAMES_A_TAKE}
    live = Live()
    try:
        for name, fps in (("webcam", WEBCAM_FPS), ("as fast as it goes", 0)):
            with TemporaryDirectory() as folder:
                data, out = Path(folder) / "takes", Path(folder) / "model"
                for take in mine:
                    takes.write(take, data)
                alone = live.run(ALONE_SECONDS, fps, None)
                clicked_s = time.monotonic()
                run = TrainingRun(data, out)
                beside = live.run(0, fps, run)
                if problem := run.state.problem:
                    raise SystemExit(problem)
                Classifier(bundle.read(out)).of_features(mine[0].features[0])
                result[name] = {
                    "alone_fps": alone,
                    "beside_training_fps": beside,
                    "share": beside / alone,
                    "click_to_usable_s": time.monotonic() - clicked_s,
                }
    finally:
        live.close()
    return result


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    result = measure()
    if args.json:
        print(json.dumps(result))
        return
    print(f"training {result.pop('frames')} frames of {len(LABELS)} labels beside the live page")
    for name, one in result.items():
        print(
            f"{name:20} {one['alone_fps']:5.1f} frames a second alone, "
            f"{one['beside_training_fps']:5.1f} meanwhile ({100 * one['share']:.0f}%); "
            f"usable {one['click_to_usable_s']:.1f} s after the click"
        )
    if any(
        one["share"] < LEAST_SHARE or one["click_to_usable_s"] > MOST_S for one in result.values()
    ):
        raise SystemExit(f"Below the goal: {LEAST_SHARE:.0%} of the frames, {MOST_S:.0f} s.")


if __name__ == "__main__":
    main()
