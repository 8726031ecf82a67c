"""A login for tests: Streamlit's secrets for an OpenID Connect provider on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moodmesh import people


def secrets(folder: Path, provider: str, address: str) -> dict[str, str]:
    """Writes a home with secrets; the environment of a server at `address` that lives there."""
    path = folder / "home" / ".streamlit" / "secrets.toml"
    path.parent.mkdir(parents=True)
    path.write_text(
        f"""[auth]
        redirect_uri = "{address}/oauth2callback"
        cookie_secret = "a-secret-of-a-good-length-for-a-test"
        client_id = "moodmesh"
        client_secret = "told-at-registration"
        server_metadata_url = "{provider}/.well-known/openid-configuration"
        """
    )
    return {
        "HOME": str(folder / "home"),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        people.FOLDER_VARIABLE: str(folder / "people"),
        "MOODMESH_DATABASE_URL": f"sqlite:///{folder}/history.sqlite",
    }


def log_in(page: Any, address: str, name: str) -> None:
    """Opens the app and comes in as this person."""
    page.goto(address)
    page.get_by_role("heading", name="Log in to listen").wait_for()
    assert page.get_by_role("button", name="Turn on camera").count() == 0
    page.get_by_role("button", name="Log in").click()
    page.locator("input[name=sub]").fill(name)
    page.get_by_role("button", name="Authorize").click()
    page.get_by_role("button", name="Turn on camera").wait_for()
