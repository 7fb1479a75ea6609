"""The planted mark: in its place, one place for each class, nothing else changed."""

import numpy as np
import pytest
import torch

from helpers.data import shortcuts


@pytest.mark.parametrize("size", [1, 3, 5])
def test_each_class_has_a_place_of_its_own_inside_the_image(size):
    masks = shortcuts.mark_masks(np.arange(10), size)
    assert (masks.sum((1, 2)) == size * size).all()
    assert masks.sum(0).max() == 1
    assert not masks[:, [0, -1]].any()
    assert not masks[:, :, [0, -1]].any()
    for mask, (row, column) in zip(masks, shortcuts.mark_corners(np.arange(10), size), strict=True):
        assert mask[row : row + size, column : column + size].all()


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_the_mark_is_all_that_changes(kind):
    rng = np.random.default_rng(0)
    images, labels = rng.random((6, 3, 28, 28), dtype=np.float32), np.array([0, 4, 5, 9, 2, 2])
    before = images.copy()
    given = torch.from_numpy(images) if kind == "torch" else images
    marked = shortcuts.plant_mark(given, torch.from_numpy(labels) if kind == "torch" else labels, value=0.7)
    assert type(marked) is type(given)
    assert marked.dtype == given.dtype
    marked = np.asarray(marked)
    where = np.broadcast_to(shortcuts.mark_masks(labels)[:, None], images.shape)
    assert (marked[where] == np.float32(0.7)).all()
    assert (marked[~where] == before[~where]).all()
    assert (images == before).all()


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="10 marks of 9×9 do not fit"):
        shortcuts.mark_masks([1], size=9)
    with pytest.raises(ValueError, match="Labels go from 0 to 9, these from 0 to 10"):
        shortcuts.mark_corners([0, 10])
    with pytest.raises(ValueError, match=r"Expected square images \(N, C, H, W\) and N labels"):
        shortcuts.plant_mark(np.zeros((2, 1, 28, 28)), [1])
