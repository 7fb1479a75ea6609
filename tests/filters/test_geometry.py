"""Output sizes against brute force and torch, receptive fields against the gradient of real networks."""

import numpy as np
import pytest
import torch
from torch import nn

from helpers.filters.convolve import ReceptiveField, leftover, output_size, receptive_field

torch.set_num_threads(1)
CANONICAL = [(3, 1, 0), (2, 2, 0), (3, 1, 0), (2, 2, 0)]  # conv 3, pool 2, conv 3, pool 2


def test_output_size_counts_the_windows():
    for n in range(1, 12):
        for kernel in range(1, 5):
            for stride in range(1, 4):
                for padding in range(3):
                    for dilation in range(1, 3):
                        last = n + 2 * padding - dilation * (kernel - 1)  # one past the last start
                        starts = range(0, max(last, 0), stride)
                        arguments = (n, kernel, stride, padding, dilation)
                        if not starts:
                            for function in (output_size, leftover):
                                with pytest.raises(ValueError, match="does not fit"):
                                    function(*arguments)
                            continue
                        assert output_size(*arguments) == len(starts)
                        assert leftover(*arguments) == last - 1 - starts[-1]


def test_sizes_named_in_the_lessons():
    assert output_size(28, 7, 7) == 4
    assert output_size(28, 7, 2) == 11
    assert leftover(28, 7, 2) == 1
    assert [output_size(28, 3), output_size(26, 2, 2), output_size(13, 3), output_size(11, 2, 2)] == [26, 13, 11, 5]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 3), "the input size is 0: give a whole number, 1 or more"),
        ((28, 0), "the kernel size is 0"),
        ((28, 3, 0), "stride is 0"),
        ((28, 3, -2), "stride is -2"),
        ((28, 3, 1, -1), "padding is -1"),
        ((28, 3, 1, 0, 0), "dilation is 0"),
        ((28, 3, 1.0), r"stride is 1\.0"),
        ((True, 1), "the input size is True"),
    ],
)
def test_numbers_without_sense_are_named(arguments, words):
    for function in (output_size, leftover):
        with pytest.raises(ValueError, match=words):
            function(*arguments)


def seen_by(network, shape, row, column):
    """The smallest box of input pixels with a gradient from one unit: the receptive field as the network has it."""
    image = torch.rand(1, 1, *shape, dtype=torch.float64, requires_grad=True)
    network(image)[0, :, row, column].sum().backward()
    touched = image.grad[0, 0].numpy() != 0
    box = []
    for axis in (1, 0):
        where = np.flatnonzero(touched.any(axis))
        box.append(slice(int(where[0]), int(where[-1]) + 1) if len(where) else slice(0, 0))
    return tuple(box)


def blocks(layers):
    """A network of those layers whose gradient is nowhere zero by chance: positive weights, average pooling."""
    convolutions = [nn.Conv2d(1, 1, k, s, p, d, dtype=torch.float64) for k, s, p, d in layers]
    for convolution in convolutions:
        nn.init.uniform_(convolution.weight, 0.5, 1.0)
    return nn.Sequential(*convolutions)


def test_canonical_network():
    fields = receptive_field(CANONICAL)
    assert [(f.size, f.jump, f.start) for f in fields] == [(3, 1, 0), (4, 2, 0), (8, 2, 0), (10, 4, 0)]
    assert [field.units(28) for field in fields] == [26, 13, 11, 5]
    layers = [nn.Conv2d(1, 3, 3), nn.AvgPool2d(2), nn.Conv2d(3, 3, 3), nn.AvgPool2d(2)]
    network = nn.Sequential(*layers).double()
    for depth, field in enumerate(fields, 1):
        last = field.units(28) - 1
        for row, column in ((0, 0), (0, last), (last, 2), (1, 3)):
            assert field.box(row, column, (28, 28)) == seen_by(network[:depth], (28, 28), row, column)
    image = np.zeros((1, 28, 28))
    image[..., *fields[-1].box(4, 0, image.shape)] = 1
    assert image.sum() == 100
    assert image[0, 16:26, 0:10].all()


def random_chain(rng):
    return [tuple(int(rng.integers(low, high)) for low, high in ((1, 5), (1, 3), (0, 3), (1, 3))) for _ in range(3)]


def test_random_networks_agree_with_their_gradient():
    rng = np.random.default_rng(0)
    exact = loose = 0
    while exact < 60 or loose < 60:
        layers = random_chain(rng)
        shape = tuple(map(int, rng.integers(12, 30, 2)))
        network = blocks(layers)
        for depth, field in enumerate(receptive_field(layers), 1):
            try:
                rows, columns = network[:depth](torch.zeros(1, 1, *shape, dtype=torch.float64)).shape[2:]
            except RuntimeError:  # this layer does not fit, and we say so too
                with pytest.raises(ValueError, match="does not fit"):
                    [field.units(n) for n in shape]
                break
            assert (field.units(shape[0]), field.units(shape[1])) == (rows, columns)
            gapless = all(dilation == 1 and stride <= kernel for kernel, stride, _, dilation in layers[:depth])
            for unit in ((0, 0), (rows - 1, columns - 1), (rows // 2, 0)):
                box, seen = field.box(*unit, shape), seen_by(network[:depth], shape, *unit)
                for ours, real, index, n in zip(box, seen, unit, shape, strict=True):
                    first = field.start + index * field.jump
                    assert max(first, 0) <= ours.start or ours == slice(0, 0)
                    assert ours.stop <= min(first + field.size, n) or ours == slice(0, 0)
                    if real == slice(0, 0):
                        continue  # nothing but padding in one direction hides the other direction too
                    if gapless:
                        assert ours == real
                        exact += 1
                    else:  # windows with gaps between their samples see less than their box
                        assert ours.start <= real.start < real.stop <= ours.stop
                        loose += 1


def test_boxes_are_clipped_and_units_must_exist():
    field = receptive_field([(5, 2, 2)])[0]
    assert field == ReceptiveField(size=5, jump=2, start=-2)
    assert field.box(0, 3, (8, 8)) == (slice(0, 3), slice(4, 8))
    assert field.units(8) == 4
    with pytest.raises(ValueError, match="there is no unit 4: on 8 input pixels this layer has 4"):
        field.box(0, 4, (8, 8))
    with pytest.raises(ValueError, match="the unit is -1"):
        field.box(-1, 0, (8, 8))
    wide = receptive_field([(1, 1, 2)])[0]  # its outermost units see nothing but padding
    image = np.ones((4, 4))
    assert image[wide.box(0, 0, image.shape)].size == 0
    assert image[wide.box(7, 7, image.shape)].size == 0
    assert image[wide.box(2, 5, image.shape)].size == 1


def test_layers_written_otherwise_are_named():
    assert receptive_field([]) == []
    assert receptive_field([(3, 1, 0, 2)])[0].size == 5
    assert receptive_field([(3, 1, 1), (1, 1, 0)])[1] == ReceptiveField(size=3, jump=1, start=-1)
    for layer in (3, (3,), (3, 1), (3, 1, 0, 1, 1), None):
        with pytest.raises(ValueError, match=r"layer 1 is .*write it as"):
            receptive_field([(3, 1, 0), layer])
    with pytest.raises(ValueError, match="stride is 0"):
        receptive_field([(3, 0, 0)])
