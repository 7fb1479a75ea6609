"""What a student has solved and first predicted, kept from one day to the next in one small file on this computer.

The file is private (its owner alone may read it) and is never sent anywhere. The environment variable ``CNN_MEMORY``
names another file, or is ``off``: then all is forgotten when the kernel ends. A file that cannot be read or written is
named in one sentence and left as it is, and the lessons go on without it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from helpers.display import notice

What = Literal["solved", "predicted"]
#: ``"solved"``: exercise → True; ``"predicted"``: prediction → whether the first choice was right.
Facts = dict[str, dict[str, bool]]

_ABOUT = "Convolutional networks by eye: solved exercises and first predictions, version 1"
_session: Facts = {"solved": {}, "predicted": {}}
_said: set[str] = set()


def place() -> Path | None:
    """The file, in the folder where this system keeps a user's data.

    None when ``CNN_MEMORY`` is ``off``, and for a user without a home folder, as some hubs have them.
    """
    try:
        if named := os.environ.get("CNN_MEMORY", "").strip():
            return None if named.lower() == "off" else Path(named).expanduser()
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        folder = home / "Library" / "Application Support"
    else:
        folder = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return folder / "convolutional-networks-by-eye" / "progress.json"


def recall() -> Facts:
    """All that is known: what the file holds, and what this kernel has seen."""
    kept = _empty()
    with _excused() as path:
        if path:
            kept = _read(path)
    # Of two first choices the one in the file came first.
    return {"solved": _session["solved"] | kept["solved"], "predicted": _session["predicted"] | kept["predicted"]}


def remember(what: What, key: str, value: bool = True) -> None:
    """Keep that an exercise is solved, or whether the first choice of a prediction was right: the first counts."""
    if key not in _session[what]:
        _session[what][key] = value
        _change(lambda facts: facts[what].setdefault(key, value))


def forget(lesson: str = "") -> None:
    """Forget one lesson, or all of them."""

    def clear(facts: Facts) -> None:
        for table in (facts["solved"], facts["predicted"]):
            for key in [key for key in table if not lesson or key.startswith(f"{lesson}/")]:
                del table[key]

    clear(_session)
    _change(clear)


def _empty() -> Facts:
    return {"solved": {}, "predicted": {}}


@contextlib.contextmanager
def _excused() -> Iterator[Path | None]:
    """The file's place; a problem with it is said once, in one sentence, and passed over."""
    path = place()
    try:
        yield path
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        said = f"{path} cannot be used ({reason}), so what you solve now is forgotten when the kernel ends."
        if said not in _said:
            _said.add(said)
            notice("Your progress is not kept", [said, "Move the file away, or let CNN_MEMORY name another place."])


def _read(path: Path) -> Facts:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return _empty()
    except ValueError:
        raise ValueError("it is damaged") from None
    if not isinstance(found, dict) or found.get("about") != _ABOUT:
        raise ValueError("it is a file of something else")
    facts: Facts = _empty()
    for what in facts:
        table = found.get(what)
        if not isinstance(table, dict) or not all(isinstance(value, bool) for value in table.values()):
            raise ValueError("it is damaged")
        facts[what] = table
    return facts


def _change(edit: Callable[[Facts], object]) -> None:
    """Read, edit and replace the file while no other notebook does."""
    with _excused() as path:
        if path is None:
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(path.with_name(path.name + ".lock")):
            facts = _read(path)
            before = json.dumps(facts)
            edit(facts)
            if json.dumps(facts) == before:
                return
            handle, new = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # readable by its owner alone
            try:
                with open(handle, "w", encoding="utf-8") as file:
                    json.dump({"about": _ABOUT, **facts}, file, indent=1, sort_keys=True)
                os.replace(new, path)
            finally:
                Path(new).unlink(missing_ok=True)


@contextlib.contextmanager
def _alone(lock: Path, patience: float = 2.0) -> Iterator[None]:
    """Hold a lock file, which only one process can make; one left behind by a crash is removed after a while."""
    start = time.monotonic()
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            break
        except FileExistsError:
            if time.monotonic() - start > patience:
                lock.unlink(missing_ok=True)
            time.sleep(0.01)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
