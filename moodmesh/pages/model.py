"""Model: how well it reads each expression, how it learned, and how it is built."""

from __future__ import annotations

import streamlit as st

from moodmesh import bundle
from moodmesh.pages import session

_PICTURES = {
    "confusion_matrix.png": "How well it reads each expression",
    "reliability.png": "When it says it is sure, is it right?",
    "curves.png": "How it learned",
    "architecture.png": "How the landmark network is built",
    "architecture_cnn.png": "How the picture network is built",
}


def page() -> None:
    """Draws the page."""
    visitor = session.current()
    st.title("Model")
    model = session.model_in_use(visitor)
    kind = "your personal model" if visitor.model == session.PERSONAL else "the general model"
    st.markdown(f"This is **{kind}**. It knows: {', '.join(model.labels)}.")
    shown = [name for name in _PICTURES if model.has(name)]
    for start in range(0, len(shown), 2):
        for place, name in zip(st.columns(2, gap="large"), shown[start : start + 2], strict=False):
            with place:
                st.subheader(_PICTURES[name])
                st.image(str(model.path(name)), width="stretch")
    if model.has("MODEL_CARD.md"):
        with st.expander("Model card"):
            st.markdown(model.path("MODEL_CARD.md").read_text("utf-8"))
    if model.folder != bundle.PERSONAL and not session.has_personal():
        st.caption("Teach it your own face on the Teach page to see your model's report here.")
