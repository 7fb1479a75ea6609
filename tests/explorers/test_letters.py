"""The letter reader: window, response and answer are those of the network."""

import numpy as np
import pytest
import torch
from torch import nn

from helpers.data import sequences
from helpers.explorers.letters import KEEP, LetterReader

TEXTS = {"one": "ACGTACGTTATAAACC", "other": "GGGGGGGGGGCCCCCC"}


def network(channels=4):
    torch.manual_seed(0)
    layers = nn.Conv1d(channels, 3, 6), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(3, 2)
    return nn.Sequential(*layers)


@pytest.fixture
def tool():
    return LetterReader(network(), TEXTS, 1, ["no", "yes"])


def test_window_curve_and_bars_are_those_of_the_network(tool):
    tool.set(text="one", place=8)
    columns = sequences.one_hot(TEXTS["one"])
    responses = tool.model[0](columns[None])[0, 1].detach()
    assert tool._curve.get_ydata() == pytest.approx(responses.tolist(), abs=1e-5)
    assert tool._here.get_ydata()[0] == pytest.approx(float(responses[8]), abs=1e-5)
    assert "TATAAA" in tool._said.get_text()
    said = f"sum {float(responses[8]):+.2f}".replace("-", "−")
    assert said in tool._sum.get_text()
    chances = tool.model(columns[None]).softmax(1)[0].tolist()
    assert [bar.get_width() for bar in tool._bars.patches] == pytest.approx(chances, abs=1e-5)


def test_a_letter_becomes_another(tool):
    tool.set(text="one", place=8, letter=9, becomes="G")
    assert "TGTAAA" in tool._said.get_text()
    assert tool.changed("one", 9, KEEP) == TEXTS["one"]
    shown = np.asarray(tool._squares.get_array())
    assert (shown[2, 9] < 1).any(), "G is the third row"
    assert (shown[0, 9] == 1).all()


def test_what_it_cannot_read_is_named():
    with pytest.raises(ValueError, match="four channels"):
        LetterReader(network(5), TEXTS, 0, ["no", "yes"])
    with pytest.raises(ValueError, match="four channels"):
        LetterReader(nn.Sequential(nn.Flatten()), TEXTS, 0, ["no", "yes"])
    with pytest.raises(ValueError, match="filters 0 to 2"):
        LetterReader(network(), TEXTS, 3, ["no", "yes"])
    for texts in ({}, {"one": "ACGTACGT", "other": "ACGTACG"}):
        with pytest.raises(ValueError, match="one length"):
            LetterReader(network(), texts, 0, ["no", "yes"])
