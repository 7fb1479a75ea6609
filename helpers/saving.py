"""What JupyterLab writes when a student saves: pictures of the tools, so that the notebook can be read tomorrow."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

from helpers.display import WIDGET_VIEW

# A bar or a slider without a picture describes itself as "HBox(children=(...": nothing for a reader there.
_WORDS_OF_A_WIDGET = re.compile(r"\s*(\w+\(|<|([^\n]*: +)?\d+%\|)")


def still(output: MutableMapping[str, Any]) -> bool:
    """Take the live view out of one output, in place; tell whether something to see or to read is left."""
    data = output.get("data", {})
    if WIDGET_VIEW not in data:
        return True
    del data[WIDGET_VIEW]
    output.get("metadata", {}).pop(WIDGET_VIEW, None)
    return bool(data) and not (
        set(data) == {"text/plain"} and _WORDS_OF_A_WIDGET.match("".join(data["text/plain"])) is not None
    )


def keep_pictures(model: dict[str, Any], **_: Any) -> None:
    """Drop every live view, in the copy that is written, not on the screen; what is then empty goes with it.

    A live view needs the kernel that made it. In a notebook opened the next day it reads "Error displaying widget"
    and hides the picture beside it. Called by the Jupyter server before it writes a file: set-up installs
    ``jupyter/server.json``, which names this function.

    Args:
        model: what is about to be written, as Jupyter's contents API describes it; changed in place.
    """
    content = model.get("content")
    if model.get("type") != "notebook" or not isinstance(content, dict):
        return
    for cell in content.get("cells", []):
        if "outputs" in cell:
            cell["outputs"] = [output for output in cell["outputs"] if still(output)]
