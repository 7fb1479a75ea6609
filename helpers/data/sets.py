"""Images to learn from: ``load("mnist")`` and ``load("fashion")``, as NumPy arrays.

A pixel is a float in [0, 1], white ink on black. Nothing is normalized, and torch is imported only when tensors are
asked for (``torch()``, :func:`as_tensor`).
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from helpers import display
from helpers.data import download, raw

if TYPE_CHECKING:
    import torch

Array = Union[np.ndarray, "torch.Tensor"]

CLASSES = {
    "mnist": tuple("0123456789"),
    "fashion": (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
}
_REAL = {
    "mnist": "MNIST: handwritten digits by LeCun, Cortes and Burges, the real set, checksums verified",
    "fashion": "FashionMNIST: product photographs by Zalando Research, the real set, checksums verified",
}
_FILES = ((raw.TRAIN_IMAGES, raw.TRAIN_LABELS), (raw.TEST_IMAGES, raw.TEST_LABELS))
_STAND_IN = {
    "mnist": "stand-in for MNIST: scikit-learn's real 8×8 handwritten digits, set into 28×28",
    "fashion": "stand-in for FashionMNIST: garments drawn by this project",
}


def as_tensor(array: Array) -> "torch.Tensor":
    """Return the array as a tensor that shares its memory, where torch can; else a copy."""
    import torch

    if isinstance(array, torch.Tensor):
        return array
    # torch can share neither a read-only array nor one that runs backwards; only these two are copied.
    shareable = array.flags.writeable and all(step >= 0 for step in array.strides)
    return torch.from_numpy(array if shareable else array.copy())


@dataclass(frozen=True, eq=False)
class Split:
    """Images with their labels.

    ``images`` is float32 (N, 1, 28, 28) in [0, 1], ``labels`` is int64 (N,).
    """

    images: Array
    labels: Array

    def __post_init__(self) -> None:
        if not all(hasattr(part, "shape") and hasattr(part, "__getitem__") for part in (self.images, self.labels)):
            raise TypeError("A split is made of two arrays or tensors: images (N, 1, H, W) and labels (N,).")
        if self.labels.ndim != 1:
            raise ValueError(
                f"Images come first, then one label for each; these labels are {tuple(self.labels.shape)}."
            )
        if len(self.images) != len(self.labels):
            raise ValueError(f"Give one label per image: there are {len(self.images)} and {len(self.labels)}.")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Any) -> "Split":
        """Take a part: a number (one image, still (1, 1, 28, 28)), a slice, an index array or a mask.

        As in NumPy, a number or a slice gives a view, an index array or a mask a copy.

        Raises:
            IndexError: if there is no such image.
            TypeError: if it is none of these.
        """
        if index is None or isinstance(index, str | float | tuple):
            raise TypeError(f"Take a number, a slice, an array of numbers or a mask out of a split, not {index!r}.")
        if isinstance(index, int | np.integer) and not isinstance(index, bool | np.bool):
            if not -len(self) <= index < len(self):
                raise IndexError(f"There is no image {index}: this split has {len(self)}, numbered from 0.")
            index = int(index) % len(self)
            index = slice(index, index + 1)
        return Split(self.images[index], self.labels[index])

    def split(self, n: int) -> tuple["Split", "Split"]:
        """Cut in two: the first ``n`` images, and the rest (views of the same memory).

        Raises:
            ValueError: if ``n`` is not a whole number between 0 and the number of images.
        """
        if not isinstance(n, int | np.integer) or not 0 <= n <= len(self):
            raise ValueError(f"Cut at a whole number between 0 and {len(self)}, not at {n!r}.")
        return self[:n], self[n:]

    def torch(self) -> "Split":
        """Return the same images and labels as torch tensors that share their memory with the arrays."""
        return Split(as_tensor(self.images), as_tensor(self.labels))

    def __repr__(self) -> str:
        return f"Split({len(self):,} images {'×'.join(map(str, self.images.shape[1:]))})"


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training and a test split with their class names.

    ``source`` says in words what these images are, the same on every machine; ``real`` is False on the stand-in, so
    a claim reads ``assert accuracy > (0.985 if mnist.real else 0.8)``.
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    source: str
    real: bool

    def torch(self) -> "Dataset":
        """Return the same data set with torch tensors in place of arrays; the memory is shared."""
        return replace(self, train=self.train.torch(), test=self.test.torch())

    def __repr__(self) -> str:
        return f"{self.name}: {len(self.train):,} training and {len(self.test):,} test images ({self.source})"


def load(name: str, first: int | tuple[int, int] | None = None) -> Dataset:
    """Load "mnist" or "fashion", or only the ``first`` images of each split, from the first of these that has it whole:

    1. the folder named by the environment variable CNN_DATA (a torchvision root; it is only ever read),
    2. the project's ``data/`` folder, or the user's cache where that cannot be written,
    3. the network (CNN_OFFLINE=1 skips this),
    4. the offline stand-in, with a notice.

    Every file is checked against its published size and MD5 on each call: a broken one in ``data/`` is downloaded
    again, and in CNN_DATA it is left alone and passed over. The arrays are yours: fresh on each call and writable.

    About the notice: it is shown on each call, since running a cell again would wipe out a notice shown only once.
    In a notebook it is one displayed block, elsewhere a block on stderr. A cell that loads data therefore must not
    carry the tag ``nbval-check-output``: what it shows depends, rightly, on the machine.

    Args:
        name: of the data set.
        first: how many images of each split to keep, one number or (training, test), all if not given; 70,000 fill
            220 MB.

    Raises:
        ValueError: for another name, or a number of images that is none.
    """
    _known(name)
    ends = first if isinstance(first, tuple) else (first, first)
    if len(ends) != 2 or not all(end is None or (isinstance(end, int | np.integer) and end >= 0) for end in ends):
        raise ValueError(f"first is a number of images, or two: (training, test); got {first!r}.")
    found = download.find(name)
    if found.arrays is None:
        from helpers.data import standin

        made = {"mnist": standin.digits, "fashion": standin.garments}[name]()
        train, test = (
            Split(_floats(images[:end]), labels[:end].astype(np.int64))
            for (images, labels), end in zip(made, ends, strict=True)
        )
        dataset = Dataset(name, train, test, CLASSES[name], _STAND_IN[name], real=False)
        display.notice(
            f"NOT THE REAL DATA: {_STAND_IN[name]}",
            [
                *found.notes,
                f"You have {len(train):,} training and {len(test):,} test images in their place.",
                "Every lesson runs on them, but accuracies and pictures will differ from the text.",
                "For the real images: connect to the network, run `make data`, restart the kernel.",
            ],
            "Offline stand-in: what the text says of images and accuracies is true of the real data.",
        )
        return dataset
    if found.notes:
        display.notice(f"A word about where {raw.SETS[name].folder} came from", found.notes)
    train, test = (
        Split(_floats(found.arrays[images][:end]), found.arrays[labels][:end].astype(np.int64))
        for (images, labels), end in zip(_FILES, ends, strict=True)
    )
    return Dataset(name, train, test, CLASSES[name], _REAL[name], real=True)


def _known(name: str) -> None:
    if name not in CLASSES:
        raise ValueError(f'There is no data set {name!r}: choose "mnist" or "fashion".')


def _floats(images: np.ndarray) -> np.ndarray:
    scaled = images[:, None].astype(np.float32)
    scaled /= 255  # in place: 60,000 images are 188 MB
    return scaled
