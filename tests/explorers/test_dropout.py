"""The dropout tool: its passes against PyTorch's layer, their mean, and its behavior as a tool."""

import numpy as np
import pytest
import torch

from helpers.explorers.dropout import DropoutExplorer
from helpers.network.models import ConvNet

CLASSES = [f"class {i}" for i in range(10)]


@pytest.fixture(scope="module")
def images():
    return torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def tool(images):
    torch.manual_seed(0)
    return DropoutExplorer(ConvNet(), images, CLASSES)


def test_in_test_mode_it_says_what_the_network_says(images):
    torch.manual_seed(1)
    model = ConvNet().eval()
    tool = DropoutExplorer(model, images, CLASSES)
    with torch.no_grad():
        wanted = torch.softmax(model(images), 1).numpy()
    for i in range(3):
        np.testing.assert_allclose(tool.compute(i, 0.5, 1, "test")[2], wanted[i], atol=1e-6)


@pytest.mark.parametrize("p", [0.2, 0.5])
def test_survivors_are_scaled_and_the_share_of_units_off_is_p(tool, p):
    masks = []
    for turn in range(1, 200):
        on, left, probabilities = tool.compute(0, p, turn, "training")
        masks.append(on)
        np.testing.assert_allclose(left[on], tool.hidden[0][on] / (1 - p), rtol=1e-6)
        assert not left[~on].any()
        assert probabilities.sum() == pytest.approx(1)
    assert np.mean(masks) == pytest.approx(1 - p, abs=0.02)


def test_the_mean_over_passes_is_what_the_test_sees(tool):
    passes = np.mean([tool.compute(0, 0.5, turn, "training")[1] for turn in range(1, 3000)], axis=0)
    np.testing.assert_allclose(passes, tool.hidden[0], atol=0.1 * tool.hidden[0].max())


def test_a_pass_can_be_seen_again(tool):
    first, again = (tool.compute(1, 0.5, 7, "training")[0] for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, tool.compute(1, 0.5, 8, "training")[0])


def test_every_control_changes_the_picture(tool):
    for name, value in {"p": 0.2, "turn": 9, "image": 2, "mode": "test"}.items():
        before = tool.image.value
        tool._controls[name].value = value
        assert tool.image.value != before, name
        assert tool.error.value == ""


def test_titles_have_to_match_the_images(images):
    with pytest.raises(ValueError, match="Every image needs a title"):
        DropoutExplorer(ConvNet(), images, CLASSES, titles=["one"])


def test_the_network_is_left_as_it_was(images):
    model = ConvNet().train()
    DropoutExplorer(model, images, CLASSES)
    assert model.training
