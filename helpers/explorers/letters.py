"""The letter reader: a filter slides over DNA; change a letter and see what the filter and the network say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import nn

from helpers.data.sequences import LETTERS, one_hot
from helpers.explorers.base import Explorer
from helpers.explorers.parts import Bars, inches, menu, slider
from helpers.plots.sequences import LETTER_COLORS
from helpers.plots.style import COLORS, FAINT, as_array, figure

KEEP = "as it is"
WIDE, HIGH = 10.2, 3.4


class LetterReader(Explorer):
    """Letters as four channels under a sliding window; its products, its sum, the response everywhere, the answer.

    Args:
        model: a network for letters (N, 4, length) whose first layer is an ``nn.Conv1d``.
        texts: name → letters A, C, G, T, all of one length.
        filter: which of the filters of the first layer slides.
        classes: names of the model's outputs.
        values: starting values of the controls, such as ``text="a virus"``.

    Raises:
        ValueError: if the first layer is no such convolution, it has no such filter, or the texts differ in length.
    """

    alt = (
        "Letter reader: 60 letters of DNA as four rows of squares, a window over six of them, the products of the "
        "window with a filter and their sum, the response of the filter at every place, and what the network says; a "
        "letter can be changed."
    )
    inert: Mapping[str, str] = {"letter": "nothing is changed at first"}

    def __init__(
        self, model: nn.Sequential, texts: Mapping[str, str], filter: int, classes: Sequence[str], **values: Any
    ) -> None:
        first = model[0]
        if not isinstance(first, nn.Conv1d) or first.in_channels != len(LETTERS):
            raise ValueError("The first layer has to be a Conv1d that takes four channels, one for each letter.")
        if not 0 <= filter < first.out_channels:
            raise ValueError(f"The first layer has the filters 0 to {first.out_channels - 1}; got {filter}.")
        if len({len(text) for text in texts.values()}) != 1:
            raise ValueError("Give at least one text, and texts of one length.")
        self.model, self.texts, self.classes = model, dict(texts), [str(name) for name in classes]
        self.weights, self.bias = as_array(first.weight)[filter], float(as_array(first.bias)[filter])
        self.length = len(next(iter(texts.values())))
        super().__init__(**values)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Text and place of the window; a letter and what it becomes."""
        return {
            "text": menu("text", self.texts),
            "place": slider("window at", 0, self.length - self.weights.shape[1]),
            "letter": slider("letter", 0, self.length - 1),
            "becomes": widgets.ToggleButtons(options=[KEEP, *LETTERS], style={"button_width": "62px"}),
        }

    def build(self) -> Figure:
        """The letters with the window, the response below them, products at the upper right, the answer below."""
        drawn = figure(WIDE, HIGH, layout=None)
        width = self.weights.shape[1]
        above = inches(drawn, 0.5, 2.2, 6.5, 0.9)
        above.set(xlim=(-0.5, self.length - 0.5), ylim=(3.5, -0.5), xticks=[], yticks=range(4), yticklabels=LETTERS)
        above.tick_params(length=0)
        colors = np.ones((5, 3))
        colors[1:] = [[int(LETTER_COLORS[c][i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in LETTERS]
        self._palette = colors
        self._squares = above.imshow(np.ones((4, self.length, 3)), aspect="auto", interpolation="nearest")
        self._window = above.add_patch(Rectangle((0, -0.5), width, 4, fill=False, linewidth=2.2))
        self._said = above.set_title("", fontsize=12, loc="left", zorder=-1)

        below = inches(drawn, 0.5, 0.55, 6.5, 1.35)
        (self._curve,) = below.plot(range(self.length - width + 1), np.zeros(self.length - width + 1), color=COLORS[0])
        (self._here,) = below.plot([0], [0], "o", color=COLORS[1], markersize=8)
        below.axhline(0, color=FAINT, linewidth=1)
        low, high = self.weights.min(0).sum() + self.bias, self.weights.max(0).sum() + self.bias
        below.set(xlim=(-0.5, self.length - 0.5), ylim=(low, high + 0.15 * (high - low)), xlabel="place of the window")
        below.set_title("response of the filter", fontsize=12, loc="left")

        right = inches(drawn, 7.15, 1.75, 2.95, 1.5)
        right.set_axis_off()
        right.set(xlim=(0, 1), ylim=(0, 1))
        self._sum = right.text(0.0, 1.0, "", fontsize=11, va="top", family="monospace", linespacing=1.25)
        self._bars = Bars(inches(drawn, 8.25, 0.55, 1.7, 0.75), self.classes, 11)
        self._bars.title.set_text("the network says")
        return drawn

    def changed(self, text: str, letter: int, becomes: str) -> str:
        """The chosen text with the letter changed."""
        letters = self.texts[text]
        return letters if becomes == KEEP else letters[:letter] + becomes + letters[letter + 1 :]

    def draw(self, text: str, place: int, letter: int, becomes: str) -> None:
        """Multiply and sum in the window, slide the filter, ask the network."""
        letters = self.changed(text, letter, becomes)
        columns = one_hot(letters)  # (4, length)
        x, width = columns.numpy(), self.weights.shape[1]
        with torch.no_grad():
            chances = as_array(self.model(columns[None]).softmax(1))[0]
        windows = np.lib.stride_tricks.sliding_window_view(x, width, axis=1)  # (4, places, width)
        responses = np.einsum("cpk,ck->p", windows, self.weights) + self.bias
        products = (x[:, place : place + width] * self.weights).sum(0)
        shown = np.where(x > 0, np.arange(1, 5)[:, None], 0)
        self._squares.set_data(self._palette[shown])
        self._window.set_x(place - 0.5)
        window = letters[place : place + width]
        self._said.set_text(f"window at {place}: {window}")
        lines = [f"{c} {p:+.2f}".replace("-", "−") for c, p in zip(window, products, strict=True)]
        half = -(-width // 2)
        rows = ["   ".join(lines[i::half]) for i in range(half)]
        rows.append(f"bias {self.bias:+.2f}   sum {responses[place]:+.2f}".replace("-", "−"))
        self._sum.set_text("\n".join(rows))
        self._curve.set_ydata(responses)
        self._here.set_data([place], [responses[place]])
        self._bars.show(chances)
