"""Does this computer have what the lessons need? One line per question: fine, or what is wrong and how to fix it.

``selftest.run()`` shows a table in a notebook, ``python -m helpers.selftest`` prints it. What it says holds no path and
no reading of a clock, so that a stored notebook does not change from one computer to the next without a reason.
"""

from __future__ import annotations

import contextlib
import html
import os
import shutil
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from helpers import data, display
from helpers.data import download

Mark = Literal["ok", "note", "fix"]
_MARKS: dict[Mark, tuple[str, str]] = {"ok": ("✓", "#009E73"), "note": ("●", "#0072B2"), "fix": ("✗", "#D55E00")}
_SETS = {"mnist": "MNIST", "fashion": "FashionMNIST"}
#: Seconds that one pass over the 60,000 images may take, and how that is called.
_WAITS = ((20, "a few seconds"), (60, "less than a minute"), (180, "a minute or two"), (600, "some minutes"))
GIGABYTE = 1e9


@dataclass(frozen=True)
class Line:
    """What one question came to: its name, a mark, and a sentence (with what to do, if something is to be done)."""

    name: str
    mark: Mark
    said: str


@dataclass(frozen=True)
class Report:
    """The answers of a self-test, shown as a table."""

    lines: tuple[Line, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing has to be fixed."""
        return all(line.mark != "fix" for line in self.lines)

    @property
    def verdict(self) -> str:
        """One sentence about the whole."""
        broken = [line.name for line in self.lines if line.mark == "fix"]
        if not broken:
            return "Everything the lessons need is here."
        return f"To fix before you start: {', '.join(broken)}. Then restart the kernel and run this cell again."

    def __str__(self) -> str:
        wide = max(len(line.name) for line in self.lines)
        rows = [f"{_MARKS[line.mark][0]} {line.name:<{wide}}  {line.said}" for line in self.lines]
        return "\n".join([*rows, self.verdict])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        cell = "text-align:left;vertical-align:top;padding:4px 14px 4px 0"
        rows = []
        for line in self.lines:
            sign, color = _MARKS[line.mark]
            edge = f"border-left:4px solid {color};padding-left:10px"
            name = f'<th scope="row" style="{cell};{edge};white-space:nowrap">{sign} {html.escape(line.name)}</th>'
            rows.append(f'<tr style="background:none">{name}<td style="{cell}">{display.rich(line.said)}</td></tr>')
        table = f'<table style="margin:0;border-collapse:collapse">{"".join(rows)}</table>'
        return f'{table}<p style="margin:8px 0"><b>{html.escape(self.verdict)}</b></p>'


def run() -> Report:
    """Ask every question and collect the answers. A question that fails becomes a line, never a traceback."""
    return Report(tuple(_ask(name, question) for name, question in QUESTIONS.items()))


def _ask(name: str, question: Callable[[], tuple[Mark, str]]) -> Line:
    try:
        return Line(name, *question())
    except Exception as error:
        said = (
            " ".join(str(error).split())[:160]
            .replace(str(download.PROJECT), "the project")
            .replace(os.path.expanduser("~"), "~")
        )
        return Line(name, "fix", f"This stopped with {type(error).__name__}: {said}. Run `make lab` to install again.")


def _project() -> dict:
    return tomllib.loads((download.PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def python() -> tuple[Mark, str]:
    """The Python that runs this, against what the project asks for."""
    wanted, here = Requirement(f"python{_project()['requires-python']}"), "{}.{}".format(*sys.version_info)
    if wanted.specifier.contains(here):
        return "ok", f"Python {here}."
    return "fix", f"Python {here} does not meet {wanted.specifier}: install a newer Python, then run `make lab`."


def packages() -> tuple[Mark, str]:
    """Every package that pyproject.toml names, against the version it asks for, and the one that was tested."""
    wanted = [Requirement(text) for text in _project()["dependencies"]]
    missing, old, untested, tested = [], [], [], _tested()
    for requirement in wanted:
        try:
            here = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            missing.append(requirement.name)
            continue
        if not requirement.specifier.contains(Version(here).base_version, prereleases=True):
            old.append(f"{requirement.name} {here} (wanted: {requirement.specifier})")
        elif Version(here).public != Version(known := tested.get(canonicalize_name(requirement.name), here)).public:
            untested.append(f"{requirement.name} {here} (tested: {known})")
    problems = [f"not installed: {', '.join(missing)}"] * bool(missing) + [f"too old: {', '.join(old)}"] * bool(old)
    if problems:
        return "fix", f"{'; '.join(problems).capitalize()}. Close JupyterLab and run `make lab`."
    if untested:
        shown = ", ".join(untested[:3]) + (f" and {len(untested) - 3} more" if len(untested) > 3 else "")
        return "note", (
            f"All {len(wanted)} packages are here, but the lessons have not been tested with these versions: {shown}. "
            "Most likely all goes well. Where a cell stops or a number differs from the text, "
            "`make lab VERSIONS=pinned` installs the tested ones."
        )
    return "ok", f"All {len(wanted)} packages are here, in versions that fit."


def _tested() -> dict[str, str]:
    """Name → the version with which the lessons were tested, on this Python and system; empty without the list."""
    try:
        lines = (download.PROJECT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pins = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    here = [pin for pin in pins if pin.marker is None or pin.marker.evaluate()]
    return {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in here}


def images(name: str) -> tuple[Mark, str]:
    """Where the real images of a set are, or what stands in for them. Downloads nothing."""
    with _offline():
        arrays, root, _ = download.find(name)
    places = {download.STORE: "in the folder `data`"} | {
        store: "in this user's cache" for store in download.stores()[1:]
    }
    named = os.environ.get("CNN_DATA")
    if arrays is not None and (root not in places or not named):
        place = places.get(root, "in the folder that CNN_DATA names")
        return "ok", f"The real {_SETS[name]} is here, every file whole, {place}."
    if arrays is not None:
        return "note", (
            f"The real {_SETS[name]} is here, {places[root]}. The folder that CNN_DATA names was passed over: "
            "it lacks a file, or one is broken. Correct CNN_DATA or remove it."
        )
    return "note", (
        f"{_SETS[name]} is not on this computer: the lessons run on the stand-in, with other numbers than in the "
        "text. For the real images connect to the network and run `make data`"
        + (", or let CNN_DATA name a folder that holds them." if named else ".")
    )


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    before = os.environ.get("CNN_OFFLINE")
    os.environ["CNN_OFFLINE"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["CNN_OFFLINE"]
        else:
            os.environ["CNN_OFFLINE"] = before


def device() -> tuple[Mark, str]:
    """What training will run on, tried with a small product."""
    import torch

    from helpers.network.device import best_device

    best = best_device()
    name = {"cuda": "An NVIDIA graphics card", "mps": "The graphics part of an Apple chip"}.get(best, "The processor")
    try:
        torch.ones(8, 8, device=best).matmul(torch.ones(8, 8, device=best)).sum().item()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0][:120]
        return "fix", f'{name} is there but does not compute ({reason}): pass `device="cpu"` to `fit`.'
    return "ok", f"{name} will do the training." + (" No graphics card is needed." if best == "cpu" else "")


def training_step() -> tuple[Mark, str]:
    """How long training will take, from a few of its steps on random images."""
    import torch
    from torch.nn.functional import cross_entropy

    from helpers.network.device import best_device
    from helpers.network.models import ConvNet

    batch, steps, device = 32, 40, best_device()
    model = ConvNet().to(device)
    images, labels = torch.rand(batch, 1, 28, 28, device=device), torch.arange(batch, device=device) % 10

    def step() -> None:  # by hand: an optimizer of PyTorch would fill 130 MB
        loss = cross_entropy(model(images), labels)
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for weight, gradient in zip(model.parameters(), gradients, strict=True):
                weight -= 0.01 * gradient
        loss.item()  # waits for a graphics card

    for _ in range(4):  # the first steps are slower
        step()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    seconds = (time.perf_counter() - start) / steps
    epoch = seconds * 60_000 / batch
    took = next((text for end, text in ((0.01, "less than 0.01"), (0.1, "less than 0.1")) if seconds < end), "over 0.1")
    wait = next((text for end, text in _WAITS if epoch < end), None)
    if wait is None:
        return "note", (
            f"One training step takes {took} s: an epoch of training would take more than ten minutes. Close other "
            'programs, or load the finished network with `checkpoints.load("mnist")`.'
        )
    return "ok", f"One training step takes {took} s: all 60,000 training images take {wait}."


def disk() -> tuple[Mark, str]:
    """Free space where data sets and your own networks go."""
    free = shutil.disk_usage(download.PROJECT).free
    if free > GIGABYTE:
        return "ok", "More than 1 GB free, which is plenty."
    return "fix", f"Only {free / GIGABYTE:.1f} GB are free: empty the trash or move files, until 1 GB is."


def widgets() -> tuple[Mark, str]:
    """Whether sliders and buttons can live: the kernel's half and the page's half of ipywidgets."""
    from IPython import get_ipython
    from jupyter_core.paths import jupyter_path

    kernels_half = int(metadata.version("ipywidgets").split(".")[0])
    places = [Path(folder, "@jupyter-widgets", "jupyterlab-manager") for folder in jupyter_path("labextensions")]
    if not any((place / "package.json").is_file() for place in places):
        return "fix", "JupyterLab cannot show sliders: run `make lab`, then load this page again in the browser."
    pages_half = int(metadata.version("jupyterlab_widgets").split(".")[0])
    if (kernels_half, pages_half) != (8, 3):
        return "fix", "The two halves of ipywidgets do not fit together: run `make lab`, then load this page again."
    if getattr(get_ipython(), "kernel", None) is None:
        return "note", "Installed. Whether a slider moves shows only in a notebook: open notebooks/00_start_here.ipynb."
    return "ok", "Both halves of ipywidgets are here. The tool in 00_start_here is the proof."


def checkpoints() -> tuple[Mark, str]:
    """Whether the finished networks can be read and still know their digits and clothes; the one for photographs."""
    from helpers.network import checkpoints
    from helpers.network.running import predict

    said = []
    for name in _SETS:
        try:
            model = checkpoints.load(name)
        except (FileNotFoundError, ValueError, OSError):
            return "fix", (
                f"The finished network {name!r} cannot be read: run `git checkout data/checkpoints`, or "
                "`make checkpoints` to train it again."
            )
        with _offline():
            real = download.find(name)[0] is not None
        if real:
            test = data.load(name, first=(0, 500)).test
            answers = predict(model, test.images, batch_size=20).argmax(1).numpy()  # few at a time: 20 MB less
        if real and (answers == test.labels).mean() < 0.85:
            return "fix", f"The finished network {name!r} knows too little: run `git checkout data/checkpoints`."
        said.append(f"{_SETS[name]} ({checkpoints.card(name)['test accuracy']:.1%} of the test images right)")
    here = f"The finished networks are here: {' and '.join(said)}"
    with _offline():
        if download.find_network().arrays is None:
            return "note", (
                f"{here}. The network for photographs is not on this computer, or not whole: its lessons run with "
                "random weights, which see nothing. For the trained one connect to the network and run `make data`."
            )
    return "ok", f"{here}, and the one for photographs, every byte of it."


#: Name of a line → the question that fills it.
QUESTIONS: dict[str, Callable[[], tuple[Mark, str]]] = {
    "Python": python,
    "packages": packages,
    "digits": lambda: images("mnist"),
    "clothes": lambda: images("fashion"),
    "device": device,
    "training": training_step,
    "disk": disk,
    "sliders": widgets,
    "networks": checkpoints,
}


if __name__ == "__main__":
    report = run()
    print(report)
    sys.exit(not report.ok)
