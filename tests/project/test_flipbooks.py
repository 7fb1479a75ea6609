"""Tools in the pages: which states of a tool are drawn, and that the controls turn to the right picture."""

import base64
import io
import json
import re
from typing import ClassVar

import ipywidgets as widgets
import numpy as np
import pytest
from PIL import Image

from helpers.explorers.base import Explorer
from helpers.explorers.parts import panel, slider
from helpers.explorers.window_stepper import WindowStepper
from helpers.plots.style import figure
from tools import flipbooks, lessons, live


class Lamp(Explorer):
    """A square as bright as two controls say; the third changes nothing."""

    alt = "Lamp: a square, dark or bright."
    inert: ClassVar = {"unused": "nothing is drawn from it"}

    def controls(self):
        return {
            "unused": widgets.Checkbox(),
            "level": slider("level", 0, 100, 37),
            "lit": widgets.Checkbox(value=True),
            "name": widgets.Text("no choice"),
            "press": widgets.Button(),
            "more": slider("more", 0, 100, 50),
        }

    def build(self):
        drawn = figure(1.5, 1.5)
        self.picture, _ = panel(drawn.add_subplot())
        return drawn

    def draw(self, level, lit, **_):
        self.picture.set_data(np.full((4, 4), lit * level / 100))


def test_at_most_sixty_states_of_the_first_controls_and_the_present_one_among_them():
    tool = Lamp()
    level, lit = flipbooks.main_controls(tool)
    assert [level.name, lit.name] == ["level", "lit"], "there is no room for a third"
    assert (level.values[0], level.values[-1], level.values[level.start]) == (0, 100, 37)
    assert len(level.values) <= flipbooks.MOST_VALUES
    assert len(level.values) * len(lit.values) <= flipbooks.MOST_FRAMES
    assert lit.values[lit.start] is True
    assert [level.slider, lit.slider] == [True, False]


@pytest.mark.parametrize(
    ("widget", "values", "start"),
    [
        (widgets.Dropdown(options=[("one", 1), ("two", 2)], value=2), [1, 2], 1),
        (widgets.ToggleButtons(options=["a", "b", "c"], value="b"), ["a", "b", "c"], 1),
        (widgets.FloatSlider(min=0, max=1, step=0.5, value=0.3), [0, 0.3, 1.0], 1),
        (widgets.IntSlider(min=1, max=4, value=4), [1, 2, 3, 4], 3),
        (widgets.FloatLogSlider(base=10, min=-1, max=1, step=1, value=1), [0.1, 1, 10], 1),
        (widgets.SelectionSlider(options=list("xyz"), value="z"), list("xyz"), 2),
    ],
)
def test_every_kind_of_control_has_its_values(widget, values, start):
    found = flipbooks.control("it", widget)
    assert found.values == pytest.approx(values) if isinstance(values[0], float) else found.values == values
    assert found.start == start


@pytest.mark.parametrize("widget", [widgets.Button(), widgets.FloatText(), widgets.Dropdown(options=["alone"])])
def test_what_has_no_choice_is_left_out(widget):
    assert flipbooks.control("it", widget) is None


def test_a_long_menu_keeps_the_present_choice_and_both_ends():
    found = flipbooks.control("it", widgets.Dropdown(options=range(500), value=123))
    assert len(found.values) <= flipbooks.MOST_VALUES
    assert {0, 123, 499} <= set(found.values)
    assert found.values[found.start] == 123


def test_each_combination_leads_to_its_picture_and_the_tool_is_as_before():
    tool = Lamp(level=80)
    before = tool.values
    made = flipbooks.flipbook(tool)
    assert tool.values == before
    book = json.loads(re.search(r"<script[^>]*>(.*?)</script>", made, re.DOTALL)[1])
    controls = flipbooks.main_controls(tool)
    assert book["counts"] == [len(each.values) for each in controls]
    assert len(book["frames"]) == np.prod(book["counts"])
    assert len(set(book["frames"])) == len(book["pictures"]) < len(book["frames"]), "a dark lamp is one picture"
    place = 0
    for level in controls[0].values:
        for lit in controls[1].values:
            picture = base64.b64decode(book["pictures"][book["frames"][place]])
            gray = np.asarray(Image.open(io.BytesIO(picture)).convert("L"))
            middle = gray[gray.shape[0] // 2, gray.shape[1] // 2] / 255
            assert middle == pytest.approx(lit * level / 100, abs=0.03)
            place += 1
    assert 'alt="Lamp: a square, dark or bright."' in made


def test_pictures_are_as_sharp_as_there_is_room_and_too_many_are_refused(monkeypatch):
    def png(seed):
        noise = np.random.default_rng(seed).integers(0, 255, (150, 150, 3), dtype=np.uint8)
        with io.BytesIO() as buffer:
            Image.fromarray(noise).save(buffer, "png")
            return buffer.getvalue()

    def side(packed):
        return Image.open(io.BytesIO(packed[0])).width

    shots = [png(seed) for seed in range(20)]
    best = sum(map(len, flipbooks._packed(shots)))
    assert side(flipbooks._packed(shots)) == 150
    monkeypatch.setattr(flipbooks, "MOST_BYTES", best * 4 / 3 * 0.6)
    fewer = flipbooks._packed(shots)
    assert sum(map(len, fewer)) < best * 0.6
    assert side(fewer) < 150
    monkeypatch.setattr(flipbooks, "MOST_BYTES", 1000)
    with pytest.raises(ValueError, match="20 pictures of this tool do not fit into 1,000 bytes"):
        flipbooks._packed(shots)


def test_a_tool_of_a_lesson_is_made_from_the_statements_that_it_needs(monkeypatch):
    (path,) = lessons.chosen(["stride_and_padding"])
    index = lessons.tool_cells(path)[0]
    monkeypatch.chdir(path.parent)
    tool = flipbooks.made(path, index)
    assert isinstance(tool, Explorer)
    assert tool.alt


def test_a_tool_that_runs_in_a_page_of_its_own_leads_there():
    assert set(flipbooks.LIVING.values()) == set(live.PAGES)
    assert '<a href="stepper.html">' in flipbooks._living(WindowStepper())
    assert flipbooks._living(Lamp()) == ""
