"""Whose takes, model, songs and history these are.

At home there is one person, :data:`HOME`, with the folders that the commands use. On a shared
server each person who logs in has a key of their own, made from who vouches for them (the issuer)
and their name there (the subject), and a folder of that name: two people never share a path, and
no text that came from outside becomes part of one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from moodmesh import bundle, places, takes
from moodmesh.songs import history, ownlist

FOLDER_VARIABLE = "MOODMESH_PEOPLE"


@dataclass(frozen=True)
class Person:
    """One person: the key of their history, and where their takes, model and songs are."""

    key: str
    takes: Path
    model: Path
    songs: Path


HOME = Person(history.LOCAL_LISTENER, takes.FOLDER, bundle.PERSONAL, ownlist.own_songs_path())


def of_claims(claims: Mapping[str, object], folder: Path | None = None) -> Person:
    """The person whom these OpenID Connect claims name.

    Raises ValueError where they name nobody: such a visitor must not be let in.
    """
    # OpenID Connect Core 1.0, 2: the pair of both is unique and never given to another; an e-mail
    # address may be.
    issuer, subject = claims.get("iss"), claims.get("sub")
    if not (isinstance(issuer, str) and issuer and isinstance(subject, str) and subject):
        raise ValueError("the identity has no issuer or no subject")
    # The lengths keep ("ab", "c") and ("a", "bc") apart.
    text = f"{len(issuer)}:{issuer}{len(subject)}:{subject}"
    key = hashlib.sha256(text.encode()).hexdigest()[:40]
    own = (folder or root()) / key
    return Person(key, own / "takes", own / "model", own / "own_songs.csv.gz")


def root() -> Path:
    """The folder with a folder a person."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else places.data() / "people"
