"""How well the words of a page stand out from what is behind them, as WCAG measures it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

# WCAG 2.1, 1.4.3 (AA); large is 24 px, or 18.66 px in bold.
LEAST, LEAST_LARGE = 4.5, 3.0

# Every piece of text that can be seen: where, how large, in which colour. Left out are pictures of
# letters and shapes that stand beside a word, what is disabled (WCAG exempts it) and what lies,
# or a part of it, under something else.
TEXTS = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {  // whatever the notation
    paint.clearRect(0, 0, 1, 1);
    paint.fillStyle = colour;
    paint.fillRect(0, 0, 1, 1);
    return [...paint.getImageData(0, 0, 1, 1).data];
  };
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement;
    if (!/[\\p{L}\\p{N}]/u.test(node.textContent)) continue;
    if (parent.closest("style, script, title, .mm-art, [data-testid='stIconMaterial']")) continue;
    if (parent.closest(":disabled, [aria-disabled='true']")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getClientRects()[0];
    if (!box || box.width < 2 || box.height < 2) continue;
    if (parent.getBoundingClientRect().width < 2) continue;  // for screen readers alone
    if (!parent.checkVisibility({ visibilityProperty: true })) continue;
    const hidden = [box.x + 1, box.x + box.width / 2, box.right - 1].some((x) => {
      const top = document.elementFromPoint(x, box.y + box.height / 2);
      return !top || !(parent.contains(top) || top.contains(parent));
    });
    if (hidden) continue;
    const style = getComputedStyle(parent);
    let alpha = 1;
    for (let at = parent; at; at = at.parentElement) alpha *= Number(getComputedStyle(at).opacity);
    if (!alpha) continue;
    const [r, g, b, a] = rgba(style.color);
    found.push({
      text: node.textContent.trim().slice(0, 40),
      box: [box.x, box.y, box.right, box.bottom],
      colour: [r, g, b], alpha: alpha * a / 255,
      size: parseFloat(style.fontSize), weight: Number(style.fontWeight),
    });
  }
  return found;
}"""
NO_TEXT = """*, *::before, *::after { color: transparent !important;
  caret-color: transparent !important; -webkit-text-fill-color: transparent !important;
  text-decoration-color: transparent !important;
  text-shadow: none !important; transition: none !important; }"""


def luminance(colours: np.ndarray) -> np.ndarray:
    """WCAG's relative luminance of colours (n, 3) from 0 to 255."""
    share = colours / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    shades: np.ndarray = linear @ np.array([0.2126, 0.7152, 0.0722])
    return shades


def contrast(text: dict[str, Any], picture: np.ndarray) -> float:
    """A text's contrast with what is really behind it; picture: the page without its text."""
    left, top, right, bottom = (max(0, int(edge)) for edge in text["box"])
    behind = picture[top : bottom + 1, left : right + 1].reshape(-1, 3).astype(float)
    if not len(behind):
        return float("inf")
    colour = text["alpha"] * np.array(text["colour"]) + (1 - text["alpha"]) * behind
    one, other = luminance(colour), luminance(behind)
    ratios = (np.maximum(one, other) + 0.05) / (np.minimum(one, other) + 0.05)
    return float(np.percentile(ratios, 10))  # a line or an edge behind it is not its background


def faint(page: Any) -> list[str]:
    """The words in sight that are too faint, each with its contrast."""
    texts = page.evaluate(TEXTS)
    assert len(texts) > 10
    style = page.add_style_tag(content=NO_TEXT)
    picture = np.array(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
    style.evaluate("style => style.remove()")
    found = []
    for text in texts:
        large = text["size"] >= 24 or (text["size"] >= 18.66 and text["weight"] >= 700)
        ratio = contrast(text, picture)
        if ratio < (LEAST_LARGE if large else LEAST):
            found.append(f"{ratio:.2f} {text['text']!r}")
    return found
