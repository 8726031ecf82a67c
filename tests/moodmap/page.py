"""The smallest page around the mood map: the browser test drives it."""

import json
from dataclasses import replace

import numpy as np
import streamlit as st

from moodmesh.pages.moodmap import moodmap
from moodmesh.songs.catalogue import load
from moodmesh.songs.recommend import recommend

catalogue = load()
st.session_state.setdefault("hand", [])
st.session_state.setdefault("steering", None)
st.session_state.setdefault("mood", (-0.63, -0.27))
if st.button("Mood changes"):
    st.session_state.mood = (0.81, 0.51)
place = st.session_state.steering or st.session_state.mood
queue = recommend(catalogue, *place, "lift", 8, rng=np.random.default_rng(4))
TITLE = "<img src=x onerror=\"document.title='hacked'\"> \u202eمرحبا 🎉"
queue[0] = replace(queue[0], song=replace(queue[0].song, title=TITLE, artist="<b>Bold</b>"))
moved = moodmap(
    catalogue,
    queue,
    valence=st.session_state.mood[0],
    arousal=st.session_state.mood[1],
    colour="#4C7DF0",
    current=queue[0].song.id,
    steering=st.session_state.steering,
)
if moved is not None:
    st.session_state.steering = moved.place
    st.session_state.hand.append([round(x, 1) for x in moved.place] if moved.place else None)
    st.rerun()
st.text("hand " + json.dumps(st.session_state.hand))
