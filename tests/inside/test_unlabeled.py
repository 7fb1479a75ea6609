"""Filters without labels: hidden sources are found again, and filters of photographs are sparser than chance."""

import numpy as np
import pytest
import torch
from scipy.stats import kurtosis

from helpers import data
from helpers.inside import unlabeled
from helpers.inside.transplant import cosines

PICTURES = [data.photo(name) for name in ("china", "flower", "hopper")]


def test_sources_that_were_mixed_are_found_again():
    """Patches that are sums of a few out of ten hidden patterns: each is learned, up to its sign."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(10, 48))
    hidden -= hidden.mean(1, keepdims=True)
    amounts = rng.laplace(size=(20_000, 10)) * (rng.random((20_000, 10)) < 0.2)
    cut = (0.5 + amounts @ hidden).astype(np.float32).reshape(-1, 3, 4, 4)
    found = unlabeled.learn(cut, filters=10, components=10, steps=300, batch=500)
    likeness = cosines(torch.from_numpy(hidden), found.patterns).abs()
    assert likeness.amax(1).min() > 0.9
    assert len(set(likeness.argmax(1).tolist())) == 10
    assert cosines(torch.from_numpy(hidden), found.start).abs().amax(1).mean() < 0.8
    assert found.share == pytest.approx(1, abs=1e-3)


@pytest.fixture(scope="module")
def learned():
    return unlabeled.learn(unlabeled.patches(PICTURES, 20_000, 8), 32, 60, steps=400, batch=1000)


def test_filters_of_photographs_are_sparser_than_random_ones(learned):
    """On patches of a photograph that they never saw: most of the time silent, seldom loud."""
    rows = unlabeled.normalized(unlabeled.patches([data.photo("cat")], 5_000, 8, (1,)))
    rng = torch.Generator().manual_seed(0)
    random = torch.randn(32, rows.shape[1], generator=rng).numpy()
    own, chance = (kurtosis(rows @ f.T, axis=0).mean() for f in (learned.filters.flatten(1).numpy(), random))
    assert own > 2 * chance
    assert learned.losses[0] > 1.15 * np.mean(learned.losses[-50:])


def test_some_filters_compare_colors_and_most_compare_light(learned):
    """A gray pattern has the same weights in all channels; an opponent of colors has opposite ones."""
    red, _, blue = learned.patterns.flatten(2).unbind(1)
    likeness = torch.nn.functional.cosine_similarity(red, blue)
    assert (likeness > 0.8).float().mean() > 0.6
    assert (likeness < 0).sum() >= 1


def test_filters_and_patterns_belong_together(learned):
    """Filter i responds with 1 to pattern i, whatever the whitening stretched in between."""
    own = (learned.filters * learned.patterns).sum((1, 2, 3))
    torch.testing.assert_close(own, torch.ones(32), rtol=0, atol=1e-3)
    assert learned.start.shape == learned.patterns.shape == learned.filters.shape == (32, 3, 8, 8)


def test_the_same_seed_gives_the_same_filters_and_the_callers_numbers_go_on():
    cut = unlabeled.patches(PICTURES, 600, 5)
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002 (the caller's)
    seen = []
    one = unlabeled.learn(cut, 4, 10, 200, batch=100, watch=lambda step, patterns: seen.append((step, patterns)))
    other, third = (unlabeled.learn(cut, 4, 10, 200, batch=100, seed=seed) for seed in (0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert torch.equal(one.filters, other.filters)
    assert not torch.equal(one.filters, third.filters)
    assert [step for step, _ in seen] == [100, 200]
    assert torch.equal(seen[-1][1], one.patterns)
    np.testing.assert_array_equal(cut, unlabeled.patches(PICTURES, 600, 5))
    assert not np.array_equal(cut, unlabeled.patches(PICTURES, 600, 5, seed=1))


def test_patches_are_pieces_of_the_photographs():
    ramp = np.zeros((40, 60, 3), dtype=np.float32)
    ramp[..., 0], ramp[..., 1] = np.arange(40)[:, None] / 40, np.arange(60) / 60
    cut = unlabeled.patches([ramp], 200, 6, (1, 2))
    assert cut.shape == (200, 3, 6, 6)
    steps = np.round(np.diff(cut[:, 0], axis=1) * 40).astype(int)
    assert set(np.unique(steps)) == {1, 2}  # as they are, and shrunk by two
    assert (steps.reshape(200, -1) == 1).all(1).mean() == 0.5
    assert cut[:, 2].max() == 0


def test_normalized_patches_have_no_brightness_and_one_contrast():
    cut = unlabeled.patches(PICTURES, 500, 6)
    rows = unlabeled.normalized(cut)
    np.testing.assert_allclose(rows.mean(1), 0, atol=1e-5)
    assert rows.std(1).max() <= 1
    np.testing.assert_allclose(unlabeled.normalized(0.5 + 0.9 * cut), rows, rtol=0.12, atol=0.01)
    assert not unlabeled.normalized(np.full((1, 3, 4, 4), 0.7)).any()  # an even patch stays even


def test_whitened_patches_vary_equally_and_do_not_correlate():
    rows = unlabeled.normalized(unlabeled.patches(PICTURES, 3_000, 6))
    white = unlabeled.whitening(rows, 20)
    np.testing.assert_allclose(np.cov(white(rows), rowvar=False), np.eye(20), atol=1e-3)
    np.testing.assert_allclose(white.back @ white.forward, np.eye(20), atol=1e-8)
    assert 0.5 < white.share < 1
    rebuilt = white(rows) @ white.back + white.mean
    assert ((rebuilt - rows) ** 2).mean() < (1 - white.share) * 1.01 * rows.var()
    for components in (0, 108, 200):  # without their mean, rows of 108 numbers vary in 107 directions
        with pytest.raises(ValueError, match="do not vary in"):
            unlabeled.whitening(rows, components)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: unlabeled.patches([], 10), "Patches need a photograph"),
        (lambda: unlabeled.patches(PICTURES, 0), "Patches need a photograph"),
        (lambda: unlabeled.patches(PICTURES, 5, scales=(0,)), "Patches need a photograph"),
        (lambda: unlabeled.patches([np.zeros((20, 40, 3))], 5), "at least 33 pixels a side"),
        (lambda: unlabeled.patches([np.zeros((100, 100))], 5), r"photographs \(H, W, 3\)"),
        (lambda: unlabeled.learn(np.zeros((9, 27))), r"Give patches \(N, 3, size, size\)"),
        (lambda: unlabeled.learn(np.zeros((9, 3, 4, 4)), filters=0), "0 filters"),
        (lambda: unlabeled.learn(np.zeros((9, 3, 4, 4)), steps=0), "0 steps"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_in_a_sentence(call, words):
    with pytest.raises(ValueError, match=words) as error:
        call()
    assert "\n" not in str(error.value)


def test_a_filter_hidden_in_a_larger_one_is_found_at_any_place_and_sign():
    rng = torch.Generator().manual_seed(0)
    wanted = torch.randn(4, 3, 3, 3, generator=rng)
    patterns = 0.01 * torch.randn(6, 3, 5, 5, generator=rng)
    for i, (where, row, column, strength) in enumerate(
        [(5, 0, 2, 3.0), (1, 2, 0, -0.5), (0, 1, 1, 2.0), (3, 2, 2, -1)]
    ):
        patterns[where, :, row : row + 3, column : column + 3] += strength * wanted[i]
    found = unlabeled.relatives(patterns, wanted)
    assert found.which.tolist() == [5, 1, 0, 3]
    assert found.cosines.sign().tolist() == [1, -1, 1, -1]
    assert found.cosines.abs().min() > 0.98
    torch.testing.assert_close(found.windows.flatten(1).norm(dim=1), torch.ones(4))
    assert (cosines(found.windows, wanted).diagonal() > 0.98).all()  # turned to the sign of what was wanted


def test_a_nearly_empty_corner_is_no_relative():
    pattern = torch.zeros(1, 1, 4, 4)
    pattern[0, 0, :2, :2] = torch.tensor([[5.0, -5.0], [5.0, -5.0]])
    pattern[0, 0, 2:, 2:] = torch.tensor([[0.1, 0.1], [-0.1, -0.1]])
    wanted = torch.tensor([[[[1.0, 1.0], [-1.0, -1.0]]]])
    assert unlabeled.relatives(pattern, wanted).cosines.abs().item() < 0.8


@pytest.mark.parametrize(
    ("patterns", "wanted"),
    [
        ((2, 3, 4, 4), (2, 3, 5, 5)),
        ((2, 3, 4, 4), (2, 1, 3, 3)),
        ((2, 3, 4), (2, 3, 3, 3)),
        ((0, 3, 4, 4), (2, 3, 3, 3)),
    ],
)
def test_filters_that_cannot_be_relatives_are_refused(patterns, wanted):
    with pytest.raises(ValueError, match="Relatives are looked for"):
        unlabeled.relatives(torch.ones(patterns), torch.ones(wanted))


def test_windows_too_small_for_their_patterns_are_refused():
    with pytest.raises(ValueError, match="too small"):
        unlabeled.relatives(torch.ones(1, 3, 9, 9), torch.ones(1, 3, 2, 2))
