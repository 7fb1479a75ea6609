"""The saliency explorer: its maps are those of the library, and what is left lacks the pixels they put first."""

import numpy as np
import pytest
import torch

from helpers.explorers.saliency import SHARE, SaliencyExplorer
from helpers.inside import attribution, faithfulness
from helpers.inside.attribution import METHODS
from helpers.network.models import ConvNet


@pytest.fixture
def tool():
    torch.manual_seed(0)
    return SaliencyExplorer(ConvNet().eval(), torch.rand(3, 1, 28, 28), torch.tensor([1, 2, 3]), range(10))


def test_every_control_of_the_explorer_changes_the_picture(tool):
    changes = {"signed": False, "image": 1, "target": 4, "method": "Grad-CAM", "layer": "features.relu1"}
    for name, value in changes.items():
        before = tool.image.value
        tool.set(**{name: value})
        assert tool.error.value == ""
        assert tool.image.value != before, name


def test_a_layer_is_asked_for_only_where_it_counts(tool):
    assert tool._controls["layer"].disabled
    tool.set(method="Grad-CAM")
    assert not tool._controls["layer"].disabled


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_the_explorer_draws_the_numbers_of_the_library(tool, method, signed):
    tool.set(method=method, image=2, target=4, signed=signed)
    assert tool.error.value == ""
    x = tool.images[2:3]
    plain = {
        "gradient": lambda: attribution.saliency(tool.model, x, 4, signed=True)[0],
        "gradient × input": lambda: attribution.gradient_times_input(tool.model, x, 4)[0],
        "SmoothGrad": lambda: attribution.smoothgrad(tool.model, x, 4, samples=12)[0],
        "integrated gradients": lambda: attribution.integrated_gradients(tool.model, x, 4, steps=24)[0],
        "guided backpropagation": lambda: attribution.guided_backprop(tool.model, x, 4)[0],
        "deconvnet": lambda: attribution.deconvnet(tool.model, x, 4)[0],
        "Grad-CAM": lambda: attribution.place(
            attribution.grad_cam(tool.model, x, 4, "features.pool2"), tool.model, x, "features.pool2"
        ),
        "occlusion 7×7": lambda: attribution.occlusion(tool.model, x[0], 7).maps[4:5],
    }[method]()
    wanted = plain[0] if signed else plain[0].abs()
    drawn = torch.as_tensor(np.asarray(tool._map.get_array()))
    assert torch.allclose(drawn / drawn.abs().max(), wanted / wanted.abs().max(), atol=1e-3)
    assert tool._map.get_clim() == (-1 if signed else 0, 1)


def test_what_is_left_lacks_the_pixels_that_the_map_puts_first(tool):
    tool.set(method="gradient", image=1, target=2)
    order = attribution.saliency(tool.model, tool.images[1:2], 2, signed=True)
    curve = faithfulness.deletion(tool.model, tool.images[1:2], order, 2, steps=1, until=SHARE)
    left = np.asarray(tool._left.get_array())
    assert (left != tool.images[1, 0].numpy()).sum() == round(SHARE * 784)
    assert f"{curve.logits[0, 1]:.1f}".replace("-", "−") in tool._titles[2].get_text()


def test_several_networks_are_compared_by_name(tool):
    torch.manual_seed(1)
    other = ConvNet().eval()
    both = SaliencyExplorer({"first": tool.model, "second": other}, tool.images, tool.labels, range(10))
    assert np.array_equal(np.asarray(both._map.get_array()), np.asarray(tool._map.get_array()))
    both.set(network="second")
    alone = SaliencyExplorer(other, tool.images, tool.labels, range(10))
    assert np.array_equal(np.asarray(both._map.get_array()), np.asarray(alone._map.get_array()))
    assert "second says" in both._titles[0].get_text()
    assert "network" not in alone.values
    with pytest.raises(ValueError, match="no network to ask"):
        SaliencyExplorer({}, tool.images, tool.labels, range(10))


def test_color_images_and_networks_that_are_not_chains_are_explored_too():
    class Skip(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.relu = torch.nn.Conv2d(3, 3, 3, padding=1), torch.nn.ReLU()
            self.out = torch.nn.Linear(3 * 144, 4)

        def forward(self, x):
            return self.out((x + self.relu(self.conv(x))).flatten(1))

    torch.manual_seed(0)
    tool = SaliencyExplorer(Skip().eval(), torch.rand(2, 3, 12, 12), torch.tensor([0, 1]), range(4))
    for method in METHODS:
        tool.set(method=method)
        assert tool.error.value == "", method


def test_a_network_without_relu_modules_is_explained_and_not_drawn():
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(72, 3))
    tool = SaliencyExplorer(model, torch.rand(1, 1, 8, 8), torch.tensor([0]), "abc")
    tool.set(method="guided backpropagation")
    assert "ReLU" in tool.error.value


def test_a_network_without_feature_maps_is_refused():
    dense = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))
    with pytest.raises(ValueError, match="feature maps"):
        SaliencyExplorer(dense, torch.rand(1, 1, 8, 8), torch.tensor([0]), "abc")
