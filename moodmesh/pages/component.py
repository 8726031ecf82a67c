"""Custom parts of the page as Streamlit components v2, from their own HTML, CSS and JS files."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st


@cache
def component(folder: str) -> Any:
    """The component in this folder beside this module (`<name>.html`, `.css`, `.js`).

    Registered once a process: registering again would rebuild it in every open page. Stands
    outside a shadow root, so that the page's focus rings and colours reach it; its class names
    begin with `mm-`.
    """
    place = Path(__file__).parent / folder
    return st.components.v2.component(
        f"moodmesh_{folder}",
        html=(place / f"{folder}.html").read_text("utf-8"),
        css=(place / f"{folder}.css").read_text("utf-8"),
        js=(place / f"{folder}.js").read_text("utf-8"),
        isolate_styles=False,
    )
