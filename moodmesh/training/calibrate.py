"""Temperatures, gate, weights and threshold of a bundle, fitted on validation images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from moodmesh.classifier import Combination, softmax
from moodmesh.training import metrics
from moodmesh.training.evaluate import Logits, answers

# What is shown as sure should be right at least this often.
SURE_ACCURACY = 0.85
# The threshold aims a little higher, since it is fitted on other images than it is used on.
SURE_MARGIN = 0.01
# Asking the image network costs 200 times the landmark net, so it is asked only while that buys
# something: the gate is the lowest with no more than this share of right answers lost.
GATE_LOSS = 0.001
GATES = np.linspace(0.3, 1.0, 71)


def _fit_weights(parts: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Weights of some networks' logits, (networks, n, labels), with the lowest log loss.

    The loss is convex in them, so Newton's method finds its only minimum.
    """
    parts = parts.astype(np.float64)
    truth = np.eye(parts.shape[2])[labels]
    weights = np.full(len(parts), 1 / len(parts))
    for _ in range(50):
        probabilities = softmax(np.tensordot(weights, parts, 1))
        means = (probabilities * parts).sum(axis=2)
        slope = (((probabilities - truth) * parts).sum(axis=2)).mean(axis=1)
        centred = parts - means[:, :, None]
        bend = np.einsum("ank,bnk,nk->ab", centred, centred, probabilities) / parts.shape[1]
        step = np.linalg.solve(bend + 1e-9 * np.eye(len(parts)), slope)
        weights = np.maximum(weights - step, 0)
    return weights


def mix_networks(logits: Logits, labels: np.ndarray) -> tuple[float, ...]:
    """The shares of a model's image networks for these validation images; none without any."""
    if logits.parts is None:
        return ()
    weights = _fit_weights(logits.parts, labels)
    shares = weights / weights.sum()
    return tuple(float(share) for share in shares)


def fit_combination(logits: Logits, labels: np.ndarray) -> Combination:
    """The combination for these validation images; labels int (n,)."""
    found = logits.found
    how = Combination(temperature=metrics.fit_temperature(logits.landmarks[found], labels[found]))
    if logits.cnn is not None:
        both = np.stack([logits.landmarks[found], logits.cnn[found]])
        landmark_weight, cnn_weight = _fit_weights(both, labels[found])
        how = replace(
            how,
            cnn_temperature=metrics.fit_temperature(logits.cnn, labels),
            weights=(float(landmark_weight), float(cnn_weight)),
        )
        right = [
            metrics.accuracy(
                answers(logits, replace(how, gate=float(gate)))["ensemble"].predicted, labels
            )
            for gate in GATES
        ]
        enough = np.flatnonzero(np.array(right) >= max(right) - GATE_LOSS)[0]
        how = replace(how, gate=float(GATES[enough]))
    final = answers(logits, how)["ensemble"]
    sure = metrics.sure_threshold(
        final.probabilities[final.given], labels[final.given], SURE_ACCURACY + SURE_MARGIN
    )
    return replace(how, sure=sure)
