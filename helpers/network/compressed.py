"""Weights as Deep Compression stores them (Han, Mao and Dally 2016): few of them, and few different values.

A file, little endian, holds for a network of L convolutions:

==================================  ====================================================================================
L × uint32                          how many weights n of each layer are stored; all others are 0 (*pruning*)
then layer by layer
256 × float32                       the code book: the only values that weights of this layer have (*quantization*)
filters × float32                   the biases, one for each filter
n × uint8                           a code for each stored weight: its number in the code book
⌈n / 2⌉ bytes of two 4-bit numbers  the gap before each stored weight: how many weights are left out; low half first
==================================  ====================================================================================

The k-th stored weight stands at the sum of (gap + 1) over the first k weights, minus 1, when the weights (filters,
channels, height, width) are written one after another. A gap has room for 15; where a longer one is needed, a weight
with code 0 is stored. Weights that are not stored have code 0, whose value is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

CODES = 256
Shape = tuple[int, int, int, int]


class Stored(NamedTuple):
    """One layer as the file has it.

    Attributes:
        shape: of the weights: filters, channels, height, width.
        book: (256,) float32, the values.
        bias: (filters,) float32.
        codes: (n,) uint8, the code of each stored weight.
        places: (n,) int64, where each stored weight stands among all weights of the layer, ascending.
    """

    shape: Shape
    book: np.ndarray
    bias: np.ndarray
    codes: np.ndarray
    places: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """All weights, float32, of ``shape``."""
        flat = np.full(int(np.prod(self.shape)), self.book[0], dtype=np.float32)
        flat[self.places] = self.book[self.codes]
        return flat.reshape(self.shape)


def decode(content: bytes | np.ndarray, shapes: Sequence[Shape]) -> list[Stored]:
    """Read the bytes of a file whose layers have weights of these shapes, in this order.

    Raises:
        ValueError: if the bytes are no such file; the sentence says what does not fit, and in which layer.
    """
    content = bytes(content)
    at = 0

    def take(kind: str, count: int, what: str) -> np.ndarray:
        nonlocal at
        size = np.dtype(kind).itemsize * count
        if at + size > len(content):
            raise ValueError(f"The file ends after {len(content):,} bytes, within the {what}.")
        values = np.frombuffer(content, kind, count, at)
        at += size
        return values.astype(kind[1:])  # in the byte order of this machine, and one's own

    counts = take("<u4", len(shapes), "numbers of stored weights").tolist()
    layers = []
    for number, (count, shape) in enumerate(zip(counts, shapes, strict=True)):
        name, all_weights = f"layer {number}", int(np.prod(shape))
        if count > all_weights:
            raise ValueError(f"The file promises {count:,} stored weights for {name}, which has {all_weights:,}.")
        book = take("<f4", CODES, f"code book of {name}")
        bias = take("<f4", shape[0], f"biases of {name}")
        codes = take("<u1", count, f"codes of {name}")
        pairs = take("<u1", (count + 1) // 2, f"gaps of {name}")
        if not (np.isfinite(book).all() and np.isfinite(bias).all()):
            raise ValueError(f"The code book or the biases of {name} hold NaN or infinity.")
        gaps = np.stack([pairs & 15, pairs >> 4], axis=1).ravel()[:count]
        places = np.cumsum(gaps.astype(np.int64) + 1) - 1
        if count and places[-1] >= all_weights:
            raise ValueError(f"The gaps of {name} lead to weight {places[-1]:,} of {all_weights:,}.")
        layers.append(Stored(shape, book, bias, codes, places))
    if at != len(content):
        raise ValueError(f"The file has {len(content) - at:,} bytes after its last layer.")
    return layers
