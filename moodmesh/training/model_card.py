"""The general model's card: what it is for, what it saw, how well it reads, and for whom not.

Follows Mitchell et al. 2019, "Model cards for model reporting".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moodmesh.fer2013 import LABELS

# Where a bundle says what its image networks began as.
IMAGE_NETWORKS = "image_networks"
# What an image network had learned before it learned expressions, by the name of its branch.
_STARTS = {
    "recognition": "dlib's face recognition network (King 2017; three million pictures of faces)",
    "faceres": "HSE-FaceRes (Savchenko 2019; three million faces of VGGFace2, for who they are, "
    "age and sex)",
    "mesh": "MediaPipe's face mesh network",
}
_NETWORKS = {"landmarks": "landmark net", "cnn": "image network", "ensemble": "both, as used"}


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _starts(branches: Sequence[str]) -> list[str]:
    """Where the image networks began."""
    known = [f"  - {_STARTS[name]};" for name in branches if name in _STARTS]
    if not known:
        return []
    return [
        "- The image networks, averaged where there are several, were not begun from nothing. None",
        "  of these had been taught expressions, all had seen far more faces than FER2013 holds:",
        *known[:-1],
        known[-1][:-1] + ".",
    ]


def _accuracies(figures: dict[str, Any]) -> list[str]:
    names = [name for name in _NETWORKS if figures["private_test"].get(name)]
    if names == ["landmarks", "ensemble"]:
        names = ["landmarks"]
    lines = [
        "| | accuracy | without copies | macro F1 | calibration error |",
        "|---|---|---|---|---|",
    ]
    for test, title in (("private_test", "PrivateTest"), ("public_test", "PublicTest")):
        for name in names:
            one = figures[test][name]
            keys = ("accuracy", "accuracy_without_copies", "macro_f1", "calibration_error")
            cells = " | ".join(_percent(one[key]) for key in keys)
            lines.append(f"| {title}, {_NETWORKS[name]} | {cells} |")
    return lines


def model_card(name: str, trained_on: dict[str, Any], figures: dict[str, Any]) -> str:
    """The card in Markdown; figures as :func:`moodmesh.training.evaluate.evaluate` returns them."""
    private = figures["private_test"]
    ensemble = private["ensemble"]
    classes = ensemble["by_class"]
    weak = sorted(LABELS, key=lambda label: classes[label]["f1"])[:2]
    sure = ensemble["sure"]
    by_class = [
        f"| {label} | {_percent(classes[label]['precision'])} | "
        f"{_percent(classes[label]['recall'])} | {_percent(classes[label]['f1'])} | "
        f"{classes[label]['count']} |"
        for label in LABELS
    ]
    asked = ""
    if "cnn_asked" in private:
        lost = private["without_landmarks"]
        asked = (
            f"\nThe landmark net answers alone while it is sure; the image network was asked for "
            f"{_percent(private['cnn_asked'])}% of the images. On the {lost['images']} images in "
            f"which no landmarks are found, it alone answers, and is right in "
            f"{_percent(lost['cnn_accuracy'] or 0)}%.\n"
        )
    return "\n".join(
        [
            f"# {name}",
            "",
            f"Reads one of seven expressions ({', '.join(LABELS)})",
            "from a face's 478 landmarks and 52 blendshapes, as MediaPipe's FaceLandmarker finds",
            "them, and where that is not sure, from a 48-pixel gray crop of the face."
            if "cnn_asked" in private
            else "them.",
            "",
            "In plain words: shown a face it has never seen, from a set that people agree on about",
            f"65% of the time, it names the labelled expression in {_percent(ensemble['accuracy'])}"
            " of 100 pictures.",
            f"It says it is sure about {_percent(sure['share'])} of 100, and is then right in "
            f"{_percent(sure['accuracy'] or 0)} of 100.",
            "",
            "## What it is for",
            "",
            "Choosing music that suits how someone looks, on their own machine, where a wrong",
            "reading costs a skipped song; learning how such a model is built and judged.",
            "",
            "## Who should not use it, and for what",
            "",
            "- Not for judging people: hiring, schooling, policing, insurance, health, lie",
            "  detection, attention scores. It reads how a face looks, not what a person feels;",
            "  the same feeling shows differently in different people and cultures.",
            "- Not on people who have not agreed to it. In the European Union, reading emotions",
            "  at work and in schools is prohibited (Regulation 2024/1689, Article 5).",
            "- Not as a measure of anything: two groups of people labelled these pictures, and",
            "  they disagree on one in three.",
            "",
            "## What it was trained on",
            "",
            f"FER2013 (Goodfellow et al. 2013): {trained_on.get('images', 0):,} of its 28,709",
            "training pictures, 48x48 pixels, gray, gathered by web search and labelled by few",
            "people; ten others, asked for FER+ (Barsoum et al. 2016), agree with 66% of the",
            "labels. The set is for research; its pictures are not in this bundle.",
            "",
            *_starts(trained_on.get(IMAGE_NETWORKS, ())),
            "- Duplicates: 1,516 groups of pictures are exact copies of each other, 57 of them",
            f"  with conflicting labels; {private['copies']} PrivateTest pictures are copies of",
            "  training pictures. Training pictures that also stand in a test split were left",
            "  out; the column 'without copies' leaves those test pictures out as well.",
            "- Age, sex, skin and country of those in it are not recorded, so these figures cannot",
            "  tell whom it reads worse. Check before you rely on it.",
            "- Chosen on PublicTest alone (settings, temperature, threshold); PrivateTest was only",
            "  measured.",
            "",
            "## How well it reads",
            "",
            "In per cent of all pictures; where no answer is given, it counts as wrong. Made again",
            "by `python train.py evaluate --data fer2013.zip`.",
            "",
            *_accuracies(figures),
            asked,
            "PrivateTest by expression:",
            "",
            "| | of those shown, right | of those there, found | F1 | pictures |",
            "|---|---|---|---|---|",
            *by_class,
            "",
            f"Weakest: {weak[0]} and {weak[1]}. Disgust is rare in the data "
            f"({classes['disgust']['count']} pictures of this test), and fear is often read as "
            "sad or surprise, by people too.",
            "",
            f"A face is found in {_percent(private['faces_found'])}% of the pictures.",
            "",
            "## Licence",
            "",
            "The weights come under the project's MIT licence, as far as it can give one: FER2013",
            "was published for research, so ask a lawyer before building a product on them. Train",
            "your own model on your own recordings to be free of that.",
            "",
        ]
    )
