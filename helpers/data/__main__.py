"""``python -m helpers.data``: fetch the data sets and the network for photographs ahead of a class (``make data``)."""

import sys
from collections.abc import Callable
from functools import partial

from helpers.data import download, raw


def main() -> int:
    """Fetch both sets and the network, and say where they are or what is wrong.

    The exit code is 0 even without them, unless ``--strict`` is given: the lessons and ``make test`` run on the
    stand-in, so a missing network is a thing to say loudly, not a reason to stop.
    """
    wanted: dict[str, tuple[str, Callable[[], download.Found]]] = {
        files.folder: (f"{files.folder}/raw", partial(download.find, name)) for name, files in raw.SETS.items()
    }
    wanted["SqueezeNet"] = raw.NETWORK.path, download.find_network
    lacking = 0
    for name, (place, find) in wanted.items():
        found = find()
        if found.root is None:
            lacking += 1
            found.notes.append("The lessons will use the stand-in; `make data` tries again.")
        print(f"{name}: {found.root / place if found.root else 'NOT HERE.'}", *found.notes)
    return int(bool(lacking) and "--strict" in sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
