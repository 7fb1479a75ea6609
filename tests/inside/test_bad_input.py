"""Whatever is handed to what looks inside a network: one sentence that says what to do, and nothing changed."""

import math

import pytest
import torch

from helpers.inside import attribution, faithfulness, features, maximize, occlusion
from helpers.network.models import ConvNet
from tests.network.test_bad_input import IMAGES, NO_IMAGES, NO_NETWORK, ONE_IMAGE, refused

PAIR = IMAGES[:2]


def heat(x):
    """A map for each image, where there are images."""
    return torch.zeros(2, *x.shape[-2:]) if isinstance(x, torch.Tensor) and x.ndim == 4 else torch.zeros(2, 28, 28)


#: (model, images, target) → a call.
OF_A_CLASS = {
    "saliency": attribution.saliency,
    **attribution.METHODS,
    "completeness": lambda model, x, target: attribution.completeness(model, x, torch.zeros(2, 1, 28, 28), target),
    "deletion": lambda model, x, target: faithfulness.deletion(model, x, heat(x), target, steps=2),
    "fgsm": lambda model, x, target: maximize.fgsm(model, x, target, 0.1),
    "smallest_epsilon": lambda model, x, target: maximize.smallest_epsilon(model, x, target, steps=3),
}
OF_IMAGES = {
    **{name: lambda model, x, call=call: call(model, x, [1, 2]) for name, call in OF_A_CLASS.items()},
    "vectors": features.vectors,
    "class_images": lambda model, x: maximize.class_images(model, [1], start=x, steps=1),
    "filter_images": lambda model, x: maximize.filter_images(model, "features.conv2", [1], start=x, steps=1),
}
OF_ONE_IMAGE = {"occlusion": lambda model, x: occlusion.occlusion(model, x, 7, 7)}

NO_TARGET = {
    "class 99": (99, "classes 0 to 9, target 99 is not one of them"),
    "class -1": (-1, "classes 0 to 9"),
    "between classes": (1.5, "A target is a class number"),
    "a name": ("4", "A target is a class number"),
    "three for two": (torch.tensor([1, 2, 3]), "2 images need one target or 2 of them"),
    "truth": (torch.tensor([True, False]), "A target is a class number"),
    "NaN": (torch.tensor([math.nan, 1]), "A target is a class number"),
}


@pytest.mark.parametrize(("bad", "words"), NO_NETWORK.values(), ids=NO_NETWORK)
@pytest.mark.parametrize("call", [*OF_IMAGES.values(), *OF_ONE_IMAGE.values()], ids=[*OF_IMAGES, *OF_ONE_IMAGE])
def test_what_is_no_network(call, bad, words):
    refused(words, call, bad, PAIR)


@pytest.mark.parametrize(("bad", "words"), (NO_IMAGES | ONE_IMAGE).values(), ids=NO_IMAGES | ONE_IMAGE)
@pytest.mark.parametrize("call", OF_IMAGES.values(), ids=OF_IMAGES)
def test_what_is_no_batch_of_images(call, bad, words):
    if bad is None and call in (OF_IMAGES["class_images"], OF_IMAGES["filter_images"]):
        return  # they begin with faint noise then
    refused(words, call, ..., bad[:2] if isinstance(bad, torch.Tensor) and bad.ndim == 4 else bad)


@pytest.mark.parametrize(("bad", "words"), NO_IMAGES.values(), ids=NO_IMAGES)
def test_what_is_not_one_image(bad, words):
    four = isinstance(bad, torch.Tensor) and bad.ndim == 4 and len(bad) > 0
    refused(words, occlusion.occlusion, ..., bad[0] if four else bad, 7, 7)


@pytest.mark.parametrize(("bad", "words"), NO_TARGET.values(), ids=NO_TARGET)
@pytest.mark.parametrize("call", OF_A_CLASS.values(), ids=OF_A_CLASS)
def test_what_is_no_class(call, bad, words):
    refused(words, call, ..., PAIR, bad)


def test_a_dream_of_a_picture_with_other_channels():
    color = torch.rand(1, 3, 28, 28)
    refused(r"does not accept images of shape \(3, 28, 28\)", lambda m: maximize.dream(m.features, color, "conv2"), ...)


@pytest.mark.parametrize(("size", "stride"), [(0, 1), (-1, 1), (29, 1), (7, 0), (7, -2)])
def test_masks_that_cannot_be_laid(size, stride):
    refused("mask|stride|size", occlusion.occlusion, ..., PAIR[0], size, stride)


@pytest.mark.parametrize("size", [0, -1, 1.5])
def test_batches_that_hold_no_images(size):
    refused("at least 1", lambda model: features.vectors(model, PAIR, batch_size=size), ...)


def test_a_network_whose_weights_are_nan_is_named():
    broken = ConvNet()
    with torch.no_grad():
        broken.features.conv1.weight[0, 0, 0, 0] = math.nan
    for call in (attribution.saliency, maximize.smallest_epsilon):
        with pytest.raises(ValueError, match="NaN"):
            call(broken, PAIR, [1, 2])
