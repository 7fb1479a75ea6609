"""Tools that run in the pages themselves, without a kernel: each is a few ES modules in tools/live and a text in HTML.

The network that reads digits is `tools/live/network.js`, on the series' own weights rounded to half precision; the one
for photographs is `tools/live/photonet.js`, on the file in which its authors compressed it. That file is data: it is
put into the page where it can be had, and where it cannot, the page says so. A browser loads no module from a folder on
the disk, so each page holds all of its sources: what they export is put into one script.
"""

import base64
import html
import io
import json
import re
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from helpers import data
from helpers.data import download, strokes
from helpers.explorers.window_stepper import WindowStepper
from helpers.filters import kernels
from helpers.network import checkpoints, photonet
from helpers.plots.style import Kind, colormap
from tools import ROOT

FOLDER = ROOT / "tools" / "live"
#: Pages by file name: what links to them say, and the modules they are made of.
PAGES = {
    "draw": ("Draw a digit", ["im2col", "network", "strokes", "paint", "draw"]),
    "playground": ("Kernel playground", ["im2col", "network", "paint", "own", "playground"]),
    "stepper": ("Window stepper", ["paint", "window", "stepper"]),
    "photograph": ("Where it sees what", ["im2col", "network", "own", "photograph"]),
}
PHOTOGRAPHS = ("china", "flower", "hopper")
#: Squares of photographs for the network that knows a thousand things, by name.
SQUARES = {
    "hopper": "middle",
    "cat": "right",
    "coffee": "middle",
    "motorcycle": "right",
    "camera": "middle",
    "china": "middle",
}


def rounded() -> dict[str, torch.Tensor]:
    """The weights of the reference network, in half precision, by the names that `network.js` uses."""
    state = checkpoints.load("mnist").state_dict()
    return {name.partition(".")[2]: value.half() for name, value in state.items()}


def packed(weights: dict[str, torch.Tensor]) -> tuple[list[tuple[str, list[int]]], str]:
    """Names and shapes in order, and all the numbers as one base64 text."""
    names = [(name, list(value.shape)) for name, value in weights.items()]
    numbers = np.concatenate([value.numpy().ravel() for value in weights.values()]).astype("<f2")
    return names, base64.b64encode(numbers.tobytes()).decode()


def palette(kind: Kind) -> list[list[int]]:
    """256 colors of a palette, [red, green, blue] from 0 to 255, from its lowest to its highest value."""
    return (255 * colormap(kind)(np.linspace(0, 1, 256))[:, :3]).round().astype(int).tolist()


def script(modules: list[str]) -> str:
    """The sources of these modules as one, in this order: no import, no export."""
    sources = [(FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in modules]
    joined = re.sub(r"^import .*\n", "", "\n".join(sources), flags=re.MULTILINE)
    return re.sub(r"^export ", "", joined, flags=re.MULTILINE)


def text(name: str, source: list[str]) -> str:
    """The words of a page, with the sources of these modules where it shows them."""
    sources = "\n".join((FOLDER / f"{module}.js").read_text(encoding="utf-8") for module in source)
    return (FOLDER / f"{name}.html").read_text(encoding="utf-8").replace("<!-- source -->", html.escape(sources))


def unpacked_bytes(base64_text: str) -> str:
    """JavaScript for the bytes of a base64 text."""
    return f"Uint8Array.from(atob('{base64_text}'), letter => letter.charCodeAt(0))"


def draw() -> tuple[str, str]:
    """The words of the page on which you draw, and the call that brings it to life."""
    names, numbers = packed(rounded())
    bars = "\n".join(
        f'<tr><td>{i}</td><td><div id="bar{i}"></div></td><td id="chance{i}"></td></tr>' for i in range(10)
    )
    words = text("draw", source=["im2col", "network"]).replace("<!-- bars -->", bars)
    palettes = json.dumps({"activation": palette("activation"), "response": palette("response")})
    stored = json.dumps({name: _points(drawing) for name, drawing in strokes.DIGITS.items()})
    unpacked = f"const weights = unpack({json.dumps(names)}, {unpacked_bytes(numbers)});"
    return words, f"{unpacked}\nstart(document, weights, {stored}, {palettes});"


def _points(drawing: list[list[strokes.Point]]) -> list[list[list[float]]]:
    return [[[round(x, 3), round(y, 3)] for x, y in stroke] for stroke in drawing]


def playground() -> tuple[str, str]:
    """The words of the playground, and the call that brings it to life."""
    field = '<td><input type="number" step="0.5" id="w{}" aria-label="weight, row {}, column {}"></td>'
    cells = [[field.format(3 * row + column, row + 1, column + 1) for column in range(3)] for row in range(3)]
    rows = "\n".join(f"<tr>{''.join(row)}</tr>" for row in cells)
    words = text("playground", source=[]).replace("<!-- weights -->", rows)
    presets = {name: kernels.get(name).ravel().tolist() for name in kernels.NAMES if kernels.get(name).shape == (3, 3)}
    pictures = {name: data.own(data.photo(name), 160, gray=True) for name in PHOTOGRAPHS}
    stored = json.dumps({name: [_bytes(picture), [1, *picture.shape]] for name, picture in pictures.items()})
    palettes = json.dumps({"response": palette("response")})
    unpacked = f"const photographs = pictures({stored});"
    return words, f"{unpacked}\nstart(document, photographs, {json.dumps(presets)}, {palettes});"


def _bytes(picture: np.ndarray) -> str:
    return base64.b64encode((255 * picture).round().astype(np.uint8).tobytes()).decode()


def stepper() -> tuple[str, str]:
    """The words of the window stepper, and the call that brings it to life: the images and kernels of the explorer."""
    tool = WindowStepper()
    images, filters = (
        json.dumps({name: {"data": _digits(array), "shape": array.shape} for name, array in arrays.items()})
        for arrays in (tool.images, tool.kernels)
    )
    first = json.dumps({name: tool.values[name] for name in ("image", "kernel")})
    palettes = json.dumps({kind: palette(kind) for kind in ("response", "weights")})
    return text("stepper", source=["window"]), f"start(document, {images}, {filters}, {first}, {palettes});"


def _digits(array: np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in array.ravel()]


def network_file() -> bytes | None:
    """The file of the network for photographs, or None where it cannot be had."""
    arrays = download.find_network().arrays
    return None if arrays is None else next(iter(arrays.values())).tobytes()


def photograph() -> tuple[str, str]:
    """The words of the page on which the network for photographs runs, and the call; one sentence without its file."""
    file = network_file()
    if file is None:
        return text("no_photograph", source=[]), ""
    bytes_ = unpacked_bytes(base64.b64encode(file).decode())
    stored = json.dumps({name: _address(data.square(data.photo(name), part)) for name, part in SQUARES.items()})
    call = f"start(document, {bytes_}, {stored}, {json.dumps(photonet.names())});"
    return text("photograph", source=["im2col", "photonet", "worker"]), call


def _address(picture: np.ndarray) -> str:
    """A photograph (H, W, 3) as the address of a picture that keeps every pixel."""
    with io.BytesIO() as buffer:
        Image.fromarray((255 * picture).round().astype(np.uint8)).save(buffer, "webp", lossless=True, method=6)
        return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def write(site: Path, style: str) -> None:
    """Write the pages of the living tools into the folder of the site."""
    look = style + (FOLDER / "live.css").read_text(encoding="utf-8")
    for name, (title, modules) in PAGES.items():
        words, call = {"draw": draw, "playground": playground, "stepper": stepper, "photograph": photograph}[name]()
        program = f"{script(modules)}\n{call}" if call else ""
        page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{look}
</style>
</head>
<body>
<header><nav aria-label="Series"><a href="index.html">All lessons</a></nav></header>
<main>
{words}
</main>
<script type="module">
{program}
</script>
</body>
</html>
"""
        (site / f"{name}.html").write_text(page, encoding="utf-8")
