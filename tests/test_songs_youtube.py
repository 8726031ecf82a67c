"""Unit tests: YouTube addresses and the ids in them."""

import pytest

from moodmesh.songs import youtube

ID = "dQw4w9WgXcQ"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ID, ID),
        (f"  {ID}\n", ID),
        (f"https://www.youtube.com/watch?v={ID}", ID),
        (f"https://www.youtube.com/watch?list=PL1&index=3&v={ID}&t=42s", ID),
        (f"http://m.youtube.com/watch?v={ID}&feature=youtu.be", ID),
        (f"https://music.youtube.com/watch?v={ID}&si=abc", ID),
        (f"youtu.be/{ID}?t=3", ID),
        (f"https://youtu.be/{ID}/", ID),
        (f"https://www.youtube.com/embed/{ID}?autoplay=1", ID),
        (f"https://www.youtube-nocookie.com/embed/{ID}", ID),
        (f"https://www.youtube.com/v/{ID}", ID),
        (f"https://youtube.com/shorts/{ID}?feature=share", ID),
        (f"https://www.youtube.com/live/{ID}", ID),
        (f"https://www.youtube.com/watch_videos?video_ids={ID},bbbbbbbbbbb", ID),
        (f"https://www.youtube.com/attribution_link?a=x&u=%2Fwatch%3Fv%3D{ID}%26f%3D1", ID),
        (f"https://www.youtube.com/redirect?q=https%3A%2F%2Fyoutu.be%2F{ID}", ID),
        (f"https://i.ytimg.com/vi/{ID}/mqdefault.jpg", ID),
        (f"<https://youtu.be/{ID}>", ID),
        ("https://www.youtube.com/watch?v=tooshort", None),
        (f"https://www.youtube.com/watch?v={ID}X", None),
        (f"https://evil.example/watch?v={ID}", None),
        (f"https://youtube.com.evil.example/watch?v={ID}", None),
        ("https://www.youtube.com/playlist?list=PLabc", None),
        ("https://www.youtube.com/@artist", None),
        ("", None),
        ("http://[broken", None),
        ("Never Gonna Give You Up", None),
    ],
)
def test_the_id_is_found_in_every_shape_of_link(text: str, expected: str | None) -> None:
    assert youtube.parse_video_id(text) == expected


def test_links_carry_the_id_or_a_safe_search() -> None:
    assert youtube.parse_video_id(youtube.watch_link(ID)) == ID
    link = youtube.search_link('Don\'t "Stop" & Go?', "Björk 宇多田")
    assert link.startswith("https://www.youtube.com/results?search_query=Bj%C3%B6rk")
    assert not set("\"' <>?&") & set(link.split("search_query=")[1])
    assert youtube.song_link("A", "B", None) == youtube.search_link("A", "B")


def test_the_queue_link_holds_fifty_different_playable_ids_in_order() -> None:
    ids = [f"video{n:06d}" for n in range(60)]
    link = youtube.queue_link([None, ids[0], *ids, "not an id"])
    assert link == "https://www.youtube.com/watch_videos?video_ids=" + ",".join(ids[:50])
    assert youtube.queue_link([None, "nonsense"]) is None
