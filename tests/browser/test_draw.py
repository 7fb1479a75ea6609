"""Ten digits drawn with the mouse on a real page, and read by the network; undo and clear on the same sheet."""

import pytest

from helpers.data import strokes
from tools import browser as browser_tools
from tools.browser import Notebook

pytestmark = pytest.mark.browser

SOURCES = ("from helpers.explorers.draw import DrawDigit", "tool = DrawDigit()\ntool")


@pytest.fixture(scope="module")
def sheet(browser, lab):
    """A notebook with nothing but the tool, stored as `make notebooks` stores a lesson, and run."""
    notebook = Notebook(browser, lab, lab.store("sheet.ipynb", SOURCES))
    assert notebook.cell(1).wait_for_selector(".jp-RenderedImage img").is_visible()
    notebook.run_all()
    notebook.execute("start = dict(tool.values)")
    yield notebook
    notebook.close()


@pytest.fixture
def drawn(sheet):
    """The notebook and its tool as it was at the beginning; nothing complains in the end."""
    sheet.execute("tool.set(**start)")
    (tool,) = sheet.tools()
    yield sheet, tool
    assert sheet.complaints() == []


def draw_with_the_mouse(notebook, drawing):
    """Press, move and release the mouse along the strokes."""
    canvas = notebook.page.query_selector(".draw-sheet")
    canvas.scroll_into_view_if_needed()
    box, mouse = canvas.bounding_box(), notebook.page.mouse
    for stroke in drawing:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        mouse.move(*places[0])
        mouse.down()
        for place in places[1:]:
            mouse.move(*place)
        mouse.up()


def answer(notebook):
    """What the tool says now, when all the events before have been served."""
    return notebook.execute("print(tool._answer.get_text())").split(",")[0].strip()


def test_ten_digits_drawn_with_the_mouse_are_read(drawn):
    notebook, tool = drawn
    press = {name: browser_tools.find_control(tool, name) for name in ("clear", "undo")}
    read = {}
    for digit, drawing in strokes.DIGITS.items():
        press["clear"].click()
        assert answer(notebook) == "nothing drawn yet"
        before = notebook.pixels(tool)
        draw_with_the_mouse(notebook, drawing)
        read[digit] = answer(notebook)
        assert notebook.pixels(tool) != before
        notebook.picture(tool.element, f"drawn-{digit}")
    right = [digit for digit, said in read.items() if said == digit]
    assert len(right) >= 9, read

    count = "print(len(tool.strokes))"
    press["clear"].click()
    draw_with_the_mouse(notebook, strokes.DIGITS["4"])
    assert notebook.execute(count).strip() == "2"
    press["undo"].click()
    assert notebook.execute(count).strip() == "1"
    press["clear"].click()
    press["undo"].click()
    assert notebook.execute(count).strip() == "1"


def test_what_is_drawn_stands_on_the_sheet(drawn):
    """The white of the pen is where the mouse was, and nowhere else."""
    notebook, tool = drawn
    browser_tools.find_control(tool, "clear").click()
    draw_with_the_mouse(notebook, [[(0.2, 0.5), (0.8, 0.5)]])
    answer(notebook)
    look = """e => { const c = e.tagName === 'CANVAS' ? e : e.querySelector('canvas');
        const at = (x, y) => c.getContext('2d').getImageData(x * c.width, y * c.height, 1, 1).data[0];
        return [at(0.5, 0.5), at(0.3, 0.5), at(0.5, 0.3), at(0.95, 0.5)]; }"""
    canvas = notebook.page.query_selector(".draw-sheet")
    for _ in range(50):
        found = canvas.evaluate(look)
        if found[0] > 200:
            break
        notebook.page.wait_for_timeout(50)
    assert [value > 128 for value in found] == [True, True, False, False]
    notebook.picture(tool.element, "line")
    beside, box = tool.element.query_selector("img").bounding_box(), canvas.bounding_box()
    assert beside["x"] > box["x"] + box["width"], "on a page of 1280 pixels the picture stands beside the sheet"
    assert abs(beside["y"] - box["y"]) < 40


def test_every_control_around_the_sheet_changes_the_picture(drawn):
    notebook, tool = drawn
    moved, wrong = browser_tools.move_everything(notebook, tool)
    assert wrong == []
    assert moved == ["example", "network", "thickness", "turn", "fill", "clear", "undo"]
