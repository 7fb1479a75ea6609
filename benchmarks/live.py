"""A slider moved wildly for a minute, in JupyterLab in headless Chromium: does it keep up, and does anything grow?

Two notebooks are open, each with its own kernel, and in both a mouse drags a slider to and fro, some forty moves a
second. Then it lets go. Measured are: how long the last picture takes to come after the release (a backlog would show
as seconds); the memory of the kernel, and after a collection of garbage the JavaScript heap and the nodes of the page,
after a quarter of the time and at its end. The picture in the end must be that of the value in the end.

Prints a Markdown table, and ends with exit status 1 when a tool is over its bar.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from explorers import TOOLS

from tools import browser as browser_tools

LATE = 1000  # milliseconds, the most from the release to the last picture, while another slider moves too
KERNEL, HEAP, NODES = 20.0, 5.0, 200  # the most that may be added: megabytes, megabytes, nodes of the page
MOVES = 40  # a second

WATCH = """box => {
  window.last = performance.now(); window.pictures = 0;
  new MutationObserver(records => {
    if (records.some(r => r.target.tagName === 'IMG')) { window.last = performance.now(); window.pictures++; }
  }).observe(box, {subtree: true, attributes: true, attributeFilter: ['src']});
}"""


class Hand:
    """A mouse that holds the handle of one slider, in one notebook."""

    def __init__(self, browser: Any, lab: Any, tool: Any, slider: str) -> None:
        self.name = f"{tool.name}, {slider}"
        before = f"{tool.before}\nfrom helpers.explorers.{tool.module} import {tool.made.split('(')[0]}\n"
        name = lab.store(f"{tool.module}.ipynb", [f"{before}tool = {tool.made}\ntool"])
        self.notebook = browser_tools.Notebook(browser, lab, name)
        self.notebook.run_all()
        self.page, self.slider = self.notebook.page, slider
        self.process = int(self.notebook.execute("import os; print(os.getpid())"))
        self.devtools = self.page.context.new_cdp_session(self.page)
        box = self.page.wait_for_selector(".explorer")
        handle = self.page.wait_for_selector(f".control-{slider} .noUi-handle")
        handle.scroll_into_view_if_needed()
        self.track = self.page.wait_for_selector(f".control-{slider} .noUi-base").bounding_box()
        place = handle.bounding_box()
        box.evaluate(WATCH)
        self.page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
        self.page.mouse.down()

    def move(self, share: float) -> None:
        """Drag the handle to a share of the track."""
        y = self.track["y"] + self.track["height"] / 2
        self.page.mouse.move(self.track["x"] + share * self.track["width"], y)

    def release(self) -> float:
        """Let go, wait for peace, and return the milliseconds from the release to the last picture."""
        released = self.page.evaluate("performance.now()")
        self.page.mouse.up()
        self.page.wait_for_function("performance.now() - window.last > 1500", timeout=60_000)
        return max(0.0, self.page.evaluate("window.last") - released)

    def held(self) -> tuple[float, float, int]:
        """Megabytes of the kernel, megabytes of the heap of the page, nodes of the page."""
        self.devtools.send("HeapProfiler.collectGarbage")
        heap = self.devtools.send("Runtime.getHeapUsage")["usedSize"]
        nodes = self.devtools.send("Memory.getDOMCounters")["nodes"]
        lines = Path(f"/proc/{self.process}/status").read_text(encoding="ascii").splitlines()
        kernel = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))
        return kernel / 1e6, heap / 1e6, nodes

    def settled(self) -> bool:
        """Whether the picture on the page is that of the value of the control."""
        code = "shown = tool.image.value\ntool.update()\nprint(shown == tool.image.value)"
        return self.notebook.execute(code).strip() == "True"


def drag(hands: list[Hand], seconds: float, chance: random.Random) -> None:
    """Move all hands at random for so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for hand in hands:
            hand.move(chance.random())
        time.sleep(1 / MOVES)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--tools", nargs="+", default=["playground", "activation_browser", "map", "occlusion"])
    options = parser.parse_args()
    chosen = [tool for tool in TOOLS if tool.module in options.tools]
    print("| tool, slider | pictures | last one after, ms | kernel, MB | page's heap, MB | nodes of the page |")
    print("|---|---|---|---|---|---|")
    bad: list[str] = []
    with tempfile.TemporaryDirectory() as home, browser_tools.chromium() as browser:
        (empty := Path(home, "empty")).mkdir()
        with browser_tools.jupyterlab(Path(home), empty) as lab:
            for pair in (chosen[:2], chosen[2:]):
                hands = [Hand(browser, lab, tool, tool.sliders[0]) for tool in pair]
                chance = random.Random(0)
                drag(hands, options.seconds / 4, chance)
                before = [hand.held() for hand in hands]
                drag(hands, 3 * options.seconds / 4, chance)
                for hand, first in zip(hands, before, strict=True):
                    late, pictures = hand.release(), hand.page.evaluate("window.pictures")
                    now = hand.held()
                    added = [b - a for a, b in zip(first, now, strict=True)]
                    shown = [f"{now[0]:.0f} ({added[0]:+.1f})", f"{now[1]:.1f} ({added[1]:+.1f})"]
                    print(f"| {hand.name} | {pictures} | {late:.0f} | {' | '.join(shown)} | {now[2]} ({added[2]:+d}) |")
                    sys.stdout.flush()
                    over = late > LATE or added[0] > KERNEL or added[1] > HEAP or added[2] > NODES
                    bad += [hand.name] * (over or not hand.settled())
                for hand in hands:
                    hand.notebook.close()
    sys.exit(f"Over the bar, or another picture than that of the last value: {', '.join(bad)}." if bad else None)


if __name__ == "__main__":
    browser_tools.command(main)
