"""Turn the digit: bars and curves agree with the networks."""

import pytest
import torch

from helpers.data import distort
from helpers.explorers.turn import ANGLES, TurnDigit
from helpers.network import running
from helpers.network.models import ConvNet


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(0)
    return {"digits": ConvNet().eval(), "clothes": ConvNet().eval()}


@pytest.fixture
def turn(models):
    torch.manual_seed(1)
    return TurnDigit(
        {"one": models["digits"], "two": models["clothes"]}, torch.rand(3, 1, 28, 28), [1, 2, 3], range(10)
    )


def test_bars_and_curves_agree_with_the_networks(turn, models):
    turn.set(image=1, angle=40, scale=0.8, right=3, down=-2)
    changed = distort.warp(turn.pictures[1:2], 40.0, 0.8, 3, -2)
    for i, name in enumerate(("digits", "clothes")):
        chances = running.predict(models[name], changed).softmax(1)[0]
        assert [bar.get_width() for bar in turn._bars[i].patches] == pytest.approx(chances.tolist(), abs=1e-5)
        at = int((ANGLES == 40).nonzero())
        assert turn._curves[i].get_ydata()[at] == pytest.approx(chances[2].item(), abs=1e-4)


@pytest.mark.parametrize(
    ("name", "value"), [("image", 2), ("angle", 30), ("scale", 0.7), ("right", 4), ("down", -3), ("noise", 0.3)]
)
def test_every_control_changes_the_picture(turn, name, value):
    before = turn.image.value
    turn.set(**{name: value})
    assert turn.image.value != before


def test_one_or_two_networks(models):
    with pytest.raises(ValueError, match="one or two networks"):
        TurnDigit({}, torch.rand(1, 1, 28, 28), [0], range(10))
