"""Custom parts of the page as Streamlit components v2, from their own HTML, CSS and JS files."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st


@cache
def component(folder: str) -> Any:
    """The component in this folder beside this module (`<name>.html`, `.css`, `.js`).

    `lasting.js` and other scripts in the folder stand before its own, which alone exports.

    Registered once a process: registering again would rebuild it in every open page. Stands
    outside a shadow root, so that the page's focus rings and colours reach it; its class names
    begin with `mm-`.
    """
    place = Path(__file__).parent / folder
    own = place / f"{folder}.js"
    shared = place.with_name("lasting.js")
    scripts = [shared, *sorted(path for path in place.glob("*.js") if path != own), own]
    return st.components.v2.component(
        f"moodmesh_{folder}",
        html=(place / f"{folder}.html").read_text("utf-8"),
        css=(place / f"{folder}.css").read_text("utf-8"),
        js="\n".join(path.read_text("utf-8") for path in scripts),
        isolate_styles=False,
    )
