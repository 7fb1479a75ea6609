"""Present a lesson as slides, in JupyterLab with its kernel: `make slides LESSON=occlusion`.

JupyterLab opens the lesson with the deck of jupyterlab-slideshow already running. It uses settings and a workspace of
its own, inside .venv, so that presenting does not change how the next `make lab` looks. In the deck: the arrow keys
move, Shift+Enter runs a cell, Escape leaves the deck.
"""

import json
import os
import sys
from pathlib import Path

from tools import ROOT
from tools.lessons import Refusal, chosen

SETTINGS = {
    "jupyterlab-slideshow/plugin": {"active": True},
    "@jupyterlab/notebook-extension/tracker": {"autoStartDefaultKernel": True},
    # Legible from the back of a lecture room; the browser's zoom (Ctrl and plus) still works on top.
    "@jupyterlab/apputils-extension/themes": {
        "overrides": {"code-font-size": "18px", "content-font-size1": "20px", "content-line-height": "1.5"}
    },
}


def prepare(folder: Path) -> None:
    """Write the settings of the presentation, those that the deck itself changed when it was left included."""
    for name, values in SETTINGS.items():
        path = folder / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")


def command(lesson: Path, folder: Path) -> list[str]:
    """Return the command that presents this lesson."""
    return [
        sys.executable,
        "-m",
        "jupyterlab",
        str(lesson.relative_to(ROOT)),
        f"--LabApp.user_settings_dir={folder / 'settings'}",
        f"--LabApp.workspaces_dir={folder / 'workspaces'}",
    ]


def main() -> None:
    """Read the command line and hand over to JupyterLab."""
    folder = Path(sys.prefix) / "share" / "jupyter" / "lab" / "slides"
    try:
        if not "".join(sys.argv[1:2]):
            raise Refusal("Which lesson? Say for example: make slides LESSON=occlusion")
        lesson = chosen(sys.argv[1:2])[0]
    except Refusal as refusal:
        sys.exit(str(refusal))
    prepare(folder)
    os.chdir(ROOT)
    words = command(lesson, folder)
    os.execv(words[0], words + sys.argv[2:])


if __name__ == "__main__":
    main()
