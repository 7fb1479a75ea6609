"""How long "Draw a digit" takes from the strokes to the finished picture, against the same picture made plainly.

The rival scores every mask position with the whole network and draws the whole figure; ours recomputes what a mask can
reach and redraws what moves. Measured in turns in one process: OMP_NUM_THREADS=2 python benchmarks/draw.py
"""

import argparse
import statistics
import time
from unittest.mock import patch

from helpers.data import strokes
from helpers.explorers import draw
from helpers.inside import occlusion

LIMIT = 0.150


def seconds(tool, step, turn):
    """One update with mask positions `step` apart; the drawing differs from the one before."""
    name = str(turn % 10)
    tool.strokes, tool._step = strokes.DIGITS[name], step
    started = time.perf_counter()
    tool.update()
    return time.perf_counter() - started


def plainly(tool, turn):
    """The same update by the plain ways."""

    def slow(model, x, size, stride, **_):
        return occlusion.occlusion(model, x, size, stride, incremental=False)

    with patch.object(draw, "occlusion", slow):
        tool._redraw.forget()  # so that everything is drawn anew
        return seconds(tool, draw.CAREFUL, turn)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=15)
    rounds = arguments.parse_args().rounds
    tool = draw.DrawDigit()
    taken = {"while drawing": [], "pen lifted": [], "plain": []}
    for turn in range(-2, rounds):  # the first two warm up
        times = (seconds(tool, draw.HASTY, turn), seconds(tool, draw.CAREFUL, turn), plainly(tool, turn))
        if turn >= 0:
            for kind, value in zip(taken.values(), times, strict=True):
                kind.append(value)
    middle = {name: statistics.median(values) for name, values in taken.items()}
    for name in ("while drawing", "pen lifted"):
        verdict = "within" if middle[name] < LIMIT else "above"
        print(
            f"{name:14} {1000 * middle[name]:6.0f} ms, {verdict} {1000 * LIMIT:.0f} ms; "
            f"the plain way takes {middle['plain'] / middle[name]:.1f} times as long"
        )


if __name__ == "__main__":
    main()
