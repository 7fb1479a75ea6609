"""`make slides`: what arrives in the browser, which key does what, and what the presenter sees."""

import os
import subprocess
import time
import urllib.request

import pytest

from tools import deck, lessons, slides
from tools.browser import _free_port

pytestmark = pytest.mark.browser
LESSON = "edge_filters"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The address of a presentation that `make slides` would open."""
    folder, port = tmp_path_factory.mktemp("slides"), _free_port()
    slides.prepare(folder)
    command = slides.command(lessons.chosen([LESSON])[0], folder)
    command += ["--no-browser", "--allow-root", f"--ServerApp.port={port}", "--IdentityProvider.token=secret"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | {"CNN_MEMORY": "off"})
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status?token=secret", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/deck"
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="module")
def projector(browser, address):
    """The deck in a browser window of the size of a projector."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    page.goto(f"{address}/deck/{LESSON}?token=secret")
    page.wait_for_function("window.deck && window.deck.shown.length", timeout=60_000)
    yield page
    context.close()


@pytest.fixture
def presented(projector):
    """The deck at its first slide, whose keys nothing else has."""
    projector.keyboard.press("Escape")
    projector.evaluate("deck.show(0, 0)")
    return projector


def place(page):
    return tuple(page.evaluate("[deck.slide, deck.step]"))


def test_the_deck_asks_for_the_token(address):
    for page in ("deck", "presenter", "plan", "state"):
        with urllib.request.urlopen(f"{address}/{page}/{LESSON}", timeout=10) as answer:
            assert "/login" in answer.url
            assert b"slides" not in answer.read()


def test_text_is_large_and_nothing_of_jupyterlab_is_left_on_the_screen(presented):
    presented.evaluate("deck.show(0, 0)")
    sizes = presented.evaluate(
        """() => {
          const size = selector => [...deck.win.document.querySelectorAll(selector)]
            .map(e => parseFloat(deck.win.getComputedStyle(e).fontSize));
          return {text: size('.jp-RenderedMarkdown p'), code: size('.cm-content'), button: size('.prediction button'),
            title: size('.jp-RenderedMarkdown h1')};
        }"""
    )
    assert min(sizes["text"]) >= 20
    assert min(sizes["code"]) >= 17
    assert min(sizes["title"]) >= 36
    seen = presented.evaluate(
        """() => [[5, 5], [1275, 5], [5, 715], [1275, 400], [640, 5]].map(([x, y]) => {
          const e = deck.win.document.elementFromPoint(x, y);
          return !!e.closest('.jp-Notebook');
        })"""
    )
    assert all(seen)


def test_a_clicker_reaches_every_cell_that_is_to_be_shown(presented):
    planned = [cell for slide in deck.plan(lessons.chosen([LESSON])[0]) for step in slide["steps"] for cell in step]
    seen, before = [], None
    while place(presented) != before:
        before = place(presented)
        seen += [cell for cell in presented.evaluate("deck.shown") if cell not in seen]
        presented.keyboard.press("PageDown")
    assert seen == planned
    while place(presented) != (0, 0):
        before = place(presented)
        presented.keyboard.press("PageUp")
        assert place(presented) < before


@pytest.mark.parametrize(
    ("on", "back"), [("ArrowRight", "ArrowLeft"), ("ArrowDown", "ArrowUp"), ("Space", "Shift+Space")]
)
def test_keys_move_on_and_back(presented, on, back):
    presented.keyboard.press(on)
    presented.keyboard.press(on)
    assert place(presented) == (2, 0)
    presented.keyboard.press(back)
    assert place(presented) == (1, 0)
    presented.keyboard.press("End")
    assert place(presented)[0] == presented.evaluate("deck.slides.length") - 1
    presented.keyboard.press("Home")
    assert place(presented) == (0, 0)


def test_running_never_turns_the_slide_and_runs_what_comes_before(presented):
    first = presented.evaluate(
        "deck.slides.findIndex(s => s.steps.flat().some(i => deck.cells[i].model.type === 'code'))"
    )
    presented.evaluate("first => deck.show(first + 1, 0)", first)
    before = place(presented)
    presented.keyboard.press("Shift+Enter")
    presented.wait_for_function(
        "deck.ran.size > 1 && !document.querySelector('iframe').contentDocument.querySelector('.deck-busy')",
        timeout=60_000,
    )
    assert place(presented) == before
    ran = presented.evaluate("[...deck.ran]")
    assert ran == presented.evaluate(
        "deck.cells.map((c, i) => i).filter(i => deck.cells[i].model.type === 'code' && i <= Math.max(...deck.shown))"
    )
    assert not presented.evaluate(
        "deck.cells.some(c => c.model.type === 'code' && c.model.outputs.toJSON().some(o => o.output_type === 'error'))"
    )


def test_a_control_keeps_its_keys_until_escape(presented):
    questions = "deck.slides.findIndex(s => s.steps.flat().some(i => deck.cells[i].node.matches('.deck-question')))"
    presented.evaluate(f"deck.show({questions}, 0)")
    presented.keyboard.press("r")
    frame = presented.frame_locator("iframe")
    button = frame.locator(".deck-on .prediction button").first
    button.wait_for(timeout=60_000)
    before = place(presented)
    button.focus()
    presented.keyboard.press("Space")
    answer = frame.locator(".deck-on .prediction-answer").first
    answer.filter(has_text="Right.").or_(answer.filter(has_text="Not yet.")).wait_for(timeout=10_000)
    assert place(presented) == before
    presented.keyboard.press("Escape")
    presented.keyboard.press("Space")
    assert place(presented) > before


def test_a_tool_is_moved_by_keys_and_the_slide_stays(presented):
    presented.evaluate(
        """deck.show(deck.slides.findIndex(slide => slide.steps.flat().some(
             i => deck.cells[i].model.sharedModel.source.includes('KernelPlayground('))), 0)"""
    )
    presented.keyboard.press("r")
    box = presented.frame_locator("iframe").locator(".deck-on .explorer")
    box.wait_for(timeout=120_000)
    before = place(presented)
    relu = box.locator("input[type=checkbox]")
    relu.press("Space")
    assert relu.is_checked()
    menu = box.locator(".control-image select")
    menu.press("ArrowDown")
    assert menu.evaluate("e => e.selectedIndex") == 1
    handle = box.locator(".control-stride .noUi-handle")
    handle.press("ArrowRight")
    assert float(handle.get_attribute("aria-valuenow")) == 2
    weight = box.locator("input[type=number]").first
    weight.fill("3")
    weight.press("Enter")
    assert place(presented) == before


def test_the_presenter_sees_notes_and_minutes_and_moves_the_deck(presented, address):
    page = presented.context.new_page()
    page.goto(f"{address}/presenter/{LESSON}?token=secret")
    page.wait_for_function("document.getElementById('place').textContent.startsWith('slide 1 ')")
    plan = deck.plan(lessons.chosen([LESSON])[0])
    total = sum(slide["minutes"] for slide in plan)
    assert total > 0
    assert f"of {total} min" in page.inner_text("#plan")
    assert page.inner_text("#notes").strip()
    page.click("#on")
    presented.wait_for_function("deck.slide === 1")
    presented.keyboard.press("PageDown")
    page.wait_for_function("document.getElementById('place').textContent.startsWith('slide 3 ')")
    asked = next(i for i, slide in enumerate(plan) if "right" in slide["answers"])
    presented.evaluate("i => deck.show(i, 0)", asked)
    page.wait_for_function(f"document.getElementById('place').textContent.startsWith('slide {asked + 1} ')")
    page.click("summary")
    assert "right" in page.inner_text("#answers")
    page.close()
