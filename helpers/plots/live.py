"""Curves that move while a network trains: one picture, redrawn in place."""

from __future__ import annotations

import time
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from helpers.network.history import History
from helpers.plots.style import COLORS, FAINT, RC, Picture, figure


def history(record: History, *, title: str = "", alt: str = "") -> Picture:
    """Loss and accuracy of a training run: every step faintly, their running mean, and the validation split as dots."""
    drawn = _panels()
    with matplotlib.rc_context(RC):
        _draw(*drawn.axes, record)
        if title:
            drawn.suptitle(title, fontsize=14)
    return Picture(drawn, alt or _describe(record))


def _panels() -> Figure:
    """A figure with two empty panels."""
    with matplotlib.rc_context(RC):
        drawn = figure(9.0, 3.2)
        drawn.subplots(1, 2)
    return drawn


def _smooth(values: list[float], window: int) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    sums = np.cumsum(np.insert(array, 0, 0.0))
    ends = np.arange(1, len(array) + 1)
    starts = np.maximum(ends - window, 0)
    return (sums[ends] - sums[starts]) / (ends - starts)


def _draw(left: Any, right: Any, record: History) -> None:
    steps = np.arange(1, len(record.losses) + 1)
    window = max(1, min(50, record.total_steps // 20))
    ends = [min((i + 1) * record.steps_per_epoch, len(steps)) for i in range(len(record.epochs))]
    panels = [
        (left, record.losses, "loss", "validation_loss"),
        (right, record.accuracies, "accuracy", "validation_accuracy"),
    ]
    for axes, values, name, validation in panels:
        if axes is left:  # a single batch is all right too often for the scale of the accuracies
            axes.plot(steps, values, color=COLORS[0], alpha=0.18, linewidth=0.8)
        if len(values):
            axes.plot(steps, _smooth(values, window), color=COLORS[0], label="training (running mean)")
        measured = [(x, getattr(e, validation)) for x, e in zip(ends, record.epochs, strict=True)]
        measured = [(x, y) for x, y in measured if y is not None]
        if measured:
            dots = {"color": COLORS[1], "markersize": 8, "clip_on": False, "zorder": 5}  # whole, on the right edge too
            axes.plot(*zip(*measured, strict=True), "o-", label="validation", **dots)
        axes.set(xlabel="step", ylabel=name, xlim=(0, max(record.total_steps, 1)))
        axes.grid(axis="y", alpha=0.25)
    left.set_ylim(0, max(2.5, 0.1) if not record.losses else min(3.0, max([*record.losses[:5], 0.5])) * 1.05)
    right.set_yscale("logit", nonpositive="clip")  # else 98% and 99% look the same
    right.yaxis.set_minor_locator(NullLocator())
    right.set_yticks(shares := (0.1, 0.5, 0.9, 0.99), [f"{share:.0%}" for share in shares])
    right.set_ylim(0.05, 0.998)
    last = record.epochs[-1].validation_accuracy if record.epochs else None
    if last is not None:
        right.set_title(f"validation accuracy {last:.2%}", fontsize=12)
    elif record.accuracies:
        right.set_title(f"training accuracy {_smooth(record.accuracies, window)[-1]:.1%}", fontsize=12)
    left.set_title("stopped early" if record.interrupted else "", color=FAINT)
    if record.accuracies:
        right.legend(loc="lower right")


def _describe(record: History) -> str:
    last = record.epochs[-1].validation_accuracy if record.epochs else None
    said = f", validation accuracy {last:.2%} at the end" if last is not None else ""
    return f"Training curves over {len(record.losses):,} steps: the loss falls and the accuracy rises{said}"


class LiveCurves:
    """Pass it to ``training.fit(watch=...)``: the curves appear at once and are redrawn in place as training goes on.

    Drawing takes a tenth of a second, on a busy computer much longer; so that it never takes more than a fifth of the
    training, the next redraw waits at least four times as long as the last one took.

    Args:
        every: seconds between two redraws, at least.
    """

    def __init__(self, every: float = 0.7) -> None:
        self.every = every
        self._due = 0.0
        self._handle: Any = None
        self._figure: Figure | None = None

    def __call__(self, record: History) -> None:
        """Redraw if it is time."""
        started = time.perf_counter()
        if started >= self._due:
            self._show(record)
            now = time.perf_counter()
            self._due = now + max(self.every, 4 * (now - started))

    def close(self, record: History) -> None:
        """Draw the final state."""
        if record.losses:
            self._show(record)
        self._due, self._handle, self._figure = 0.0, None, None

    def _show(self, record: History) -> None:
        from IPython import get_ipython
        from IPython.display import display

        if get_ipython() is None:  # a script has the progress bar and nowhere to draw
            return
        # One figure for all: each new one would stay in memory until Python looks for cycles, up to fifty megabytes.
        self._figure = self._figure or _panels()
        with matplotlib.rc_context(RC):
            for axes in self._figure.axes:
                axes.clear()
            _draw(*self._figure.axes, record)
            self._figure.set_layout_engine("constrained")
        picture = Picture(self._figure, _describe(record))
        if self._handle is None:
            self._handle = display(picture, display_id=True)
        else:
            self._handle.update(picture)
