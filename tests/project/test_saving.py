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
    "model",
    [
        notebook({VIEW: {"model_id": "a"}, "text/plain": "HBox()"}),
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
