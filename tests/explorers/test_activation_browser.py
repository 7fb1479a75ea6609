"""The activation browser shows what the network answers, and says what it cannot show."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from helpers import data
from helpers.explorers.activation_browser import MARK, ActivationBrowser
from helpers.network import checkpoints
from helpers.network.hooks import activations
from helpers.network.models import ConvNet


@pytest.fixture(scope="module")
def test_set():
    return data.load("mnist").test


@pytest.fixture
def browser(test_set):
    return ActivationBrowser(images=test_set[:60])


def picture(browser):
    return np.asarray(Image.open(io.BytesIO(browser.image.value)).convert("RGB")).astype(int)


def titles(browser):
    return [title.get_text() for title in browser._titles]


def test_it_opens_on_the_six_and_names_what_it_shows(browser):
    image, sheet, one = titles(browser)
    assert image.startswith("image 22 · a 6")
    assert "read as" in image
    assert sheet == "relu1: 32 maps of 26×26"
    assert one == "relu1, channel 3"
    assert browser.error.value == ""


def test_every_control_changes_the_picture(browser):
    for name, value in [("digits", "3"), ("image", 0), ("layer", "relu2"), ("channel", 9), ("layer", "conv1")]:
        before = browser.image.value
        browser._controls[name].value = value
        assert browser.image.value != before, name
        assert browser.error.value == ""


def test_the_maps_are_those_of_the_network(browser, test_set):
    browser.set(digits="7", image=2, layer="conv2", channel=20)
    index = np.flatnonzero(test_set.labels[:60] == 7)[2]
    right = activations(browser.model, test_set.images[index : index + 1], "features.conv2")["features.conv2"][0]
    np.testing.assert_allclose(browser._found["conv2"], right.numpy(), atol=1e-6)
    assert f"image {index} · a 7" in titles(browser)[0]
    assert browser.probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert int(browser.probabilities.argmax()) == int(browser.model(torch.as_tensor(test_set.images[[index]])).argmax())


@pytest.mark.parametrize("layer", ["conv1", "relu1", "pool1", "conv2", "relu2", "pool2"])
def test_the_frame_on_the_image_is_all_that_the_strongest_unit_sees(browser, layer):
    """Painting over everything outside the frame leaves the unit's answer as it is."""
    browser.set(layer=layer, channel=19)
    maps = browser._found[layer][19]
    row, column = np.unravel_index(maps.argmax(), maps.shape)
    x, y, width, height = (round(v) for v in np.add(browser._boxes[0].get_bbox().bounds, (0.5, 0.5, 0, 0)))
    inside = torch.rand(browser._x.shape)
    inside[..., y : y + height, x : x + width] = browser._x[..., y : y + height, x : x + width]
    name = f"features.{layer}"
    again = activations(browser.model, inside, name)[name][0, 19, row, column]
    assert again == pytest.approx(maps[row, column], abs=1e-5)
    assert width == height == {"conv1": 3, "relu1": 3, "pool1": 4, "conv2": 8, "relu2": 8, "pool2": 10}[layer]


def test_one_scale_for_every_image_and_for_before_and_after_the_relu(browser):
    ends = []
    for layer in ("conv1", "relu1", "pool1"):
        for image in (0, 5):
            browser.set(layer=layer, image=image)
            ends.append(browser._ends[2].get_text())
    assert len(set(ends)) == 1
    assert ends[0].startswith("≥")


def test_a_convolution_is_signed_and_a_relu_is_not(browser):
    browser.set(layer="conv1", channel=9)
    assert browser._ends[0].get_text().startswith("−")
    assert "before ReLU" in titles(browser)[2]
    red, _, blue, _ = np.moveaxis(browser._map.to_rgba(browser._map.get_array()), 2, 0)
    shown = browser._found["conv1"][9]
    assert (red >= blue)[shown > 0].all()
    assert (blue >= red)[shown < 0].all()
    assert shown.min() < 0 < shown.max()
    browser.set(layer="relu1", channel=9)
    assert browser._ends[0].get_text() == "0"


def test_a_channel_that_is_silent_says_so_and_has_no_frame(browser):
    browser.set(layer="relu1", channel=29)
    assert "silent" in browser._said.get_text()
    assert not browser._boxes[0].get_visible()
    browser.set(channel=9)
    assert "strongest" in browser._said.get_text()
    assert browser._boxes[0].get_visible()


def test_channel_and_image_stay_in_range_when_layer_and_digit_change(browser):
    browser.set(layer="relu2")
    browser.set(channel=63)
    browser.set(layer="relu1")
    assert browser.values["channel"] == 31
    browser.set(image=59)
    browser.set(digits="4")
    assert browser.values["image"] == browser._controls["image"].max
    assert "a 4" in titles(browser)[0]


def test_changing_the_layer_draws_once(browser, monkeypatch):
    browser.set(layer="relu2", channel=50)
    drawn = []
    monkeypatch.setattr(browser, "draw", lambda **values: drawn.append(values))
    browser._controls["layer"].value = "relu1"
    assert len(drawn) == 1


def test_the_chosen_channel_is_marked_where_it_stands(browser):
    browser.set(layer="relu2", channel=17)  # row 2, column 1 of eight
    x, y, width, _ = browser._boxes[1].get_bbox().bounds
    assert (round(x / width), round(y / width)) == (1, 2)
    assert browser._rows[2].get_text() == "16"
    color = np.array([int(MARK[i : i + 2], 16) for i in (1, 3, 5)])
    assert (np.abs(picture(browser) - color).max(axis=2) < 4).sum() > 100


@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28), (1, 1, 28, 28), (4, 28, 28), (4, 1, 28, 28)])
def test_your_own_image(test_set, shape):
    own = np.zeros(shape)
    own[..., 4:24, 13:16] = 1
    browser = ActivationBrowser(images=test_set[:5], own=own)
    assert browser.values["digits"] == "your own"
    assert titles(browser)[0].startswith("your own image")
    assert browser._controls["image"].max == (shape[0] - 1 if shape[0] == 4 else 0)
    assert browser._controls["image"].disabled == ("image" in browser.inert) == (shape[0] != 4)
    browser.set(digits="all")
    assert titles(browser)[0].startswith("image 0")
    assert not browser._controls["image"].disabled


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (np.full((28, 28), 255), "divide bytes by 255"),
        (np.full((28, 28), np.nan), "from 0"),
        (np.zeros((20, 28)), "20×28 pixels"),
        (np.zeros(784), "must be"),
        (np.zeros((0, 28, 28)), "must be"),
        (np.full((28, 28), "ink"), "numbers"),
    ],
)
def test_an_image_that_does_not_fit_is_refused_in_a_sentence(test_set, own, words):
    with pytest.raises(ValueError, match=words) as caught:
        ActivationBrowser(images=test_set[:5], own=own)
    assert "\n" not in str(caught.value)


def test_a_value_that_no_control_has_is_refused(browser):
    with pytest.raises(ValueError, match="no control"):
        browser.set(chanel=3)
    with pytest.raises(ValueError, match="not a possible value"):
        browser.set(layer="relu9")


def test_it_opens_on_any_channel_of_any_layer(test_set):
    browser = ActivationBrowser(images=test_set[:5], layer="relu2", channel=63, image=4)
    assert browser.values["channel"] == 63
    assert browser.values["image"] == 4


def test_another_network_with_color_images():
    class Shallow(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Sequential(nn.Conv2d(3, 5, 5, stride=2, padding=2), nn.ReLU())
            self.head = nn.Sequential(nn.Flatten(), nn.Linear(5 * 36, 4))

        def forward(self, x):
            return self.head(self.features(x))

    browser = ActivationBrowser(Shallow(), np.random.default_rng(0).random((3, 3, 12, 12)), channel=4)
    assert list(browser._names) == ["0", "1"]
    assert titles(browser)[0].startswith("image 2\nread as")
    browser.set(layer="1", image=1)
    assert titles(browser)[1] == "1: 5 maps of 6×6"


def test_a_network_with_few_filters_and_tensors_as_images(test_set):
    torch.manual_seed(0)
    browser = ActivationBrowser(ConvNet(filters=(3, 2)).eval(), test_set[:5].torch(), layer="relu2")
    assert browser.values["channel"] == 1
    assert titles(browser)[1] == "relu2: 2 maps of 11×11"


def test_the_network_is_left_as_it_was(test_set):
    model = checkpoints.load("mnist")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    ActivationBrowser(model, test_set[:5]).set(layer="conv2")
    assert not model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_stored_picture_has_words_and_is_the_same_every_time(browser):
    first, second = browser._repr_mimebundle_(), browser._repr_mimebundle_()
    assert first[0]["image/png"] == second[0]["image/png"]
    assert "all maps" in first[1]["image/png"]["alt"]
    assert first[0]["text/plain"] == second[0]["text/plain"]


@pytest.mark.parametrize(("layer", "shown"), [("conv1", True), ("relu1", True), ("conv2", False), ("relu2", False)])
def test_a_filter_is_drawn_while_it_weighs_pixels(test_set, layer, shown):
    browser = ActivationBrowser(ConvNet().eval(), test_set[:5].torch(), layer="relu2")
    browser.set(layer=layer)
    assert browser._weights.axes.get_visible() == shown


def test_an_answer_that_is_no_label_of_a_small_split_has_a_name(test_set):
    ones = test_set[(test_set.labels == 1).nonzero()[0][:3]]
    network = ConvNet().eval()
    with torch.no_grad():
        network.classifier.output.bias[9] = 100.0
    assert "read as 9" in ActivationBrowser(network, ones, image=0)._titles[0].get_text()
