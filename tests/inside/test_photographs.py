"""Every way of looking inside works on photographs: three channels, a thousand classes, and Captum's numbers."""

import captum.attr as captum
import numpy as np
import pytest
import torch
from torch import nn

from helpers import data
from helpers.data import download
from helpers.inside import attribution, faithfulness, features, fields, maximize
from helpers.network import hooks, photonet
from helpers.network.running import images_at_once, predict

needs_the_file = pytest.mark.skipif(download.find_network().arrays is None, reason="the file is not at hand")


@pytest.fixture(scope="module")
def network():
    return photonet.load()  # or its stand-in with random weights


@pytest.fixture(scope="module")
def x():
    return photonet.batch([data.square(data.photo(name), side=83) for name in ("cat", "coffee")])


TARGET = torch.tensor([285, 967])  # Egyptian cat, espresso
METHODS = {
    "saliency": (
        lambda net, x: attribution.saliency(net, x, TARGET),
        lambda net, x: captum.Saliency(net).attribute(x, TARGET).amax(1),
    ),
    "signed gradient": (
        lambda net, x: attribution.saliency(net, x, TARGET, signed=True),
        lambda net, x: captum.Saliency(net).attribute(x, TARGET, abs=False),
    ),
    "gradient × input": (
        lambda net, x: attribution.gradient_times_input(net, x, TARGET),
        lambda net, x: captum.InputXGradient(net).attribute(x, TARGET),
    ),
    "guided backpropagation": (
        lambda net, x: attribution.guided_backprop(net, x, TARGET),
        lambda net, x: captum.GuidedBackprop(net).attribute(x, TARGET),
    ),
    "deconvnet": (
        lambda net, x: attribution.deconvnet(net, x, TARGET),
        lambda net, x: captum.Deconvolution(net).attribute(x, TARGET),
    ),
    "integrated gradients": (
        lambda net, x: attribution.integrated_gradients(net, x, TARGET, 0.4, steps=10),
        lambda net, x: captum.IntegratedGradients(net).attribute(x, 0.4, TARGET, n_steps=10),
    ),
    **{
        f"Grad-CAM at {layer}": (
            lambda net, x, layer=layer: attribution.grad_cam(net, x, TARGET, layer),
            lambda net, x, layer=layer: captum.LayerGradCam(net, net.get_submodule(layer)).attribute(
                x, TARGET, relu_attributions=True
            )[:, 0],
        )
        for layer in ("pool1", "fire4", "fire9", "fire9.expand3x3", "maps")
    },
}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.filterwarnings("ignore")  # of Captum, about its hooks
def test_equals_captum(network, x, method):
    ours, theirs = (way(network, x.clone()) for way in method)
    assert ours.abs().max() > 0
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-4, atol=1e-5 * float(theirs.abs().max()))


@pytest.mark.parametrize("method", attribution.METHODS.values(), ids=attribution.METHODS)
def test_every_method_by_name_gives_a_map_of_the_image_and_leaves_no_trace(network, x, method):
    weights = [parameter.clone() for parameter in network.parameters()]
    found = method(network, x[:1], 285)
    assert found.shape[-2:] == (83, 83)
    assert found.shape[:2] in ((1, 1), (1, 3))
    assert torch.isfinite(found).all()
    assert all(p.grad is None and torch.equal(p, w) for p, w in zip(network.parameters(), weights, strict=True))
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in network.modules())
    assert not network.training


def test_a_batch_gives_the_same_as_its_images_one_by_one(network, x):
    together = predict(network, x)
    apart = torch.cat([predict(network, image[None], batch_size=1) for image in x])
    torch.testing.assert_close(together, apart, rtol=0, atol=1e-4)
    maps = attribution.integrated_gradients(network, x, TARGET, steps=6, chunk=12)
    few = attribution.integrated_gradients(network, x, TARGET, steps=6)
    torch.testing.assert_close(maps, few, rtol=0, atol=1e-5 * float(maps.abs().max()))


def test_few_photographs_at_once_and_many_digits():
    assert images_at_once((9, 1, 28, 28), 100) == 100
    assert images_at_once((9, 3, 227, 227), 100) == 4
    assert images_at_once((3, 96, 96), 100) == 8
    assert images_at_once((3, 500, 500), 2) == 2


def test_smoothgrad_without_noise_is_the_gradient(network, x):
    plain = attribution.saliency(network, x, TARGET, signed=True)
    smooth = attribution.smoothgrad(network, x, TARGET, samples=2, noise=0)
    torch.testing.assert_close(smooth, plain, rtol=0, atol=1e-6 * float(plain.abs().max()))
    assert not torch.equal(attribution.smoothgrad(network, x, TARGET, samples=2), smooth)


def test_integrated_gradients_add_up(network, x):
    maps = attribution.integrated_gradients(network, x, TARGET, 0.5, steps=40)
    found = attribution.completeness(network, x, maps, TARGET, 0.5)
    assert (found.error.abs() <= 0.05 * found.difference.abs() + 0.05).all()


def test_the_map_of_a_class_is_its_grad_cam(network, x):
    """Behind the last layer of maps stands their mean: each map has the weight 1 / places for its own class."""
    maps = photonet.class_maps(network, x)
    own = maps[torch.arange(2), TARGET]
    cam = attribution.grad_cam(network, x, TARGET, "maps")
    torch.testing.assert_close(cam * own[0].numel(), own, rtol=1e-4, atol=1e-4)


def test_units_filters_and_maps_by_name(network, x):
    assert hooks.map_layers(network, x[:1])[:2] == ["door", "conv1"]
    assert hooks.activations(network, x, ["fire2", "fire9.squeeze"])["fire2"].shape == (2, 128, 19, 19)
    unit = attribution.saliency(network, x[:1], neuron=("fire3", 7, 9, 9))
    rows = unit[0].amax(1).nonzero()[:, 0]
    field = fields.unit_field(network, x, "fire3")
    assert len(rows) == 0 or (rows.min() >= field.start + 9 * field.jump and len(rows) <= field.size)
    last = fields.unit_field(network, x, "classes")
    assert (last.size, last.jump, last.start) == (155, 16, -76)
    placed = fields.place(photonet.class_maps(network, x)[:, 285], network, x, "maps")
    assert placed.shape == (2, 83, 83)


def test_the_feature_vector_is_the_mean_of_the_last_maps(network, x):
    rows = features.vectors(network, x)
    maps = hooks.activations(network, x, "fire9")["fire9"]
    assert rows.shape == (2, 512)
    np.testing.assert_allclose(rows, maps.mean((2, 3)).numpy(), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(features.vectors(network, x, batch_size=1), rows, rtol=1e-4, atol=1e-3)


def test_deletion_and_the_sanity_check(network, x):
    maps = attribution.gradient_times_input(network, x, TARGET)
    curve = faithfulness.deletion(network, x, maps, TARGET, steps=3)
    assert curve.logits.shape == (2, 4)
    torch.testing.assert_close(curve.logits[:, 0], predict(network, x)[torch.arange(2), TARGET], rtol=0, atol=1e-3)
    assert faithfulness.weighted_layers(network)[0] == "classes"
    forgetful = faithfulness.randomize(network, ["classes", "fire9"], seed=1)
    assert not torch.equal(forgetful.fire9.squeeze.weight, network.fire9.squeeze.weight)
    assert torch.equal(forgetful.conv1.weight, network.conv1.weight)
    assert forgetful.trained == network.trained
    assert faithfulness.ink(x).shape == (2, 83, 83)


def test_images_climb_for_classes_filters_and_layers(network, x):
    start = 0.5 + 0.02 * torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    classes = maximize.class_images(network, [285, 967], start=start, steps=3, lr=0.003)
    assert classes.images.shape == (2, 3, 64, 64)
    # With random weights a class map can be 0 wherever one starts: behind its ReLU no slope is left.
    assert (classes.scores > classes.history[0]).all() or not network.trained
    noise = maximize.class_images(network, [3], size=48, channels=3, steps=1)
    assert noise.images.shape == (1, 3, 48, 48)
    filters = maximize.filter_images(network, "fire3.expand3x3", [0, 5], size=48, channels=3, steps=3, lr=0.01)
    assert (filters.scores > filters.history[0]).all()
    dream = maximize.dream(network.part("fire4"), x[:1], "fire4", steps=2)
    assert (dream.scores > dream.history[0]).all()


@needs_the_file
def test_an_invisible_step_changes_the_answer(network):
    """A quarter of a gray level for each pixel."""
    squares = [("coffee", "middle"), ("cat", "right"), ("hopper", "middle"), ("hopper", "upper")]
    images = photonet.batch([data.square(data.photo(name), part) for name, part in squares])
    target = predict(network, images).argmax(1)
    after = predict(network, maximize.fgsm(network, images, target, 0.25 / 255))
    names = photonet.names()
    assert [names[i] for i in target] == ["espresso", "Egyptian cat", "bow tie", "bow tie"]
    assert [names[i] for i in after.argmax(1)] == ["soup bowl", "tiger cat", "suit", "bathing cap"]
    left = after.softmax(1)[torch.arange(4), target]
    np.testing.assert_allclose(left, [0.11, 0.11, 0.05, 0.006], atol=0.02)
    smallest = maximize.smallest_epsilon(network, images[:1], target[:1], limit=0.5 / 255, steps=4)
    assert 0 < smallest <= 0.25 / 255


@needs_the_file
def test_ten_pictures_of_each_are_enough_to_tell_brick_grass_and_gravel(network):
    """Ten crops of 96×96 from the left half of each photograph; sixty others from the right half as a test."""
    from sklearn.linear_model import LogisticRegression

    names, rng = ("brick", "grass", "gravel"), np.random.default_rng(0)

    def crops(number, half):
        cut = []
        for name in names:
            picture = data.photo(name)
            for _ in range(number):
                top, left = rng.integers(0, 512 - 96), half * 256 + rng.integers(0, 256 - 96)
                cut.append(picture[top : top + 96, left : left + 96])
        return photonet.batch(cut), np.repeat(np.arange(3), number)

    (few, labels), (new, truth) = crops(10, 0), crops(60, 1)
    rows = [features.vectors(network, images) for images in (few, new)]
    pixels = [features.pixels(nn.functional.avg_pool2d(images, 4)) for images in (few, new)]
    found = {
        kind: LogisticRegression(max_iter=2000).fit(learned, labels).score(tested, truth)
        for kind, (learned, tested) in {"features": rows, "pixels": pixels}.items()
    }
    assert found["features"] >= 0.99
    assert found["pixels"] < 0.8
