"""The first-layer browser: filters as they are, the patches that excite them, and what its titles say."""

import numpy as np
import pytest
import torch

from helpers.explorers.first_layer import ALL, COLUMNS, FirstLayerBrowser
from helpers.inside.patches import most_exciting
from helpers.network import photonet

SIDE = 7 + 1  # a filter and the line behind it


@pytest.fixture(scope="module")
def tool():
    torch.manual_seed(0)
    photographs = {"wide": torch.rand(3, 45, 63), "high": torch.rand(3, 63, 45), "gray": torch.full((3, 31, 31), 0.5)}
    return FirstLayerBrowser({"one": photonet.untrained(), "other": photonet.untrained(1)}, photographs)


def tile(tool, sheet, number):
    row, column = divmod(number, COLUMNS)
    shown = np.asarray(tool._pictures[sheet].get_array())
    return shown[row * SIDE :, column * SIDE :][:7, :7]


@pytest.mark.parametrize("number", [0, 12, 95])
@pytest.mark.parametrize("network", ["one", "other"])
def test_both_sheets_show_the_same_filter_at_the_same_place(tool, network, number):
    tool.set(number=number, photograph=ALL, network=network)
    model = tool.models[network]
    found = most_exciting(model, tool.photographs)
    weights = model.conv1.weight[number].detach().numpy().transpose(1, 2, 0)
    np.testing.assert_allclose(tile(tool, 0, number), 0.5 + 0.5 * weights / np.abs(weights).max(), atol=1e-6)
    np.testing.assert_allclose(tile(tool, 1, number), found.patches[number].numpy().transpose(1, 2, 0), atol=1e-6)
    for mark in tool._marks:
        assert (mark.get_x(), mark.get_y()) == (number % 12 * SIDE - 1, number // 12 * SIDE - 1)
    assert f"response {found.values[number]:.0f}" in tool._titles[3].get_text()


def test_each_row_of_filters_begins_with_a_number(tool):
    words = {text.get_text(): text for text in tool._titles[0].axes.texts}
    assert list(words) == [str(first) for first in range(0, 96, COLUMNS)]
    for first, text in words.items():
        assert text.get_position()[1] == int(first) // COLUMNS * SIDE + 3  # the middle of a filter of seven rows


def test_response_is_strength_times_cosine(tool):
    """The title's cosine, times the lengths of filter and patch, plus the bias, is the title's response."""
    tool.set(number=5, photograph="wide", network="one")
    model = tool.models["one"]
    found = most_exciting(model, {"wide": tool.photographs["wide"]})
    lengths = model.conv1.weight[5].norm() * (255 * found.patches[5] - model.door.mean).norm()
    cosine = float((found.values[5] - model.conv1.bias[5]).detach() / lengths.detach())
    assert tool._titles[3].get_text().endswith(f"cosine {cosine:.2f}")


def test_only_the_chosen_photograph_is_searched_and_the_place_is_marked(tool):
    tool.set(number=40, photograph="high", network="one")
    found = most_exciting(tool.models["one"], {"high": tool.photographs["high"]})
    row, column = found.corners[40].tolist()
    assert (tool._spot.get_x(), tool._spot.get_y()) == (column - 0.5, row - 0.5)
    assert tool._titles[4].get_text().startswith("high")


def test_the_photograph_stays_where_the_filter_responds(tool):
    tool.set(number=40, photograph="high", network="one")
    with torch.no_grad():
        response = tool.models["one"].part("relu1")(tool.photographs["high"][None])[0, 40]
    shown, image = np.asarray(tool._pictures[4].get_array()), tool.photographs["high"].numpy().transpose(1, 2, 0)
    for row, column in ((0, 0), (5, 9), tuple(np.unravel_index(int(response.argmax()), response.shape))):
        left = 0.15 + 0.85 * min(1.0, float(response[row, column] / response[response > 0].quantile(0.9)))
        at = 2 * row + 3, 2 * column + 3  # the middle of the filter's window
        # The scale is that of the map between the units, which may differ a little from theirs.
        np.testing.assert_allclose((1 - shown[at]) / (1 - image[at]), left, atol=0.12)


def test_a_photograph_without_contrast_and_none_at_all(tool):
    tool.set(number=3, photograph="gray")
    assert tool.error.value == ""
    with pytest.raises(ValueError, match="at least one network"):
        FirstLayerBrowser({}, tool.photographs)
    with pytest.raises(ValueError, match="at least one network"):
        FirstLayerBrowser(tool.models, {})
    assert "network" not in FirstLayerBrowser({"one": tool.models["one"]}, tool.photographs).values
