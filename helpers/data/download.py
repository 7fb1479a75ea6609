"""Where the published files are on this machine, and how a file gets here that is not.

Lessons do not use this module; :mod:`helpers.data` does. A download (by pooch) happens in a temporary folder beside its
goal, is checked there, and is moved into place in one step: whoever interrupts it, or runs it twice at once, leaves
whole files or none.
"""

import contextlib
import errno
import os
import queue
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pooch
from tqdm import tqdm

from helpers.data import raw
from helpers.data.raw import BrokenFileError

PROBE_SECONDS = 3.0  # a class must not wait longer than this to learn that there is no network
SILENCE_SECONDS = 15.0  # abort a download that brings no further PIECE in this many seconds
PIECE = 1 << 14  # bytes; less than one in fifteen seconds, and a set would take hours
REFUSED_SECONDS = 30.0  # so long a network that did not answer is not asked again
PROJECT = Path(__file__).resolve().parents[2]
STORE = PROJECT / "data"
AS_IT_IS = {"Accept-Encoding": "identity"}  # an archive must not be unpacked on the way, or its checksum is wrong
pooch.get_logger().setLevel("WARNING")


class Found(NamedTuple):
    """The arrays by file name and the root that holds them, both None when they cannot be had; what to tell."""

    arrays: dict[str, np.ndarray] | None
    root: Path | None
    notes: list[str]


_silent_since: dict[str, float] = {}


def first_to_answer(urls: Sequence[str], seconds: float | None = None) -> str | None:
    """Return the URL whose server answers first, or None after ``seconds``; None is remembered for half a minute."""
    seconds = PROBE_SECONDS if seconds is None else seconds
    if _recently_silent(urls):
        return None
    answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def ask(url: str) -> None:
        try:  # a refusal of this file is an answer too; the download itself will say more
            pooch.HTTPDownloader(timeout=seconds)(url, None, None, check_only=True)
            answers.put(url)
        except Exception as problem:
            answers.put(url if getattr(problem, "response", None) is not None else None)

    for url in urls:  # in threads, because looking up a host name knows no time limit
        threading.Thread(target=ask, args=(url,), daemon=True).start()
    deadline = time.monotonic() + seconds
    with contextlib.suppress(queue.Empty):
        for _ in urls:
            if answered := answers.get(timeout=max(0, deadline - time.monotonic())):
                return answered
    _silent_since[urls[0]] = time.monotonic()
    return None


def _recently_silent(urls: Sequence[str]) -> bool:
    return time.monotonic() - _silent_since.get(urls[0], -1e9) < REFUSED_SECONDS


class _WebPageError(ValueError):
    """A web page came instead of a file."""


class _StalledError(TimeoutError):
    """The server stopped sending, or sends too little to wait for."""


class _Bar(tqdm):
    """A progress bar that ends the download when it has been closed: nobody waits for it anymore."""

    over = False

    def update(self, n: float | None = 1) -> bool | None:
        """Count so many bytes more."""
        if self.over:
            raise InterruptedError
        return super().update(n)


def fetch(urls: Sequence[str], known_hash: str, path: Path) -> None:
    """Download one file, with a progress bar, and move it into place; a URL that ends in .gz is unpacked.

    Args:
        urls: the file on one or several servers; each is tried twice, that of the quickest server first. One that
            falls silent is not tried again.
        known_hash: of what the URLs deliver, ``"md5:…"`` or ``"sha256:…"``.
        path: where to put the file.

    Raises:
        ConnectionError: with one sentence: CNN_OFFLINE is set, there is no network, or no server delivers this file,
            how long that took, and why.
        OSError: if the folder cannot be written or the disk is full.
    """
    if os.environ.get("CNN_OFFLINE", "0") not in ("", "0"):
        raise ConnectionError("CNN_OFFLINE is set, so no download was tried.")
    if _recently_silent(urls):
        raise ConnectionError(
            "No network: no data server answered a moment ago; they are asked again after half a minute."
        )
    if (quickest := first_to_answer(urls)) is None:
        raise ConnectionError(f"No network: no data server answers within {PROBE_SECONDS:.2g} seconds.")
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(".partial-*"):  # by a process that was killed; a running one touched it lately
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > 3600:
                shutil.rmtree(left)
    begun, stalled, reasons = time.monotonic(), set(), []
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=path.parent, ignore_cleanup_errors=True) as partial:
        for url in sorted(urls, key=lambda url: url != quickest) * 2:
            if url in stalled:
                continue
            try:
                ready = _retrieve(url, known_hash, path.name, Path(partial))
            except Exception as problem:  # whatever the server came up with, the lesson goes on
                if isinstance(problem, OSError) and problem.errno:
                    raise  # a matter of the disk: errors of the network carry no number here
                reasons.append(_in_words(problem))
                stalled |= {url} if isinstance(problem, _StalledError) else set()
                continue
            os.chmod(ready, 0o644)  # a temporary file is readable by its owner only
            os.replace(ready, path)
            return
    waited, why = time.monotonic() - begun, "; ".join(dict.fromkeys(reasons))
    raise ConnectionError(f"The download of {path.name} failed after {waited:.0f} seconds: {why}.")


def _retrieve(url: str, known_hash: str, name: str, folder: Path) -> str:
    """Download one file into a folder, checked and unpacked, and return its path.

    A thread does it, so that what brings nothing can be given up, whatever it hangs in: a host name, an answer, a file
    of which a few bytes arrive from time to time.
    """
    unpack = pooch.Decompress("gzip", name) if url.endswith(".gz") else None
    results: queue.SimpleQueue[str | BaseException] = queue.SimpleQueue()
    arrived, is_page = threading.Event(), threading.Event()
    with _Bar(total=1, desc=name, unit="B", unit_scale=True) as bar:  # pooch will set the total
        get = pooch.HTTPDownloader(bar, PIECE, timeout=2 * SILENCE_SECONDS, headers=AS_IT_IS)

        def deliver(address: str, output: str, manager: object) -> None:
            get(address, output, manager)
            arrived.set()
            with open(output, "rb") as delivered:
                if delivered.read(512).lstrip().startswith(b"<"):
                    is_page.set()

        def work() -> None:
            try:
                results.put(pooch.retrieve(url, known_hash, "packed", str(folder), unpack, deliver))
            except BaseException as problem:
                results.put(problem)

        threading.Thread(target=work, daemon=True).start()
        size, since = -1, time.monotonic()
        try:
            while True:
                with contextlib.suppress(queue.Empty):
                    result = results.get(timeout=min(0.2, SILENCE_SECONDS / 4))
                    if isinstance(result, BaseException):
                        raise _WebPageError if is_page.is_set() and isinstance(result, ValueError) else result
                    return result
                if (now := _bytes_in(folder)) != size:
                    size, since = now, time.monotonic()
                if not arrived.is_set() and time.monotonic() - since > SILENCE_SECONDS:
                    raise _StalledError
        finally:
            bar.over = True


def _bytes_in(folder: Path) -> int:
    """The size of everything in a folder in which another thread works."""
    total = 0
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total


def _in_words(problem: Exception) -> str:
    """What a server did, in a clause for somebody who waits for a file; errors are those of pooch and requests."""
    response = getattr(problem, "response", None)
    if isinstance(problem, _WebPageError):
        return (
            "a web page came instead of the file (does this network ask you to log in? Open any page in your "
            "browser, log in, and try again)"
        )
    if isinstance(problem, _StalledError):
        return f"the server sent next to nothing for {SILENCE_SECONDS:.2g} seconds"
    if response is not None and response.is_redirect:
        return "the server sends one in circles"
    if response is not None:
        return f"the server answered {response.status_code} {response.reason}".rstrip()
    if isinstance(problem, ValueError) and "hash" in str(problem):
        return "what came is not the published file"
    return f"the connection broke off ({type(problem).__name__})"


def stores() -> list[Path]:
    """Return the folders of ours, best first: data/, then the user's cache, then a temporary folder."""
    own = "convolutional-networks-by-eye"
    cache = Path(pooch.os_cache(own))  # of a user without a home folder it begins with "~": that is no place
    return [STORE, *[cache] * cache.is_absolute(), Path(tempfile.gettempdir(), own)]


def find(name: str) -> Found:
    """Find the four files of one set, or download them: CNN_DATA, then data/ and its substitutes, then the network.

    A broken file is never believed: in CNN_DATA it is passed over, in our own folders a new download replaces it, and
    until then it stays. The notes hold one sentence for everything that was not as it should be.
    """
    published = raw.SETS[name]
    files = {
        f"{published.folder}/raw/{file}": ([f"{mirror}{file}.gz" for mirror in published.mirrors], f"md5:{packed}")
        for file, (_, _, packed) in published.files.items()
    }
    return _find(lambda root: raw.read(root, name), files)


def find_network() -> Found:
    """Find the file of the network for photographs, or download it, as :func:`find` does."""
    return _find(raw.read_network, {raw.NETWORK.path: (raw.NETWORK.urls, f"sha256:{raw.NETWORK.sha256}")})


def _find(read: Callable[[Path], dict[str, np.ndarray]], files: Mapping[str, tuple[Sequence[str], str]]) -> Found:
    """Read from the first root that has all files whole, after a download if need be.

    Args:
        read: a root → checked arrays, or FileNotFoundError or BrokenFileError.
        files: path under a root → addresses, and the hash of what they deliver.
    """
    notes = []
    if chosen := os.environ.get("CNN_DATA"):
        # A relative path was given from the project's folder; notebooks run one level below it.
        given = next((path for path in (os.path.expanduser(chosen), PROJECT / chosen) if os.path.isdir(path)), None)
        if given is None:
            notes.append(f"CNN_DATA names {chosen}, which is not a folder, so it is passed over.")
        else:
            try:
                return Found(read(Path(given)), Path(given), notes)
            except (OSError, ValueError) as problem:
                notes.append(f"{problem}, so the folder named by CNN_DATA is passed over (and left as it is).")
    broken: list[Path] = []
    for root in stores():
        try:
            return Found(read(root), root, notes)
        except BrokenFileError as problem:
            notes.append(f"{problem} and will be downloaded again.")
            broken += problem.paths
        except OSError:
            continue
    for root in stores():
        try:
            for file, (urls, known_hash) in files.items():
                if not (path := root / file).is_file() or path in broken:
                    fetch(urls, known_hash, path)
            arrays = read(root)
        except ConnectionError as problem:
            return Found(None, None, [*notes, str(problem)])
        except (OSError, ValueError) as problem:
            notes.append(
                f"{root} cannot be written ({getattr(problem, 'strerror', None) or problem}){_advice(problem)}."
            )
        else:
            return Found(arrays, root, notes if root == STORE else [*notes, f"The files are kept in {root} instead."])
    return Found(None, None, notes)


def _advice(problem: Exception) -> str:
    """What to do about an error of the disk, if there is something."""
    full = getattr(problem, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
    return ": free 130 MB there, then run `make data`" if full else ""
