"""The login of a shared server: OpenID Connect by Streamlit's `st.login`, where it is set up."""

from __future__ import annotations

import streamlit as st

from moodmesh.pages import session


def passed() -> bool:
    """Whether the visitor may see the app; draws the login page where not."""
    if not session.asks_for_login() or st.user.is_logged_in:
        return True
    # A single hidden page, so that the address of any page leads here.
    st.navigation([st.Page(_page, title="Log in")], position="hidden").run()
    return False


def _page() -> None:
    with st.container(key="login", width=480, gap="small"):
        st.html('<span class="mm-brand">moodmesh</span>')
        st.header("Log in to listen", anchor=False)
        st.markdown(
            "This server is shared. What you record, your model and your journal are kept under "
            "your own login, apart from everybody else's."
        )
        for provider in providers():
            label = "Log in" if provider is None else f"Log in with {provider.capitalize()}"
            # A callback would lose the redirect: it has to be the page that sends it.
            if st.button(label, type="primary", key=f"login-{provider}"):
                st.login(provider)


def providers() -> list[str | None]:
    """The identity providers in Streamlit's secrets: the unnamed one (None) or the named ones."""
    section = st.secrets["auth"]
    named = [name for name, value in section.items() if not isinstance(value, str | list)]
    return [None] if "client_id" in section else [*named]
