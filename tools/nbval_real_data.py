"""A pytest plugin for the lessons under nbval: the offline stand-in is not compared, and kernels keep to their memory.

The stored outputs come from the real data. A cell whose text shows that data carries the tag `real-data` beside
`nbval-check-output`; where only the stand-in is at hand its text rightly differs. With the real data the plugin
changes nothing.

When the last cell of a lesson has run, the most memory of its own that its kernel ever held is read, and the lesson
fails if that is over its budget: a laptop with 4 GB runs one lesson beside a browser. The table stands at the end.
"""

import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

DATASETS = ("mnist", "fashion")
#: The lessons that take longest, which begin first, so that no worker is alone with one of them in the end.
LONGEST = ("photographs", "which_map", "shortcuts", "training", "robustness", "feature_space", "maximization")
#: Megabytes (of 2**20 bytes) that the kernel of a lesson may hold at most: 700 and 1,000 with the 230 of the libraries.
BUDGETS, OTHERS = {"start_here": 470}, 770
GRACE = 1.5  # a lesson that held 630 MB in four runs held 990 in one: only what is far over is a mistake
PROPERTY = "megabytes"
# The kernels inherit it: what the lessons say does not depend on what somebody has solved on this computer.
os.environ["CNN_MEMORY"] = "off"


@functools.cache
def data_is_real() -> bool:
    """Tell whether both data sets are the real ones."""
    from helpers import data

    return all(data.load(name).real for name in DATASETS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long lessons first; switch the comparison off for `real-data` cells, if the data is not real."""
    items.sort(key=lambda item: LONGEST.index(name) if (name := lesson(item.path)) in LONGEST else len(LONGEST))
    for item in items:
        cell = getattr(item, "cell", None)
        if cell is not None and "real-data" in cell.metadata.get("tags", []) and not data_is_real():
            item.options["check"] = False


def peak(process: int) -> float | None:
    """The most memory of its own that a process has held so far, in megabytes; None where the system does not tell.

    Pages of the files of libraries are not counted. All kernels share them, and how many a system maps is its own
    affair: after the same `import torch`, with 280 MB of its own, 227 in one environment and 416 in another.
    """
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
        wanted = [line.split() for line in lines if line.startswith(("VmHWM:", "RssFile:"))]
        sizes = {name: int(size) for name, size, _ in wanted}
        return (sizes["VmHWM:"] - sizes["RssFile:"]) / 1024
    except (OSError, KeyError):  # no Linux, or no such process anymore
        return None


def lesson(path: Path) -> str:
    """The name of a lesson, `which_map` of `15_which_map.ipynb`."""
    return path.stem.partition("_")[2]


def budget(path: Path) -> int:
    """What the kernel of this lesson may hold at most, in megabytes."""
    return BUDGETS.get(lesson(path), OTHERS)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Before the kernel of a lesson ends, look at its memory."""
    kernel = getattr(item.parent, "kernel", None)
    last = kernel is not None and (nextitem is None or nextitem.parent is not item.parent)
    held = peak(kernel.km.provisioner.pid) if last else None
    if held is not None:
        item.user_properties.append((PROPERTY, [item.path.name, round(held)]))
    yield
    if held is not None and held > GRACE * budget(item.path):
        pytest.fail(
            f"The kernel of {item.path.name} held {held:,.0f} MB of its own memory, its budget is "
            f"{budget(item.path):,}: delete what is no longer needed, or load fewer images.",
            pytrace=False,
        )


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what each kernel held at most."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind]
    found = {
        tuple(value) for report in reports for name, value in getattr(report, "user_properties", []) if name == PROPERTY
    }
    if found:
        terminalreporter.section("own memory of the kernels, at most")
        for name, held in sorted(found):
            terminalreporter.write_line(f"{held:6,} MB of {budget(Path(name)):,}  {name}")
