"""A tool without a kernel: pictures of its states, and controls that turn the pages.

A lesson's statements on which a tool depends are run, the tool is made, and its main controls are set to every
combination of a few values (`Explorer.set`); each picture is kept once.
"""

import ast
import base64
import html
import io
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipywidgets as widgets
from PIL import Image

from helpers.explorers.base import Explorer
from helpers.plots.style import SHARPNESS
from tools import lessons, live

#: Combinations of values that are drawn, values of one control, and bytes of all the pictures of one tool.
MOST_FRAMES, MOST_VALUES, MOST_BYTES = 60, 12, 1_400_000
#: How sharp (pixels of a picture for one of the page) and how true (quality of WebP) pictures are, the best first.
LOOKS = ((SHARPNESS, 82), (1.0, 82), (1.0, 60), (0.8, 50), (0.7, 35))

#: Tools that run in a page of their own.
LIVING = {
    "KernelPlayground": "playground",
    "DrawDigit": "draw",
    "WindowStepper": "stepper",
    "ClassMapBrowser": "photograph",
}
#: Turns the pages: the values of the controls say which picture is shown.
SCRIPT = """
for (const book of document.querySelectorAll('.flipbook')) {
  const {counts, labels, frames, pictures} = JSON.parse(book.querySelector('script').textContent);
  const fields = [...book.querySelectorAll('[data-control]')];
  const turn = () => {
    const place = fields.reduce((sum, field, i) => sum * counts[i] + Number(field.value), 0);
    book.querySelector('img').src = 'data:image/webp;base64,' + pictures[frames[place]];
    fields.forEach((field, i) => {
      const said = labels[i][Number(field.value)];
      if (field.type !== 'range') return;
      field.nextElementSibling.textContent = said;
      field.setAttribute('aria-valuetext', said);
    });
  };
  fields.forEach(field => field.addEventListener('input', turn));
  turn();
}
"""


@dataclass(frozen=True)
class Control:
    """A control of a flipbook: its name, its values and their labels, where it starts, and whether it is a slider."""

    name: str
    words: str
    values: list[Any]
    labels: list[str]
    start: int
    slider: bool


def made(path: Path, index: int) -> Explorer:
    """The tool that a cell shows, made by this cell and the statements above it on which it depends."""
    source = lessons.cells(path)[index].source
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(lessons.needed(path, index, source), path.name, "exec"), space)
    *before, last = ast.parse(source).body
    exec(compile(ast.Module(before, []), path.name, "exec"), space)
    assert isinstance(last, ast.Expr)
    return eval(compile(ast.Expression(last.value), path.name, "eval"), space)


def control(name: str, widget: widgets.Widget, most: int = MOST_VALUES) -> Control | None:
    """What can be turned, with at most so many of its values; None for buttons, fields, and what has no choice."""
    menu = isinstance(widget, (widgets.Dropdown, widgets.ToggleButtons, widgets.RadioButtons, widgets.SelectionSlider))
    slider = isinstance(widget, (widgets.IntSlider, widgets.FloatSlider, widgets.FloatLogSlider))
    if menu:
        values, labels = list(widget._options_values), [str(label) for label in widget._options_labels]
    elif isinstance(widget, widgets.Checkbox):
        values, labels = [False, True], ["off", "on"]
    elif slider:
        steps = [widget.min + i * widget.step for i in range(round((widget.max - widget.min) / widget.step) + 1)]
        log = isinstance(widget, widgets.FloatLogSlider)
        values = [widget.base**step if log else type(widget.value)(step) for step in steps]
        labels = [f"{value:.3g}" for value in values]
    else:
        return None
    if len(values) < 2 or len(values) > most < 3:
        return None
    now = min(range(len(values)), key=lambda i: _away(values[i], widget.value))
    if slider:
        values[now], labels[now] = widget.value, f"{widget.value:.3g}"  # it may lie between two steps
    kept = sorted({now, *spread(len(values), most - 1)}) if len(values) > most else list(range(len(values)))
    return Control(
        name,
        widget.description or name,
        [values[i] for i in kept],
        [labels[i] for i in kept],
        kept.index(now),
        slider or isinstance(widget, widgets.SelectionSlider),
    )


def spread(count: int, most: int) -> list[int]:
    """At most `most` of `count` places, evenly, both ends included."""
    return list(range(count)) if count <= most else [round(i * (count - 1) / (most - 1)) for i in range(most)]


def _away(a: Any, b: Any) -> float:
    if a is b:
        return -1.0
    numbers = isinstance(a, (int, float)) and isinstance(b, (int, float))
    return abs(a - b) if numbers else float(str(a) != str(b))


def main_controls(tool: Explorer) -> list[Control]:
    """The first controls, with as many values as there is room for; what changes nothing at first is left out."""
    found: list[Control] = []
    room = MOST_FRAMES
    for name, widget in tool._controls.items():
        if name in tool.inert or room < 2:
            continue
        turned = control(name, widget, min(room, MOST_VALUES))
        if turned and len(turned.values) <= room and (len(turned.values) > 2 or not turned.slider):
            found.append(turned)
            room //= len(turned.values)
    return found


def pictures(tool: Explorer, controls: list[Control]) -> Iterator[bytes]:
    """The PNG of every combination of values, the last control turning fastest; afterwards the tool is as before.

    A value that cannot be drawn leaves the picture before it.
    """
    before = tool.values
    for values in itertools.product(*(each.values for each in controls)):
        tool.set(**{each.name: value for each, value in zip(controls, values, strict=True)})
        yield tool.image.value
    tool.set(**before)


def _webp(png: bytes, sharpness: float, quality: int) -> bytes:
    with Image.open(io.BytesIO(png)) as image, io.BytesIO() as buffer:
        width, height = (round(side * sharpness / SHARPNESS) for side in image.size)
        image.convert("RGB").resize((width, height)).save(buffer, "webp", quality=quality, method=4)
        return buffer.getvalue()


def _packed(shots: list[bytes]) -> list[bytes]:
    """Pictures as WebP, as sharp as all of them together may be; a few of them tell which try is worth the time.

    Raises:
        ValueError: if they are too many or too large in any case.
    """
    few = shots[::8]
    for sharpness, quality in LOOKS:
        most = MOST_BYTES * 3 / 4  # base64 makes them a third longer
        if sum(len(_webp(shot, sharpness, quality)) for shot in few) / len(few) * len(shots) > 1.15 * most:
            continue
        packed = [_webp(shot, sharpness, quality) for shot in shots]
        if sum(map(len, packed)) < most:
            return packed
    raise ValueError(f"{len(shots)} pictures of this tool do not fit into {MOST_BYTES:,} bytes: show fewer or smaller.")


def flipbook(tool: Explorer) -> str:
    """A tool as HTML: its controls, its present picture, and all the others in a text beside it."""
    controls = main_controls(tool)
    shots = list(pictures(tool, controls))
    unique = list(dict.fromkeys(shots))
    packed = _packed(unique)
    places = {shot: i for i, shot in enumerate(unique)}
    book = {
        "counts": [len(each.values) for each in controls],
        "labels": [each.labels for each in controls],
        "frames": [places[shot] for shot in shots],
        "pictures": [base64.b64encode(each).decode() for each in packed],
    }
    fields = "".join(map(_field, controls))
    about = json.dumps(book, ensure_ascii=False).replace("</", "<\\/")
    return (
        f'<figure class="flipbook"><div>{fields}</div><img alt="{html.escape(tool.alt)}" width="{tool.image.width}">'
        f'<script type="application/json">{about}</script>{_living(tool)}</figure>'
    )


def _living(tool: Explorer) -> str:
    """A link to the page on which this tool itself runs."""
    page = LIVING.get(type(tool).__name__)
    if page is None:
        return ""
    if page == "photograph" and live.network_file() is None:
        runs = "This site was built without the file of the network for photographs, so the tool does not run here."
    else:
        runs = f'<a href="{page}.html">Here it runs</a>, in your browser.'
    return f"<figcaption>Some of its states. {runs}</figcaption>"


def _field(each: Control) -> str:
    """A slider where it was one, else a menu."""
    words = html.escape(each.words)
    if each.slider:
        ends = f'min="0" max="{len(each.values) - 1}" value="{each.start}"'
        return f'<label>{words} <input type="range" data-control {ends}><output></output></label>'
    options = "".join(
        f'<option value="{i}"{" selected" if i == each.start else ""}>{html.escape(label)}</option>'
        for i, label in enumerate(each.labels)
    )
    return f"<label>{words} <select data-control>{options}</select></label>"
