"""The compressed format: what an independent encoder writes is read back; a file that is not whole is not believed."""

import struct

import numpy as np
import pytest

from helpers.network.compressed import CODES, decode

SHAPES = [(4, 3, 3, 3), (2, 4, 1, 1), (5, 2, 1, 1)]


def encode(layers):
    """Weights and biases with at most 255 values a layer, written byte by byte as the format says."""
    heads, bodies = [], []
    for weights, bias in layers:
        values = [0.0, *sorted(set(weights.ravel().tolist()) - {0.0})]
        book = values + [0.0] * (CODES - len(values))
        stored, gap = [], 0
        for value in weights.ravel().tolist():
            if value or gap == 15:
                stored.append((values.index(value), gap))
                gap = 0
            else:
                gap += 1
        nibbles = [gap for _, gap in stored] + [0] * (len(stored) % 2)
        pairs = bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))
        heads.append(struct.pack("<I", len(stored)))
        bodies += [
            struct.pack("<256f", *book),
            struct.pack(f"<{len(bias)}f", *bias),
            bytes(c for c, _ in stored),
            pairs,
        ]
    return b"".join(heads + bodies), [len(b"".join(heads)), *map(len, bodies)]


def sparse(shape, seed, share=0.2):
    rng = np.random.default_rng(seed)
    weights = rng.integers(1, 9, shape).astype(np.float32) / 8 * (rng.random(shape) < share)
    return weights, rng.normal(size=shape[0]).astype(np.float32)


LAYERS = [sparse(shape, i) for i, shape in enumerate(SHAPES)]
CONTENT, PIECES = encode(LAYERS)


def test_what_was_written_is_read_back():
    for (weights, bias), stored in zip(LAYERS, decode(CONTENT, SHAPES), strict=True):
        np.testing.assert_array_equal(stored.weights, weights)
        np.testing.assert_array_equal(stored.bias, bias)
        assert stored.weights.dtype == stored.bias.dtype == np.float32
        assert stored.weights.flags.writeable
        assert stored.bias.flags.writeable
        assert np.count_nonzero(weights) <= len(stored.codes) == len(stored.places)
    np.testing.assert_array_equal(decode(np.frombuffer(CONTENT, np.uint8), SHAPES)[0].weights, LAYERS[0][0])


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_layers_of_any_density(share):
    """None stored at all, gaps of more than 15, odd and even numbers of them, every weight stored."""
    layers = [sparse((6, 5, 3, 3), seed, share) for seed in range(4)]
    for (weights, _), stored in zip(layers, decode(encode(layers)[0], [(6, 5, 3, 3)] * 4), strict=True):
        np.testing.assert_array_equal(stored.weights, weights)


def test_a_file_cut_off_after_any_byte_is_refused():
    for end in range(len(CONTENT)):
        with pytest.raises(ValueError, match=r"The file ends after .* bytes, within the "):
            decode(CONTENT[:end], SHAPES)


@pytest.mark.parametrize("piece", range(len(PIECES)))
def test_the_sentence_names_the_piece_that_is_missing(piece):
    names = ["numbers of stored weights"] + [
        f"{what} of layer {i}" for i in range(3) for what in ("code book", "biases", "codes", "gaps")
    ]
    with pytest.raises(ValueError, match=names[piece]):
        decode(CONTENT[: sum(PIECES[: piece + 1]) - 1], SHAPES)


@pytest.mark.parametrize("extra", [1, 2, 1000])
def test_bytes_after_the_end_are_refused(extra):
    with pytest.raises(ValueError, match=f"The file has {extra:,} bytes after its last layer"):
        decode(CONTENT + bytes(extra), SHAPES)


@pytest.mark.parametrize("layer", range(3))
@pytest.mark.parametrize("count", [10**6, 2**32 - 1])
def test_a_count_that_no_layer_can_hold_is_refused(layer, count):
    content = bytearray(CONTENT)
    content[4 * layer : 4 * layer + 4] = struct.pack("<I", count)
    with pytest.raises(ValueError, match=f"promises {count:,} stored weights for layer {layer}, which has"):
        decode(content, SHAPES)


@pytest.mark.parametrize("by", [-1, 1])
@pytest.mark.parametrize("layer", range(3))
def test_a_count_that_is_off_by_one_is_refused(layer, by):
    content = bytearray(CONTENT)
    (count,) = struct.unpack_from("<I", content, 4 * layer)
    struct.pack_into("<I", content, 4 * layer, count + by)
    with pytest.raises(ValueError, match=r"layer|after its last"):
        decode(content, SHAPES)


def test_gaps_that_run_past_the_end_are_refused():
    content = bytearray(CONTENT)
    at, size = sum(PIECES[:4]), PIECES[4]
    content[at : at + size] = b"\xff" * size
    with pytest.raises(ValueError, match=r"The gaps of layer 0 lead to weight \d+ of 108"):
        decode(content, SHAPES)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("piece", [1, 2, 5, 6, 9, 10])
def test_values_that_are_no_numbers_are_refused(piece, value):
    content = bytearray(CONTENT)
    struct.pack_into("<f", content, sum(PIECES[:piece]), value)
    with pytest.raises(ValueError, match=f"layer {piece // 4} hold NaN or infinity"):
        decode(content, SHAPES)


@pytest.mark.parametrize("content", [b"", b"\0" * 12, b"<html>404</html>" * 100, bytes(range(256)) * 20])
def test_what_is_no_such_file_is_refused(content):
    with pytest.raises(ValueError, match=r"The (file|gaps|code)"):
        decode(content, SHAPES)
