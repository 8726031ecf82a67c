"""The app reads expressions; its own words must not claim to know what anybody feels."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PAGES = Path(__file__).parent.parent / "moodmesh" / "pages"
CLAIMS = re.compile(
    r"\b(you (really )?(feel|felt|are feeling)|your (emotion|feeling)s?|emotions?)\b", re.I
)
# What says that it does not know, names the law's word, or warns.
HONEST = re.compile(
    r"does not know (your )?feelings|emotion\s+recognition|(infer|forbids).*emotions", re.I | re.S
)


def words(path: Path) -> list[str]:
    """What a visitor may read: strings of Python, sentences of HTML and JavaScript."""
    text = path.read_text("utf-8")
    if path.suffix != ".py":
        return [" ".join(part.split()) for part in re.split(r"[.;{}]\s", text)]
    tree = ast.parse(text)
    found = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
    strings = [value for value in found if isinstance(value, str)]
    return [sentence for one in strings for sentence in re.split(r"(?<=[.;])\s", one)]


@pytest.mark.parametrize(
    "path",
    [path for kind in ("py", "html", "js") for path in sorted(PAGES.rglob(f"*.{kind}"))],
    ids=lambda path: str(path.relative_to(PAGES)),
)
def test_no_page_claims_to_know_feelings(path: Path) -> None:
    claims = [one for one in words(path) if CLAIMS.search(one) and not HONEST.search(one)]
    assert not claims
