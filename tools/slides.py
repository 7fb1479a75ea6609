"""Present a lesson as slides, in JupyterLab with its kernel: `make slides LESSON=occlusion`.

The deck (`tools/deck`) opens around JupyterLab's own page; the key ? lists its keys, P opens the presenter's window. It
uses settings and a workspace of its own, inside .venv, and saves nothing by itself, so that presenting changes neither
the notebook nor how the next `make lab` looks. `FLAGS=--ip=0.0.0.0` lets a phone in the same room open the presenter's
page, at the address that is printed, with the token.
"""

import json
import os
import shutil
import sys
from pathlib import Path

from tools import ROOT
from tools.lessons import Refusal, chosen, name_of

SETTINGS = {
    "@jupyterlab/notebook-extension/tracker": {"autoStartDefaultKernel": True},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}


def prepare(folder: Path) -> None:
    """Write the settings of the presentation, and forget which lessons were presented before."""
    shutil.rmtree(folder / "workspaces", ignore_errors=True)
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
        "--ServerApp.jpserver_extensions=tools.deck=True",
        "--LabApp.expose_app_in_browser=True",
        f"--LabApp.default_url=/deck/deck/{name_of(lesson)}",
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
