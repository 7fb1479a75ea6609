"""Recovering a filter: the tool shows what the descent did."""

import numpy as np
import pytest

from helpers import data
from helpers.explorers.filter_recovery import FilterRecovery
from helpers.filters.recovery import STEPS


def numbers(tool, grid):
    return [text.get_text() for text in tool._texts[grid]]


def test_the_tool_starts_at_the_end_with_the_filter_recovered():
    tool = FilterRecovery(target="sobel y")
    if data.load("mnist").real:
        assert numbers(tool, 0) == numbers(tool, 1)
        assert set(numbers(tool, 2)) == {"0.00"}
    else:  # the smooth stand-in gets within a hundredth
        assert set(numbers(tool, 2)) <= {"0.00", "0.01", "−0.01"}


def test_every_step_shows_its_filter():
    tool = FilterRecovery(target="falling diagonal", step=0)
    seen = set()
    for step in STEPS[:12]:
        tool.set(step=step)
        wanted = tool.filters[STEPS.index(step)]
        np.testing.assert_allclose([float(n.replace("−", "-")) for n in numbers(tool, 1)], wanted.ravel(), atol=0.006)
        seen.add(tool.image.value)
    assert len(seen) == 12


@pytest.mark.parametrize("images", ["ten digits", "one digit", "vertical lines", "blank"])
@pytest.mark.parametrize("rate", [0.05, 1.5])
def test_every_setting_can_be_drawn(images, rate):
    tool = FilterRecovery(rate=rate, noise=0.1)
    tool.set(images=images, step=2000)
    assert tool.error.value == ""


def test_own_images_are_taken_and_wrong_ones_named():
    own = {"noise": np.random.default_rng(0).random((3, 9, 9))}
    assert FilterRecovery(own, rate=0.2).losses[-1] < 1e-3
    with pytest.raises(ValueError, match="stacks of gray images"):
        FilterRecovery({"flat": np.zeros((9, 9))})


def test_play_begins_anew_when_the_end_is_reached():
    tool = FilterRecovery()
    assert tool.values["step"] == STEPS[-1]
    tool._play.playing = True
    assert tool.values["step"] == 0
