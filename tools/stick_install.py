"""Install the lessons from this stick, without a network, and open the first one.

    Windows         double-click install.bat
    Linux, macOS    sh install.sh, in a terminal
    options         a folder to install into; --no-start to install only

`tools/stick.py` puts this file on the stick as install.py, beside lessons/ (the series with its data), wheels/ (all
packages) and stick.json (for which systems and Pythons). It imports the standard library only, and a Python that is too
old can still read it and look for a better one. Nothing that a student wrote is overwritten.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys

STICK = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.join(os.path.expanduser("~"), "convolutional-networks-by-eye")
SYSTEMS = {"linux x86_64": "linux", "windows amd64": "windows", "darwin arm64": "macos"}
PAGES = "site/index.html needs no installation: open it in a browser."


def fitting(versions: list[str]) -> list[str] | None:
    """Return the command of a Python of one of these versions ("3.12"), this one first, or None."""
    commands = [[sys.executable], *(["py", f"-{v}"] for v in versions), *([f"python{v}"] for v in [*versions, "3", ""])]
    code = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    for command in commands:
        try:
            said = subprocess.check_output([*command, "-c", code], stderr=subprocess.STDOUT, text=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        if said.strip() in versions:
            return command
    return None


def copy_lessons(folder: str) -> None:
    """Copy the series into a new folder, whole or not at all; an existing copy stays as it is."""
    if os.path.exists(os.path.join(folder, "tools", "setup.py")):
        print(f"The lessons are in {folder} already, and stay as they are.")
        return
    if os.path.exists(folder) and os.listdir(folder):
        sys.exit(f"{folder} holds something else: name another folder.")
    print(f"Copying the lessons and the data to {folder}.", flush=True)
    part = folder + ".part"
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(os.path.join(STICK, "lessons"), part)
    if os.path.exists(folder):
        os.rmdir(folder)
    os.rename(part, folder)


def main() -> None:
    """Copy, install, start."""
    words = [word for word in sys.argv[1:] if word != "--no-start"]
    folder = os.path.abspath(words[0] if words else HOME)
    with open(os.path.join(STICK, "stick.json"), encoding="utf-8") as file:
        stick = json.load(file)
    here = f"{platform.system()} {platform.machine()}"
    system = SYSTEMS.get(here.lower())
    if system not in stick["torch"]:
        sys.exit(f"This stick is for {' and '.join(stick['torch'])}, not for {here}. {PAGES}")
    python = fitting(stick["pythons"])
    if python is None:
        wanted = " or ".join(stick["pythons"])
        sys.exit(f"This stick needs Python {wanted} with its venv module: install that first. {PAGES}")
    copy_lessons(folder)
    setup = [*python, os.path.join(folder, "tools", "setup.py"), "--torch", stick["torch"][system]]
    status = subprocess.call([*setup, "--wheels", os.path.join(STICK, "wheels")])
    if status:
        sys.exit(status)
    lesson = next(name for name in os.listdir(os.path.join(folder, "notebooks")) if name.endswith("_start_here.ipynb"))
    inside = os.path.join(".venv", *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))
    lab = ["-m", "jupyterlab", os.path.join("notebooks", lesson)]
    print(f"Installed. Next time go to {folder} and say")
    print("    " + (" ".join([inside, *lab]) if os.name == "nt" else "make lab"), flush=True)
    if "--no-start" not in sys.argv:
        with contextlib.suppress(KeyboardInterrupt):
            sys.exit(subprocess.call([os.path.join(folder, inside), *lab], cwd=folder))


if __name__ == "__main__":
    main()
