"""Where the files of a data set are on this machine, and how a file gets here that is not.

Lessons do not use this module; :mod:`helpers.data` does. A download (by pooch) happens in a temporary folder beside its
goal, is checked there, and is moved into place in one step: whoever interrupts it, or runs it twice at once, leaves
whole files or none.
"""

import contextlib
import os
import queue
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pooch
from tqdm import tqdm

from helpers.data.raw import SETS, BrokenFileError, read

PROBE_SECONDS = 3.0  # a class must not wait longer than this to learn that there is no network
SILENCE_SECONDS = 15.0  # abort a download after this many seconds without a byte
PROJECT = Path(__file__).resolve().parents[2]
STORE = PROJECT / "data"
AS_IT_IS = {"Accept-Encoding": "identity"}  # an archive must not be unpacked on the way, or its checksum is wrong
pooch.get_logger().setLevel("WARNING")


class Found(NamedTuple):
    """The arrays of a set by file name and the root that holds it, both None when it cannot be had; what to tell."""

    arrays: dict[str, np.ndarray] | None
    root: Path | None
    notes: list[str]


_silent_since: dict[str, float] = {}


def first_to_answer(urls: Sequence[str], seconds: float = PROBE_SECONDS) -> str | None:
    """Return the URL whose server answers first, or None after ``seconds``; None is remembered for half a minute."""
    if time.monotonic() - _silent_since.get(urls[0], -1e9) < 30:
        return None
    answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def ask(url: str) -> None:
        try:  # a refusal of this file is an answer too; the download itself will say more
            pooch.HTTPDownloader(timeout=seconds)(url, None, None, check_only=True)
            answers.put(url)
        except Exception:
            answers.put(None)

    for url in urls:  # in threads, because looking up a host name knows no time limit
        threading.Thread(target=ask, args=(url,), daemon=True).start()
    deadline = time.monotonic() + seconds
    with contextlib.suppress(queue.Empty):
        for _ in urls:
            if answered := answers.get(timeout=max(0, deadline - time.monotonic())):
                return answered
    _silent_since[urls[0]] = time.monotonic()
    return None


def fetch(urls: Sequence[str], known_hash: str, path: Path) -> None:
    """Download one file, with a progress bar, and move it into place; a URL that ends in .gz is unpacked.

    Args:
        urls: the file on one or several servers; each is tried twice, that of the quickest server first.
        known_hash: of what the URLs deliver, ``"md5:…"`` or ``"sha256:…"``.
        path: where to put the file.

    Raises:
        ConnectionError: with one sentence: CNN_OFFLINE is set, there is no network, or no server delivers this file.
        OSError: if the folder cannot be written or the disk is full.
    """
    if os.environ.get("CNN_OFFLINE", "0") not in ("", "0"):
        raise ConnectionError("CNN_OFFLINE is set, so no download was tried.")
    if (quickest := first_to_answer(urls)) is None:
        raise ConnectionError("No network: the data server does not answer.")
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(".partial-*"):  # by a process that was killed; a running one touched it lately
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > 3600:
                shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=path.parent, ignore_cleanup_errors=True) as partial:
        for url in sorted(urls, key=lambda url: url != quickest) * 2:
            unpack = pooch.Decompress("gzip", path.name) if url.endswith(".gz") else None
            try:
                with tqdm(total=1, desc=path.name, unit="B", unit_scale=True) as bar:  # pooch will set the total
                    get = pooch.HTTPDownloader(bar, 1 << 16, timeout=SILENCE_SECONDS, headers=AS_IT_IS)
                    ready = pooch.retrieve(url, known_hash, "packed", partial, unpack, get)
            except Exception as problem:  # whatever the server came up with, the lesson goes on
                if isinstance(problem, OSError) and problem.errno:
                    raise  # a matter of the disk: errors of the network carry no number here
                reason = " ".join(str(problem).split())[:200] or type(problem).__name__
                continue
            os.chmod(ready, 0o644)  # a temporary file is readable by its owner only
            os.replace(ready, path)
            return
    raise ConnectionError(f"The download failed twice ({reason}).")


def stores() -> list[Path]:
    """Return the folders of ours, best first: data/, then the user's cache, then a temporary folder."""
    own = "convolutional-networks-by-eye"
    return [STORE, pooch.os_cache(own), Path(tempfile.gettempdir(), own)]


def find(name: str) -> Found:
    """Find the four files of one set, or download them: CNN_DATA, then data/ and its substitutes, then the network.

    A broken file is removed from our own folders and downloaded again. The notes hold one sentence for everything that
    was not as it should be.
    """
    notes = []
    if chosen := os.environ.get("CNN_DATA"):
        # A relative path was given from the project's folder; notebooks run one level below it.
        given = next((path for path in (Path(chosen).expanduser(), PROJECT / chosen) if path.is_dir()), None)
        if given is None:
            notes.append(f"CNN_DATA names {chosen}, which is not a folder, so it is passed over.")
        else:
            try:
                return Found(read(given, name), given, notes)
            except (OSError, ValueError) as problem:
                notes.append(f"{problem}, so the folder named by CNN_DATA is passed over (and left as it is).")
    for root in stores():
        try:
            return Found(read(root, name), root, notes)
        except BrokenFileError as problem:
            notes.append(f"{problem} and was removed.")
            for path in problem.paths:
                try:
                    path.unlink(missing_ok=True)
                except OSError as refusal:
                    notes[-1] = f"{problem} and cannot be removed ({refusal.strerror})."
        except OSError:
            continue
    raw_set = SETS[name]
    for root in stores():
        try:
            for file, (_, _, packed_md5) in raw_set.files.items():
                if not (path := root / raw_set.folder / "raw" / file).is_file():
                    fetch([f"{mirror}{file}.gz" for mirror in raw_set.mirrors], f"md5:{packed_md5}", path)
            arrays = read(root, name)
        except ConnectionError as problem:
            return Found(None, None, [*notes, str(problem)])
        except (OSError, ValueError) as problem:
            notes.append(f"{root} cannot be written ({getattr(problem, 'strerror', None) or problem}).")
        else:
            return Found(arrays, root, notes if root == STORE else [*notes, f"The images are kept in {root} instead."])
    return Found(None, None, notes)
