"""The class-map browser: it shows the maps whose means are the logits, and refuses what it cannot show."""

import numpy as np
import pytest
import torch

from helpers import data
from helpers.explorers.class_maps import FAINT, ClassMapBrowser, lit
from helpers.network import photonet


@pytest.fixture(scope="module")
def tool():
    networks = {"one": photonet.untrained(), "other": photonet.untrained(1)}
    squares = {name: photonet.batch([data.square(data.photo(name), side=67)])[0] for name in ("cat", "coffee")}
    return ClassMapBrowser(networks, squares, ("espresso", "bow tie", "black-and-tan coonhound"))


def test_every_control_changes_the_picture(tool):
    tool.set(photograph="cat", target="black-and-tan coonhound", network="one")
    for name, value in {"network": "other", "photograph": "coffee", "target": "espresso"}.items():
        before = tool.image.value
        tool.set(**{name: value})
        assert tool.error.value == ""
        assert tool.image.value != before, name


def test_the_mean_in_the_title_is_the_logit(tool):
    tool.set(photograph="cat", target="black-and-tan coonhound", network="one")
    with torch.no_grad():
        logits = tool.models["one"](tool.photographs["cat"][None])[0]
    number = photonet.number("black-and-tan coonhound")
    assert f"mean {logits[number]:.1f} = logit" in tool._title.get_text()
    assert f"{logits.softmax(0)[number]:.0%}" in tool._title.get_text()
    assert photonet.names()[int(logits.argmax())] in tool._says.get_text()


def test_a_photograph_fades_where_the_map_is_low():
    picture, spot = np.full((2, 2, 3), 0.8), np.array([[-1.0, 1.0], [2.0, 4.0]])
    left = FAINT + (1 - FAINT) * np.array([[0.0, 0.25], [0.5, 1.0]])
    np.testing.assert_allclose(lit(picture, spot)[..., 0], 1 - 0.2 * left)
    np.testing.assert_allclose(lit(picture, 0 * spot)[..., 0], np.full((2, 2), 1 - 0.2 * FAINT))


def test_what_it_cannot_show_is_refused(tool):
    with pytest.raises(ValueError, match="at least one network"):
        ClassMapBrowser({}, tool.photographs)
    with pytest.raises(ValueError, match="no class 'unicorn'"):
        ClassMapBrowser(tool.models, tool.photographs, ("unicorn",))


def test_without_a_choice_the_classes_are_those_put_first(tool):
    found = ClassMapBrowser({"one": tool.models["one"]}, tool.photographs)
    best = photonet.answers(tool.models["one"], tool.photographs["cat"][None], 4)[0]
    assert [name for name, _ in best] == list(found.classes)[:4]
    assert "network" not in found.values
