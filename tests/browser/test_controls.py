"""Controls in JupyterLab by keyboard and screen reader: the extension in jupyter/controls.js, which set-up installs."""

import pytest

from tools.browser import Notebook, barriers

pytestmark = pytest.mark.browser
CELLS = [
    "import ipywidgets as widgets\nfrom helpers.explorers.playground import KernelPlayground\nKernelPlayground()",
    "widgets.IntRangeSlider(description='rows')",
    "from helpers.exercises import predict\npredict('edge_filters/by-hand')",
    "1",
]


@pytest.fixture(scope="module")
def live(browser, lab):
    """A tool, a slider with two handles and a prediction, alive."""
    notebook = Notebook(browser, lab, lab.store("controls.ipynb", CELLS))
    notebook.run_all()
    yield notebook
    notebook.close()


def active(live):
    return live.page.evaluate("lesson.panel().content.activeCellIndex")


def test_every_control_has_a_name(live):
    live.page.wait_for_selector(".noUi-handle[aria-label]")
    names = [each.get_attribute("aria-label") for each in live.page.query_selector_all(".noUi-handle")]
    assert names == ["stride", "padding", "pool size", "rows, from", "rows, to"]
    weights = [
        each.get_attribute("aria-label") for each in live.page.query_selector_all(".explorer input[type=number]")
    ]
    assert weights[:2] == ["weight in row 0, column 0", "weight in row 0, column 1"]
    assert barriers(live.page, ".jupyter-widgets") == []


def test_arrows_move_a_slider_and_not_the_notebook(live):
    handle = live.page.query_selector(".control-stride .noUi-handle")
    handle.focus()
    before = active(live)
    seen = []
    for key in ("ArrowRight", "ArrowUp", "ArrowDown", "End", "Home"):
        handle.press(key)
        seen.append(float(handle.get_attribute("aria-valuenow")))
    assert seen == [2, 3, 2, 4, 1]
    assert active(live) == before


def test_arrows_choose_from_a_menu_and_not_a_cell(live):
    menu = live.page.query_selector(".control-image select")
    menu.focus()
    before = active(live)
    seen = []
    for key in ("ArrowDown", "ArrowDown", "ArrowUp"):
        menu.press(key)
        seen.append(menu.evaluate("e => e.selectedIndex"))
    assert seen == [1, 2, 1]
    assert active(live) == before
    assert menu.evaluate("e => document.activeElement === e")
    menu.press("Shift+Enter")  # all other keys are JupyterLab's
    live.page.wait_for_function(f"lesson.panel().content.activeCellIndex === {before + 1}")


def test_the_answer_to_a_prediction_is_announced(live):
    live.page.query_selector(".prediction button").press("Enter")
    live.page.wait_for_selector(".prediction-answer [role=alert]")
