"""The offline stand-in must be worth learning from: the same each time, varied, and neither trivial nor hopeless."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from helpers.data import standin

MAKERS = [standin.digits, standin.garments]


def floats(images):
    return images.astype(np.float32)[:, None] / 255


@pytest.mark.parametrize("make", MAKERS)
def test_shapes_and_types(make):
    for images, labels in make():
        assert images.dtype == np.uint8
        assert images.shape == (len(labels), 28, 28)
        assert set(labels.tolist()) == set(range(10))


def test_sizes():
    (digits, _), (test_digits, _) = standin.digits()
    assert (len(digits), len(test_digits)) == (4 * 1437, 360)
    (garments, labels), (test_garments, test_labels) = standin.garments()
    assert (len(garments), len(test_garments)) == (6000, 1000)
    assert np.bincount(labels).tolist() == [600] * 10
    assert np.bincount(test_labels).tolist() == [100] * 10


def test_the_first_labels_are_those_of_the_real_sets():
    (_, train), (_, test) = standin.digits()
    assert train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert test[:23].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9, 0, 6, 9, 0, 1, 5, 9, 7, 3, 4, 9, 6, 6]
    (_, train), (_, test) = standin.garments()
    assert train[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
    assert test[:10].tolist() == [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]


def test_labels_are_mixed_beyond_the_first_ones():
    for make in MAKERS:
        (_, train), _ = make()
        for start in range(30, len(train) - 500, 500):  # whatever part a lesson takes holds every class
            assert len(set(train[start : start + 100].tolist())) == 10


@pytest.mark.parametrize("make", MAKERS)
def test_another_process_makes_the_same_images(make):
    script = (
        f"import hashlib; from helpers.data import standin; (a, b), (c, d) = standin.{make.__name__}();"
        "print(hashlib.md5(a.tobytes() + b.tobytes() + c.tobytes() + d.tobytes()).hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    (a, b), (c, d) = make()
    assert other == hashlib.md5(a.tobytes() + b.tobytes() + c.tobytes() + d.tobytes()).hexdigest()


@pytest.mark.parametrize("make", MAKERS)
def test_ink_is_white_on_black_inside_the_frame(make):
    for images, _ in make():
        share = (images > 64).mean((1, 2))
        assert (share > 0.02).all()  # no empty picture
        assert (share < 0.8).all()
        assert np.median(images[:, :2, :2]) == 0
        assert (images.reshape(len(images), -1).max(1) > 80).all()


def test_digits_sit_where_mnist_puts_them():
    (_, _), (images, _) = standin.digits()
    weight = images / images.sum((1, 2), keepdims=True, dtype=np.float64)
    middle = np.stack([(weight.sum(2) * np.arange(28)).sum(1), (weight.sum(1) * np.arange(28)).sum(1)])
    assert (abs(middle - 13.5) <= 0.51 + 1e-3).mean() > 0.99
    rows = (images > 64).any(2)
    height = rows.sum(1)
    assert (height <= 20).all()
    assert np.median(height) >= 17


def test_test_digits_are_other_originals_than_the_training_ones():
    (train, _), (test, _) = standin.digits()

    def crops(images):  # every digit cut out along its ink, so that a shift does not hide a copy
        found = set()
        for image in images:
            rows, columns = np.nonzero(image.any(1))[0], np.nonzero(image.any(0))[0]
            found.add(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].tobytes())
        return found

    assert not crops(train) & crops(test)
    # A shift by up to two pixels stays inside the frame, so the variants add no new shapes.
    assert len(crops(train)) <= 1437


def test_every_garment_is_another_one():
    (train, labels), (test, _) = standin.garments()
    assert len({image.tobytes() for image in np.concatenate([train, test])}) == 7000
    for kind in range(10):
        shapes = (train[labels == kind] > 40).reshape(600, -1)
        # On average two of a kind differ in a good part of their outline: cut and lie vary, not only the cloth.
        union = (shapes[:300] | shapes[300:]).sum(1)
        assert ((shapes[:300] ^ shapes[300:]).sum(1) / union).mean() > 0.1


def accuracy_after(epochs, make, network):
    import torch
    from torch.nn.functional import cross_entropy

    (images, labels), (test_images, test_labels) = (
        (torch.from_numpy(floats(x)), torch.from_numpy(y)) for x, y in make()
    )
    torch.manual_seed(0)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(labels)).split(64):
            optimizer.zero_grad()
            cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        return float((model(test_images).argmax(1) == test_labels).float().mean())


@pytest.fixture(autouse=True)
def one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("make", MAKERS)
def test_a_convolutional_network_learns_it_in_two_epochs(make):
    from helpers.network.models import ConvNet

    assert accuracy_after(2, make, lambda: ConvNet(filters=(16, 32), hidden=64)) > 0.9


def test_garments_are_not_so_easy_that_a_linear_model_would_do():
    from torch import nn

    linear = accuracy_after(2, standin.garments, lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 10)))
    assert 0.5 < linear < 0.95


def test_begin_with_moves_only_what_it_must():
    labels = np.array([3, 1, 2, 1, 3])
    assert standin.begin_with(labels, (1, 3, 1)).tolist() == [1, 0, 3, 2, 4]
