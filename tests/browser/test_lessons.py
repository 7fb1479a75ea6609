"""Every lesson as a student meets it: the stored picture of a tool, Run All, the living tool, each control moved."""

import contextlib

import pytest

from tools import browser as browser_tools
from tools import lessons

pytestmark = pytest.mark.browser

#: The stored picture of a tool: an output of its own, or inside the fold that answers a prediction.
STORED = ".jp-RenderedImage img, .jp-RenderedHTMLCommon details img"

TOY = """
import ipywidgets as widgets
from helpers.explorers.base import Explorer
from helpers.plots.style import figure

class Toy(Explorer):
    alt = "Toy: a bar as long as the number that the slider says."
    inert = {"unused": "nothing is drawn from it"}

    def controls(self):
        return {
            "number": widgets.IntSlider(value=3, min=0, max=9, description="number"),
            "color": widgets.Dropdown(options=["red", "blue"], description="color"),
            "wide": widgets.Checkbox(description="wide", indent=False),
            "side": widgets.RadioButtons(options=["left", "right"], description="side"),
            "form": widgets.ToggleButtons(options=["bar", "line"]),
            "offset": widgets.FloatText(value=0.5, description="offset"),
            "more": widgets.Button(description="more"),
            "unused": widgets.Checkbox(description="unused", indent=False),
        }

    def build(self):
        drawn = figure(5, 1.5)
        axes = drawn.add_subplot()
        self.line, = axes.plot([0, 3], [0, 0])
        axes.set(xlim=(-1, 14), ylim=(-1, 1))
        self.pressed = 0
        self._controls["more"].on_click(self.press)
        return drawn

    def press(self, _):
        self.pressed += 1
        self.update()

    def draw(self, number, color, wide, side, form, offset, unused):
        if number == 5:
            raise ValueError("5 < 6 cannot be drawn: choose another number.")
        if number == 7:
            raise RuntimeError("a bug")
        left = offset + self.pressed + 2 * (side == "right")
        self.line.set(xdata=[left, left + number], color=color, linewidth=20 if wide else 4)
        self.line.set_linestyle("-" if form == "bar" else ":")
"""

QUESTION = """
from helpers.exercises.core import Option, Prediction, Question

options = [Option("`1 < 2`" + " and so on" * 30, "Two is."), Option("two", "Yes.", True)]
Prediction(Question("Which `number` is larger?", options))
"""


def see_stored_pictures(notebook, cells):
    """Before anything runs, each of these cells shows its PNG; what answers a prediction shows it when it is opened."""
    assert notebook.complaints() == []
    for index in cells:
        picture = notebook.cell(index).wait_for_selector(STORED, timeout=5000, state="attached")
        notebook.page.wait_for_function("e => e.complete", arg=picture)
        if fold := notebook.cell(index).query_selector("details"):
            assert not picture.is_visible(), f"cell {index} answers before it is asked"
            fold.query_selector("summary").click()
        assert picture.is_visible()
        assert picture.evaluate("e => e.naturalWidth * e.naturalHeight") > 0
        notebook.picture(notebook.cell(index), f"tool-{index:02}-before")


#: Chooses one option after the other as a mouse would, and tells what each of them answered.
CHOOSE = """
async question => {
  const said = [];
  const text = () => question.querySelector('.prediction-answer').innerText.trim();
  for (const button of question.querySelectorAll('button')) {
    button.scrollIntoView({block: 'center'});
    const box = button.getBoundingClientRect();
    const met = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    if (!button.contains(met)) { said.push('no mouse reaches ' + button.innerText); continue; }
    button.click();
    for (let wait = 0; wait < 300 && (!text() || said.includes(text())); wait++)
      await new Promise(done => setTimeout(done, 10));
    said.push(said.includes(text()) ? 'nothing new after ' + button.innerText : text());
  }
  return said;
}
"""


def choose_every_option(notebook):
    """Click every option of every prediction: an explanation appears, another for each; return how many there are."""
    questions = notebook.page.query_selector_all(".prediction")
    for question in questions:
        said = question.evaluate(CHOOSE)
        wrong = [answer for answer in said if not answer.startswith(("✓ Right.", "✗ Not yet."))]
        assert said, "a prediction without options"
        assert not wrong, wrong
    return len(questions)


def cut_off(notebook):
    """The slides of which a part lies below a screen of 1280×720, even with their text as small as may be.

    Beside the screenshots stands the fullest slide of the lesson, with the room it leaves and the size of its text.
    """
    slides = notebook.slides()
    fullest = max(slides, key=lambda slide: (slide["overflow"] > 0, -slide["share"], slide["overflow"]))
    browser_tools.SCREENSHOTS.mkdir(exist_ok=True)
    with (browser_tools.SCREENSHOTS / "slides.txt").open("a", encoding="utf-8") as file:
        print(
            notebook.name, len(slides), *(fullest[key] for key in ("title", "share", "overflow")), sep="\t", file=file
        )
    return [
        f"slide {slide['slide']}.{slide['step']} ({slide['title']}) is {slide['overflow']:.0f} pixels too tall"
        for slide in slides
        if slide["overflow"] > 0
    ]


@pytest.fixture(scope="session")
def turned_to(browser, lab):
    """A function that opens one lesson after the other in the same page; a new one where that fails."""
    held = []

    def turn_to(name):
        if held:
            with contextlib.suppress(Exception):
                held[-1].turn_to(name)
                return held[-1]
            held.pop().close()
        held.append(browser_tools.Notebook(browser, lab, name))
        return held[-1]

    yield turn_to
    for notebook in held:
        notebook.close()


@pytest.mark.parametrize("path", lessons.notebooks(), ids=lambda path: path.stem)
def test_lesson(path, turned_to):
    """A lesson fits on slides before and after it ran; its tools can be seen before, live after, each control works."""
    cells = lessons.tool_cells(path)
    notebook = turned_to(path.name)
    wrong = cut_off(notebook)
    see_stored_pictures(notebook, cells)
    notebook.run_all()
    assert notebook.complaints() == []
    wrong += [f"after running, {said}" for said in cut_off(notebook)]
    tools = notebook.tools()
    assert len(tools) >= len(cells)
    for index in cells:
        assert notebook.cell(index).query_selector(".explorer img.explorer-picture"), f"cell {index} has no live tool"
        assert not notebook.cell(index).query_selector(STORED), f"cell {index} still shows its PNG"
    for number, tool in enumerate(tools):
        tool.element.scroll_into_view_if_needed()
        notebook.picture(tool.element, f"live-{number}-{tool.name}")
        moved, complaints = browser_tools.move_everything(notebook, tool)
        wrong += complaints
        notebook.picture(tool.element, f"moved-{number}-{tool.name}")
        if not moved:
            wrong.append(f"{tool.name}: no control changes its picture")
    assert choose_every_option(notebook) == len(lessons.predictions(path))
    assert wrong + notebook.complaints() == []


# -- the base of all tools, in a notebook of its own -------------------------------------------------------------------


@pytest.fixture(scope="session")
def toy(lab, tmp_path_factory):
    """A small notebook, executed and stored as `make notebooks` stores a lesson."""
    return lab.store("toy.ipynb", ["# The toy below is seen before it runs.", TOY.strip(), "Toy()", QUESTION.strip()])


def test_a_tool_is_a_picture_before_the_notebook_runs_and_lives_after(toy, opened, lab):
    stored = (lab.folder / toy).read_text()
    assert "widget-view" not in stored
    notebook = opened(toy)
    see_stored_pictures(notebook, [2])
    before = notebook.cell(2).query_selector("img").evaluate("e => e.clientWidth")
    notebook.run_all()
    assert notebook.complaints() == []
    (tool,) = notebook.tools()
    assert (tool.name, list(tool.inert)) == ("Toy", ["unused"])
    assert not notebook.cell(2).query_selector(".jp-RenderedImage")
    # The stored and the live picture have the same size, so that running a notebook does not make it jump.
    assert tool.element.query_selector("img").evaluate("e => e.clientWidth") == before
    assert notebook.page.get_by_role("img", name=tool.alt).count() == 1
    moved, wrong = browser_tools.move_everything(notebook, tool)
    assert wrong == []
    assert moved == ["number", "color", "wide", "side", "form", "offset", "more"]
    assert choose_every_option(notebook) == 1
    notebook.picture(tool.element, "light")
    notebook.page.set_viewport_size({"width": 560, "height": 1000})  # the picture is wider than the page now
    notebook.page.wait_for_function("e => e.querySelector('img').clientWidth < 500", arg=tool.element)
    assert tool.element.evaluate("e => e.scrollWidth - e.clientWidth") == 0, "the tool scrolls sideways"


def test_a_notebook_saved_while_its_tools_live_opens_with_their_pictures(toy, opened, lab):
    """What a student saves today can be read tomorrow: the live view is not stored, and saving disturbs nothing."""
    (lab.folder / "saved.ipynb").write_bytes((lab.folder / toy).read_bytes())
    notebook = opened("saved.ipynb")
    notebook.run_all()
    notebook.save()
    assert "widget-view" not in (lab.folder / "saved.ipynb").read_text()
    (tool,) = notebook.tools()
    moved, wrong = browser_tools.move_everything(notebook, tool)
    assert (len(moved), wrong) == (7, [])
    see_stored_pictures(opened("saved.ipynb"), [2])


def test_a_value_that_cannot_be_drawn_is_explained_in_a_sentence(toy, opened):
    notebook = opened(toy)
    notebook.run_all()
    (tool,) = notebook.tools()
    handle = browser_tools.find_control(tool, "number").query_selector(".noUi-handle")
    error = tool.element.query_selector(".explorer-error")
    assert notebook.changes(tool, lambda: handle.press("ArrowRight"))
    assert error.inner_text().strip() == ""
    assert not notebook.changes(tool, lambda: handle.press("ArrowRight"), 1.0)
    assert error.inner_text().strip() == "5 < 6 cannot be drawn: choose another number."
    notebook.picture(tool.element, "error")
    assert notebook.changes(tool, lambda: handle.press("ArrowRight"))
    assert error.inner_text().strip() == ""
    assert not notebook.changes(tool, lambda: handle.press("ArrowRight"), 1.0)
    assert error.inner_text().strip() == "The tool stopped with RuntimeError: a bug"
    assert notebook.complaints() == []


CONTRASTS = """
box => {
  const parse = c => { const m = c.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const ground = e => {
    if (!e) return [255, 255, 255, 1];
    const own = parse(getComputedStyle(e).backgroundColor);
    return own[3] === 1 ? own : over(own, ground(e.parentElement));
  };
  const light = c => [0.2126, 0.7152, 0.0722].reduce((sum, w, i) => {
    const v = c[i] / 255; return sum + w * (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); }, 0);
  const found = [];
  for (const e of box.querySelectorAll('*')) {
    const words = [...e.childNodes].filter(n => n.nodeType === 3 && n.data.trim()).map(n => n.data.trim()).join(' ');
    const text = words || (e.matches('select, input[type=number], input[type=text]') ? 'value' : '');
    if (!text || e.tagName === 'OPTION' || e.offsetParent === null) continue;
    const behind = ground(e);
    const pair = [light(over(parse(getComputedStyle(e).color), behind)), light(behind)].sort((a, b) => b - a);
    found.push([Math.round(100 * (pair[0] + 0.05) / (pair[1] + 0.05)) / 100, text]);
  }
  return found;
}
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_word_of_tools_and_predictions_is_legible(toy, opened, dark):
    """Contrast of at least 4.5 between each word and its ground, in both themes, before and after a choice."""
    notebook = opened(toy, dark)
    for stage in ("before", "after"):
        if stage == "after":
            notebook.run_all()
            choose_every_option(notebook)
        found = notebook.page.query_selector(".jp-Notebook").evaluate(
            "(e, code) => [...e.querySelectorAll('.jp-OutputArea-output')].flatMap(eval(code))", CONTRASTS
        )
        assert found
        assert [(ratio, words) for ratio, words in found if ratio < 4.5] == []


def test_moving_a_control_that_does_nothing_is_noticed(toy, opened):
    """The test of the tests: a control whose picture stays the same is reported unless the tool says why."""
    notebook = opened(toy)
    notebook.run_all()
    (tool,) = notebook.tools()
    tool.inert = {"color": "wrongly listed"}
    tool.controls = ["color", "unused", "missing"]
    moved, wrong = browser_tools.move_everything(notebook, tool)
    assert moved == ["color"]
    assert len(wrong) == 3
    assert "'color' is listed in `inert`, but it changes the picture" in wrong[0]
    assert "moving 'unused' does not change the picture" in wrong[1]
    assert "the control 'missing' is not on the page" in wrong[2]
