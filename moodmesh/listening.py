"""One listener's session: the mood, the queue that follows it, and what has been heard.

The song that plays never stops because the mood changed; only what comes after it does.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from moodmesh.mood import LOOKS, Mood
from moodmesh.songs.catalogue import Catalogue, Filters, Song
from moodmesh.songs.history import Heard, History
from moodmesh.songs.learning import Learner
from moodmesh.songs.recommend import POINTED, Recommendation, default_mode, is_near, recommend
from moodmesh.songs.youtube import QUEUE_LINK_LIMIT

QUEUE_LENGTH = 12
# Songs already heard that stay in the queue, for the 'previous' button.
KEPT_PLAYED = 10
# A steady expression moves its valence and arousal a little all the time; the queue follows only
# from this distance on (the seven moods lie 0.12 to 1.5 apart).
STEERING_STEP = 0.15
# What the listener did that says something about songs still to come.
TELLING = frozenset({"liked", "disliked", "skipped_early", "skipped_late"})


@dataclass
class Listening:
    """What the player is given and why. Not shared between sessions.

    queue: the songs in order, those played before the current one among them.
    current: the id of the song that plays, or None.
    steering: where the listener's hand takes the music, or None while it follows the face.
    mode: the listener's choice, or None for what suits the mood.
    freshness: song id -> factor on [0, 1], low for songs heard on the days before.
    found, refused: videos found for songs (by song id), and those that do not play in a page.
    history, learner: where what happened is kept and learnt from; None for neither.
    """

    catalogue: Catalogue
    filters: Filters = field(default_factory=Filters)
    mode: str | None = None
    mood: Mood = field(default_factory=Mood)
    queue: list[Recommendation] = field(default_factory=list)
    current: str | None = None
    steering: tuple[float, float] | None = None
    note: str = ""
    liked: set[str] = field(default_factory=set)
    disliked: set[str] = field(default_factory=set)
    unplayable: set[str] = field(default_factory=set)
    heard: list[str] = field(default_factory=list)
    freshness: Mapping[str, float] = field(default_factory=dict)
    found: Mapping[str, str] = field(default_factory=dict)
    refused: Collection[str] = frozenset()
    history: History | None = None
    learner: Learner | None = None
    rng: np.random.Generator = field(default_factory=np.random.default_rng)
    # The song that played when the way began that the queue is on: lift and calm go on from there.
    _way_after: str | None = None
    _playlist: tuple[tuple[str, ...], list[Recommendation]] = ((), [])

    @property
    def mode_in_use(self) -> str:
        """match, lift or calm."""
        return self.mode or default_mode(self.mood.label)

    @property
    def looks(self) -> str | None:
        """The expression that the queue follows, or that it follows the listener's hand."""
        return POINTED if self.steering is not None else self.mood.label

    def follow(self, mood: Mood) -> bool:
        """Takes in the present mood; the rest of the queue follows where it has changed.

        While the listener steers by hand, the face has no say.
        """
        if self.steering is not None:
            return False
        moved = np.hypot(mood.valence - self.mood.valence, mood.arousal - self.mood.arousal)
        if self.queue and mood.label == self.mood.label and moved < STEERING_STEP:
            return False
        changed = mood.label != self.mood.label
        first = not self.queue
        self.mood = mood
        self.refill()
        if changed and not first and mood.label:
            look = LOOKS.get(mood.label)
            seen = f"You look {look}" if look else f"I see '{mood.label}'"
            seen = f"You picked {mood.label}" if mood.told else seen
            self.note = f"{seen}: the queue follows"
        return True

    def steer(self, place: tuple[float, float] | None) -> None:
        """Takes the music to a (valence, arousal) on [-1, 1]², or gives it back to the face."""
        self.steering = place
        self.mood = Mood(None, {}, *(place or (0.0, 0.0)))
        self.refill()
        self.note = "The queue goes where you point" if place else ""

    def choose_mode(self, mode: str) -> None:
        """Match, lift or calm from the next song on."""
        if mode != self.mode_in_use:
            self.mode = mode
            self.refill()
            self.note = ""

    def choose_filters(self, filters: Filters) -> None:
        """Other languages, years and so on from the next song on."""
        if filters != self.filters:
            self.filters = filters
            self.refill(anew=False)
            self.note = ""

    def refill(self, *, anew: bool = True) -> None:
        """Replaces everything after the current song.

        anew: whether lift and calm begin at the mood again; else they go on where they are.
        """
        kept = self._up_to_current()
        if anew:
            self._way_after = self.current
        self.queue = kept + self._recommend(kept, QUEUE_LENGTH)

    def top_up(self) -> None:
        """Adds songs at the end where few are left to play."""
        ahead = len(self.queue) - len(self._up_to_current())
        if ahead < QUEUE_LENGTH // 2:
            self.queue = self.queue + self._recommend(self.queue, QUEUE_LENGTH - ahead)
        surplus = len(self._up_to_current()) - 1 - KEPT_PLAYED
        if surplus > 0:
            self.queue = self.queue[surplus:]

    def happened(
        self,
        kind: str,
        song_id: str,
        *,
        video_id: str | None = None,
        position_s: int = 0,
        duration_s: int = 0,
        last: bool = False,
    ) -> None:
        """Takes in one event of the player, remembers it and learns from it.

        kind: as the player names it. last: for 'unplayable', that no video of the song plays.
        """
        song = self.catalogue.find(song_id)
        heard = Heard(
            time.time(),
            kind,
            song_id,
            title=song.title if song else "",
            artist=song.artist if song else "",
            video_id=video_id,
            position_s=position_s,
            duration_s=duration_s,
            mood=self.mood.label,
            valence=self.mood.valence,
            arousal=self.mood.arousal,
            mode=self.mode_in_use,
        )
        if self.history:
            self.history.record(heard)
        if self.learner:
            self.learner.learn([heard])
        if kind in {"liked", "unliked"}:
            self.disliked.discard(song_id)
            (self.liked.add if kind == "liked" else self.liked.discard)(song_id)
        elif kind == "disliked":
            self.liked.discard(song_id)
            self.disliked.add(song_id)
            self._drop(song_id)
        elif kind == "unplayable" and last:
            self.unplayable.add(song_id)
            self._drop(song_id)
        if kind in TELLING and self.learner:
            self.refill(anew=False)

    def began(self, song_id: str) -> None:
        """A song has become the current one."""
        self.current = song_id
        if song_id not in self.heard:
            self.heard.append(song_id)
        self.top_up()

    def _drop(self, song_id: str) -> None:
        if song_id != self.current:
            self.queue = [item for item in self.queue if item.song.id != song_id]
        self.top_up()

    def ahead(self) -> list[Recommendation]:
        """The queue from the current song on."""
        return self.queue[max(0, len(self._up_to_current()) - 1) :]

    def is_near(self) -> bool:
        """Whether the songs to come are about what was asked for."""
        return is_near(self.catalogue, self.ahead()[1:] or self.ahead())

    def playlist(self, count: int = QUEUE_LINK_LIMIT) -> list[Recommendation]:
        """The queue from the current song on and what would follow, so many songs in all: to take
        along. The same as long as the queue is.
        """
        ahead = self.ahead()
        ids = tuple(one.song.id for one in ahead)
        if self._playlist[0] != ids:
            more = self._recommend(self.queue, max(0, count - len(ahead)))
            self._playlist = (ids, ahead + more)
        return self._playlist[1]

    def _up_to_current(self) -> list[Recommendation]:
        """The queue up to and with the song that plays; empty before the first."""
        ids = [item.song.id for item in self.queue]
        return self.queue[: ids.index(self.current) + 1] if self.current in ids else []

    def _recommend(self, before: Sequence[Recommendation], count: int) -> list[Recommendation]:
        songs: list[Song] = [item.song for item in before]
        # The song that played when the way began is not on it.
        on_way = bool(before) and before[-1].song.id != self._way_after
        found = recommend(
            self.catalogue,
            self.mood.valence,
            self.mood.arousal,
            self.mode_in_use,
            count,
            filters=self.filters,
            rng=self.rng,
            expression=self.looks,
            start=before[-1].step + 1 if on_way else 0,
            before=songs,
            freshness={**self.freshness, **dict.fromkeys(self.heard, 0.0)},
            exclude=self.disliked | self.unplayable | {song.id for song in songs},
            preference=self.learner.preference(self.mood.valence, self.mood.arousal)
            if self.learner
            else None,
            playable=self.catalogue.playable_with(self.found, self.refused),
            told=self.mood.told,
        )
        return self.learner.with_reasons(found) if self.learner else found
