"""Known holes in what constraints.txt pins, as PyPI's advisories tell them: `make audit`.

    0  none is known, or PyPI did not answer (which is said)
    1  there are some: each is printed with the version that mends it

A machine without that part of the network must still be able to test, so no answer is no failure.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CONSTRAINTS = Path(__file__).parent.parent / "constraints.txt"
# 130 packages take half a minute; what takes longer does not answer.
PATIENCE_S = 120


def verdict(answer: str) -> tuple[int, list[str]]:
    """The exit status and what to print for what pip-audit wrote."""
    try:
        packages = json.loads(answer)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return 0, ["audit: PyPI's advisories did not answer; nothing was audited."]
    holes = [
        f"audit: {package['name']} {package['version']}: {hole['id']}, mended in "
        f"{', '.join(hole['fix_versions']) or 'no version yet'}"
        for package in packages
        for hole in package.get("vulns", [])
    ]
    left_out = [package["name"] for package in packages if "skip_reason" in package]
    audited = len(packages) - len(left_out)
    lines = [*holes, f"audit: {audited} of {len(packages)} packages audited, {len(holes)} holes."]
    if left_out:
        lines.append(
            f"audit: PyPI did not answer for {', '.join(left_out[:5])}"
            f"{' and others' * (len(left_out) > 5)}."
        )
    return int(bool(holes)), lines


def main() -> int:
    """Asks, with a time limit."""
    ask = [sys.executable, "-m", "pip_audit", "--requirement", str(CONSTRAINTS), "--no-deps"]
    ask += ["--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    try:
        done = subprocess.run(ask, capture_output=True, text=True, timeout=PATIENCE_S)
        answer = done.stdout
    except subprocess.TimeoutExpired:
        answer = ""
    status, lines = verdict(answer)
    print("\n".join(lines), flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
