"""Gradient maps: equal to Captum and to closed forms, loud when they cannot work, and without a trace."""

import captum.attr as captum
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from helpers.inside import attribution as at
from helpers.network.models import ConvNet, DenseNet

GRADIENT_METHODS = {
    "saliency": at.saliency,
    "gradient_times_input": at.gradient_times_input,
    "guided_backprop": at.guided_backprop,
    "deconvnet": at.deconvnet,
    "integrated_gradients": at.integrated_gradients,
    "smoothgrad": at.smoothgrad,
    "grad_cam": lambda model, x, target=None: at.grad_cam(model, x, target, "features.relu2"),
}
METHODS = {**GRADIENT_METHODS, "occlusion": lambda model, x, target=None: at.occlusion(model, x[0], stride=7).maps}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
every_gradient = pytest.mark.parametrize("method", GRADIENT_METHODS.values(), ids=GRADIENT_METHODS)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return ConvNet().eval()


@pytest.fixture
def x():
    return torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(1))


TARGET = [3, 0, 9, 3]


def captum_oracle(name, model, x, target):
    target = torch.as_tensor(target)
    return {
        "saliency": lambda: captum.Saliency(model).attribute(x, target).amax(1),
        "signed": lambda: captum.Saliency(model).attribute(x, target, abs=False),
        "gradient_times_input": lambda: captum.InputXGradient(model).attribute(x, target),
        "guided_backprop": lambda: captum.GuidedBackprop(model).attribute(x, target),
        "deconvnet": lambda: captum.Deconvolution(model).attribute(x, target),
        "grad_cam": lambda: captum.LayerGradCam(model, model.features.relu2).attribute(
            x, target, relu_attributions=True
        )[:, 0],
    }[name]()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["nchw", "channels_last"])
@pytest.mark.parametrize(
    "name", ["saliency", "signed", "gradient_times_input", "guided_backprop", "deconvnet", "grad_cam"]
)
def test_equals_captum(model, x, name, layout):
    method = {**GRADIENT_METHODS, "signed": lambda *a: at.saliency(*a, signed=True)}[name]
    ours = method(model, x.to(memory_format=layout), TARGET)
    theirs = captum_oracle(name, model, x.clone(), TARGET).detach()
    if layout is torch.contiguous_format:
        assert torch.equal(ours, theirs)
    else:
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    assert theirs.abs().max() > 1e-4, "an oracle of zeros proves nothing"


@pytest.mark.parametrize("chunk", [200, 7])
def test_integrated_gradients_equal_captum(model, x, chunk):
    baseline = torch.rand(1, 28, 28, generator=torch.Generator().manual_seed(5))
    for start in (0.0, baseline):
        ours = at.integrated_gradients(model, x, TARGET, start, chunk=chunk)
        theirs, delta = captum.IntegratedGradients(model).attribute(
            x,
            torch.zeros_like(x) if isinstance(start, float) else start.expand_as(x).clone(),
            torch.tensor(TARGET),
            n_steps=50,
            return_convergence_delta=True,
        )
        torch.testing.assert_close(ours, theirs.detach(), rtol=0, atol=1e-7)
        torch.testing.assert_close(
            at.completeness(model, x, ours, TARGET, start).error, delta.float(), rtol=0, atol=1e-6
        )


def linear(weight):
    model = nn.Sequential(nn.Flatten(), nn.Linear(weight.shape[1], len(weight))).double()
    model[1].weight.data = weight
    return model


def test_linear_model_closed_forms():
    g = torch.Generator().manual_seed(0)
    weight = torch.randn(3, 2 * 6 * 5, generator=g, dtype=torch.float64)
    model, x = linear(weight), torch.rand(4, 2, 6, 5, generator=g, dtype=torch.float64)
    target = torch.tensor([0, 2, 1, 2])
    w = weight[target].view_as(x)
    close = {"rtol": 1e-12, "atol": 1e-12}
    torch.testing.assert_close(at.saliency(model, x, target, signed=True), w, **close)
    torch.testing.assert_close(at.saliency(model, x, target), w.abs().amax(1), **close)
    torch.testing.assert_close(at.smoothgrad(model, x, target, samples=3), w, **close)
    torch.testing.assert_close(at.gradient_times_input(model, x, target), w * x, **close)
    for b in (0.0, 0.3, torch.rand(2, 6, 5, generator=g, dtype=torch.float64), torch.rand_like(x)):
        torch.testing.assert_close(at.integrated_gradients(model, x, target, b), w * (x - b), **close)


def test_gradient_times_input_of_a_network_without_biases_adds_up_to_the_score(x):
    torch.manual_seed(3)
    model = ConvNet().double().eval()
    for m in model.modules():
        if getattr(m, "bias", None) is not None:
            nn.init.zeros_(m.bias)
    x = x.double()
    total = at.gradient_times_input(model, x, TARGET).sum((1, 2, 3))
    torch.testing.assert_close(total, model(x).gather(1, torch.tensor(TARGET)[:, None])[:, 0], rtol=1e-10, atol=1e-10)


def test_gradient_agrees_with_finite_differences(model, x):
    model, x = model.double(), x[:1].double()
    gradient = at.saliency(model, x, 3, signed=True)
    agreed = 0
    for row, column in [(3, 4), (10, 10), (14, 7), (20, 22), (27, 27), (0, 13)]:
        step = torch.zeros_like(x)
        step[0, 0, row, column] = 1e-6
        up, down, here = (model(z)[0, 3].item() for z in (x + step, x - step, x))
        if abs(up + down - 2 * here) < 1e-12:  # no kink between
            assert (up - down) / 2e-6 == pytest.approx(gradient[0, 0, row, column].item(), rel=1e-5, abs=1e-8)
            agreed += 1
    assert agreed >= 4


@every_gradient
@pytest.mark.parametrize("target", [None, 3, TARGET], ids=["predicted", "one", "each"])
def test_a_batch_is_the_stack_of_its_images(model, x, method, target):
    together = method(model, x, target)
    alone = [method(model, x[i : i + 1], target[i] if isinstance(target, list) else target) for i in range(len(x))]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-7)


@every_gradient
def test_targets_of_every_kind_mean_the_same(model, x, method):
    wanted = method(model, x, TARGET)
    for target in (tuple(TARGET), np.array(TARGET), torch.tensor(TARGET), torch.tensor(TARGET, dtype=torch.int32)):
        assert torch.equal(method(model, x, target), wanted)
    assert torch.equal(method(model, x, np.int64(3)), method(model, x, [3] * 4))
    assert torch.equal(method(model, x), method(model, x, model(x).argmax(1)))


@every_method
def test_arrays_of_every_kind_mean_the_same(model, x, method):
    wanted = method(model, x, 3)
    assert torch.equal(method(model, x.numpy(), 3), wanted)
    assert torch.equal(method(model, x.double(), 3), wanted), "the network's own number type is used"
    strided = torch.empty(4, 1, 28, 56)[..., ::2].copy_(x)
    assert torch.equal(method(model, strided, 3), wanted)
    assert not wanted.requires_grad


@every_gradient
def test_works_inside_no_grad_and_with_frozen_weights(model, x, method):
    wanted = method(model, x, 3)
    model.requires_grad_(False)
    with torch.no_grad():
        assert torch.equal(method(model, x, 3), wanted)


@every_gradient
def test_inference_mode_is_named(model, x, method):
    with (
        torch.inference_mode(),
        pytest.raises(RuntimeError, match=r"inside torch.inference_mode\(\): call this helper"),
    ):
        method(model, x, 3)
    with torch.inference_mode():
        made_inside, images = ConvNet(), x.clone()
    with pytest.raises(RuntimeError, match="built inside"):
        method(made_inside, x, 3)
    assert torch.equal(method(model, images, 3), method(model, x, 3)), "images made inside are fine"


def test_occlusion_works_inside_inference_mode(model, x):
    with torch.inference_mode():
        inside = at.occlusion(model, x[0], stride=7).maps
    assert torch.equal(inside, at.occlusion(model, x[0], stride=7).maps)


class Variants(nn.Module):
    """Two convolutions whose ReLUs are separate, one shared module, in place, or functional."""

    def __init__(self, kind):
        super().__init__()
        torch.manual_seed(2)
        self.kind, self.conv1, self.conv2, self.out = kind, nn.Conv2d(1, 6, 3), nn.Conv2d(6, 6, 3), nn.Linear(6, 4)
        self.relu1 = nn.ReLU(inplace=kind in ("inplace", "shared inplace"))
        self.relu2 = self.relu1 if kind.startswith("shared") else nn.ReLU(inplace=kind == "inplace")

    def forward(self, x):
        x = self.relu1(self.conv1(x))
        x = self.conv2(x)
        x = functional.relu(x) if self.kind == "functional" else self.relu2(x)
        return self.out(x.mean((2, 3)) + x.amax((2, 3)))


@pytest.mark.parametrize("kind", ["shared", "inplace", "shared inplace"])
@pytest.mark.parametrize(
    "method", [at.saliency, at.guided_backprop, at.deconvnet, at.smoothgrad, at.integrated_gradients]
)
def test_shared_and_in_place_relus_give_the_plain_answer(x, kind, method):
    assert torch.equal(method(Variants(kind), x, 2), method(Variants("plain"), x, 2))


def test_grad_cam_with_an_in_place_relu_behind_the_layer(x):
    assert torch.equal(at.grad_cam(Variants("inplace"), x, 2, "conv2"), at.grad_cam(Variants("plain"), x, 2, "conv2"))


def test_a_network_that_overwrites_its_input_is_fine(x):
    torch.manual_seed(0)
    tail = [nn.Flatten(), nn.Linear(784, 3)]
    one, other = nn.Sequential(nn.ReLU(inplace=True), *tail), nn.Sequential(nn.ReLU(), *tail)
    shifted = x - 0.5
    for method in (at.saliency, at.guided_backprop, at.deconvnet):
        assert torch.equal(method(one, shifted, 1), method(other, shifted, 1))
    assert shifted.min() < 0


@pytest.mark.parametrize("method", [at.guided_backprop, at.deconvnet])
def test_a_functional_relu_is_refused_instead_of_ignored(x, method):
    with pytest.raises(ValueError, match=r"applies a ReLU as a function"):
        method(Variants("functional"), x, 2)

    class AllFunctional(nn.Module):
        def __init__(self):
            super().__init__()
            self.dense = nn.Linear(784, 3)

        def forward(self, x):
            return self.dense(x.flatten(1)).relu()

    with pytest.raises(ValueError, match="this network has none"):
        method(AllFunctional(), x, 2)


def test_the_three_relu_rules_by_hand():
    # Two units: h = relu([x1, x2] @ A), score = h @ b; the first unit is on, the second is off.
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 1, bias=False))
    model[1].weight.data = torch.tensor([[1.0, 2.0], [-3.0, -1.0], [2.0, 1.0]])
    model[3].weight.data = torch.tensor([[5.0, 7.0, -4.0]])
    x = torch.ones(1, 1, 1, 2)  # hidden units before the ReLU: 3, -4, 3
    rows = model[1].weight.data
    assert torch.equal(at.saliency(model, x, 0, signed=True).flatten(), 5 * rows[0] - 4 * rows[2])
    assert torch.equal(at.deconvnet(model, x, 0).flatten(), 5 * rows[0] + 7 * rows[1])
    assert torch.equal(at.guided_backprop(model, x, 0).flatten(), 5 * rows[0])


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "neuron", [("features.conv2", 7, 3, 4), ("features.conv1", 0, 25, 0), ("classifier.hidden", 5)]
)
def test_a_unit_inside_equals_captum(model, x, neuron):
    layer = model.get_submodule(neuron[0])
    for method, oracle in (
        (at.guided_backprop, captum.NeuronGuidedBackprop),
        (at.deconvnet, captum.NeuronDeconvolution),
    ):
        assert torch.equal(method(model, x, neuron=neuron), oracle(model, layer).attribute(x.clone(), neuron[1:]))
    gradient = captum.NeuronGradient(model, layer).attribute(x.clone(), neuron[1:])
    assert torch.equal(at.saliency(model, x, neuron=neuron, signed=True), gradient)
    if len(neuron) == 4:
        reach = {"features.conv1": 3, "features.conv2": 8}[neuron[0]]
        seen = at.saliency(model, x, neuron=neuron)[0].nonzero()
        assert (seen.amax(0) - seen.amin(0)).max() < reach, "a unit sees its receptive field only"


def test_smoothgrad_is_seeded(model, x):
    a = at.smoothgrad(model, x, 3, seed=1)
    assert torch.equal(a, at.smoothgrad(model, x, 3, seed=1))
    assert not torch.equal(a, at.smoothgrad(model, x, 3, seed=2))
    torch.testing.assert_close(at.smoothgrad(model, x, 3, noise=0.0), at.saliency(model, x, 3, signed=True))


def test_a_pixel_moves_the_score_by_as_much_as_the_changed_image(model, x):
    values = torch.tensor([0.0, 0.3, 1.0])
    found = at.pixel_curve(model, x[1:2], 3, (5, 20), values)
    for value, moved in zip(values, found, strict=True):
        changed = x[1:2].clone()
        changed[0, 0, 5, 20] = value
        assert moved.item() == pytest.approx((model(changed) - model(x[1:2]))[0, 3].item(), abs=1e-6)
    same = at.pixel_curve(model, x[1:2], None, (5, 20), x[1, 0, 5, 20][None])
    assert same.item() == pytest.approx(0, abs=1e-6)
    for images, pixel in ((x, (5, 20)), (x[:1], (28, 0)), (x[:1], (0, -1))):
        with pytest.raises(ValueError, match="One image and a pixel inside it"):
            at.pixel_curve(model, images, 3, pixel, values)


def test_upscale_is_bilinear_without_aligned_corners():
    up = at.upscale(torch.tensor([[[0.0, 1.0]]]), (1, 4))
    torch.testing.assert_close(up, torch.tensor([[[0.0, 0.25, 0.75, 1.0]]]))


@every_gradient
def test_bad_images_are_named(model, x, method):
    with pytest.raises(TypeError, match="NumPy array or a tensor, not list"):
        method(model, [[1.0]], 3)
    with pytest.raises(TypeError, match=r"floats in \[0, 1\], these are torch.uint8: divide by 255"):
        method(model, (x * 255).byte(), 3)
    with pytest.raises(ValueError, match=r"got an array of shape \(1, 28, 28\): x\[None\]"):
        method(model, x[0], 3)
    with pytest.raises(ValueError, match="does not accept images of shape"):
        method(model, x.expand(-1, 3, -1, -1), 3)
    with pytest.raises(ValueError, match="NaN or infinity"):
        method(model, x / 0, 3)
    with pytest.raises(ValueError, match="holds no image"):
        method(model, x[:0], 3)


@every_gradient
def test_bad_targets_are_named(model, x, method):
    for target in (10, -1, [0, 1, 2, 10]):
        with pytest.raises(ValueError, match="has the classes 0 to 9"):
            method(model, x, target)
    with pytest.raises(ValueError, match="4 images need one target or 4 of them"):
        method(model, x, [1, 2])
    for target in (3.0, "three", True, torch.tensor([0.5] * 4)):
        with pytest.raises(TypeError, match="A target is a class number"):
            method(model, x, target)


def test_bad_networks_layers_and_units_are_named(model, x):
    with pytest.raises(ValueError, match=r"answer with logits \(N, classes\)"):
        at.saliency(model.features, x, 3)
    with pytest.raises(ValueError, match=r"'conv2'; its layers are features\.conv1"):
        at.grad_cam(model, x, 3, "conv2")
    with pytest.raises(ValueError, match=r"classifier\.hidden has none"):
        at.grad_cam(model, x, 3, "classifier.hidden")
    with pytest.raises(ValueError, match="needs a layer with feature maps"):
        at.grad_cam(DenseNet(), x, 3, "classifier.hidden")
    for unit in ((64, 0, 0), (0, 0, 11), (0, 0), (0.0, 0, 0), (-1, 0, 0)):
        with pytest.raises(ValueError, match=r"has units at 3 whole numbers from 0 below \(64, 11, 11\)"):
            at.saliency(model, x, neuron=("features.conv2", *unit))
    with pytest.raises(TypeError, match="A neuron is"):
        at.saliency(model, x, neuron="features.conv2")
    with pytest.raises(ValueError, match="not both"):
        at.guided_backprop(model, x, 3, neuron=("classifier.hidden", 1))
    with pytest.raises(ValueError, match="The baseline is a number, an image"):
        at.integrated_gradients(model, x, 3, torch.zeros(28))
    with pytest.raises(ValueError, match="steps has to be"):
        at.integrated_gradients(model, x, 3, steps=0)
    with pytest.raises(ValueError, match="noise is"):
        at.smoothgrad(model, x, 3, noise=-1)

    class Blind(nn.Module):
        def forward(self, x):
            return torch.ones(len(x), 3)

    with pytest.raises(ValueError, match="does not depend on the pixels"):
        at.saliency(Blind(), x, 1)


def test_color_images_and_a_network_that_is_not_ours():
    from torchvision.models import vgg16

    torch.manual_seed(0)
    model = vgg16(weights=None, num_classes=5, init_weights=False).eval()
    x = torch.rand(1, 3, 64, 64)
    assert at.saliency(model, x, 2).shape == (1, 64, 64)
    assert at.guided_backprop(model, x, 2).shape == (1, 3, 64, 64)
    assert at.grad_cam(model, x, 2, "features.29").shape == (1, 4, 4)
    result = at.occlusion(model, x[0], size=32, stride=32, value=[0.4, 0.5, 0.6])
    assert result.logits.shape == (2, 2, 5)
    assert result.maps.shape == (5, 64, 64)
    assert model.features[1].inplace
