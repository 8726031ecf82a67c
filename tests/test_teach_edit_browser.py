"""Browser: what a person changes on Teach and Privacy: labels, held takes, models, everything.

One real server for all of it. The webcam shows a drawn hand with its thumb up, so that takes of
the face alone and of face, hands and shoulders come from the same clip.
"""

from __future__ import annotations

import io
import json
import re
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from moodmesh import bundle, exchange, takes
from moodmesh.bundle import Bundle
from moodmesh.holistic_features import RIGHT_PART
from moodmesh.takes import Take
from moodmesh.training.personal import LEAST_FRAMES
from tests import browser, drawn_hand, warped_face

pytestmark = browser.marks

# A machine that does other things as well is waited for.
PATIENCE_MS = 120_000
TRAINING_MS = 400_000


@dataclass(frozen=True)
class App:
    """The server, the browser with its webcam, and where this person's files are."""

    address: str
    chromium: Any
    takes: Path
    model: Path

    def labels(self) -> dict[str, int]:
        """How many takes each label has on the disk."""
        return {label: len(mine) for label, mine in takes.newest(self.takes, 99).items()}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    home = tmp_path_factory.mktemp("home")
    clip = home / "thumb.mjpeg"
    with clip.open("wb") as file:
        for frame in drawn_hand.frames("thumbs up", 3.0):
            jpeg = cv2.imencode(".jpg", frame[:, :, ::-1])[1].tobytes()
            file.write(jpeg * (30 // drawn_hand.FPS))
    port = browser.free_port()
    command = ["app.py", "--port", str(port), "--no-browser"]
    with (
        browser.serving(command, port, browser.home(home)) as (address, _),
        browser.launched(clip) as chromium,
    ):
        yield App(address, chromium, home / "takes", home / "model" / "personal")


@pytest.fixture
def app(everything: App) -> Iterator[App]:
    """The app of a person who has nothing yet."""
    takes.delete_all(everything.takes)
    bundle.delete(everything.model)
    yield everything
    for context in everything.chromium.contexts:  # lets go of the camera
        context.close()


def opened(app: App, path: str) -> Any:
    page = app.chromium.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    browser.stub_youtube(page)
    page.goto(f"{app.address}/{path}")
    return page


def until(true: Callable[[], bool], page: Any, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not true():
        assert time.monotonic() < deadline, what
        page.wait_for_timeout(50)


def filled(app: App, **labels: int) -> None:
    """Takes of a second of these labels, each an expression of the test face."""
    for label, count in labels.items():
        for seed in range(count):
            takes.write(warped_face.take(label, seconds=1.0, seed=seed), app.takes)


def some_model(folder: Path, name: str = "mine") -> Bundle:
    """A model with a network that runs: the shipped one's."""
    general = bundle.read(bundle.GENERAL)
    network = {"landmarks.tflite": general.path("landmarks.tflite")}
    return bundle.write(folder, Bundle(name, general.labels, settings=general.settings), network)


def choose(page: Any, label: str) -> None:
    """Chooses a label that may be new."""
    page.get_by_label("or one of your own").fill(label)
    page.get_by_role("button", name="Add").click()
    page.get_by_role("radio", name=label, checked=True).wait_for()


def hold(page: Any, samples: int, keyboard: bool = False) -> int:
    """Holds the button until so many samples are told, or the longest take is over; how many."""
    page.locator(".mm-hold:enabled").wait_for()
    button = page.locator(".mm-hold")
    held = page.locator('.mm-hold[data-held="true"]')

    def press() -> bool:
        if keyboard:
            button.focus()
            page.keyboard.down(" ")
        else:  # a page that is still settling may move the button away under the mouse
            page.mouse.up()
            button.hover()
            page.mouse.down()
        return held.count() > 0

    until(press, page, "the button was not held")
    over = page.get_by_text(re.compile(r"samples of '.*' kept|nothing was recorded"))
    told = page.get_by_text(re.compile(r"^\d+ samples of '[^']+'$"))
    page.get_by_role("heading", name="let go to stop").or_(over).first.wait_for()
    count = 0

    def enough() -> bool:
        nonlocal count
        for text in told.all_inner_texts():
            count = int(text.split()[0])
        return count >= samples or over.count() > 0

    until(enough, page, "no samples came")
    if keyboard:
        page.keyboard.up(" ")
    else:
        page.mouse.up()
    over.wait_for()
    return count


def test_a_label_is_renamed_deleted_and_brought_back(app: App) -> None:
    filled(app, happy=2, sad=1)
    page = opened(app, "teach")
    edit = page.get_by_test_id("stPopover").get_by_role("button")
    edit.first.click()
    name = page.get_by_role("textbox", name="Another name for 'happy'")
    name.fill("../elsewhere")
    name.press("Enter")
    page.get_by_text("without slashes or dots").wait_for()
    assert app.labels() == {"happy": 2, "sad": 1}
    name.fill("blissful")
    name.press("Enter")
    page.get_by_text("'happy' is called 'blissful' now").wait_for()
    assert app.labels() == {"blissful": 2, "sad": 1}
    page.get_by_role("img", name="blissful, 15 samples").first.wait_for()

    page.reload()  # as a person who comes back another day
    page.get_by_role("img", name="blissful, 15 samples").first.wait_for()
    edit.first.click()
    page.get_by_role("button", name="Delete all takes of 'blissful'").click()
    undo = page.get_by_role("button", name="Undo delete")
    undo.wait_for()
    until(lambda: app.labels() == {"sad": 1}, page, "it was not deleted")
    undo.click()
    undo.wait_for(state="detached")
    assert app.labels() == {"blissful": 2, "sad": 1}
    page.get_by_role("img", name="blissful, 15 samples").first.wait_for()


def test_a_button_that_is_held_records_as_long_as_it_is(app: App) -> None:
    page = opened(app, "teach")
    page.get_by_role("button", name="Turn on camera").click()
    choose(page, "हँसी")
    told = hold(page, samples=5)
    (take,), problems = takes.read_all(app.takes)
    assert (take.label, take.kind, problems) == ("हँसी", "face", [])
    assert len(take) >= told >= 1
    page.get_by_role("img", name=re.compile("^हँसी, ")).wait_for()


@pytest.mark.training
def test_a_sign_of_the_hand_is_recorded_learned_and_seen_in_the_page(app: App) -> None:
    for seed in range(2):
        bodies = drawn_hand.bodies(None, 1.5, seed)
        times = [40 * number for number in range(len(bodies))]
        takes.write(Take.of_bodies("nothing", bodies, times), app.takes)
    filled(app, happy=1)
    page = opened(app, "teach")
    page.get_by_role("radio", name="Face, hands and shoulders").click()
    page.get_by_text("of the face alone").wait_for()  # 'happy' does not count here
    page.get_by_role("button", name="Turn on camera").click()
    choose(page, "thumbs up")
    recorded: list[Take] = []
    while sum(map(len, recorded)) < LEAST_FRAMES:  # a busy machine needs more than one take
        hold(page, samples=3 * LEAST_FRAMES, keyboard=True)
        recorded, problems = takes.read_paths(takes.paths(app.takes, "thumbs up"))
        assert not problems and len(recorded) < 5
    assert all(take.kind == "holistic" for take in recorded)
    assert np.concatenate([take.seen for take in recorded])[:, RIGHT_PART].mean() > 0.3

    page.get_by_role("button", name="Train my model").click()
    page.get_by_text(re.compile("^Your model is trained")).wait_for(timeout=TRAINING_MS)
    made = bundle.read(app.model)
    assert (made.kind, made.labels) == ("holistic", ("nothing", "thumbs up"))
    page.locator('.mm-versus [data-part="right-says"]', has_text="thumbs up").wait_for()
    if len(recorded) == 1:
        page.get_by_text("Not judged yet: 'thumbs up'").wait_for()


@pytest.mark.training
def test_a_training_that_is_cancelled_leaves_the_model_as_it_was(app: App) -> None:
    filled(app, happy=2, sad=2)
    before = some_model(app.model)
    page = opened(app, "teach")
    page.get_by_role("button", name="Train my model").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Training was cancelled; nothing changed").wait_for()
    assert page.get_by_role("button", name="Train my model").is_enabled()
    assert bundle.read(app.model).files == before.files
    assert [path.name for path in app.model.parent.iterdir()] == ["personal"]


def test_a_model_is_carried_out_and_in_and_a_crafted_one_changes_nothing(
    app: App, tmp_path: Path
) -> None:
    some_model(app.model)
    page = opened(app, "teach")
    page.get_by_text("Carry it to another machine").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export my model").click()
    carried = tmp_path / download.value.suggested_filename
    download.value.save_as(carried)
    assert carried.name.endswith(exchange.SUFFIX)

    other = some_model(tmp_path / "other", "another")
    with zipfile.ZipFile(io.BytesIO(exchange.pack(other))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members[bundle.MANIFEST])
    manifest["labels"][0] = "![seen](https://example.org/seen.png)"
    crafted = tmp_path / f"crafted{exchange.SUFFIX}"
    with zipfile.ZipFile(crafted, "w") as archive:
        for name, content in (members | {bundle.MANIFEST: json.dumps(manifest).encode()}).items():
            archive.writestr(name, content)
    upload = page.locator('[data-testid="stFileUploader"] input[type="file"]')
    replace = page.get_by_role("button", name="Replace my model with it")
    upload.set_input_files(crafted)
    replace.click()
    page.get_by_text("is not a moodmesh model").wait_for()
    assert bundle.read(app.model).name == "mine"

    bundle.delete(app.model)
    page.reload()
    page.get_by_text("Carry it to another machine").click()
    upload.set_input_files(carried)
    replace.click()
    page.get_by_text("Imported a model that knows").wait_for()
    assert bundle.read(app.model).name == "mine"
    page.get_by_text("The live page uses your model").wait_for()


def test_privacy_lists_what_is_stored_and_deletes_all_of_it(app: App) -> None:
    filled(app, happy=2, sad=1)
    some_model(app.model)
    (app.takes / "sad" / ".20260101T000000Z-0000.npz.partial").write_bytes(b"half a take")
    (app.takes / "happy" / "20260101T000000Z-0000.npz").write_bytes(b"damaged")
    page = opened(app, "privacy")
    page.get_by_text(re.compile("4 takes, 1 unfinished or unusable take, your model")).wait_for()
    page.get_by_role("button", name="Delete everything").click()
    page.get_by_role("button", name="Delete it all").click()
    page.get_by_text("Nothing is stored right now").wait_for()
    assert list(app.takes.iterdir()) == []
    assert not app.model.exists() and list(app.model.parent.iterdir()) == []
    page.get_by_role("link", name="Teach").click()
    page.get_by_text("choose an expression and hold it").wait_for()
    assert page.get_by_role("img", name=re.compile("samples$")).count() == 0
