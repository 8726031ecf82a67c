"""Unit: people on a shared server have keys and folders of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from moodmesh import bundle, people, takes

ISSUER = "https://login.example.org"


def person(issuer: str = ISSUER, subject: str = "alice") -> people.Person:
    return people.of_claims({"iss": issuer, "sub": subject}, Path("/people"))


def test_the_same_person_is_always_the_same() -> None:
    assert person() == person()


@pytest.mark.parametrize(
    ("issuer", "subject"),
    [
        (ISSUER, "bob"),
        (ISSUER, "Alice"),
        ("https://login.example.com", "alice"),
        (ISSUER + "a", "lice"),  # the same letters, divided elsewhere
    ],
)
def test_another_person_shares_nothing(issuer: str, subject: str) -> None:
    mine, theirs = person(), person(issuer, subject)
    assert mine.key != theirs.key
    for place in ("takes", "model", "songs"):
        assert getattr(mine, place) != getattr(theirs, place)
        assert getattr(mine, place).parent != getattr(theirs, place).parent


@pytest.mark.parametrize("subject", ["../../etc", "/etc/passwd", "a\0b", "x" * 10_000, "ünï"])
def test_no_name_from_outside_leads_out_of_the_folder(subject: str) -> None:
    found = person(subject=subject)
    assert found.takes.parent.parent == Path("/people")
    assert found.key.isalnum() and found.key.isascii()
    assert len(found.key) <= 64  # the column of the history


@pytest.mark.parametrize(
    "claims", [{}, {"sub": "a"}, {"iss": ISSUER}, {"iss": ISSUER, "sub": ""}, {"iss": 1, "sub": 2}]
)
def test_an_identity_without_a_name_is_nobody(claims: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no issuer or no subject"):
        people.of_claims(claims)


def test_at_home_everything_is_where_the_commands_look() -> None:
    assert (people.HOME.key, people.HOME.takes, people.HOME.model) == (
        "local",
        takes.FOLDER,
        bundle.PERSONAL,
    )
