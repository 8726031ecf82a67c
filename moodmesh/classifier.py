"""A bundle's networks at work: Face -> Expression.

Runs on LiteRT: 0.05 ms for the dense network, where ``model.predict`` on one row takes 60 ms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from moodmesh.bundle import IMAGE_NETWORKS, Bundle
from moodmesh.crop import face_crop, mirrored
from moodmesh.errors import UserError
from moodmesh.face import SMALL_SIDE, Face
from moodmesh.features import feature_vector
from moodmesh.holistic import Body, Kind
from moodmesh.holistic_features import holistic_vector

Source = Literal["landmarks", "cnn", "ensemble"]

# How old the image network's word on a video may be: four looks a second cost a core about 6%.
LOOK_AGAIN_S = 0.25
# For a bundle whose evaluation fitted none.
SURE = 0.5


@dataclass(frozen=True)
class Expression:
    """How a face looks.

    probabilities: label -> calibrated probability; they sum to 1.
    source: which networks said so.
    sure: the confidence from which it is shown as sure.
    """

    probabilities: dict[str, float]
    source: Source
    sure: float = SURE

    @property
    def confidence(self) -> float:
        """The probability of the likeliest label."""
        return max(self.probabilities.values())

    @property
    def likeliest(self) -> str:
        """The likeliest label, sure or not."""
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def label(self) -> str | None:
        """The likeliest label, or None for 'not sure'."""
        return self.likeliest if self.confidence >= self.sure else None


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Probabilities from logits along the last axis, softened by a temperature above 1."""
    scaled = np.asarray(logits, np.float64) / temperature
    exponents = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


class Network:
    """One LiteRT network with one input and one output; not to be shared between threads."""

    def __init__(self, path: Path) -> None:
        self._interpreter = Interpreter(model_path=str(path), num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]

    def __call__(self, row: np.ndarray) -> np.ndarray:
        """The output for one input without its batch axis, float32."""
        self._interpreter.set_tensor(self._input["index"], row[None].astype(np.float32, copy=False))
        self._interpreter.invoke()
        output: np.ndarray = self._interpreter.get_tensor(self._output["index"])[0]
        return output


@dataclass(frozen=True)
class Combination:
    """How the networks' logits become probabilities; fitted on FER2013's PublicTest.

    temperature: of the landmark net's logits, where it speaks alone. sure: see Expression.
    gate: the landmark net's confidence from which the image network is not asked.
    shares: of the bundle's image networks' logits in what counts as the image network's, adding
        up to 1; equal ones where there are none.
    cnn_temperature: of the image network's logits, where it speaks alone.
    weights: of the landmark net's and the image network's logits where both speak; mixing
        logits is a weighted geometric mean of what the two say.
    """

    temperature: float = 1.0
    sure: float = SURE
    gate: float = 0.0
    cnn_temperature: float = 1.0
    weights: tuple[float, float] = (0.5, 0.5)
    shares: tuple[float, ...] = ()

    @staticmethod
    def of(bundle: Bundle) -> Combination:
        """The one a bundle was made with."""
        kept = bundle.settings
        own = Combination()
        landmark_weight, cnn_weight = kept.get("weights", own.weights)
        return Combination(
            float(kept.get("temperature", own.temperature)),
            float(kept.get("sure", own.sure)),
            float(kept.get("gate", own.gate)),
            float(kept.get("cnn_temperature", own.cnn_temperature)),
            (float(landmark_weight), float(cnn_weight)),
            tuple(float(share) for share in kept.get("shares", own.shares)),
        )

    def alone(self, landmarks: np.ndarray) -> np.ndarray:
        """Probabilities from the landmark net's logits, (..., labels)."""
        return softmax(landmarks, self.temperature)

    def asks(self, landmarks: np.ndarray) -> np.ndarray:
        """Where the image network should be asked too, bool (...,)."""
        return self.alone(landmarks).max(axis=-1) < self.gate

    def mixed(self, parts: np.ndarray) -> np.ndarray:
        """The image network's logits, (..., labels), of its parts', (networks, ..., labels)."""
        shares = self.shares or (1 / len(parts),) * len(parts)
        mean: np.ndarray = np.tensordot(np.array(shares, np.float32), parts, 1)
        return mean

    def cnn_alone(self, cnn: np.ndarray) -> np.ndarray:
        """Probabilities from the image network's logits, (..., labels)."""
        return softmax(cnn, self.cnn_temperature)

    def together(self, landmarks: np.ndarray, cnn: np.ndarray) -> np.ndarray:
        """Probabilities from both networks' logits, (..., labels)."""
        return softmax(self.weights[0] * landmarks + self.weights[1] * cnn)


class Classifier:
    """Classifies faces with one bundle; one a thread."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.combination = Combination.of(bundle)
        self._landmarks = Network(bundle.path("landmarks.tflite"))
        self._cnns = [Network(bundle.path(name)) for name in IMAGE_NETWORKS if bundle.has(name)]
        if self._cnns and len(self.combination.shares) not in (0, len(self._cnns)):
            raise UserError(
                f"The model in {bundle.folder} has {len(self._cnns)} image networks and shares for "
                f"{len(self.combination.shares)}. Make it again with train.py combine."
            )

    @property
    def kind(self) -> Kind:
        """What the model looks at: the face, or face, hands and shoulders."""
        return self.bundle.kind

    @property
    def has_cnn(self) -> bool:
        """Whether the bundle has an image network."""
        return bool(self._cnns)

    def of_picture(self, rgb: np.ndarray, faces: Sequence[Face]) -> Expression | None:
        """The expression in a picture, uint8 (height, width, 3), in which these faces were found.

        The first face counts. The image network is asked where the landmark net is not sure, and
        where no face was found in a picture so small that it can only be a cut-out face; a room
        without a face has no expression. None where no network has anything to say.
        """
        face = faces[0] if faces else None
        if face is None:
            if not self._cnns or min(rgb.shape[:2]) >= SMALL_SIDE:
                return None
            return self._expression(self.combination.cnn_alone(self.cnn_logits(rgb, None)), "cnn")
        landmarks = self.landmark_logits(face)
        if not self._cnns or not self.combination.asks(landmarks):
            return self._expression(self.combination.alone(landmarks), "landmarks")
        both = self.combination.together(landmarks, self.cnn_logits(rgb, face))
        return self._expression(both, "ensemble")

    def of_face(self, face: Face) -> Expression:
        """The face's expression, from its landmarks."""
        return self.of_features(feature_vector(face))

    def of_body(self, body: Body) -> Expression | None:
        """The person's expression, from landmarks; None where there is nothing that it reads."""
        if self.kind == "holistic":
            return self.of_features(holistic_vector(body)) if body else None
        return self.of_face(body.face) if body.face is not None else None

    def of_features(self, features: np.ndarray) -> Expression:
        """The expression of one feature vector of the model's kind, from the landmark net alone."""
        return self._expression(self.combination.alone(self._landmarks(features)), "landmarks")

    def landmark_logits(self, face: Face) -> np.ndarray:
        """The landmark net's logits, float32 (labels,)."""
        if self.kind != "face":
            raise ValueError(f"the model {self.bundle.folder} needs more than a face: see of_body")
        return self._landmarks(feature_vector(face))

    def cnn_logits(self, rgb: np.ndarray, face: Face | None) -> np.ndarray:
        """The image network's logits, float32 (labels,): its parts' in their shares."""
        return self.combination.mixed(self.cnn_parts(rgb, face))

    def cnn_parts(self, rgb: np.ndarray, face: Face | None) -> np.ndarray:
        """Each image network's logits, float32 (networks, labels): means over crop and mirror."""
        if not self._cnns:
            raise ValueError(f"the bundle {self.bundle.folder} has no image network")
        crop = face_crop(rgb, face)
        return np.stack([(network(crop) + network(mirrored(crop))) / 2 for network in self._cnns])

    def _expression(self, probabilities: np.ndarray, source: Source) -> Expression:
        return Expression(
            dict(zip(self.bundle.labels, probabilities.tolist(), strict=True)),
            source,
            self.combination.sure,
        )


class StreamClassifier(Classifier):
    """Classifies the frames of one video; the image network looks a few times a second.

    Its last word holds for the frames between, since looking costs as much as finding the
    landmarks and an expression lasts longer.
    """

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        self._now_s = 0.0
        self._looked_s = -math.inf
        self._seen: np.ndarray | None = None

    def of_frame(
        self, rgb: np.ndarray, seen: Sequence[Face] | Body, time_s: float
    ) -> Expression | None:
        """The expression in the frame at this time, in seconds on any steady clock.

        seen: its faces, or its person, which a model of face, hands and shoulders needs.
        """
        self._now_s = time_s
        if not isinstance(seen, Body):
            return self.of_picture(rgb, seen)
        if self.kind == "holistic":
            return self.of_body(seen)
        return self.of_picture(rgb, [seen.face] if seen.face is not None else [])

    def cnn_logits(self, rgb: np.ndarray, face: Face | None) -> np.ndarray:
        """The image network's logits, at most LOOK_AGAIN_S old."""
        if self._seen is None or self._now_s - self._looked_s >= LOOK_AGAIN_S:
            self._seen, self._looked_s = super().cnn_logits(rgb, face), self._now_s
        return self._seen
