"""The softmax tool: its numbers against PyTorch's, the overflow it is meant to show, and its behavior as a tool."""

import numpy as np
import pytest
import torch

from helpers.explorers.softmax import EXAMPLES, SoftmaxTemperature

PLAIN = {"temperature": 1.0, "shift": 0.0, "raised": "0", "by": 0.0, "safe": True}


@pytest.fixture
def tool():
    return SoftmaxTemperature()


def texts(tool, panel):
    return [text.get_text() for text in tool._numbers[panel]]


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("temperature", [0.1, 1.0, 7.0])
@pytest.mark.parametrize("shift", [-100.0, 0.0, 100.0])
def test_probabilities_are_torchs_whatever_is_added(tool, example, temperature, shift):
    got = tool.compute(example, temperature, shift, "3", 1.5, True)[2]
    logits = torch.tensor(EXAMPLES[example], dtype=torch.float64)
    logits[3] += 1.5
    np.testing.assert_allclose(got, torch.softmax(logits / temperature, 0).numpy(), atol=2e-4)
    assert got.sum() == pytest.approx(1, abs=1e-5)


def test_the_examples_are_not_changed(tool):
    before = {name: logits.copy() for name, logits in tool.examples.items()}
    tool.set(shift=50, raised="7", by=4)
    assert all(np.array_equal(before[name], tool.examples[name]) for name in before)


def test_without_the_safeguard_large_logits_overflow_and_it_is_said(tool):
    tool.set(shift=95, safe=False)
    assert "inf" in texts(tool, 1)
    assert "nan" in texts(tool, 2)
    assert "not a number" in tool._said[1].get_text()
    tool.set(safe=True)
    assert "nan" not in texts(tool, 2)
    assert "1.000" in tool._said[1].get_text()


def test_vanishing_exponentials_do_not_break_it(tool):
    tool.set(shift=-100, safe=False, temperature=0.1)
    assert set(texts(tool, 2)) == {"nan"}
    assert tool.error.value == ""


def test_a_low_temperature_takes_the_favorite_and_a_high_one_levels(tool):
    cold = tool.compute("torn between 4 and 9", **PLAIN | {"temperature": 0.1})[2]
    hot = tool.compute("torn between 4 and 9", **PLAIN | {"temperature": 30.0})[2]
    assert cold[4] > 0.94
    assert hot.max() < 0.13
    assert cold.argmax() == hot.argmax() == 4


def test_every_control_changes_the_picture(tool):
    moves = {"example": "sure: a 7", "temperature": 2.0, "shift": 5, "raised": "4", "by": 2.0, "safe": False}
    assert set(moves) == set(tool._controls)
    tool.set(example="torn between 4 and 9")
    for name, value in moves.items():
        before = tool.image.value
        tool._controls[name].value = value
        assert tool.image.value != before, name
        assert tool.error.value == ""


def test_bars_and_numbers_agree(tool):
    tool.set(example="torn between 4 and 9", temperature=2.0)
    probabilities = tool.compute(**tool.values)[2]
    assert [bar.get_width() for bar in tool._bars[2]] == pytest.approx(list(probabilities))
    assert texts(tool, 2) == [f"{p:.1%}" for p in probabilities]


def test_own_logits_and_class_names():
    tool = SoftmaxTemperature({"mine": torch.tensor([1.0, 2.0, 3.0])}, classes=["cat", "dog", "long-haired guinea pig"])
    np.testing.assert_allclose(tool.compute("mine", **PLAIN | {"raised": "cat"})[2], [0.09, 0.245, 0.665], atol=1e-3)
    assert texts(tool, 0) == ["1.0", "2.0", "3.0"]


@pytest.mark.parametrize(
    ("examples", "classes", "words"),
    [
        ({"a": [1, 2], "b": [1, 2, 3]}, None, "same length"),
        ({"a": [[1, 2], [3, 4]]}, None, "same length"),
        ({"a": [1]}, None, "at least 2"),
        ({}, None, "same length"),
        ({"a": [1, np.nan]}, None, "finite"),
        ({"a": [1, 2]}, ["x"], "2 logits and 1 names"),
    ],
)
def test_what_cannot_be_shown_is_explained(examples, classes, words):
    with pytest.raises(ValueError, match=words):
        SoftmaxTemperature(examples, classes)


def test_it_is_shown_as_a_picture_with_words(tool):
    data, about = tool._repr_mimebundle_()
    assert data["image/png"][:4] == b"\x89PNG"
    assert "probability" in about["image/png"]["alt"]
    assert SoftmaxTemperature()._repr_mimebundle_()[0]["image/png"] == data["image/png"]


def test_small_numbers_are_written_out_as_long_as_there_is_one_to_see(tool):
    tool.set(example="torn between 4 and 9")
    assert {"0.0001", "0.0007"} <= set(texts(tool, 1))
    tool.set(example="sure: a 7")
    assert any(text.endswith("e−08") for text in texts(tool, 1))
