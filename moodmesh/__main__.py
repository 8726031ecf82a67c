"""`python -m moodmesh read|songs|benchmark|purge`."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence

from moodmesh.errors import UserError
from moodmesh.system import hush


def run_command(main: Callable[[Sequence[str] | None], int]) -> None:
    """Runs a command's main function and exits with its status.

    What the user can mend is one line on standard error and status 2; Ctrl-C is status 130.
    """
    hush()
    try:
        status = main(None)
    except UserError as error:
        print(f"moodmesh: {error}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has seen enough
        sys.stderr.close()
        status = 0
    sys.exit(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Parses the arguments and runs the chosen command."""
    parser = argparse.ArgumentParser(prog="python -m moodmesh", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    reading = commands.add_parser("read", help="the expression in pictures and videos")
    songs = commands.add_parser("songs", help="songs that suit a mood")
    benchmark = commands.add_parser("benchmark", help="how fast this machine runs it")
    purge = commands.add_parser("purge", help="delete what is older than the settings allow")
    # Each command's module is imported when it is asked for: songs needs no face model.
    modules = {
        "read": ("moodmesh.reading", reading),
        "songs": ("moodmesh.songs.command", songs),
        "benchmark": ("moodmesh.benchmark", benchmark),
        "purge": ("moodmesh.retention", purge),
    }
    arguments = sys.argv[1:] if argv is None else list(argv)
    name, chosen = modules.get(arguments[0] if arguments else "", modules["read"])
    module = importlib.import_module(name)
    module.add_arguments(chosen)
    args = parser.parse_args(argv)
    status: int = module.run(args)
    return status


if __name__ == "__main__":
    run_command(main)
