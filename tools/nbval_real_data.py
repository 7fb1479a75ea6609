"""A pytest plugin: on the offline stand-in, cells tagged `real-data` run but are not compared.

The stored outputs come from the real data. A cell whose text shows that data carries the tag `real-data` beside
`nbval-check-output`; where only the stand-in is at hand its text rightly differs. With the real data the plugin
changes nothing.
"""

import functools
import os

import pytest

DATASETS = ("mnist", "fashion")
# The kernels inherit it: what the lessons say does not depend on what somebody has solved on this computer.
os.environ["CNN_MEMORY"] = "off"


@functools.cache
def data_is_real() -> bool:
    """Tell whether both data sets are the real ones."""
    from helpers import data

    return all(data.load(name).real for name in DATASETS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Switch the comparison off for `real-data` cells, if the data is not real."""
    for item in items:
        cell = getattr(item, "cell", None)
        if cell is not None and "real-data" in cell.metadata.get("tags", []) and not data_is_real():
            item.options["check"] = False
