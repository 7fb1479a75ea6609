"""A lesson as it was, or the newest edition of all, without losing what you wrote.

    python -m tools.fresh lesson NAME     the lesson as it was handed out (make fresh LESSON=occlusion)
    python -m tools.fresh update          the newest version of everything (make update)

Whatever you changed in a notebook is first copied into notebooks/mine/, where nothing of ours ever writes again.
"""

import argparse
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from tools import ROOT
from tools.lessons import Refusal, chosen

MINE = Path("notebooks") / "mine"


def git(root: Path, *words: str) -> str:
    """Return what git prints.

    Raises:
        Refusal: with git's reason, or when there is no git.
    """
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Refusal("git is not installed: download the series again, beside this folder.") from None
    if done.returncode:
        raise Refusal(f"git {words[0]} says: {' '.join(done.stderr.split())}")
    return done.stdout


def changed(root: Path, folder: str = "notebooks") -> list[Path]:
    """Files of this folder, of those that git knows, that differ from what was handed out, relative to `root`."""
    names = git(root, "diff", "--name-only", "--no-renames", "-z", "HEAD", "--", folder).split("\0")
    return [Path(name) for name in names if name and (root / name).exists()]


def keep(root: Path, path: Path, now: datetime) -> Path:
    """Copy a notebook into notebooks/mine/ under a name that is not taken; return where it lies."""
    stamp, count = f"{now:%Y-%m-%d %H.%M}", 1
    kept = MINE / f"{path.stem}, {stamp}.ipynb"
    while (root / kept).exists():
        count += 1
        kept = MINE / f"{path.stem}, {stamp} ({count}).ipynb"
    (root / MINE).mkdir(exist_ok=True)
    shutil.copy2(root / path, root / kept)
    return kept


def lesson(root: Path, path: Path, now: datetime) -> str:
    """Bring one lesson back as it was handed out; say what happened."""
    if path not in changed(root):
        return f"{path} is as it was handed out."
    kept = keep(root, path, now)
    git(root, "checkout", "HEAD", "--", str(path))
    return f"{path} is fresh; yours is {kept}."


def update(root: Path, now: datetime) -> str:
    """Fetch the newest version; changed notebooks are kept, and stand as they were if nothing can be fetched.

    Raises:
        Refusal: when other files were changed, or nothing can be fetched.
    """
    others = [path for path in changed(root, ".") if path.parent != Path("notebooks")]
    if others:
        raise Refusal(f"You changed {', '.join(map(str, others))}: commit or undo that first, then update again.")
    before = git(root, "rev-parse", "HEAD")
    git(root, "fetch", "--quiet")
    if git(root, "rev-parse", "HEAD", "@{upstream}").split() == 2 * before.split():
        return "Nothing is newer than what you have."
    kept = {path: keep(root, path, now) for path in changed(root)}
    try:
        if kept:
            git(root, "checkout", "HEAD", "--", *map(str, kept))
        git(root, "merge", "--ff-only", "--quiet", "@{upstream}")
    except Refusal:
        for path, copy in kept.items():
            shutil.move(root / copy, root / path)
        raise
    lines = [f"  yours of {path.name} is {copy}" for path, copy in kept.items()]
    return "\n".join(["You have the newest version.", *lines])


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["lesson", "update"])
    parser.add_argument("names", nargs="*", metavar="NAME", help="lessons, by name")
    arguments = parser.parse_args()
    now = datetime.now()
    try:
        if arguments.what == "update":
            print(update(ROOT, now))
            return
        if not any(arguments.names):
            raise Refusal("Which lesson? Say for example: make fresh LESSON=occlusion")
        for path in chosen([name for name in arguments.names if name]):
            print(lesson(ROOT, path.relative_to(ROOT), now))
    except Refusal as refusal:
        sys.exit(str(refusal))


if __name__ == "__main__":
    main()
