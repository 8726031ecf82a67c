"""Records samples of your expression: `python collect.py happy`.

Only landmarks are written, never a picture. Several short takes of each label, at different
distances and with the head a little turned, teach more than one long one.
"""

from __future__ import annotations

from moodmesh.__main__ import run_command
from moodmesh.collecting import main

if __name__ == "__main__":
    run_command(main)
