"""FER2013's pictures seen a little differently, for the landmark net to learn from.

MediaPipe finds somewhat other landmarks in the same face when it is turned by a few degrees or a
little larger: in a picture of 48 pixels that noise is as large as a weak smile. A net that has
seen a face in several such views learns what does not change.
"""

from __future__ import annotations

import cv2
import numpy as np

# Twice FER2013's side, so that turning loses no detail before the search enlarges it further.
SIDE = 96
# Degrees, shares of the size and of the side: what the feature vector evens out anyway.
TURN, SCALE, SHIFT = 15.0, (0.85, 1.08), 0.04
# Light: FER2013's pictures differ more among each other than this.
GAMMA = (0.7, 1.4)


def varied(images: np.ndarray, seed: int) -> np.ndarray:
    """Each gray picture, uint8 (n, 48, 48), turned, scaled, moved, relit: uint8 (n, 96, 96).

    Every second one is mirrored too. The same seed gives the same views.
    """
    views = np.empty((len(images), SIDE, SIDE), np.uint8)
    levels = np.arange(256) / 255
    for index, image in enumerate(images):
        random = np.random.default_rng((seed, index))
        side = image.shape[0]
        middle = (side - 1) / 2
        scale = random.uniform(*SCALE)
        matrix = cv2.getRotationMatrix2D((middle, middle), random.uniform(-TURN, TURN), scale)
        matrix *= SIDE / side
        matrix[:, 2] += (SIDE / side - 1) / 2 + random.uniform(-SHIFT, SHIFT, 2) * SIDE
        if random.random() < 0.5:
            image = image[:, ::-1]
        lit = np.rint(255 * levels ** random.uniform(*GAMMA)).astype(np.uint8)[image]
        views[index] = cv2.warpAffine(lit, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC)
    return views
