"""The confusion browser: its matrix against scikit-learn's, its images, its clicks, and its behavior as a tool."""

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix

from helpers.data import Split
from helpers.explorers.confusion import COLUMNS, ORDERS, ROWS, ConfusionBrowser
from helpers.plots.style import DPI, SHARPNESS

NAMES = ("cat", "dog", "cow", "hen")


def made(n=200, classes=4, channels=1, seed=0):
    chance = np.random.default_rng(seed)
    labels = chance.integers(0, classes, n)
    logits = chance.normal(size=(n, classes)) + 2 * np.eye(classes)[labels]
    return logits, Split(chance.random((n, channels, 9, 9), dtype=np.float32), labels)


@pytest.fixture
def tool():
    return ConfusionBrowser(*made(), NAMES)


def captions(tool):
    return [text.get_text() for text in tool._captions if text.get_text()]


def place(tool, row, column):
    """Where on the page the middle of a cell is."""
    x, y = tool._axes.transData.transform((column, row))
    return x / SHARPNESS, (tool.figure.get_size_inches()[1] * DPI - y) / SHARPNESS


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
def test_matrix_is_scikit_learns(kind):
    logits, split = made()
    tool = ConfusionBrowser(kind(logits), Split(split.images, kind(split.labels)))
    assert np.array_equal(tool.matrix, confusion_matrix(split.labels, logits.argmax(1)))


def test_it_opens_on_the_most_common_mistake(tool):
    truth, said = NAMES.index(tool.values["truth"]), NAMES.index(tool.values["said"])
    wrong = tool.matrix - np.diag(tool.matrix.diagonal())
    assert wrong[truth, said] == wrong.max()
    assert truth != said


@pytest.mark.parametrize("order", ORDERS)
def test_the_images_are_those_of_the_cell_in_the_order_asked_for(tool, order):
    logits, split = made()
    sure = torch.softmax(torch.tensor(logits), 1).max(1).values.numpy()
    for truth in range(4):
        for said in range(4):
            found = tool.found(NAMES[truth], NAMES[said], order)
            assert len(found) == tool.matrix[truth, said]
            assert (split.labels[found] == truth).all()
            assert (logits[found].argmax(1) == said).all()
            assert (np.diff(sure[found]) * (-1 if order == ORDERS[0] else 1) >= 0).all()


def test_the_pictures_are_the_images_and_the_captions_their_probability(tool):
    logits, split = made()
    tool.set(truth="cow", said="cow", order="least sure first")
    found = tool.found("cow", "cow", "least sure first")
    assert len(found) > COLUMNS * ROWS
    sure = torch.softmax(torch.tensor(logits), 1).max(1).values.numpy()
    for i, picture in enumerate(tool._pictures):
        assert np.array_equal(picture.get_array(), split.images[found[i], 0])
    assert captions(tool) == [f"{p:.0%} sure" for p in sure[found[: COLUMNS * ROWS]]]
    assert tool._title.get_text() == f"cow, recognized: {len(found)} images, {COLUMNS * ROWS} shown"


def test_one_image_no_image_and_the_words_for_them():
    logits = np.array([[9.0, 0], [9.0, 0], [0, 9.0]])
    tool = ConfusionBrowser(logits, Split(np.zeros((3, 1, 5, 5), np.float32), np.array([0, 1, 1])))
    assert tool._title.get_text() == "1, taken for 0: 1 image"
    tool.set(truth="0", said="1")
    assert tool._title.get_text() == "0, taken for 1: 0 images"
    assert tool._note.get_text() == "nobody made this mistake"
    assert captions(tool) == []
    assert not any(p.get_visible() for p in tool._pictures)


def test_a_click_on_a_cell_chooses_it(tool):
    for row in range(4):
        for column in range(4):
            tool.click(*place(tool, row, column))
            assert (tool.values["truth"], tool.values["said"]) == (NAMES[row], NAMES[column])


def test_a_click_beside_the_matrix_does_nothing(tool):
    before = tool.values
    for row, column in [(-1, 0), (0, -1), (4, 0), (0, 4), (2, 30)]:
        tool.click(*place(tool, row, column))
    assert tool.values == before


def test_a_click_draws_once(tool, monkeypatch):
    drawn = []
    monkeypatch.setattr(tool, "draw", lambda **values: drawn.append(values))
    tool.click(*place(tool, 3, 0))
    assert len(drawn) == 1


def test_every_control_changes_the_picture(tool):
    tool.set(truth="cat", said="dog")
    for name, value in [("truth", "hen"), ("said", "hen"), ("order", ORDERS[1])]:
        before = tool.image.value
        tool._controls[name].value = value
        assert tool.image.value != before, name
        assert tool.error.value == ""


def test_color_images_and_perfect_answers():
    _, split = made(channels=3)
    tool = ConfusionBrowser(5 * np.eye(4)[split.labels], split, NAMES)
    assert tool.values["truth"] == tool.values["said"] == "cat"
    assert tool._pictures[0].get_array().shape == (9, 9, 3)


@pytest.mark.parametrize(
    ("logits", "classes", "words"),
    [
        (np.zeros((199, 4)), None, "one row of logits per image"),
        (np.zeros(200), None, "one row of logits per image"),
        (np.zeros((200, 4)), ("cat", "dog"), "2 classes are named"),
        (np.zeros((200, 3)), None, "3 logits per image"),
    ],
)
def test_what_does_not_belong_together_is_explained(logits, classes, words):
    with pytest.raises(ValueError, match=words):
        ConfusionBrowser(logits, made()[1], classes)


def test_it_is_shown_as_a_picture_with_words(tool):
    data, about = tool._repr_mimebundle_()
    assert data["image/png"][:4] == b"\x89PNG"
    assert "Confusion matrix" in about["image/png"]["alt"]
    assert ConfusionBrowser(*made(), NAMES)._repr_mimebundle_()[0]["image/png"] == data["image/png"]
