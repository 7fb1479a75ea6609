"""The raw files of MNIST and FashionMNIST: which they are, whether they are whole, and how they are fetched.

Lessons do not use this module; :mod:`helpers.data` does. Two promises live here:

* A file is believed only when its size and its MD5 checksum are those of the published one, each time it is read.
* A download happens in a temporary folder beside its goal, is checked there, and is moved into place file by file in
  one step each. Whoever interrupts it, or runs it twice at once, leaves whole files or none.
"""

import contextlib
import errno
import hashlib
import os
import shutil
import socket
import tempfile
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# The published raw files, unpacked: size in bytes and MD5 of each.
TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"

PROBE_SECONDS = 3.0  # a class must not wait longer than this to learn that there is no network
SILENCE_SECONDS = 15.0  # a download that says nothing for so long has died
ROOM_BYTES = 120_000_000  # packed and unpacked files of one set together, rounded up
PROJECT = Path(__file__).resolve().parents[2]
STORE = PROJECT / "data"
_UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.ENOTDIR, errno.EEXIST}
_UNWRITABLE.add(getattr(errno, "EDQUOT", errno.ENOSPC))  # Windows knows no quota error


@dataclass(frozen=True)
class RawSet:
    """One published data set: the torchvision class and folder it goes by, its server, its four files."""

    folder: str
    server: str
    files: dict[str, tuple[int, str]]


SETS = {
    "mnist": RawSet(
        "MNIST",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        {
            TRAIN_IMAGES: (47_040_016, "6bbc9ace898e44ae57da46a324031adb"),
            TRAIN_LABELS: (60_008, "a25bea736e30d166cdddb491f175f624"),
            TEST_IMAGES: (7_840_016, "2646ac647ad5339dbf082846283269ea"),
            TEST_LABELS: (10_008, "27ae3e4e09519cfbb04c329615203637"),
        },
    ),
    "fashion": RawSet(
        "FashionMNIST",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        {
            TRAIN_IMAGES: (47_040_016, "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
            TRAIN_LABELS: (60_008, "9018921c3c673c538a1fc5bad174d6f9"),
            TEST_IMAGES: (7_840_016, "8181f5470baa50b63fa0f6fddb340f0a"),
            TEST_LABELS: (10_008, "15d484375f8d13e6eb1aabb0c3f46965"),
        },
    ),
}


class BrokenFileError(ValueError):
    """A file is there and is not the published one; ``paths`` names every such file."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        names = ", ".join(path.name for path in paths)
        super().__init__(f"{names} in {paths[0].parent} failed the size and checksum test")


def parse(content: bytes) -> np.ndarray:
    """Turn the bytes of one IDX file into a read-only uint8 array (the format of LeCun's MNIST page, 1998).

    Raises ValueError when the bytes are not such a file.
    """
    if len(content) < 4 or content[:3] != b"\0\0\x08" or len(content) < 4 + 4 * content[3]:
        raise ValueError("this is not an IDX file of bytes: it should begin with 00 00 08 and its number of axes.")
    shape = tuple(np.frombuffer(content, ">u4", count=content[3], offset=4).tolist())
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * content[3])
    if values.size != np.prod(shape, dtype=np.int64):
        raise ValueError(f"the IDX header promises the shape {shape}, but {values.size} values follow it.")
    return values.reshape(shape)


def read(root: Path, name: str) -> dict[str, np.ndarray]:
    """Read the four files of one set under the torchvision root ``root``, each checked against its size and MD5.

    Returns {file name: uint8 array}. Raises FileNotFoundError (a file is missing), BrokenFileError, or OSError.
    """
    raw, arrays, broken = root / SETS[name].folder / "raw", {}, []
    missing = [file for file in SETS[name].files if not (raw / file).is_file()]
    for file, (size, checksum) in SETS[name].files.items():
        if file in missing:
            continue
        content = (raw / file).read_bytes() if (raw / file).stat().st_size == size else b""
        # The bytes that were checked are the bytes that are used: nothing can change in between.
        if hashlib.md5(content, usedforsecurity=False).hexdigest() == checksum:
            arrays[file] = parse(content)
        else:
            broken.append(raw / file)
    if broken:
        raise BrokenFileError(broken)
    if missing:
        raise FileNotFoundError(f"{root} holds no {SETS[name].folder}/raw/{missing[0]}")
    return arrays


_silent_since: dict[str, float] = {}


def reachable(url: str, seconds: float = PROBE_SECONDS) -> bool:
    """Tell within ``seconds`` whether the server of ``url`` answers at all; a "no" is remembered for half a minute.

    The question is asked in a thread of its own because looking up a host name knows no time limit.
    """
    if time.monotonic() - _silent_since.get(url, -1e9) < 30:
        return False
    answered = threading.Event()

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "pytorch/vision"})
        try:
            urllib.request.urlopen(request, timeout=seconds).close()
        except urllib.error.HTTPError:
            pass  # a refusal of this page is an answer too; the download itself will say more
        except Exception:
            asked.set()
            return
        answered.set()
        asked.set()

    asked = threading.Event()
    threading.Thread(target=ask, daemon=True).start()
    asked.wait(seconds)
    if not answered.is_set():
        _silent_since[url] = time.monotonic()
    return answered.is_set()


def _torchvision(name: str, root: str) -> None:
    """Let torchvision download and unpack one set under ``root``, with its own progress bars and checksums."""
    from torchvision import datasets

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE_SECONDS)  # torchvision sets none and would wait for ever
    try:
        getattr(datasets, SETS[name].folder)(root, download=True)
    finally:
        socket.setdefaulttimeout(before)


def _sweep(root: Path) -> None:
    """Remove what a killed download left behind: temporary folders nobody has touched for an hour."""
    for folder in root.glob(".partial-*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > 3600:
                shutil.rmtree(folder, ignore_errors=True)


def _download_into(root: Path, name: str) -> dict[str, np.ndarray]:
    root.mkdir(parents=True, exist_ok=True)
    _sweep(root)
    if shutil.disk_usage(root).free < ROOM_BYTES:
        raise OSError(errno.ENOSPC, f"fewer than {ROOM_BYTES // 1_000_000} MB are free")
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=root, ignore_cleanup_errors=True) as partial:
        _torchvision(name, partial)
        arrays = read(Path(partial), name)
        goal = root / SETS[name].folder / "raw"
        goal.mkdir(parents=True, exist_ok=True)
        for file in arrays:
            os.replace(Path(partial) / SETS[name].folder / "raw" / file, goal / file)
    return arrays


def download(name: str, roots: list[Path]) -> tuple[dict[str, np.ndarray], Path, list[str]]:
    """Download one set into the first of ``roots`` that can be written.

    Returns the arrays, the root that now holds them, and a sentence for each root that had to be passed over.
    Raises ConnectionError with one sentence when there is no network (or CNN_OFFLINE is set), when the server does
    not deliver, or when nothing can be written.
    """
    if os.environ.get("CNN_OFFLINE", "0") not in ("", "0"):
        raise ConnectionError("CNN_OFFLINE is set, so no download was tried.")
    if not reachable(SETS[name].server):
        raise ConnectionError("No network: the data server does not answer.")
    passed_over = []
    for root in roots:
        for last_try in (False, True):
            try:
                return _download_into(root, name), root, passed_over
            except OSError as problem:
                if problem.errno in _UNWRITABLE:
                    passed_over.append(f"{root} cannot be written ({problem.strerror}).")
                    break
                reason = str(problem)
            except Exception as problem:  # whatever torchvision or the server came up with, the lesson goes on
                reason = str(problem) or type(problem).__name__
            if last_try:
                reason = " ".join(reason.split())[:200]
                raise ConnectionError(f"The download failed twice ({reason}).")
    raise ConnectionError(" ".join(passed_over))


def stores() -> list[Path]:
    """Folders of ours, best first: data/, then the user's cache, then a temporary folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path("~/.cache").expanduser()
    own = "convolutional-networks-by-eye"
    return [STORE, Path(cache, own), Path(tempfile.gettempdir(), own)]


def find(name: str) -> tuple[dict[str, np.ndarray] | None, Path | None, list[str]]:
    """Find the four files of one set, or download them: CNN_DATA, then data/ and its substitutes, then the network.

    Returns the arrays, the root they are under (both None when the set cannot be had), and one sentence for everything
    that was not as it should be.
    """
    notes = []
    if chosen := os.environ.get("CNN_DATA"):
        # A relative path was given from the project's folder; notebooks run one level below it.
        root = next((path for path in (Path(chosen).expanduser(), PROJECT / chosen) if path.is_dir()), None)
        if root is None:
            notes.append(f"CNN_DATA names {chosen}, which is not a folder, so it is passed over.")
        else:
            try:
                return read(root, name), root, notes
            except (OSError, ValueError) as problem:
                notes.append(f"{problem}, so the folder named by CNN_DATA is passed over (and left as it is).")
    for root in stores():
        try:
            return read(root, name), root, notes
        except BrokenFileError as problem:
            notes.append(f"{problem} and was removed.")
            for path in problem.paths:
                try:
                    path.unlink(missing_ok=True)
                except OSError as refusal:
                    notes[-1] = f"{problem} and cannot be removed ({refusal.strerror})."
        except OSError:
            continue
    try:
        arrays, root, passed_over = download(name, stores())
    except ConnectionError as problem:
        return None, None, [*notes, str(problem)]
    if passed_over:
        passed_over.append(f"The images are kept in {root} instead.")
    return arrays, root, notes + passed_over
