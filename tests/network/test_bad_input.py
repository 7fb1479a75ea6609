"""Whatever is handed to what runs and trains networks: one sentence that says what to do, and nothing changed."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from helpers.data import Dataset, Split
from helpers.network import hooks, running, training
from helpers.network.models import ConvNet

IMAGES, LABELS = torch.rand(8, 1, 28, 28), torch.arange(8)
SPLIT = Split(IMAGES, LABELS)
WHOLE = Dataset("mnist", SPLIT, SPLIT, tuple("0123456789"), "noise", real=False)

#: What somebody takes for a network, and words of the sentence that says what it is instead.
NO_NETWORK = {
    "class": (ConvNet, r"ConvNet is a class, not yet a network: make one with ConvNet\(\)"),
    "function": (lambda x: x, "has to be a PyTorch module .* not function"),
    "images": (IMAGES, "The network comes first .* not Tensor"),
    "name": ("mnist", "not str"),
    "nothing": (None, "not NoneType"),
    "weights": (ConvNet().state_dict(), "not OrderedDict"),
}

#: What somebody takes for a batch of images.
NO_IMAGES = {
    "whole data set": (WHOLE, "whole data set: give the images of one of its parts"),
    "split": (SPLIT, "give its images alone"),
    "list": (IMAGES.tolist(), "a NumPy array or a tensor, not list"),
    "name": ("mnist", "not str"),
    "network": (ConvNet(), "not ConvNet"),
    "nothing": (None, "not NoneType"),
    "bytes": ((255 * IMAGES).byte(), "divide by 255"),
    "bytes in NumPy": ((255 * IMAGES).byte().numpy(), "divide by 255"),
    "words": (np.array([["a", "b"]]), "have to be numbers"),
    "truth": (IMAGES > 0.5, "floats"),
    "NaN": (torch.full((1, 1, 28, 28), math.nan), "NaN or infinity"),
    "infinity": (torch.full((1, 1, 28, 28), math.inf), "NaN or infinity"),
    "empty": (IMAGES[:0], "holds no image"),
    "another size": (IMAGES[..., :20], r"does not accept images of shape \(1, 28, 20\)"),
    "in color": (IMAGES.expand(8, 3, 28, 28), r"does not accept images of shape \(3, 28, 28\)"),
}
ONE_IMAGE = {
    "one image": (IMAGES[0], r"\[None\] makes a batch of one"),
    "pixels": (IMAGES[0, 0], r"got an array of shape \(28, 28\)"),
    "one number": (torch.tensor(0.5), r"got an array of shape \(\)"),
}

#: What somebody takes for images with their labels.
NO_SPLIT = {
    "whole data set": (WHOLE, "whole data set: give one of its parts, as in mnist.train"),
    "images alone": (IMAGES, "alone: give both"),
    "array alone": (IMAGES.numpy(), "alone: give both"),
    "list of images": (list(IMAGES), "Give a split or the pair"),
    "three things": ((IMAGES, LABELS, LABELS), "Give a split or the pair"),
    "name": ("mnist", "not str"),
    "nothing": (None, "not NoneType"),
    "swapped": ((LABELS, IMAGES), r"Images must have the shape .* these have \(8,\)"),
    "one image": ((IMAGES[0], LABELS[:1]), r"these have \(1, 28, 28\)"),
    "bytes": (((255 * IMAGES).byte(), LABELS), "divide by 255"),
    "too few labels": ((IMAGES, LABELS[:7]), "8 images and 7 labels"),
    "empty": ((IMAGES[:0], LABELS[:0]), "0 images"),
    "label 99": ((IMAGES, torch.full((8,), 99)), "labels run from 99 to 99.* 10 outputs.*classes=100"),
    "label -1": ((IMAGES, torch.full((8,), -1)), "labels run from -1"),
    "labels between classes": ((IMAGES, LABELS + 0.5), "class numbers"),
    "truth for labels": ((IMAGES, LABELS > 3), "class numbers"),
    "one-hot rows": ((IMAGES, torch.eye(10)[LABELS]), r"argmax\(1\)"),
    "another size": ((IMAGES[..., :20], LABELS), r"does not accept images of shape \(1, 28, 20\)"),
    "in color": ((IMAGES.expand(8, 3, 28, 28), LABELS), r"does not accept images of shape \(3, 28, 28\)"),
}

#: Settings of a training that make no sense.
SETTINGS = {
    **{
        f"epochs={n}": ({"epochs": n}, "epochs is a whole number of at least 1")
        for n in (0, -1, 1.5, "one", None, True)
    },
    **{f"batch_size={n}": ({"batch_size": n}, "batch_size is a whole number") for n in (0, -32, 0.5)},
    **{f"lr={n}": ({"lr": n}, "lr, the learning rate, is a number above 0") for n in (0, -1.0, math.nan, math.inf)},
    **{f"momentum={n}": ({"momentum": n}, "momentum is a share") for n in (-0.1, 1, 2, math.nan)},
    **{f"weight_decay={n}": ({"weight_decay": n}, "weight_decay is a number") for n in (-1, math.nan)},
    **{f"shift={n}": ({"shift": n}, "shift is a whole number of at least 0") for n in (-1, 0.5)},
    "shift=28": ({"shift": 28}, "shift is a number of pixels below the size of the images, 28"),
    **{f"seed={n}": ({"seed": n}, "seed is a whole number of at least 0") for n in (-1, 0.5, None)},
    **{f"smooth={n}": ({"smooth": n}, "smooth is a share") for n in (-0.1, 1, math.nan)},
    "optimizer": ({"optimizer": "rmsprop"}, "'sgd' or 'adam'; got 'rmsprop'"),
    "device": ({"device": "gpu"}, "no device 'gpu': choose"),
    **({} if torch.cuda.is_available() else {"no card": ({"device": "cuda"}, "finds no cuda device")}),
    **{
        f"validation, {name}": ({"validation": bad}, words)
        for name, (bad, words) in NO_SPLIT.items()
        if bad is not None
    },
    "validation with NaN": ({"validation": (IMAGES * math.nan, LABELS)}, "NaN or infinity"),
}


def refused(words, call, *arguments, model=None, **options):
    """The call raises one sentence with these words; the network and the random numbers are as they were."""
    model = ConvNet(dropout=0.5) if model is None else model
    model.classifier.dropout.eval()
    flags = [module.training for module in model.modules()]
    weights, state = {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state()
    with pytest.raises((TypeError, ValueError), match=words) as info:
        call(*(model if argument is ... else argument for argument in arguments), **options)
    said = str(info.value)
    assert len(said.splitlines()) == 1, said
    assert len(said) < 300, said
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())
    assert [module.training for module in model.modules()] == flags
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(("bad", "words"), NO_NETWORK.values(), ids=NO_NETWORK)
def test_what_is_no_network(bad, words):
    refused(words, running.predict, bad, IMAGES)
    refused(words, running.accuracy, bad, SPLIT)
    refused(words, hooks.activations, bad, IMAGES, "features.conv1")
    refused(words, hooks.map_layers, bad, IMAGES)
    refused(words, training.fit, bad, SPLIT, bar=False)


@pytest.mark.parametrize(("bad", "words"), NO_IMAGES.values(), ids=NO_IMAGES)
def test_what_is_no_batch_of_images(bad, words):
    refused(words, running.predict, ..., bad)
    refused(words, hooks.activations, ..., bad, "features.conv1")
    refused(words, hooks.map_layers, ..., bad)


@pytest.mark.parametrize(("bad", "words"), ONE_IMAGE.values(), ids=ONE_IMAGE)
def test_one_image_is_not_a_batch(bad, words):
    refused(words, running.predict, ..., bad)


@pytest.mark.parametrize(("bad", "words"), NO_SPLIT.values(), ids=NO_SPLIT)
def test_what_is_not_images_with_labels(bad, words):
    refused(words, running.accuracy, ..., bad)
    refused(words, training.fit, ..., bad, bar=False, device="cpu")


@pytest.mark.parametrize(("settings", "words"), SETTINGS.values(), ids=SETTINGS)
def test_settings_of_a_training_that_make_no_sense(settings, words):
    refused(words, training.fit, ..., SPLIT, **{"bar": False, "device": "cpu"} | settings)


@pytest.mark.parametrize("size", [0, -1, 0.5])
def test_a_batch_of_no_images(size):
    refused("at least 1", running.predict, ..., IMAGES, batch_size=size)


def test_frozen_networks_and_blocks_without_gradients_cannot_be_trained():
    refused("frozen", training.fit, ..., SPLIT, model=ConvNet().requires_grad_(False), bar=False)
    for block in (torch.no_grad, torch.inference_mode):
        with block():
            refused("call fit outside of torch.no_grad", training.fit, ..., SPLIT, bar=False)


def test_networks_that_do_not_classify():
    with pytest.raises(ValueError, match=r"answer with logits \(N, classes\)"):
        training.fit(nn.Conv2d(1, 4, 3), SPLIT)
    with pytest.raises(ValueError, match="no weights to train"):
        training.fit(nn.Flatten(), SPLIT)


@pytest.mark.parametrize(
    "images",
    [IMAGES.double(), IMAGES.half(), IMAGES.numpy(), IMAGES.flip(0).numpy()[::-1], IMAGES.mT.mT, IMAGES * 9 - 4],
)
def test_what_looks_odd_and_is_right_is_taken(images):
    """Other number formats, views, read-only arrays and values out of range give the numbers of the plain call."""
    if isinstance(images, np.ndarray):
        images.flags.writeable = False
    model = ConvNet().eval()
    expected = model(torch.tensor(images.tolist())).detach()
    torch.testing.assert_close(running.predict(model, images), expected, atol=1e-5, rtol=1e-5)
    (first,) = hooks.activations(model, images, "classifier.output").values()
    torch.testing.assert_close(first, expected, atol=1e-5, rtol=1e-5)


def test_a_compiled_network_a_frozen_one_and_one_in_training_predict():
    model = ConvNet(dropout=0.5)
    expected = running.predict(model, IMAGES)
    assert torch.equal(running.predict(model.train().requires_grad_(False), IMAGES), expected)
    with torch.inference_mode():
        assert torch.equal(running.predict(model, IMAGES), expected)
    assert torch.equal(running.predict(torch.compile(model, backend="eager"), IMAGES), expected)
