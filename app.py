"""The live page: reads your expression and plays songs that suit it.

python app.py                 opens http://localhost:8501
python app.py --port 8600 --no-browser
streamlit run app.py          the same page, with Streamlit's own options
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from moodmesh import system
from moodmesh.__main__ import run_command


def serve(argv: Sequence[str] | None = None) -> int:
    """Checks the machine and the port, then runs Streamlit's server until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument(
        "--address", default="localhost", help="where to listen (default: %(default)s)"
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser window")
    args = parser.parse_args(argv)
    system.require_libraries()
    system.require_free_port(args.address, args.port)

    from streamlit.web import bootstrap

    options = {"server_port": args.port, "server_address": args.address}
    options["server_headless"] = args.no_browser or not system.has_browser()
    script = str(Path(__file__).resolve())
    bootstrap.load_config_options(flag_options=options)
    print(f"moodmesh: http://{args.address}:{args.port} (Ctrl-C stops it)", flush=True)
    bootstrap.run(script, is_hello=False, args=[], flag_options=options)
    return 0


if __name__ == "__main__":
    from streamlit import runtime

    if runtime.exists():
        from moodmesh.pages import shell

        shell.run()
    else:
        run_command(serve)
        sys.exit(0)
