"""How long from the hand to the picture, in the tools of the pages (`make site`), in headless Chromium.

Real keys, clicks and moves of a mouse; the page takes the time, from the event's own time stamp until the frame with
the new picture has been handed over. Two frames of a screen that shows 60 a second take 33 ms: the bar for each median.
Then the network for photographs, on one photograph: in the page, in PyTorch on one thread, and in the page with all the
weights that are zero, in turns.

Prints Markdown tables; exit status 1 when a tool is over the bar.
"""

import argparse
import base64
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from playwright.sync_api import Page

from helpers import data
from helpers.network import photonet
from helpers.network.running import predict
from tools import ROOT, live
from tools import browser as browser_tools

BAR = 33  # milliseconds: two frames
WARM = 3

#: Every tool says in one element what it shows, in the same step in which it draws. A message is delivered after the
#: frame in which it was sent has been drawn.
SCRIPT = """
window.toPicture = (kind, said) => new Promise((done, fail) => {
  let start = 0;
  const giveUp = setTimeout(() => fail(new Error('no new picture within 10 seconds')), 10000);
  document.addEventListener(kind, event => { start ||= event.timeStamp; }, {capture: true});
  const watcher = new MutationObserver(() => {
    if (!start) return;
    watcher.disconnect();
    clearTimeout(giveUp);
    const channel = new MessageChannel();
    channel.port1.onmessage = () => done(performance.now() - start);
    channel.port2.postMessage('');
  });
  watcher.observe(document.getElementById(said), {childList: true, characterData: true, subtree: true});
});
"""


@dataclass(frozen=True)
class Tool:
    """A tool of the pages: what is moved, the kind of event it begins with, the element that speaks, how to move it."""

    page: str
    name: str
    event: str
    said: str
    moves: Callable[[Page], Callable[[int], None]]


def keys(field: str) -> Callable[[Page], Callable[[int], None]]:
    """Press an arrow key on a field, up and down in turns."""

    def ready(page: Page) -> Callable[[int], None]:
        page.focus(field)
        return lambda i: page.keyboard.press("ArrowDown" if i % 2 else "ArrowUp")

    return ready


def pen(page: Page) -> Callable[[int], None]:
    """Move a pen that is down, in a zigzag over the sheet."""
    box = page.locator("#sheet").bounding_box()
    assert box is not None
    left, top, side = box["x"], box["y"], box["width"]
    page.mouse.move(left + 0.2 * side, top + 0.2 * side)
    page.mouse.down()
    return lambda i: page.mouse.move(left + side * (0.8 if i % 2 else 0.3), top + side * (0.2 + 0.02 * i))


def classes(page: Page) -> Callable[[int], None]:
    """Choose one of the best answers after the other."""
    page.wait_for_function("document.getElementById('best').innerText.includes('%')")
    buttons = page.locator("#best button").all()
    return lambda i: buttons[(i + 1) % len(buttons)].click()


TOOLS = (
    Tool("playground", "kernel playground, a weight", "keydown", "sum", keys("#w4")),
    Tool("stepper", "window stepper, the window", "keydown", "sum", keys("#position")),
    Tool("stepper", "window stepper, padding", "keydown", "formula", keys("#padding")),
    Tool("draw", "draw a digit, the pen", "pointermove", "answer", pen),
    Tool("photograph", "class maps, a class", "click", "caption", classes),
)


def milliseconds(page: Page, tool: Tool, presses: int) -> list[float]:
    """From the hand to the picture, so many times."""
    move = tool.moves(page)
    times = []
    for i in range(presses + WARM):
        page.evaluate("([kind, said]) => { window.waiting = toPicture(kind, said); }", [tool.event, tool.said])
        move(i)
        times.append(page.evaluate("window.waiting"))
        page.wait_for_timeout(100)
    return times[WARM:]


def photographs(page: Page, rounds: int) -> dict[str, list[float]]:
    """Milliseconds for a photograph: in the page, in PyTorch on one thread, and without leaving zeros out."""
    network = photonet.load()
    image = photonet.batch([data.square(data.photo("cat"), "right")])
    times: dict[str, list[float]] = {"page": [], "zeros kept": [], "PyTorch": []}
    parts = [(live.FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in ("im2col", "photonet")]
    source = base64.b64encode(re.sub(r"^import .*", "", "\n".join(parts), flags=re.MULTILINE).encode()).decode()
    file = base64.b64encode(live.network_file() or b"").decode()
    page.evaluate(
        """async ([source, file, pixels]) => {
          const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
          const {decode, run} = await import('data:text/javascript;base64,' + source);
          const image = {data: new Float32Array(bytes(pixels).buffer), shape: [3, 227, 227]}, few = decode(bytes(file));
          const all = few.map(layer => {
            const {filters, channels, size, first, inputs, values} = layer, length = channels * size * size;
            const kept = {...layer, values: new Float32Array(filters * length)};
            for (let f = 0; f < filters; f++)
              for (let k = first[f]; k < first[f + 1]; k++) kept.values[f * length + inputs[k]] = values[k];
            kept.inputs = Int32Array.from(kept.values, (_, k) => k % length);
            kept.first = Int32Array.from({length: filters + 1}, (_, f) => f * length);
            return kept;
          });
          window.timed = kept => {
            const start = performance.now();
            for (const going = run(kept ? all : few, image); !going.next().done;);
            return performance.now() - start;
          };
        }""",
        [source, file, base64.b64encode(image.numpy().tobytes()).decode()],
    )
    for _ in range(rounds + 1):
        times["page"].append(page.evaluate("timed(false)"))
        times["zeros kept"].append(page.evaluate("timed(true)"))
        start = time.perf_counter()
        predict(network, image)
        times["PyTorch"].append(1000 * (time.perf_counter() - start))
    return {name: values[1:] for name, values in times.items()}


def main() -> None:
    """Measure every tool and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presses", type=int, default=25)
    parser.add_argument("--rounds", type=int, default=5, help="photographs")
    options = parser.parse_args()
    torch.set_num_threads(1)
    slow = []
    print("| tool and what moves | median, ms | eight of ten take, ms | bar, ms |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as home, browser_tools.chromium() as browser:
        live.write(Path(home), (ROOT / "tools" / "page_template" / "page.css").read_text(encoding="utf-8"))
        has_network = live.network_file() is not None
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.add_init_script(SCRIPT)
        for tool in (each for each in TOOLS if has_network or each.page != "photograph"):
            page.goto(Path(home, f"{tool.page}.html").as_uri())
            times = sorted(milliseconds(page, tool, options.presses))
            tenth = len(times) // 10
            median, early, late = statistics.median(times), times[tenth], times[-1 - tenth]
            print(f"| {tool.name} | {median:.0f} | {early:.0f} to {late:.0f} | {BAR} |", flush=True)
            slow += [tool.name] * (median >= BAR)
        if has_network:
            page.goto("about:blank")
            found = photographs(page, options.rounds)
            ratios = {
                name: statistics.median(a / b for a, b in zip(values, found["page"], strict=True))
                for name, values in found.items()
            }
            print("\n| a photograph, 227×227 | median, ms | times the page's |\n|---|---|---|")
            for name, values in found.items():
                print(f"| {name} | {statistics.median(values):.0f} | {ratios[name]:.2f} |")
    sys.exit(f"Too slow: {', '.join(slow)}." if slow else None)


if __name__ == "__main__":
    browser_tools.command(main)
