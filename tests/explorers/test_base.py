"""The base of all tools: one bundle, one kept figure, values that are checked, mistakes that are explained."""

import time
from concurrent.futures import ThreadPoolExecutor

import ipywidgets as widgets
import numpy as np
import pytest
from matplotlib.figure import Figure

from helpers import display
from helpers.explorers.base import Explorer
from helpers.plots.style import SHARPNESS, figure

VIEW = "application/vnd.jupyter.widget-view+json"


class Toy(Explorer):
    """A line as long as a slider says; 5 cannot be drawn, 7 is a bug."""

    alt = "Toy: a line as long as the slider says."

    def controls(self):
        self.drawn = []
        return {
            "number": widgets.IntSlider(value=3, min=0, max=9),
            "color": widgets.Dropdown(options=["red", "blue"]),
            "more": widgets.Button(description="more"),
        }

    def build(self):
        self.built = getattr(self, "built", 0) + 1
        drawn = figure(3, 1)
        (self.line,) = drawn.add_subplot().plot([0, 9], [0, 0])
        return drawn

    def draw(self, number, color):
        if number == 5:
            raise ValueError("5 < 6: choose another number.")
        if number == 7:
            raise RuntimeError("a bug")
        self.drawn.append((number, color))
        self.line.set(xdata=[0, number], color=color)


def size(png):
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return tuple(int.from_bytes(png[i : i + 4], "big") for i in (16, 20))


def test_a_tool_is_shown_as_one_bundle_with_a_picture_and_constant_words():
    toy = Toy()
    data, about = toy._repr_mimebundle_()
    assert set(data) == {VIEW, "image/png", "text/plain"}
    assert data[VIEW]["model_id"] == toy.box.model_id
    assert data["text/plain"] == repr(toy) == f"[{toy.alt}]"
    assert about["image/png"]["alt"] == toy.alt
    width, height = size(data["image/png"])
    assert about["image/png"]["width"] == round(width / SHARPNESS)
    assert about["image/png"]["height"] == round(height / SHARPNESS)


def test_a_caption_stands_below_the_tool():
    assert not [each for each in Toy().box.children if isinstance(each, widgets.HTML) and each.value]
    display.notice("Missing", ["So it is."], "The text speaks of another.")
    *_, below = Toy().box.children
    assert "The text speaks of another." in below.value


def test_a_control_and_a_cell_draw_one_after_the_other():
    """JupyterLab answers a control in another thread than a cell."""
    inside, at_once = [], []

    class Slow(Toy):
        def draw(self, **values):
            inside.append(values)
            at_once.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    slow = Slow()
    with ThreadPoolExecutor(2) as both:
        done = [both.submit(slow.update) for _ in range(6)]
    assert [one.result() for one in done] == [None] * 6
    assert at_once == [1] * 7


def test_the_stored_picture_shows_the_present_state_and_is_the_same_twice():
    toy = Toy()
    before = toy._repr_mimebundle_()[0]["image/png"]
    assert toy._repr_mimebundle_()[0]["image/png"] == before == Toy()._repr_mimebundle_()[0]["image/png"]
    toy.set(number=8)
    after = toy._repr_mimebundle_()[0]
    assert after["image/png"] != before
    assert after["text/plain"] == repr(Toy())


def test_the_live_picture_is_as_large_as_the_stored_one():
    toy = Toy()
    stored = toy._repr_mimebundle_()[1]["image/png"]
    assert toy.image.width == str(stored["width"])
    assert size(toy.image.value) == size(toy._repr_mimebundle_()[0]["image/png"])


def test_moving_a_control_redraws_the_kept_figure_once():
    toy = Toy()
    kept, before = toy.figure, toy.image.value
    assert isinstance(kept, Figure)
    toy.drawn.clear()
    toy._controls["number"].value = 4
    assert toy.drawn == [(4, "red")]
    assert toy.image.value != before
    assert toy.figure is kept
    assert toy.built == 1


def test_a_value_that_is_already_there_redraws_nothing():
    toy = Toy()
    toy.drawn.clear()
    toy._controls["number"].value = 3
    assert toy.drawn == []


def test_several_values_are_set_with_one_redraw():
    toy = Toy(number=1, color="blue")
    assert toy.drawn == [(1, "blue")]
    toy.drawn.clear()
    toy.set(number=2, color="red")
    assert toy.drawn == [(2, "red")]
    assert toy.values == {"number": 2, "color": "red"}


def test_controls_that_set_each_other_inside_quiet_do_not_redraw_and_the_silence_ends():
    toy = Toy()
    toy.drawn.clear()
    with toy.quiet():
        with toy.quiet():
            toy._controls["number"].value = 1
        toy._controls["number"].value = 2
    assert toy.drawn == []
    with pytest.raises(KeyError), toy.quiet():
        raise KeyError
    toy._controls["number"].value = 4
    assert toy.drawn == [(4, "red")]


@pytest.mark.parametrize(
    ("values", "words"),
    [({"size": 1}, "no control 'size'; it has number, color, more"), ({"color": "green"}, "'green' is not a possible")],
)
def test_an_impossible_start_is_refused_in_a_sentence(values, words):
    with pytest.raises(ValueError, match=words):
        Toy(**values)
    toy = Toy()
    with pytest.raises(ValueError, match=words):
        toy.set(**values)


def test_a_value_that_cannot_be_drawn_is_explained_and_the_last_picture_stays():
    toy = Toy()
    assert toy.error.value == ""
    before = toy.image.value
    toy._controls["number"].value = 5
    assert "5 &lt; 6: choose another number." in toy.error.value
    assert 'role="alert"' in toy.error.value
    assert toy.image.value == before
    toy._controls["number"].value = 4
    assert toy.error.value == ""
    assert toy.image.value != before


def test_a_bug_is_named_in_the_tool_and_raised_to_a_cell():
    toy = Toy()
    toy._controls["number"].value = 7
    assert "The tool stopped with RuntimeError: a bug" in toy.error.value
    with pytest.raises(RuntimeError, match="a bug"):
        toy.update()
    with pytest.raises(RuntimeError, match="a bug"):
        Toy(number=7)


def test_the_parts_of_a_tool_can_be_found_in_the_page_and_read_aloud():
    toy = Toy()
    assert "explorer" in toy.box._dom_classes
    assert "explorer-picture" in toy.image._dom_classes
    assert all(f"control-{name}" in control._dom_classes for name, control in toy._controls.items())
    # In ipywidgets 8.1 a tooltip needs a description, or an error stands in the place of the picture.
    assert toy.image.get_state()["tooltip"] == toy.alt
    assert toy.image.get_state()["description"] == ""


def test_two_tools_do_not_share_anything():
    one, other = Toy(), Toy()
    before = other.image.value
    one.set(number=9, color="blue")
    assert other.values == {"number": 3, "color": "red"}
    assert other.image.value == before


def test_drawing_leaves_the_global_state_of_matplotlib_alone():
    import matplotlib
    from matplotlib import pyplot

    rc, open_figures = dict(matplotlib.rcParams), pyplot.get_fignums()
    Toy().set(number=6)
    assert dict(matplotlib.rcParams) == rc
    assert pyplot.get_fignums() == open_figures


def test_a_tool_that_defines_nothing_says_so():
    with pytest.raises(NotImplementedError):
        Explorer()


def test_the_picture_is_what_was_drawn():
    """Red pixels turn blue when the control says so."""
    import io

    from PIL import Image

    def count(toy, red):
        pixels = np.asarray(Image.open(io.BytesIO(toy.image.value)).convert("RGB")).astype(int)
        strong, weak = (0, 2) if red else (2, 0)
        return int(((pixels[..., strong] > 200) & (pixels[..., weak] < 60)).sum())

    toy = Toy(number=9)
    assert count(toy, red=True) > 100
    assert count(toy, red=False) == 0
    toy.set(color="blue")
    assert count(toy, red=True) == 0
    assert count(toy, red=False) > 100
