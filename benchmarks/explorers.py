"""How long from a key press on a slider to the new picture, in JupyterLab in headless Chromium, inside the page.

The rival is `ipywidgets.interact` around a function that makes a new figure of the same tool each time: what a
notebook does without a base class. Both stand in the same page and are measured in turns.

Prints a Markdown table: medians in milliseconds, and the rival's divided by ours.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]

import browser_tools  # noqa: E402

BAR = 70  # milliseconds, the most that a tool may take
TOOLS = [  # name, import, how it is made, the slider that is pressed
    ("kernel playground", "playground", "KernelPlayground(preset='sobel x')", "padding"),
    ("activation browser", "activation_browser", "ActivationBrowser()", "image"),
    ("activation browser", "activation_browser", "ActivationBrowser()", "channel"),
]
RIVAL = """
import ipywidgets
from IPython.display import Image, display

kept, slider = tool, tool._controls[{slider!r}]
def show(value):
    with kept.quiet():
        slider.value = value
    kept.figure = kept.build()
    kept._still = None
    kept.draw(**kept.values)
    display(Image(kept.figure_png()))
kept.figure_png = lambda: __import__("helpers.plots.style", fromlist=["png"]).png(kept.figure, fast=True)
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


def measure(browser, lab, module, made, slider, presses):
    """Milliseconds of our tool and of the rival, each a list; our page and the rival's take turns."""
    imports = f"from helpers.explorers.{module} import {made.split('(')[0]}\n"
    sources = [f"{imports}{made}", f"{imports}tool = {made}\n{RIVAL.format(slider=slider)}"]
    notebook = browser_tools.Notebook(browser, lab, store(lab.folder, sources))
    try:
        notebook.run_all()
        if complaints := notebook.complaints():
            raise RuntimeError("; ".join(complaints))
        page, times = notebook.page, {"ours": [], "rival": []}
        # Image 22 and channel 3 have room on both sides, padding 0 has not: the first press goes right.
        boxes = {"ours": page.wait_for_selector(".explorer"), "rival": page.wait_for_selector(".rival")}
        handles = {
            "ours": page.wait_for_selector(f".control-{slider} .noUi-handle"),
            "rival": page.wait_for_selector(".rival-slider .noUi-handle"),
        }
        page.wait_for_selector(".rival img")
        for press in range(presses + 4):  # four to warm up
            for name, handle in handles.items():
                ms = notebook.latency(boxes[name], handle, "ArrowLeft" if press % 2 else "ArrowRight")
                if press >= 4:
                    times[name].append(ms)
        return times
    finally:
        notebook.close()


def main():
    """Measure every tool and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presses", type=int, default=15)
    options = parser.parse_args()
    print("| tool and slider | ours, median ms | slowest ms | interact and a new figure, median ms | ratio |")
    print("|---|---|---|---|---|")
    slow = []
    with tempfile.TemporaryDirectory() as home, browser_tools.chromium() as browser:
        (empty := Path(home, "empty")).mkdir()
        with browser_tools.jupyterlab(Path(home), empty) as lab:
            for name, module, made, slider in TOOLS:
                times = measure(browser, lab, module, made, slider, options.presses)
                ours, rival = (statistics.median(times[who]) for who in ("ours", "rival"))
                print(
                    f"| {name}, {slider} | {ours:.0f} | {max(times['ours']):.0f} | {rival:.0f} | {rival / ours:.1f} |"
                )
                slow += [f"{name}, {slider}"] * (ours >= BAR)
    print(f"\nMedian of {options.presses} presses; the bar is {BAR} ms.", end=" ")
    sys.exit(f"Over it: {', '.join(slow)}." if slow else None)


if __name__ == "__main__":
    try:
        main()
    except FileNotFoundError as error:
        sys.exit(str(error))
