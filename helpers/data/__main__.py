"""``python -m helpers.data``: fetch the data sets ahead of a class (``make data``)."""

import sys

from helpers.data import download, raw


def main() -> int:
    """Fetch both sets and say where they are or what is wrong.

    The exit code is 0 even without them, unless ``--strict`` is given: the lessons and ``make test`` run on the
    stand-in, so a missing network is a thing to say loudly, not a reason to stop.
    """
    lacking = 0
    for name, files in raw.SETS.items():
        found = download.find(name)
        if found.root is None:
            lacking += 1
            found.notes.append("The lessons will use the stand-in; `make data` tries again.")
        print(f"{files.folder}: {found.root / files.folder / 'raw' if found.root else 'NOT HERE.'}", *found.notes)
    return int(bool(lacking) and "--strict" in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
