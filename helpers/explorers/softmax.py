"""Softmax with a temperature: ten scores become ten probabilities, and every step of it can be seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.figure import Figure

from helpers.explorers.base import Explorer
from helpers.explorers.parts import menu, shape, slider
from helpers.network.layers import softmax
from helpers.plots.style import BAD, COLORS, FAINT, INK, figure

EXAMPLES = {
    "sure: a 7": (-3.1, -0.4, 1.2, 2.0, -4.8, -2.9, -8.0, 9.6, -1.5, 2.2),
    "torn between 4 and 9": (-4.0, -2.1, -1.0, -0.6, 5.2, -1.3, -3.3, 1.4, 0.3, 4.9),
    "untrained: no idea": (0.04, -0.07, 0.01, 0.05, -0.02, 0.06, -0.04, 0.00, -0.05, 0.03),
}


class SoftmaxTemperature(Explorer):
    """Logits, their exponentials, and the exponentials divided by their sum, side by side for every class.

    Computed in float32, as in the network, so that leaving out "subtract the largest" shows why nobody does.

    Args:
        examples: name → logits (K,); three made-up ones if not given. All of the same length.
        classes: names of the classes; "0", "1"... if not given.
        values: starting values of the controls, such as ``temperature=0.5``.

    Raises:
        ValueError: if the examples are not finite lists of one length, or there is not one name for each class.
    """

    alt = (
        "Softmax step by step: for every class a bar with its logit, a bar with the exponential of the logit divided "
        "by the temperature, and a bar with its probability, the exponential divided by the sum of all of them."
    )

    def __init__(
        self,
        examples: Mapping[str, Any] | None = None,
        classes: Sequence[str] | None = None,
        **values: Any,
    ) -> None:
        chosen = EXAMPLES if examples is None else examples
        self.examples = {name: np.asarray(logits, dtype=np.float32) for name, logits in chosen.items()}
        shapes = {logits.shape for logits in self.examples.values()}
        if len(shapes) != 1 or len(next(iter(shapes))) != 1 or next(iter(shapes))[0] < 2:
            raise ValueError("Every example is a list of logits, one per class, all of the same length of at least 2.")
        if not all(np.isfinite(logits).all() for logits in self.examples.values()):
            raise ValueError("The logits must be finite numbers; some are not.")
        count = next(iter(shapes))[0]
        self.classes = [str(c) for c in (range(count) if classes is None else classes)]
        if len(self.classes) != count:
            raise ValueError(f"Give one name per class: there are {count} logits and {len(self.classes)} names.")
        super().__init__(**values)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Example, temperature, a number added to all logits, one logit to raise and by how much, and the safeguard."""
        temperature = widgets.FloatLogSlider(
            1.0, base=10, min=-1, max=1.5, step=0.05, description="temperature", readout_format=".2f", **shape()
        )
        return {
            "example": menu("logits", self.examples),
            "temperature": temperature,
            "shift": slider("add to all", -100.0, 100.0, 0.0, step=1.0, readout_format=".0f"),
            "raised": menu("raise one", self.classes),
            "by": slider("by", -10.0, 10.0, 0.0, step=0.1, readout_format=".1f"),
            "safe": widgets.Checkbox(value=True, description="subtract the largest logit first", indent=False),
        }

    def build(self) -> Figure:
        """Three panels of bars without axes: every bar carries its own number."""
        count = len(self.classes)
        wide, high = 9.4, 0.29 * count + 0.75
        drawn = figure(wide, high, layout=None)
        longest = max(map(len, self.classes))
        left = 0.3 + 0.095 * longest
        part = (wide - left - 0.3) / 3
        self._bars, self._numbers, self._titles = [], [], []
        for i in range(3):
            axes = drawn.add_axes(((left + i * part) / wide, 0.36 / high, 0.92 * part / wide, (high - 0.75) / high))
            axes.set(xlim=(-1.7, 1.4) if i == 0 else (0, 1.42), ylim=(count - 0.5, -0.5))
            axes.set_axis_off()
            axes.axvline(0, color=FAINT, linewidth=1.0)
            self._bars.append(axes.barh(range(count), [0.0] * count, color=COLORS[0], height=0.72).patches)
            self._numbers.append([axes.text(0, y, "", va="center", fontsize=10.5) for y in range(count)])
            self._titles.append(axes.set_title("", fontsize=12, loc="left" if i else "center"))
        first = drawn.axes[0].get_yaxis_transform()
        self._names = [
            drawn.axes[0].text(-0.02, y, name, transform=first, ha="right", va="center", fontsize=12)
            for y, name in enumerate(self.classes)
        ]
        self._said = [axes.text(0, -0.085, "", transform=axes.transAxes, fontsize=11) for axes in drawn.axes[1:]]
        return drawn

    def compute(
        self, example: str, temperature: float, shift: float, raised: str, by: float, safe: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Logits, exponentials and probabilities (K,), in float32; overflow gives infinities and NaN, as it does."""
        logits = self.examples[example] + np.float32(shift)
        logits[self.classes.index(raised)] += np.float32(by)
        return logits, *softmax(logits, temperature, safe)

    def draw(self, **values: Any) -> None:
        """Set the lengths of the bars and the numbers at their ends."""
        logits, exponentials, probabilities = self.compute(**values)
        winner, touched = int(logits.argmax()), self.classes.index(values["raised"])
        top = max(float(np.abs(logits).max()), 1e-6)
        finite = exponentials[np.isfinite(exponentials)]
        peak = max(float(finite.max(initial=0.0)), 1e-45)
        lengths = (
            logits / top,
            np.where(np.isfinite(exponentials), exponentials / peak, 1.0) if len(finite) else np.ones_like(logits),
            np.nan_to_num(probabilities, nan=0.0),
        )
        for panel, numbers in enumerate((logits, exponentials, probabilities)):
            for i, (bar, text) in enumerate(zip(self._bars[panel], self._numbers[panel], strict=True)):
                length = float(lengths[panel][i])
                bar.set_width(length)
                bar.set_color(BAD if not np.isfinite(numbers[i]) else COLORS[1] if i == winner else COLORS[0])
                text.set_text(_written(float(numbers[i]), panel))
                text.set_x(length + 0.03 * (1 if length >= 0 else -1))
                text.set_ha("left" if length >= 0 else "right")
                text.set_color(BAD if not np.isfinite(numbers[i]) else INK)
        for i, name in enumerate(self._names):
            name.set_fontweight("bold" if i == touched else "normal")
        self._titles[0].set_text("logits z")
        what = "z − largest" if values["safe"] else "z"
        if values["temperature"] != 1:
            what = f"({what}) / {values['temperature']:.2g}" if values["safe"] else f"z / {values['temperature']:.2g}"
        self._titles[1].set_text(f"exp( {what} )")
        self._titles[2].set_text("divided by their sum: probabilities")
        total, wrong = float(exponentials.sum()), not np.isfinite(probabilities).all()
        self._said[0].set_text(f"their sum: {_written(total, 1)}")
        self._said[1].set_text("inf/inf or 0/0: not a number" if wrong else f"their sum: {probabilities.sum():.3f}")
        self._said[1].set_color(BAD if wrong else INK)


def _written(number: float, panel: int) -> str:
    if not np.isfinite(number):
        return "nan" if np.isnan(number) else "inf"
    if panel == 0:
        return (f"{number:.1f}" if abs(number) >= 0.5 else f"{number:.2f}").replace("-", "−")
    if panel == 2:
        return f"{number:.1%}"
    if 0.00005 <= number < 100 or number == 0:
        return f"{number:.3f}" if number >= 0.001 or number == 0 else f"{number:.4f}"
    return f"{number:.1e}".replace("-", "−")
