"""Unit: what the audit of the pinned packages says of each answer, and when it fails."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location(
    "audit", Path(__file__).parent.parent / ".ci" / "audit.py"
)
assert _SPEC and _SPEC.loader
audit = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(audit)

FINE = {"name": "tqdm", "version": "1", "vulns": []}
HOLE = {"id": "PYSEC-1", "fix_versions": ["2.0.1"], "aliases": [], "description": ""}
HOLED = {"name": "pillow", "version": "2.0", "vulns": [HOLE]}
SKIPPED = {"name": "numpy", "skip_reason": "not found on PyPI"}


@pytest.mark.parametrize(
    ("packages", "status", "words"),
    [
        ([FINE], 0, "1 of 1 packages audited, 0 holes"),
        ([FINE, HOLED], 1, "pillow 2.0: PYSEC-1, mended in 2.0.1"),
        ([FINE, SKIPPED], 0, "PyPI did not answer for numpy"),
        ([HOLED, SKIPPED], 1, "1 of 2 packages audited, 1 holes"),
    ],
)
def test_holes_fail_and_a_missing_answer_does_not(
    packages: list[dict[str, object]], status: int, words: str
) -> None:
    got, lines = audit.verdict(json.dumps({"dependencies": packages, "fixes": []}))
    assert got == status
    assert words in "\n".join(lines)


@pytest.mark.parametrize("answer", ["", "Traceback", "[]", "{}", "null"])
def test_no_answer_is_said_and_fails_nothing(answer: str) -> None:
    status, (line,) = audit.verdict(answer)
    assert status == 0
    assert "did not answer" in line
