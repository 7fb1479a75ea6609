"""Draw a digit: what the pen leaves, what the tool shows of it, what undo brings back."""

import time

import numpy as np
import pytest
import torch

from helpers.data import strokes
from helpers.explorers import draw
from helpers.explorers.draw import SHEET, DrawDigit
from helpers.network import checkpoints, running
from helpers.network.models import ConvNet


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(0)
    return {"digits": checkpoints.load("mnist"), "clothes": ConvNet().eval()}


@pytest.fixture
def tool(models):
    return DrawDigit(models)


def write(tool, drawing):
    """Move the pen over the sheet as a mouse would."""
    for stroke in drawing:
        (first, *rest) = [(x * SHEET, y * SHEET) for x, y in stroke]
        tool.pen_down(first)
        for place in rest:
            tool.pen_move(place)
        tool.pen_up()


def shown(tool):
    return np.asarray(tool._images[0].get_array())


def says(tool):
    return tool._answer.get_text().split(",")[0]


@pytest.mark.parametrize("name", strokes.DIGITS)
def test_a_digit_written_with_the_pen_is_read(tool, name):
    tool.clear()
    write(tool, strokes.DIGITS[name])
    np.testing.assert_allclose(shown(tool), strokes.digit(strokes.DIGITS[name]).image, atol=0.3)
    assert says(tool) == name


def test_the_answers_are_those_of_the_network(tool, models):
    tool.set(example="4", thickness=0.1)
    image = strokes.digit(strokes.DIGITS["4"], 0.1).image
    np.testing.assert_array_equal(shown(tool), image)
    chances = running.predict(models["digits"], image[None, None]).softmax(1)[0]
    assert [bar.get_width() for bar in tool._bars.patches] == pytest.approx(chances.tolist(), abs=1e-5)
    assert tool._bars.patches[4].get_facecolor() != tool._bars.patches[3].get_facecolor()


def test_a_stored_drawing_stands_in_until_somebody_draws(tool):
    assert says(tool) == "8"
    tool.pen_down((140, 40))
    assert tool.values["example"] == draw.OWN
    tool.pen_move((140, 240))
    tool.pen_up()
    assert len(tool.strokes) == 1
    assert says(tool) == "1"


def test_undo_takes_back_strokes_a_clearing_and_a_stored_drawing(tool):
    tool.clear()
    write(tool, strokes.DIGITS["4"])
    full = [list(stroke) for stroke in tool.strokes]
    tool.clear()
    assert says(tool) == "nothing drawn yet"
    assert not shown(tool).any()
    tool.undo()
    assert tool.strokes == full
    assert says(tool) == "4"
    tool.undo()
    assert len(tool.strokes) == len(full) - 1
    tool.set(example="3")
    tool.undo()
    assert len(tool.strokes) == len(full) - 1
    for _ in range(20):
        tool.undo()
    assert tool.error.value == ""


def test_the_thickness_is_that_of_the_whole_drawing(tool):
    tool.set(example="2", thickness=0.05)
    thin = shown(tool).sum()
    tool.set(thickness=0.14)
    assert shown(tool).sum() > 1.5 * thin


def test_a_turn_turns_the_drawing_and_not_the_sheet(tool):
    tool.set(example="4", turn=90)
    np.testing.assert_array_equal(shown(tool), strokes.digit(strokes.turned(strokes.DIGITS["4"], 90)).image)
    assert tool.strokes == strokes.DIGITS["4"]


def test_clothes_are_filled_and_asked_of_the_other_network(tool):
    tool.set(example="trouser")
    assert (tool.values["network"], tool.values["fill"]) == ("clothes", True)
    np.testing.assert_array_equal(shown(tool), strokes.garment(strokes.GARMENTS["trouser"]).image)
    assert tool._bars.axes.get_yticklabels()[1].get_text() == "Trouser"
    tool.set(example="7")
    assert (tool.values["network"], tool.values["fill"]) == ("digits", False)


def test_the_pen_does_not_draw_in_the_air_or_beside_the_sheet(tool):
    tool.clear()
    tool.pen_move((50, 50))
    tool.pen_up()
    assert tool.strokes == []
    tool.pen_down((50, 50))
    tool.pen_move((-40, 9999))
    assert tool.strokes[0][-1] == (0.0, 1.0)
    tool.pen_up()
    tool.pen_move((90, 90))
    assert len(tool.strokes[0]) == 2


def test_events_of_mouse_and_finger_reach_the_pen(tool):
    tool.clear()
    canvas = tool.canvas
    for event, places in (("mouse_down", (100, 60)), ("mouse_move", (100, 200)), ("mouse_up", (100, 200))):
        canvas._handle_frontend_event(None, {"event": event, "x": places[0], "y": places[1]}, [])
    for event, places in (("touch_start", (60, 130)), ("touch_move", (220, 130)), ("touch_end", None)):
        touches = [{"x": places[0], "y": places[1]}] if places else []
        canvas._handle_frontend_event(None, {"event": event, "touches": touches}, [])
    canvas._handle_frontend_event(None, {"event": "mouse_move", "x": 5, "y": 5}, [])
    at = np.array([[(100, 60), (100, 200)], [(60, 130), (220, 130)]]) / SHEET
    np.testing.assert_allclose(tool.strokes, at)


def test_the_picture_follows_the_pen_but_does_not_keep_it_waiting(tool, monkeypatch):
    tool.clear()
    looks = []
    monkeypatch.setattr(tool, "update", lambda: (looks.append(tool._step), time.sleep(0.03)))
    tool.pen_down((20, 20))
    for i in range(200):
        tool.pen_move((20 + i, 20 + i))
        time.sleep(0.002)
    tool.pen_up()
    assert looks[-1] == draw.CAREFUL
    assert set(looks[:-1]) == {draw.HASTY}
    assert 2 <= len(looks) <= 12
    assert len(tool.strokes[0]) > 190, "every move of the pen counts"


def test_maps_are_those_of_the_lessons(tool, models):
    from helpers.inside.attribution import occlusion
    from helpers.plots.style import limit

    tool.set(example="5")
    x = torch.from_numpy(strokes.digit(strokes.DIGITS["5"]).image)[None]
    top = limit([occlusion(models["digits"], x).maps[5]], 99.5)
    assert tool._titles[1].get_text() == f"occlusion, ±{top:.1f} logits"


def test_a_network_of_another_name_is_refused(models):
    with pytest.raises(ValueError, match="digits and clothes"):
        DrawDigit({"flowers": models["digits"]})
