"""The published files, of MNIST, FashionMNIST and the network for photographs: which they are, whether they are whole.

A file is believed only when its size and its checksum are those of the published one, each time it is read.
"""

import functools
import hashlib
import mmap
from pathlib import Path
from typing import NamedTuple

import numpy as np

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


_md5 = functools.partial(hashlib.md5, usedforsecurity=False)


class RawSet(NamedTuple):
    """One published data set: its folder under a torchvision root, the servers that have it, and its four files.

    For each file: its size in bytes and its MD5, and the MD5 of the gzip archive in which it is downloaded.
    """

    folder: str
    mirrors: tuple[str, ...]
    files: dict[str, tuple[int, str, str]]


SETS = {
    "mnist": RawSet(
        "MNIST",
        ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
        {
            TRAIN_IMAGES: (47_040_016, "6bbc9ace898e44ae57da46a324031adb", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
            TRAIN_LABELS: (60_008, "a25bea736e30d166cdddb491f175f624", "d53e105ee54ea40749a09fcbcd1e9432"),
            TEST_IMAGES: (7_840_016, "2646ac647ad5339dbf082846283269ea", "9fb629c4189551a2d022fa330f9573f3"),
            TEST_LABELS: (10_008, "27ae3e4e09519cfbb04c329615203637", "ec29112dd5afa0611ce80d1b7f02629c"),
        },
    ),
    "fashion": RawSet(
        "FashionMNIST",
        (
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        {
            TRAIN_IMAGES: (47_040_016, "f4a8712d7a061bf5bd6d2ca38dc4d50a", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            TRAIN_LABELS: (60_008, "9018921c3c673c538a1fc5bad174d6f9", "25c81989df183df01b3e8a0aad5dffbe"),
            TEST_IMAGES: (7_840_016, "8181f5470baa50b63fa0f6fddb340f0a", "bef4ecab320f06d8554ea6380940ec79"),
            TEST_LABELS: (10_008, "15d484375f8d13e6eb1aabb0c3f46965", "bb300cfdad3c16e7a12a480ee83cd310"),
        },
    ),
}


class RawFile(NamedTuple):
    """One published file: where it lies under a root, the addresses that have it, its size in bytes and its SHA-256."""

    path: str
    urls: tuple[str, ...]
    size: int
    sha256: str


_SQUEEZENET = "songhan/SqueezeNet-Deep-Compression", "fb13faa2cf121ced9999f8a9d538ec6c56084733"
#: SqueezeNet 1.0 as its authors compressed it; helpers.network.compressed reads it.
NETWORK = RawFile(
    "photonet/compressed_SqueezeNet.net",
    (
        "https://raw.githubusercontent.com/{}/{}/compressed_SqueezeNet.net".format(*_SQUEEZENET),
        "https://cdn.jsdelivr.net/gh/{}@{}/compressed_SqueezeNet.net".format(*_SQUEEZENET),
    ),
    675_763,
    "e4ab6960ae8cd81505e1c2136921201507e930966c53deaf15862a395b3a3261",
)


class BrokenFileError(ValueError):
    """A file is there and is not the published one; ``paths`` names every such file."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        names = ", ".join(path.name for path in paths)
        super().__init__(f"{names} in {paths[0].parent} failed the size and checksum test")


def parse(content: bytes | mmap.mmap) -> np.ndarray:
    """Turn the bytes of one IDX file into a read-only uint8 array (the format of LeCun's MNIST page, 1998).

    Raises:
        ValueError: when the bytes are not such a file.
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

    Returns:
        uint8 arrays by file name.

    Raises:
        FileNotFoundError: if a file is missing.
        BrokenFileError: if a file is not the published one.
    """
    raw = root / SETS[name].folder / "raw"
    arrays: dict[str, np.ndarray] = {}
    broken, missing = [], []
    for file, (size, md5, _) in SETS[name].files.items():
        path = raw / file
        if not path.is_file():
            missing.append(file)
            continue
        # Checked in pieces and then mapped into memory: only the images that are used take room.
        with path.open("rb") as opened:
            if path.stat().st_size == size and hashlib.file_digest(opened, _md5).hexdigest() == md5:
                arrays[file] = parse(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
            else:
                broken.append(path)
    if broken:
        raise BrokenFileError(broken)
    if missing:
        raise FileNotFoundError(f"{root} holds no {SETS[name].folder}/raw/{missing[0]}")
    return arrays


def read_network(root: Path) -> dict[str, np.ndarray]:
    """Read the file of the network for photographs under a root, checked against its size and SHA-256.

    Returns:
        its bytes, uint8, by file name.

    Raises:
        FileNotFoundError: if the file is missing.
        BrokenFileError: if it is not the published one.
    """
    path = root / NETWORK.path
    if not path.is_file():
        raise FileNotFoundError(f"{root} holds no {NETWORK.path}")
    content = path.read_bytes() if path.stat().st_size == NETWORK.size else b""
    if hashlib.sha256(content).hexdigest() != NETWORK.sha256:
        raise BrokenFileError([path])
    return {path.name: np.frombuffer(content, np.uint8)}
