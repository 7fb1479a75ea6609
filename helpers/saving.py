"""What JupyterLab writes when a student saves: pictures of the tools, so that the notebook can be read tomorrow."""

from __future__ import annotations

from typing import Any

from helpers.display import WIDGET_VIEW


def keep_pictures(model: dict[str, Any], **_: Any) -> None:
    """Drop the live view of every tool that also brought a picture, in the copy that is written, not on the screen.

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
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if WIDGET_VIEW in data and ("image/png" in data or "text/html" in data):
                del data[WIDGET_VIEW]
                output.get("metadata", {}).pop(WIDGET_VIEW, None)
