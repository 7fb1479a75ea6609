"""What is written when a notebook is saved: pictures stay, live views that hide them go, all else is left alone."""

import copy

import pytest

from helpers.saving import keep_pictures

VIEW = "application/vnd.jupyter.widget-view+json"


def notebook(*bundles):
    outputs = [{"output_type": "display_data", "data": data, "metadata": {VIEW: {}}} for data in bundles]
    cells = [{"cell_type": "markdown", "source": "# One"}, {"cell_type": "code", "outputs": outputs}]
    return {"type": "notebook", "content": {"cells": cells}}


@pytest.mark.parametrize("kind", ["image/png", "text/html"])
def test_a_live_view_gives_way_to_the_picture_beside_it(kind):
    model = notebook({VIEW: {"model_id": "a"}, kind: "x", "text/plain": "words"})
    keep_pictures(model=model, path="a.ipynb", contents_manager=None)
    (output,) = model["content"]["cells"][1]["outputs"]
    assert output["data"] == {kind: "x", "text/plain": "words"}
    assert output["metadata"] == {}


@pytest.mark.parametrize(
    "words",
    [
        "HBox()",
        "training:   0%|          | 0/375 [00:00<?, ?step/s]",
        "masks of 3×3 (all): 100%|██████████| 100/100",
        "  0%|          | 0/375",
        "<Box>",
        ["HBox(", "children=())"],
    ],
)
def test_a_bar_that_nobody_can_move_again_is_not_kept(words):
    model = notebook({VIEW: {"model_id": "a"}, "text/plain": words}, {"text/plain": "99.1% right"})
    keep_pictures(model)
    (output,) = model["content"]["cells"][1]["outputs"]
    assert output["data"] == {"text/plain": "99.1% right"}


@pytest.mark.parametrize("words", ["Predict: how many?", "Right: 99% of them"])
def test_words_beside_a_live_view_are_kept(words):
    model = notebook({VIEW: {"model_id": "a"}, "text/plain": words})
    keep_pictures(model)
    assert model["content"]["cells"][1]["outputs"][0]["data"] == {"text/plain": words}


@pytest.mark.parametrize(
    "model",
    [
        notebook({"image/png": "x"}),
        {"type": "notebook", "content": None},
        {"type": "file", "format": "text", "content": "no notebook"},
        {"type": "directory"},
        {"type": "notebook", "content": {"cells": [{"cell_type": "code", "outputs": [{"output_type": "stream"}]}]}},
    ],
)
def test_everything_else_is_written_as_it_is(model):
    before = copy.deepcopy(model)
    keep_pictures(model)
    assert model == before
