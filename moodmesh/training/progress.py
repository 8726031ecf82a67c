"""How far a long run has come: a bar in the terminal, and a small file for whoever watches it."""

from __future__ import annotations

import json
from pathlib import Path

from tqdm import tqdm


class Progress:
    """Reports steps of a run's stages, one stage after the other.

    path: a JSON file with the latest state ({"stage", "done", "total", figures...}), replaced
        whole at each step, for a page that watches the run; none is written without a path.
    """

    def __init__(self, path: Path | None = None, quiet: bool = False) -> None:
        self._path, self._quiet = path, quiet
        self._bar: tqdm | None = None
        self._stage = ""

    def step(self, stage: str, done: int, total: int, **figures: float) -> None:
        """The stage has done this many of its steps; figures are shown beside."""
        if self._bar is None or self._stage != stage:
            self.close()
            self._stage = stage
            self._bar = tqdm(total=total, initial=done - 1, desc=stage, disable=self._quiet)
        self._bar.set_postfix({name: f"{value:.3f}" for name, value in figures.items()})
        self._bar.update(done - self._bar.n)
        if self._path is not None:
            state = {"stage": stage, "done": done, "total": total, **figures}
            partial = self._path.with_suffix(".part")
            partial.write_text(json.dumps(state))
            partial.replace(self._path)

    def close(self) -> None:
        """Ends the current bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
