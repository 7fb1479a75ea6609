"""Redrawing what changed gives the pixels of a full drawing, whatever lies above it, and draws little."""

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from helpers.plots.pixels import pixels
from helpers.plots.redraw import Redraw
from helpers.plots.style import figure


class Page:
    """An image with a frame, a rectangle and a number over it, beside a chart and a text."""

    def __init__(self):
        self.figure = figure(4, 2, layout=None)
        self.left, self.right = (self.figure.add_axes((x, 0.2, 0.35, 0.7)) for x in (0.1, 0.6))
        self.image = pixels(self.left, data=np.eye(5))
        self.box = self.left.add_patch(Rectangle((0, 0), 2, 2, alpha=0.5))
        self.number = self.left.text(2, 2, "7", color="red")
        (self.line,) = self.right.plot([0, 1], [0, 1])
        self.right.legend([self.line], ["a line"])
        self.text = self.figure.text(0.5, 0.02, "words")
        self.redraw = Redraw(self.figure)

    def same(self):
        quick = self.redraw.pixels().copy()
        self.figure.canvas.draw()
        return np.array_equal(quick, np.asarray(self.figure.canvas.buffer_rgba()))


CHANGES = {
    "image": lambda page, i: page.image.set_data(np.eye(5) * (i % 3)),
    "shape": lambda page, i: page.image.set_data(np.eye(5 + i % 3)),
    "colors": lambda page, i: page.image.set_cmap(("gray", "magma")[i % 2]),
    "box": lambda page, i: page.box.set_bounds(i % 4, 1, 2, 1),
    "number": lambda page, i: page.number.set_text(str(i)),
    "line": lambda page, i: page.line.set_ydata([i, 2 * i]),
    "limits": lambda page, i: page.right.set(ylim=(0, 1 + i)),
    "ticks": lambda page, i: page.right.set_yticks(range(i)),
    "hidden artist": lambda page, i: page.box.set_visible(i % 2),
    "hidden axes": lambda page, i: page.left.set_visible(i % 2),
    "frame": lambda page, i: page.left.set_axis_off() if i % 2 else page.left.set_axis_on(),
    "place": lambda page, i: page.right.set_position((0.6, 0.2, 0.3 - 0.01 * i, 0.6)),
    "new artist": lambda page, i: page.left.plot([0, i], [0, 4]),
    "lost artist": lambda page, i: page.left.lines[0].remove() if page.left.lines else page.left.plot([0, 4]),
    "words": lambda page, i: page.text.set_text(f"words {i}"),
    "nothing": lambda page, i: None,
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_kind_of_change_is_seen(name):
    page = Page()
    for i in range(6):
        CHANGES[name](page, i)
        assert page.same(), i


def test_changes_in_any_order_are_seen():
    page, chance = Page(), np.random.default_rng(0)
    for i in range(80):
        name = str(chance.choice(list(CHANGES)))
        CHANGES[name](page, i % 7)
        assert page.same(), (i, name)


def test_only_what_changes_is_drawn_once_it_is_known_to(monkeypatch):
    page, drawn = Page(), []
    for i in range(3):
        page.image.set_data(np.eye(5) * i)
        page.redraw.pixels()
    monkeypatch.setattr(page.figure.canvas, "draw", lambda: drawn.append("everything"))
    monkeypatch.setattr(page.line, "draw", lambda _: drawn.append("line"))
    page.image.set_data(np.eye(5))
    page.redraw.pixels()
    assert drawn == []


def test_what_was_drawn_elsewhere_can_be_forgotten():
    page = Page()
    for i in range(3):
        page.image.set_data(np.eye(5) * i)
        page.redraw.pixels()
    page.line.set_ydata([1, 0])
    page.figure.canvas.draw()  # the mark of the change is gone
    page.redraw.forget()
    assert page.same()
