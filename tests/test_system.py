"""What is loaded once is not looked at by every garbage collection."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests import browser

SETTLED = """
import gc, time, weakref
from moodmesh import system

kept = [[number] for number in range(500_000)]

def seconds():
    began = time.perf_counter()
    gc.collect()
    return time.perf_counter() - began

class Knot:
    def __init__(self):
        self.itself = self

before = min(seconds() for _ in range(3))
system.settle("test")
after = min(seconds() for _ in range(3))
new = weakref.ref(Knot())
gc.collect()
print(after / before, new() is None)
"""

DRAWN = """
import gc
from streamlit.testing.v1 import AppTest

app = AppTest.from_string("from moodmesh.pages import shell; shell.run()").run(timeout=60)
print(len(app.exception), gc.get_freeze_count())
"""


def said_by(code: str, home: Path) -> list[str]:
    environment = {
        **os.environ,
        **browser.home(home),
        "HOME": str(home),
        "MOODMESH_DATABASE_URL": f"sqlite:///{home}/history.sqlite",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_later_collections_skip_what_is_settled_and_still_collect_the_rest(tmp_path: Path) -> None:
    share, collected = said_by(SETTLED, tmp_path)
    assert float(share) < 0.25
    assert collected == "True"


def test_a_page_that_was_drawn_has_settled_what_it_loaded(tmp_path: Path) -> None:
    exceptions, frozen = said_by(DRAWN, tmp_path)
    assert exceptions == "0"
    assert int(frozen) > 100_000
