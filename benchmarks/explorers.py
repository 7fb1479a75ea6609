"""From a key press on a slider or a menu to the new picture, in JupyterLab in headless Chromium: how long it takes.

The rival is `ipywidgets.interact` around a function that makes a new figure of the same tool each time: what a
notebook does without a base class. Both stand in the same page and are measured in turns. Then the window stepper
plays, and the pictures that the page has decoded are counted; and a mouse draws a digit, timed from its last move, and
from its release, to the picture that knows of it (the rival of that tool is in `draw.py`).

Prints Markdown tables: medians in milliseconds and the rival's divided by ours, frames a second, and the drawing.
"""

import argparse
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nbformat

from tools import browser as browser_tools

DIGITS = """
from helpers import data
from helpers.inside import features
from helpers.network import checkpoints
mnist, model = data.load("mnist"), checkpoints.load("mnist")
few = mnist.test[:300]
shown = (few.torch().images[:60], few.torch().labels[:60], mnist.classes)
"""
NEIGHBORS = """
bank = mnist.train[:2000]
spaces = {"pixels": (features.pixels(bank.images), features.pixels(few.images)),
          "features": (features.vectors(model, bank.images), features.vectors(model, few.images))}
"""
CLIMBS = """
from helpers.inside import maximize
climbs = {rule: maximize.class_images(model, steps=60, frames=31, **more)
          for rule, more in {"clamp": {}, "+ total variation": {"l2": 0.02, "variation": 0.05}}.items()}
"""
LETTERS = """
import torch
from helpers.data.sequences import PROMOTER
torch.manual_seed(0)
reader = torch.nn.Sequential(torch.nn.Conv1d(4, 8, 6), torch.nn.ReLU(), torch.nn.AdaptiveMaxPool1d(1),
                             torch.nn.Flatten(), torch.nn.Linear(8, 2))
"""
PHOTOGRAPHS = """
from helpers import data
from helpers.network import photonet
network = photonet.load()
squares = {name: photonet.batch([data.square(data.photo(name))])[0] for name in ("cat", "coffee", "hopper", "china")}
"""
MAP = "maps = {'PCA': features.pca(features.vectors(model, few.images)).points}\n"


@dataclass(frozen=True)
class Tool:
    """A tool, how it is made, the sliders or menus to press, and the most milliseconds it may take."""

    name: str
    module: str
    made: str
    sliders: tuple[str, ...]
    bar: int
    before: str = ""


# Every slider starts in its middle, or at its left end, and no menu at its last line: one press goes on, the next back.
TOOLS = (
    Tool("kernel playground", "playground", "KernelPlayground(preset='sobel x')", ("padding",), 70),
    Tool("activation browser", "activation_browser", "ActivationBrowser()", ("image", "channel"), 70),
    Tool(
        "neighbor explorer",
        "neighbors",
        "NeighborExplorer(spaces, (bank.images, bank.labels), (few.images, few.labels), mnist.classes)",
        ("image",),
        70,
        DIGITS + NEIGHBORS,
    ),
    Tool(
        "map explorer",
        "map",
        "MapExplorer(maps, few.images, few.labels, mnist.classes, group=6)",
        ("point",),
        70,
        DIGITS + MAP,
    ),
    Tool("occlusion explorer", "occlusion", "OcclusionExplorer(model, *shown)", ("row", "image"), 70, DIGITS),
    Tool("saliency explorer", "saliency", "SaliencyExplorer(model, *shown)", ("image",), 70, DIGITS),
    Tool("time machine", "time_machine", "TimeMachine(step=506)", ("step",), 70),
    Tool("promise explorer", "promise", "PromiseExplorer(model, *shown)", ("row", "image"), 70, DIGITS),
    Tool(
        "ascent explorer", "ascent", "AscentExplorer(climbs, mnist.classes, frame=12)", ("frame",), 70, DIGITS + CLIMBS
    ),
    Tool("attack explorer", "attack", "AttackExplorer(model, *shown)", ("image",), 70, DIGITS),
    Tool("exceptions", "exceptions", "ExceptionsExplorer(share=0.1)", ("share",), 70),
    Tool("turned digit", "turn", "TurnDigit({'one': model, 'other': model}, *shown)", ("angle", "image"), 70, DIGITS),
    Tool(
        "letter reader",
        "letters",
        "LetterReader(reader, {'a promoter': PROMOTER}, 0, ['no motif', 'motif'], place=5)",
        ("place",),
        70,
        LETTERS,
    ),
    Tool(
        "photograph explorer",
        "photograph",
        "PhotographExplorer(network, photograph='cat', layer='fire4')",
        ("target", "layer", "photograph"),
        150,
        "from helpers.network import photonet\nnetwork = photonet.load()",
    ),
    Tool(
        "first-layer browser",
        "first_layer",
        "FirstLayerBrowser({'trained': network}, squares, number=50)",
        ("number",),
        150,
        PHOTOGRAPHS,
    ),
)
STEPPER = "from helpers.explorers.window_stepper import WindowStepper\nWindowStepper(position=0, speed=64)"
SHEET = "from helpers.explorers.draw import DrawDigit\nDrawDigit()"
DRAWN = 150  # milliseconds, the most from the pen to the picture
FRAMES = 10  # a second, the least at which the stepper has to play; its quickest pace asks for 15

RIVAL = """
import ipywidgets
from IPython.display import Image, display

kept, slider = tool, tool._controls[{slider!r}]
def show(value):
    with kept.quiet():
        slider.value = value
    kept.figure = kept.build()
    kept.draw(**kept.values)
    display(Image(kept.figure_png()))
def drawn_anew():
    from helpers.plots.style import png_of_pixels
    kept.figure.canvas.draw()
    return png_of_pixels(kept.figure.canvas.buffer_rgba())
kept.figure_png = drawn_anew
if hasattr(slider, "options"):
    again = ipywidgets.Dropdown(options=slider.options, value=slider.value)
else:
    again = ipywidgets.IntSlider(slider.value, slider.min, slider.max)
again.add_class("rival-slider")
ipywidgets.VBox([ipywidgets.interactive(show, value=again)]).add_class("rival")
"""


def store(folder, sources):
    """Write a notebook of these cells and return its name."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    about = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=about), folder / "bench.ipynb")
    return "bench.ipynb"


def run(browser, lab, sources):
    """Open a notebook of these cells and run it; it must not complain."""
    notebook = browser_tools.Notebook(browser, lab, store(lab.folder, sources))
    notebook.run_all()
    if complaints := notebook.complaints():
        notebook.close()
        raise RuntimeError("; ".join(complaints))
    return notebook


def measure(browser, lab, tool, slider, presses):
    """Milliseconds of our tool and of the rival, each a list; ours and the rival's take turns."""
    before = f"{tool.before}\nfrom helpers.explorers.{tool.module} import {tool.made.split('(')[0]}\n"
    sources = [f"{before}{tool.made}", f"{before}tool = {tool.made}\n{RIVAL.format(slider=slider)}"]
    notebook = run(browser, lab, sources)
    try:
        page, times = notebook.page, {"ours": [], "rival": []}
        boxes = {"ours": page.wait_for_selector(".explorer"), "rival": page.wait_for_selector(".rival")}
        handles = {
            "ours": page.wait_for_selector(f".control-{slider} :is(.noUi-handle, select)"),
            "rival": page.wait_for_selector(".rival-slider :is(.noUi-handle, select)"),
        }
        page.wait_for_selector(".rival img")
        keys = {"SELECT": ("ArrowDown", "ArrowUp"), "DIV": ("ArrowRight", "ArrowLeft")}
        for press in range(presses + 4):  # four to warm up
            for name, handle in handles.items():
                on, back = keys[handle.evaluate("e => e.tagName")]
                ms = notebook.latency(boxes[name], handle, back if press % 2 else on)
                if press >= 4:
                    times[name].append(ms)
        return times
    finally:
        notebook.close()


def frames(browser, lab, seconds=6):
    """Pictures a second that the page has decoded while the stepper plays, counted in the page (it has 144 to show)."""
    notebook = run(browser, lab, [STEPPER])
    try:
        page = notebook.page
        box = page.wait_for_selector(".explorer")
        page.click(".control-play button")
        page.wait_for_timeout(1000)  # to warm up
        count = box.evaluate("(box, ms) => lesson.frames(box, ms)", 1000 * seconds)
        return count / seconds
    finally:
        notebook.close()


def drawing(browser, lab, strokes):
    """Milliseconds from a move of the mouse, and from its release, to the picture, for a zigzag of so many strokes."""
    notebook = run(browser, lab, [SHEET])
    times = {"mousemove": [], "mouseup": []}
    try:
        page, mouse = notebook.page, notebook.page.mouse
        box = page.wait_for_selector(".explorer")
        sheet = page.wait_for_selector(".draw-sheet").bounding_box()

        def at(x, y):
            return sheet["x"] + x * sheet["width"], sheet["y"] + y * sheet["height"]

        def timed(kind, act):
            box.evaluate("(box, kind) => { window.waiting = lesson.latency(box, kind); }", kind)
            act()
            times[kind].append(page.evaluate("window.waiting"))
            page.wait_for_timeout(300)  # longer than the tool rests between two pictures

        for i in range(strokes):
            y = 0.15 + 0.7 * i / strokes
            mouse.move(*at(0.2, y))
            mouse.down()
            page.wait_for_timeout(300)
            timed("mousemove", lambda y=y: mouse.move(*at(0.8, y + 0.03)))
            timed("mouseup", mouse.up)
        return {kind: values[3:] for kind, values in times.items()}  # the first ones warm up
    finally:
        notebook.close()


def main():
    """Measure every tool and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presses", type=int, default=15)
    parser.add_argument("--only", default="", help="the tools with this in their names, without stepper and drawing")
    options = parser.parse_args()
    print("| tool and slider | ours, median ms | slowest ms | bar, ms | interact and a new figure, median ms | ratio |")
    print("|---|---|---|---|---|---|")
    slow = []
    with tempfile.TemporaryDirectory() as home, browser_tools.chromium() as browser:
        (empty := Path(home, "empty")).mkdir()
        with browser_tools.jupyterlab(Path(home), empty) as lab:
            chosen = [tool for tool in TOOLS if options.only in tool.name]
            for tool, slider in ((each, slider) for each in chosen for slider in each.sliders):
                times = measure(browser, lab, tool, slider, options.presses)
                ours, rival = (statistics.median(times[who]) for who in ("ours", "rival"))
                print(
                    f"| {tool.name}, {slider} | {ours:.0f} | {max(times['ours']):.0f} | {tool.bar} | {rival:.0f} "
                    f"| {rival / ours:.1f} |",
                    flush=True,
                )
                slow += [f"{tool.name}, {slider}"] * (ours >= tool.bar)
            if options.only:
                sys.exit(f"Too slow: {', '.join(slow)}." if slow else None)
            played = frames(browser, lab)
            slow += ["window stepper"] * (played < FRAMES)
            drawn = drawing(browser, lab, options.presses + 3)
            slow += [f"drawing, {kind}" for kind, values in drawn.items() if statistics.median(values) >= DRAWN]
    print(f"\nMedian of {options.presses} presses. The window stepper plays {played:.1f} pictures a second.")
    for kind, values in drawn.items():
        print(f"Drawing, {kind} to picture: {statistics.median(values):.0f} ms, slowest {max(values):.0f} ms.")
    sys.exit(f"Too slow: {', '.join(slow)}." if slow else None)


if __name__ == "__main__":
    browser_tools.command(main)
