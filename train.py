"""Trains and judges moodmesh's models.

python train.py personal                          your own expressions, from your recordings
python train.py fer2013 --data fer2013.zip        the general model, from FER2013
python train.py cnn --data fer2013.zip            the image network, from FER2013
python train.py combine --data fer2013.zip        an image network put into it
python train.py report --data fer2013.zip         the drawings and tables of its Model page
python train.py evaluate --data fer2013.zip       how well a model reads FER2013's test images
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from moodmesh.__main__ import run_command

COMMANDS = {
    "personal": ("moodmesh.training.personal", "a model of your own expressions"),
    "fer2013": ("moodmesh.training.general", "the general model, from FER2013"),
    "cnn": ("moodmesh.training.cnn", "the image network, from FER2013; combine puts it in"),
    "combine": ("moodmesh.training.combine", "an image network put into the general model"),
    "report": ("moodmesh.training.report", "what the Model page shows beside the figures"),
    "evaluate": ("moodmesh.training.evaluate", "how well a model reads FER2013"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Parses the arguments and runs the chosen training."""
    # TensorFlow's start-up notes would bury the progress bar; its errors still come through.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chosen = (sys.argv[1:] if argv is None else list(argv))[:1]
    module = None
    for name, (path, purpose) in COMMANDS.items():
        command = commands.add_parser(name, help=purpose)
        if chosen == [name]:  # TensorFlow takes seconds to import: only where it is used
            module = importlib.import_module(path)
            module.add_arguments(command)
    args = parser.parse_args(argv)
    assert module is not None  # argparse has refused everything else
    return int(module.run(args))


if __name__ == "__main__":
    run_command(main)
