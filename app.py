"""The live page: reads your expression and plays songs that suit it.

python app.py                 opens http://localhost:8501
python app.py --port 8600 --no-browser
streamlit run app.py          the same page, with Streamlit's own options
"""

from __future__ import annotations

import argparse
import sys
import threading
import webbrowser
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from moodmesh import crowd, settings, system
from moodmesh.__main__ import run_command


def serve(argv: Sequence[str] | None = None) -> int:
    """Checks the machine and the port, then runs Streamlit's server until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument(
        "--address", default="localhost", help="where to listen (default: %(default)s)"
    )
    parser.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name that people open it by, where a proxy stands before it (may be repeated)",
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser window")
    args = parser.parse_args(argv)
    settings.current()  # what is wrong with them is said here, in one line, and not in the page
    system.require_libraries()
    system.require_free_port(args.address, args.port)
    crowd.most_sessions()  # says what is wrong with its setting now, not to the first visitor

    import streamlit as st
    from starlette.middleware import Middleware

    from moodmesh.first_paint import FirstPaint
    from moodmesh.headers import Headers

    script = str(Path(__file__).resolve())
    page = f"http://{args.address}:{args.port}"

    @asynccontextmanager
    async def started(_: st.App) -> AsyncIterator[None]:
        if system.has_browser() and not args.no_browser:
            # It comes before the server answers: its request waits, and this must not.
            threading.Thread(target=webbrowser.open, args=(page,), daemon=True).start()
        yield

    print(f"moodmesh: {page} (Ctrl-C stops it)", flush=True)
    st.App(script, lifespan=started, middleware=[Middleware(Headers), Middleware(FirstPaint)]).run(
        config={
            "server.port": args.port,
            "server.address": args.address,
            "server.allowedHosts": system.allowed_hosts(args.address, args.host),
        }
    )
    return 0


if __name__ == "__main__":
    from streamlit import runtime

    if runtime.exists():
        from moodmesh.pages import shell

        shell.run()
    else:
        run_command(serve)
        sys.exit(0)
