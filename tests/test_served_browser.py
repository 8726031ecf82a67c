"""Browser: the app as docs/deployment.md has it served to others. nginx with HTTPS is before it,
everybody comes through a login, and the camera's stream runs over the relay of coturn alone.

The OpenID Connect provider runs on this machine, and the certificate is nobody's; nginx and coturn
have their shipped configurations.
"""

from __future__ import annotations

import re
from pathlib import Path

import oidc_provider_mock

from tests import browser, coturn, nginx, warped_face
from tests.oidc import log_in, secrets

pytestmark = [*browser.marks, nginx.mark, coturn.mark]

PATIENCE_MS = 60_000
# Any name under it is this machine's.
DOMAIN = "moodmesh.localhost"


def test_a_face_is_read_through_https_login_and_relay(tmp_path: Path) -> None:
    port, https = browser.free_port(), browser.free_port()
    address = f"https://{DOMAIN}:{https}"
    clip = warped_face.write_webcam_clip(tmp_path / "face.mjpeg", [("happy", 8.0)])
    command = ["app.py", "--port", str(port), "--no-browser", "--host", DOMAIN]
    with (
        oidc_provider_mock.run_server_in_thread() as provider,
        coturn.running(tmp_path) as relay,
        browser.serving(
            command,
            port,
            relay.environment
            | {"MOODMESH_RELAY_ONLY": "1"}
            | secrets(tmp_path, f"http://localhost:{provider.server_port}", address),
        ),
        nginx.running(tmp_path, [port], DOMAIN, https),
        browser.launched(clip) as chromium,
    ):
        context = chromium.new_context(ignore_https_errors=True)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        browser.stub_youtube(page)
        page.route(re.compile(f"^{re.escape(address)}"), lambda route: route.continue_())
        log_in(page, address, "alice")
        assert page.evaluate("isSecureContext")
        page.get_by_role("button", name="Turn on camera").click()
        page.wait_for_selector('.mm-look[data-state="seen"]')
        page.get_by_text("You look happy").first.wait_for()
