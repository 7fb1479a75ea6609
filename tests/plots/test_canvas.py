"""Letters that are drawn once and kept: the pixels stay Matplotlib's own, to the byte."""

import threading
from unittest import mock

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from helpers.plots import canvas

pytestmark = pytest.mark.filterwarnings("ignore:Glyph")  # no font here has the last letter
TEXTS = (
    *("a 4, pixel 0.25 → 1", "−0.5", "two\nlines", "Wasser, Äpfel, fi", "$\\frac{w_1}{2}$ and words", "", "..."),
    *("AVAVA ffi", "9" * 30, "漢"),
)


def drawing(kind, seed):
    """A figure with words of many sizes, angles, colors and fonts, at places between pixels."""
    chance = np.random.default_rng(seed)
    drawn = Figure(figsize=(6, 4), dpi=float(chance.integers(70, 170)))
    kind(drawn)
    axes = drawn.add_subplot()
    axes.plot([0, 1], [0, chance.random()])
    axes.set(title="A title", xlabel="step", ylabel="loss")
    for words in TEXTS:
        axes.text(
            *chance.random(2),
            words,
            fontsize=chance.uniform(5, 20),
            rotation=chance.choice([0, 0, 90, 33.3]),
            color=chance.random(3),
            alpha=chance.choice([0.4, 1]),
            family=chance.choice(["DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono"]),
            weight=chance.choice(["normal", "bold"]),
            antialiased=bool(chance.random() < 0.8),
            bbox={"facecolor": "white"} if chance.random() < 0.3 else None,
        )
    return drawn


def pixels(drawn):
    drawn.canvas.draw()
    return np.array(drawn.canvas.buffer_rgba())


@pytest.mark.parametrize("seed", range(12))
def test_the_pixels_are_matplotlibs(seed):
    wanted = pixels(drawing(FigureCanvasAgg, seed))
    quick = drawing(canvas.Canvas, seed)
    for _ in range(2):
        np.testing.assert_array_equal(pixels(quick), wanted)
    quick.set_size_inches(5, 3)
    other = drawing(FigureCanvasAgg, seed)
    other.set_size_inches(5, 3)
    np.testing.assert_array_equal(pixels(quick), pixels(other))


def test_little_is_kept_and_nothing_is_wrong_when_it_is_thrown_away(monkeypatch):
    monkeypatch.setattr(canvas, "LETTERS", 7)
    monkeypatch.setattr(canvas, "TEXTS", 2)
    for kept in (canvas._letters, canvas._texts):
        kept.clear()
    np.testing.assert_array_equal(pixels(drawing(canvas.Canvas, 3)), pixels(drawing(FigureCanvasAgg, 3)))
    assert 0 < len(canvas._letters) <= 7
    assert 0 < len(canvas._texts) <= 2


def test_a_second_drawing_shapes_no_text_again():
    assert canvas.KNOWN, "Matplotlib has changed: helpers/plots/canvas.py has no effect any more"
    drawn = drawing(canvas.Canvas, 0)
    pixels(drawn)
    with mock.patch.object(canvas, "_remember") as remember:
        pixels(drawn)
    remember.assert_not_called()


def test_two_threads_draw_at_once():
    """A tool is redrawn in another thread than the cell that made it."""
    wanted = [pixels(drawing(FigureCanvasAgg, seed)) for seed in (0, 1)]
    found = [[], []]

    def draw(i):
        found[i] = [pixels(drawing(canvas.Canvas, i)) for _ in range(5)]

    threads = [threading.Thread(target=draw, args=(i,)) for i in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in (0, 1):
        for each in found[i]:
            np.testing.assert_array_equal(each, wanted[i])


def test_another_matplotlib_draws_its_texts_itself(monkeypatch):
    monkeypatch.setattr(canvas, "KNOWN", False)
    drawn = drawing(canvas.Canvas, 5)
    np.testing.assert_array_equal(pixels(drawn), pixels(drawing(FigureCanvasAgg, 5)))
    assert not isinstance(drawn.canvas.get_renderer(), canvas.Renderer)
