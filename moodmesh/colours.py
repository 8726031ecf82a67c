"""The colour and the shape of each expression: a mood is never shown by colour alone."""

from __future__ import annotations

COLOURS = {
    "happy": "#F2B705",
    "surprise": "#FF7A59",
    "neutral": "#8A94A6",
    "sad": "#4C7DF0",
    "fear": "#7B61FF",
    "angry": "#E5484D",
    "disgust": "#3FA34D",
}
SHAPES = {
    "happy": "●",
    "surprise": "◆",
    "neutral": "■",
    "sad": "▼",
    "fear": "◗",
    "angry": "▲",
    "disgust": "⬟",
}
# Labels of one's own take these in turn; each differs from the seven in hue.
OWN_COLOURS = ("#00A3A3", "#C255C0", "#A0702A", "#6C8F00", "#D8528B")
OWN_SHAPE = "★"


def hex_of(label: str | None) -> str:
    """The label's colour as '#RRGGBB'; the neutral gray for None."""
    if label is None:
        return COLOURS["neutral"]
    # A sum of code points, not hash(): the same label has the same colour in every process.
    return COLOURS.get(label) or OWN_COLOURS[sum(map(ord, label)) % len(OWN_COLOURS)]


def shape_of(label: str | None) -> str:
    """A character whose shape stands for the label."""
    return "○" if label is None else SHAPES.get(label, OWN_SHAPE)


def of_label(label: str | None) -> tuple[int, int, int]:
    """The label's colour as red, green, blue in 0-255."""
    code = hex_of(label)
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)
