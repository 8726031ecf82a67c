"""The smallest page around the player: the browser test drives it.

The query says which queue to show; buttons stand for what a real page does when the mood changes.
"""

import json

import streamlit as st

from moodmesh.pages.player import player

st.set_page_config(layout="centered")


def song(number: int, **more: object) -> dict[str, object]:
    video = f"video{number:06d}"
    return {
        "id": f"song{number}",
        "title": f"Song {number}",
        "artist": f"Artist {number}",
        "year": 1990 + number,
        "why": "Bright and lively, because you look happy",
        "video_id": video,
        "alt_ids": [],
        "duration_s": 200,
        "url": f"https://www.youtube.com/watch?v={video}",
        "artwork": None,
        "hue": 40 * number,
        "liked": False,
        **more,
    }


HOSTILE = song(
    2,
    title="<img src=x onerror=\"document.title='hacked'\"> \u202eمرحبا 🎉",
    artist="</script><b>Bold</b>",
)
SEARCH_ONLY = song(2, video_id=None, url="https://www.youtube.com/results?search_query=Song+2")
QUEUES = {
    "seven": [song(n) for n in range(1, 8)],
    "plain": [song(n) for n in range(1, 7)],
    "alternatives": [song(1, alt_ids=["alternate01", "alternate02"]), song(2), song(3)],
    "search": [song(1), SEARCH_ONLY, song(3)],
    "hostile": [song(1), HOSTILE, song(3)],
    "none": [SEARCH_ONLY],
    "one": [song(1)],
    "empty": [],
}
if "queue" not in st.session_state:
    st.session_state.queue = QUEUES[st.query_params.get("queue", "plain")]
    st.session_state.note = ""
    st.session_state.heard = []
if st.button("Mood changes"):
    st.session_state.queue = [song(n) for n in (21, 22, 23)]
    st.session_state.note = "You look calmer: the queue follows"
if st.button("Later part changes"):
    st.session_state.queue = [song(n) for n in (1, 2, 31, 32)]
if st.button("Rerun"):
    pass
if st.button("Player goes"):
    st.text("The player is gone")
    st.stop()

state = player(
    st.session_state.queue,
    lead="You look content",
    note=st.session_state.note,
    accent="#F2B705",
    autoplay=st.query_params.get("autoplay") == "yes",
)
st.session_state.heard += [f"{event.kind}:{event.song_id}" for event in state.events]
st.text("heard " + json.dumps(st.session_state.heard))
st.text("state " + json.dumps([state.current, state.playing]))
st.text("given " + json.dumps([item["id"] for item in st.session_state.queue]))
