"""The kernel playground: its response is the correlation of SciPy and PyTorch, and its controls say what they do."""

import datetime
import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.signal import correlate2d
from torch.nn import functional as F

from helpers import data
from helpers.explorers.playground import OWN, KernelPlayground
from helpers.filters import kernels

IMAGE = np.random.default_rng(0).random((14, 11), dtype=np.float32)


@pytest.fixture
def tool():
    return KernelPlayground({"noise": IMAGE, "other": IMAGE[::-1]})


def weights(kernel):
    return {f"w{y}{x}": float(kernel[y, x]) for y in range(3) for x in range(3)}


def shown(tool):
    return [np.asarray(artist.get_array()) for artist, _ in tool._panels]


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (1, 2), (2, 1), (3, 4), (4, 0)])
@pytest.mark.parametrize("seed", range(3))
def test_the_response_is_that_of_pytorch_for_any_weights(tool, stride, padding, seed):
    kernel = np.random.default_rng(seed).normal(size=(3, 3)).astype(np.float32)
    tool.set(**weights(kernel), stride=stride, padding=padding)
    np.testing.assert_array_equal(tool.kernel, kernel)
    x, w = torch.from_numpy(IMAGE)[None, None], torch.from_numpy(kernel)[None, None]
    np.testing.assert_allclose(shown(tool)[1], F.conv2d(x, w, stride=stride, padding=padding)[0, 0], atol=1e-5)
    tool.set(stride=1, padding=0)
    np.testing.assert_allclose(shown(tool)[1], correlate2d(IMAGE, kernel, "valid"), atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("relu", [False, True])
def test_the_pooled_response_is_that_of_pytorch(tool, size, relu):
    x = F.conv2d(torch.from_numpy(IMAGE)[None, None], torch.from_numpy(kernels.get("sobel x"))[None, None])
    x = x.relu() if relu else x
    for pooling, wanted in (("max", F.max_pool2d(x, size)), ("average", F.avg_pool2d(x, size))):
        tool.set(preset="sobel x", relu=relu, size=size, pooling=pooling)
        np.testing.assert_allclose(shown(tool)[2], wanted[0, 0], atol=1e-5)
        assert tool._panels[2][1].get_text().startswith(f"{pooling} pooling {size}×{size}")


@pytest.mark.parametrize("name", kernels.NAMES)
def test_a_preset_sets_the_weights_draws_once_and_says_what_it_answers_to(tool, name, monkeypatch):
    tool.set(**weights(np.full((3, 3), 7.0)))
    assert (tool.values["preset"], tool._meaning.value) == (OWN, "")
    drawn, draw = [], tool.draw
    monkeypatch.setattr(tool, "draw", lambda **values: drawn.append(draw(**values)))
    tool._controls["preset"].value = name
    np.testing.assert_allclose(tool.kernel, kernels.get(name), atol=1e-4)
    assert kernels.describe(name) in tool._meaning.value
    assert len(drawn) == 1


def test_a_weight_of_ones_own_ends_the_preset(tool):
    assert tool.values["preset"] == "vertical edges"
    tool._controls["w11"].value = 3.0
    assert tool.values["preset"] == OWN
    assert tool.kernel[1, 1] == 3
    np.testing.assert_array_equal(tool.kernel[0], kernels.get("vertical edges")[0])


def test_the_scale_is_symmetric_and_ends_at_the_strongest_responses(tool):
    tool.set(preset="laplacian")
    top = np.percentile(np.abs(shown(tool)[1]), 99.5)
    for artist, _ in tool._panels[1:]:
        assert artist.get_clim() == pytest.approx((-top, top))
    assert f"±{top:.3g}" in tool._panels[1][1].get_text()


def test_values_beyond_the_scale_get_its_last_color_and_the_image_goes_from_black_to_white(tool):
    tool.set(preset="identity")
    (original, _), (response, _), _ = tool._panels
    np.testing.assert_array_equal(original.to_rgba([[-1.0, 0, 1, 2]], bytes=True)[0, :, 0], [0, 0, 255, 255])
    top = response.get_clim()[1]
    low, zero, high, beyond = response.to_rgba(np.array([-top, 0, top, 9 * top]), bytes=True)[:, :3].astype(int)
    assert zero.min() > 240
    assert low[2] > low[0]
    assert high[0] > high[2]
    np.testing.assert_array_equal(high, beyond)


@pytest.mark.parametrize(
    ("name", "value"),
    [("image", "other"), ("preset", "emboss"), ("stride", 2), ("padding", 3), ("relu", True), ("pooling", "average"),
     ("size", 5), ("w02", 4.0)],
)  # fmt: skip
def test_every_control_changes_the_picture(tool, name, value):
    before = tool.image.value
    tool._controls[name].value = value
    assert tool.image.value != before
    assert tool.error.value == ""


def test_an_image_smaller_than_the_window_is_explained():
    tool = KernelPlayground({"tiny": np.ones((3, 3))}, stride=4)
    tool.set(size=2)
    assert "size" in tool.error.value or "fit" in tool.error.value
    tool.set(size=1)
    assert tool.error.value == ""


def test_the_photographs_of_the_series_are_gray_squares():
    tool = KernelPlayground(preset="sharpen")
    photos = [image for name, image in tool.images.items() if name.startswith("photo")]
    assert photos
    assert {image.shape for image in photos} == {(160, 160)}
    assert all(0 <= image.min() < image.max() <= 1 for image in photos)


@pytest.mark.parametrize("name", kernels.NAMES)
def test_the_picture_shows_the_nine_weights_their_sum_and_their_name(tool, name):
    tool.set(preset=name)
    said = [text.get_text().replace("−", "-") for text in tool._written]
    np.testing.assert_allclose([float(words) for words in said], kernels.get(name).ravel(), rtol=5e-3)
    assert tool._sum.get_text() == f"weights, sum {kernels.get(name).sum():.0f}"
    assert tool._name.get_text() == name
    np.testing.assert_allclose(np.asarray(tool._grid.get_array()), kernels.get(name), atol=1e-4)
    top = np.abs(kernels.get(name)).max()
    assert tool._grid.get_clim() == pytest.approx((-top, top), abs=1e-4)


def test_the_nine_weights_are_legible_in_the_stored_picture(tool):
    """At least 11 points, within their cells, and on grounds from which they stand out."""
    tool.set(preset="gaussian blur")
    tool.figure.canvas.draw()
    cell = tool._written[0].axes.get_window_extent().width / 3
    for text in tool._written:
        assert text.get_fontsize() >= 11
        assert text.get_window_extent().width < cell
    tool.set(**weights(np.arange(-4.0, 5).reshape(3, 3)))
    assert [text.get_text() for text in tool._written] == ["−4", "−3", "−2", "−1", "0", "1", "2", "3", "4"]
    assert (tool._sum.get_text(), tool._name.get_text()) == ("weights, sum 0", OWN)
    assert len({text.get_color() for text in tool._written}) == 2  # light on dark, dark on light


def test_images_of_any_kind_and_size_become_gray_from_0_to_1():
    color = np.random.default_rng(1).random((90, 60, 3), dtype=np.float32)
    tool = KernelPlayground(
        {
            "color": color,
            "to 255": (255 * color).astype(np.uint8),
            "channels first": color.transpose(2, 0, 1),
            "large": np.random.default_rng(2).random((900, 1_200)),
            "digit": IMAGE[None],
            "photograph": data.photo("hopper"),
        }
    )
    for name, image in tool.images.items():
        tool.set(image=name)
        assert tool.error.value == ""
        assert image.ndim == 2
        assert 0 <= image.min() < image.max() <= 1
    sizes = {name: image.shape for name, image in tool.images.items()}
    assert sizes == {
        "color": (90, 60),
        "to 255": (90, 60),
        "channels first": (90, 60),
        "large": (160, 160),
        "digit": IMAGE.shape,
        "photograph": (160, 160),
    }
    np.testing.assert_allclose(tool.images["to 255"], tool.images["color"], atol=1 / 255)


def png(array):
    with io.BytesIO() as buffer:
        Image.fromarray(array).save(buffer, "PNG")
        return buffer.getvalue()


def test_a_photograph_from_the_readers_computer_is_shown_and_stays_in_the_menu(tool):
    noise = np.random.default_rng(3).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    before = tool.image.value
    content = memoryview(png(noise))
    tool._picker.value = ({"name": "me.png", "type": "image/png", "size": len(content), "content": content,
                           "last_modified": datetime.datetime(2026, 1, 1)},)  # fmt: skip
    assert (tool.values["image"], tool.error.value) == ("me.png", "")
    assert list(tool.images) == ["noise", "other", "me.png"]
    assert tool.image.value != before
    np.testing.assert_array_equal(shown(tool)[0], data.own(content, side=160, gray=True))
    tool.set(image="other")
    tool.set(image="me.png")
    tool.take("me.png", png(255 - noise))  # another one of that name takes its place
    np.testing.assert_array_equal(shown(tool)[0], data.own(png(255 - noise), side=160, gray=True))
    assert len(tool.images) == 3


def test_a_file_that_is_no_picture_is_explained_and_what_was_shown_stays(tool):
    before = tool.values, tool.image.value
    tool.take("notes.txt", b"Dear diary")
    assert "not a picture" in tool.error.value
    assert (tool.values, tool.image.value) == before
    tool.set(stride=2)
    assert tool.error.value == ""


def test_it_is_a_bundle_with_a_picture_of_its_state_and_words(tool):
    data, about = tool._repr_mimebundle_()
    assert data["image/png"][:4] == b"\x89PNG"
    assert "signed response" in about["image/png"]["alt"]
    tool.set(preset="box blur")
    assert tool._repr_mimebundle_()[0]["image/png"] != data["image/png"]
    assert tool._repr_mimebundle_()[0]["text/plain"] == data["text/plain"]
