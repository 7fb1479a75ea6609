"""The hand-made filters: their signs, their sums, and what they answer to."""

import numpy as np
import pytest

from helpers.filters import kernels


def respond(kernel, patch):
    return float((kernel * patch).sum())


BRIGHT_LEFT = np.array([[1, 0, 0]] * 3, np.float32)
BRIGHT_TOP = BRIGHT_LEFT.T


@pytest.mark.parametrize("name", kernels.NAMES)
def test_presets_are_float32_copies(name):
    kernel = kernels.get(name)
    assert kernel.shape == (3, 3)
    assert kernel.dtype == np.float32
    kernel += 100
    assert np.abs(kernels.get(name)).max() < 10
    sentence = kernels.describe(name)
    assert sentence.endswith(".")
    assert sentence.count(".") == 1
    assert len(sentence) < 120


def test_names_and_sentences_are_all_different():
    assert kernels.NAMES[:3] == ("identity", "vertical edges", "horizontal edges")
    assert len({kernels.get(name).tobytes() for name in kernels.NAMES}) == len(kernels.NAMES)
    assert len({kernels.describe(name) for name in kernels.NAMES}) == len(kernels.NAMES)


@pytest.mark.parametrize("name", kernels.NAMES)
def test_sum_is_zero_for_detectors_and_one_for_pictures(name):
    keeps_brightness = {"identity", "box blur", "gaussian blur", "sharpen", "emboss"}
    assert kernels.get(name).sum() == pytest.approx(1 if name in keeps_brightness else 0, abs=1e-6)


def test_horizontal_filter_has_ones_on_top_and_answers_to_horizontal_edges():
    horizontal, vertical = kernels.get("horizontal edges"), kernels.get("vertical edges")
    assert horizontal[0].tolist() == [1, 1, 1]
    assert horizontal[2].tolist() == [-1, -1, -1]
    assert respond(horizontal, BRIGHT_TOP) == 3
    assert respond(horizontal, BRIGHT_LEFT) == 0
    assert respond(vertical, BRIGHT_LEFT) == 3
    assert respond(vertical, BRIGHT_TOP) == 0


def test_diagonal_presets_answer_to_their_own_diagonal_only():
    falling_bright_above = np.triu(np.ones((3, 3)), 1)
    rising_bright_above = falling_bright_above[:, ::-1]
    falling, rising = kernels.get("falling diagonal"), kernels.get("rising diagonal")
    assert respond(falling, falling_bright_above) == 3
    assert respond(falling, rising_bright_above) == 0
    assert respond(rising, rising_bright_above) == 3
    assert respond(rising, falling_bright_above) == 0
    np.testing.assert_array_equal(falling, kernels.diagonal(3))


def test_sobel_measures_the_slope_of_a_ramp():
    to_the_right = np.array([[0, 1, 2]] * 3, np.float32)
    assert respond(kernels.get("sobel x"), to_the_right) == 8  # slope 1, times the weight 8 of the filter
    assert respond(kernels.get("sobel y"), to_the_right) == 0
    assert respond(kernels.get("sobel y"), to_the_right.T) == 8
    assert respond(kernels.get("laplacian"), to_the_right) == 0
    assert respond(kernels.get("emboss"), np.add.outer(range(3), range(3))) > 2  # the identity alone would say 2


def test_diagonal_of_seven():
    kernel = kernels.diagonal()
    assert kernel.shape == (7, 7)
    assert kernel.dtype == np.float32
    assert (np.diag(kernel) == 0).all()
    assert (kernel[np.triu_indices(7, 1)] == 1).all()
    assert (kernel[np.tril_indices(7, -1)] == -1).all()


def test_four_edges_come_from_one_by_negation_and_transposition():
    bank = kernels.four_edges()
    assert bank.shape == (4, 4, 4)
    assert bank.dtype == np.float32
    np.testing.assert_array_equal(bank[0], [[-1, -1, 1, 1]] * 4)
    np.testing.assert_array_equal(bank[1], -bank[0])
    np.testing.assert_array_equal(bank[2], bank[0].T)
    np.testing.assert_array_equal(bank[3], -bank[0].T)
    assert not np.signbit(kernels.four_edges(5)[kernels.four_edges(5) == 0]).any()
    assert kernels.four_edges(5)[0, 0].tolist() == [-1, -1, 0, 1, 1]


@pytest.mark.parametrize("name", kernels.COLORS)
@pytest.mark.parametrize("size", [1, 3, 4])
def test_color_filter_prefers_its_color(name, size):
    corners = {
        "red": (1, 0, 0),
        "green": (0, 1, 0),
        "blue": (0, 0, 1),
        "yellow": (1, 1, 0),
        "magenta": (1, 0, 1),
        "cyan": (0, 1, 1),
        "white": (1, 1, 1),
        "gray": (0.5, 0.5, 0.5),
        "black": (0, 0, 0),
    }
    kernel = kernels.color(name, size)
    assert kernel.shape == (3, size, size)
    assert kernel.dtype == np.float32
    scores = {c: respond(kernel, np.ones((3, size, size)) * np.array(rgb)[:, None, None]) for c, rgb in corners.items()}
    assert scores[name] == pytest.approx(1, abs=1e-5)
    assert max(score for c, score in scores.items() if c != name) < 0.6
    assert [scores[c] for c in ("white", "gray", "black")] == pytest.approx([0, 0, 0], abs=1e-5)
    kernel[:] = 0  # a copy, and writable


def test_spelling_is_forgiven_and_unknown_names_are_listed():
    np.testing.assert_array_equal(kernels.get("Sobel_X"), kernels.get("sobel x"))
    np.testing.assert_array_equal(kernels.get("high pass"), kernels.get("high-pass"))
    for call in (kernels.get, kernels.describe):
        with pytest.raises(ValueError, match=r"no kernel 'sobel z'.*sobel x, sobel y.*emboss\."):
            call("sobel z")
    with pytest.raises(ValueError, match=r"no color 'pink'.*red, green, blue"):
        kernels.color("pink")


@pytest.mark.parametrize("size", [0, -3, 1, 2.5, True, "7", None])
def test_sizes_are_whole_numbers(size):
    for make in (kernels.diagonal, kernels.four_edges):
        with pytest.raises(ValueError, match=r"size is .*whole number, 2 or more"):
            make(size)
