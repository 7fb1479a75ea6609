"""The weight ledger: the numbers of the syllabus come out of it, and its bars are as long as it says."""

import re

import numpy as np
import pytest
import torch

from helpers.explorers.weight_ledger import WeightLedger
from helpers.filters.ledger import accounts, dense_rival
from helpers.plots.window_places import places


def written(tool):
    """Every text in the picture, in one string."""
    return " ".join(text.get_text() for axes in tool.figure.axes for text in axes.texts)


def test_the_ledger_of_the_lesson():
    dense, window, slid = accounts()
    assert (dense.filters, dense.values, dense.following, dense.total) == (15_700, 20, 210, 15_910)
    assert (window.filters, window.values, window.following, window.total) == (2_020, 20, 210, 2_230)
    assert (slid.filters, slid.places, slid.values, slid.following) == (2_020, 361, 7_220, 72_210)


@pytest.mark.parametrize(("window", "stride", "units", "outputs", "side"), [(10, 1, 20, 10, 28), (5, 3, 7, 4, 17)])
def test_layers_of_pytorch_have_as_many_weights(window, stride, units, outputs, side):
    def parameters(*layers):
        return sum(p.numel() for layer in layers for p in layer.parameters())

    dense, one, slid = accounts(window, stride, units, outputs, side)
    convolution = torch.nn.Conv2d(1, units, window, stride)
    reader = torch.nn.Linear(convolution(torch.zeros(1, 1, side, side)).numel(), outputs)
    assert slid.total == parameters(convolution, reader)
    assert dense.total == parameters(torch.nn.Linear(side * side, units), torch.nn.Linear(units, outputs))
    assert one.total == parameters(torch.nn.Linear(window * window, units), torch.nn.Linear(units, outputs))


@pytest.mark.parametrize(("window", "stride", "units", "outputs", "side"), [(10, 1, 20, 10, 28), (5, 3, 7, 4, 17)])
def test_the_dense_rival_passes_on_as_many_values_and_has_the_weights_of_a_dense_layer(
    window, stride, units, outputs, side
):
    slid = accounts(window, stride, units, outputs, side)[2]
    rival = dense_rival(slid, side)
    dense, reader = torch.nn.Linear(side * side, slid.values), torch.nn.Linear(slid.values, outputs)
    assert rival.values == slid.values
    assert rival.filters == sum(p.numel() for p in dense.parameters())
    assert rival.following == slid.following == sum(p.numel() for p in reader.parameters())


def test_a_window_as_large_as_the_image_is_a_dense_layer():
    assert len({book.total for book in accounts(window=28)}) == 1


@pytest.mark.parametrize("wrong", [{"window": 29}, {"window": 0}, {"stride": 0}, {"units": 0}, {"outputs": -1}])
def test_what_cannot_be_is_named(wrong):
    with pytest.raises(ValueError, match=r"window|stride|unit|kernel"):
        accounts(**wrong)


def test_the_picture_says_every_number_of_the_arithmetic():
    tool = WeightLedger()
    text = written(tool)
    for number in (
        "15,910",
        "2,230",
        "74,230",
        "(784+1)·20 = 15,700",
        "19·19·20 = 7,220",
        "(7,220+1)·10 = 72,210",
        "(784+1)·7,220 = 5,667,700",
        "5,739,910: 77 times the longest bar above",
    ):
        assert number in text
    tool.set(window=7, stride=5, units=3, outputs=2)
    assert "5·5·3 = 75" in written(tool)
    assert "last row and column" in written(tool)


def test_the_bars_are_to_scale():
    tool = WeightLedger(units=12, window=6, stride=2)
    books = accounts(6, 2, 12, 10)
    books = (*books, dense_rival(books[2]))
    scale = [
        (filters.get_width() / book.filters, following.get_width() / book.following)
        for (filters, following), book in zip(tool._bars, books, strict=True)
    ]
    assert len({round(s, 9) for pair in scale for s in pair}) == 1


def test_only_a_bar_that_leaves_the_picture_is_torn_and_says_how_long_it_would_be():
    tool = WeightLedger(window=28)
    assert not tool._tear.get_visible()
    assert "times" not in written(tool)
    tool.set(window=27)
    assert tool._tear.get_visible()
    assert "times the longest bar above" in written(tool)


@pytest.mark.parametrize("extreme", [{"window": 1}, {"window": 28}, {"stride": 10}, {"units": 64, "outputs": 100}])
def test_every_setting_can_be_drawn(extreme):
    tool = WeightLedger(**extreme)
    assert tool.error.value == ""
    assert re.search(r"\d", written(tool))


@pytest.mark.parametrize(("side", "stride", "dots"), [(28, 1, 19), (28, 3, 7), (5000, 1, 40)])
def test_a_dot_stands_for_each_place_but_a_large_image_gets_no_more_than_can_be_told_apart(side, stride, dots):
    tool = WeightLedger(side, window=10, stride=stride)
    drawn = {x for x in tool._dots[2].get_xdata()}
    assert len(drawn) == dots
    assert max(drawn) > (0.9 if side > 28 else 0) * side
    assert "last row" not in written(tool) or stride > 1


def test_places_tells_windows_that_fit_from_those_that_run_off():
    image = np.zeros((6, 6))
    every = [(row, column) for row in range(0, 6, 2) for column in range(0, 6, 2)]
    picture = places([image, np.pad(image, ((0, 2), (0, 2)))], ["ragged", "padded"], [every, every], 4, inside=(6, 6))
    dots = [[len(line.get_xdata()) for line in axes.lines] for axes in picture.figure.axes]
    assert dots == [[4, 5], [9, 0]]
    assert "ragged" in picture.alt


@pytest.mark.parametrize(("titles", "starts"), [([], [[(0, 0)]]), (["a"], []), (["a"], [[]])])
def test_places_names_what_is_missing(titles, starts):
    with pytest.raises(ValueError, match="Every image needs a title and at least one starting point"):
        places([np.zeros((6, 6))], titles, starts, 3)
