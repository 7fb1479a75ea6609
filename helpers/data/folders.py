"""Your own classes: a folder that holds one folder for each class, with pictures in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from helpers.data.photographs import PhotographError, own
from helpers.display import notice

#: As many pictures of a class are read at most: more would take minutes, and a lesson's memory.
MOST = 100


def own_classes(folder: str | os.PathLike[str], side: int = 227) -> dict[str, list[np.ndarray]]:
    """Read your own classes: the folders in a folder are the classes, the pictures in them the examples.

    ::

        my_pictures/
            mug/      IMG_1.jpg  IMG_2.jpg ...
            teapot/   IMG_9.jpg ...

    Each picture is read as :func:`helpers.data.own` reads it: any format that Pillow knows, turned upright, cut to its
    middle square and resized. A file that is no picture is left out, and a notice says which and why. Hidden files are
    passed over without a word; so are folders within the class folders.

    Args:
        folder: the folder of folders.
        side: pixels of a side of the squares; the network for photographs was trained on 227.

    Returns:
        Name of the class → pictures, float32 (side, side, 3) in [0, 1]; classes and files in the order of their names,
        at most 100 of each class.

    Raises:
        PhotographError: a ValueError that says in one sentence what is missing.
    """
    root = _folder(folder)
    inside = sorted(entry for entry in root.iterdir() if not entry.name.startswith("."))
    found: dict[str, list[np.ndarray]] = {}
    left_out: list[str] = []
    for entry in (entry for entry in inside if entry.is_dir()):
        pictures, unread = _pictures(entry, side)
        left_out += unread
        if pictures:
            found[entry.name] = pictures
        else:
            left_out.append(f'The folder "{entry.name}" holds no picture, so it is no class.')
    if left_out:
        many = f"{len(left_out)} things were" if len(left_out) > 1 else "1 thing was"
        more = [f"... and {len(left_out) - 8} more."] if len(left_out) > 8 else []
        notice(f"{many} left out.", [*left_out[:8], *more])
    if len(found) > 1:
        return found
    what = f'only one class, "{next(iter(found))}"' if found else "no folder with a picture in it"
    loose = " Its pictures lie side by side: sort them into folders." if any(e.is_file() for e in inside) else ""
    raise PhotographError(
        f'"{root.name or root}" holds {what}: make one folder for each class, at least two.{"" if found else loose}'
    )


def _folder(folder: Any) -> Path:
    if not isinstance(folder, str | os.PathLike):
        raise PhotographError(f"Give the name of a folder, in quotation marks, not {type(folder).__name__}.")
    root = Path(folder).expanduser()
    try:
        there, is_file = root.is_dir(), root.is_file()
    except (OSError, ValueError):  # ValueError: a zero byte in the name
        there = is_file = False
    if is_file:
        raise PhotographError(f'"{root.name}" is a file: name the folder that holds one folder for each class.')
    if not there or not str(folder):
        raise PhotographError(
            f'There is no folder "{root.name or folder}" here: put it beside the notebook, or give its whole path.'
        )
    if not os.access(root, os.R_OK | os.X_OK):
        raise PhotographError(f'The folder "{root.name}" may not be read: change its permissions, or copy it.')
    return root


def _pictures(folder: Path, side: int) -> tuple[list[np.ndarray], list[str]]:
    """The pictures in a folder, and a sentence for each file that is none."""
    pictures: list[np.ndarray] = []
    unread: list[str] = []
    try:
        files = sorted(
            f for f in folder.iterdir() if f.is_file() and not f.name.startswith(".") and f.name != "Thumbs.db"
        )
    except OSError as error:
        return [], [f'The folder "{folder.name}" cannot be opened: {error.strerror}.']
    for file in files:
        if len(pictures) == MOST:
            unread.append(f'Of "{folder.name}" the first {MOST} pictures were taken.')
            break
        try:
            pictures.append(own(file, side))
        except PhotographError as error:
            unread.append(f"In {folder.name}: {error}")
    return pictures, unread
