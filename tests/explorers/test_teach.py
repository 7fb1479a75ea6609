"""Teach it: what is learned, judged and lit is what the helpers compute; own classes come in, what is none does not."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from helpers import data
from helpers.explorers.class_maps import lit
from helpers.explorers.teach import CHANGES, LAYER, MOST, TeachExplorer
from helpers.inside import features, teach
from helpers.inside.fields import place
from helpers.network import hooks, photonet

SIDE, NAMES = 51, ("brick", "grass", "gravel")


def crops(name, count, half, seed):
    """Squares out of the left or the right half of a texture."""
    texture, rng = data.photo(name), np.random.default_rng(seed)
    columns = rng.integers(0, 256 - SIDE, count) + 256 * (half == "right")
    return [
        texture[r : r + SIDE, c : c + SIDE] for r, c in zip(rng.integers(0, 512 - SIDE, count), columns, strict=True)
    ]


@pytest.fixture(scope="module")
def networks():
    return {"one": photonet.untrained(), "other": photonet.untrained(1)}


@pytest.fixture
def tool(networks):
    old, new = ({name: crops(name, n, half, 1) for name in NAMES} for n, half in ((4, "left"), (3, "right")))
    return TeachExplorer(
        networks, old, new, {"a brick": new["brick"][0], "a cat": data.square(data.photo("cat"), side=SIDE)}
    )


def png(picture):
    with io.BytesIO() as buffer:
        Image.fromarray((255 * picture).astype(np.uint8)).save(buffer, "PNG")
        return buffer.getvalue()


def bars(tool):
    return [patch.get_width() for _, patch, _ in tool._rows]


def test_every_control_changes_the_picture(tool):
    tool.set(asked="a brick", change="as it is", network="one", count=4)
    for name, value in {"asked": "a cat", "change": "darker", "network": "other", "count": 2}.items():
        before = tool.image.value
        tool.set(**{name: value})
        assert tool.error.value == ""
        assert tool.image.value != before, name


@pytest.mark.parametrize("change", CHANGES)
def test_bars_score_and_place_are_those_of_the_helpers(tool, change):
    tool.set(asked="a cat", change=change, network="other", count=3)
    network = tool.networks["other"]
    rows = [features.vectors(network, tool.classes[name][:3]) for name in NAMES]
    taught = teach.learn(np.concatenate(rows), np.repeat(range(3), 3))
    image = CHANGES[change](tool.asked["a cat"][None])
    chances = taught.chances(features.vectors(network, image))[0]
    assert bars(tool) == pytest.approx(chances.tolist(), abs=1e-4)
    said = int(chances.argmax())
    assert tool._says.get_text() == f"“{NAMES[said]}”, {chances[said]:.0%}"
    new = [features.vectors(network, CHANGES[change](tool.tests[name])) for name in NAMES]
    right = sum(int((taught.logits(part).argmax(1) == k).sum()) for k, part in enumerate(new))
    assert f"{right} of 9 new pictures right (by chance 3)" in tool._head.get_text()
    maps = taught.maps(hooks.activations(network, image, LAYER)[LAYER])[0]
    evidence = torch.from_numpy(maps[said] - np.delete(maps, said, axis=0).mean(0))[None]
    picture = image[0].permute(1, 2, 0).numpy()
    wanted = lit(picture, place(evidence, network, image, LAYER)[0].numpy())
    np.testing.assert_allclose(tool._lit.get_array(), wanted, atol=1e-3)


def test_the_distance_is_that_to_the_nearest_example(tool):
    tool.set(asked="a cat", network="one", count=4)
    network = tool.networks["one"]
    bank = np.concatenate([features.vectors(network, tool.classes[name]) for name in NAMES])
    new = np.concatenate([features.vectors(network, tool.tests[name]) for name in NAMES])
    own = features.vectors(network, tool.asked["a cat"][None])
    distance, usual = (features.nearest(bank, rows, 1).distances.max() for rows in (own, new))
    assert tool._foot.get_text() == f"nearest example: {distance:.0f} away (new ones: up to {usual:.0f})"


def test_without_tests_each_picture_is_held_out_in_turn(networks):
    tool = TeachExplorer({"one": networks["one"]}, {name: crops(name, 4, "left", 1) for name in NAMES})
    assert "network" not in tool.values
    rows, labels = np.concatenate(list(tool._vectors("one", "classes").values())), np.repeat(range(3), 4)
    right = (teach.held_out(rows, labels) == labels).sum()
    assert f"held out in turn, {right} of 12 are right" in tool._head.get_text()
    tool.set(count=1)
    assert "none is left to test on" in tool._head.get_text()
    assert "new ones" not in tool._foot.get_text()


def test_a_class_of_your_own_gets_a_row_and_is_learned(tool):
    cats = [np.roll(data.photo("cat"), 20 * i, axis=0) for i in range(3)]
    tool.teach(" my  <b>cat</b> $x_$ ", [png(cat) for cat in cats])
    assert tool.error.value == ""
    assert list(tool.classes) == [*NAMES, "my <b>cat</b> $x_$"]
    assert len(tool._rows) == 4
    tool.set(asked="a cat")
    assert tool._says.get_text().startswith("“my <b>cat</…”")
    assert "held out in turn" in tool._head.get_text()
    tool.teach("my <b>cat</b> $x_$", [png(cats[0])])
    assert len(tool.classes["my <b>cat</b> $x_$"]) == 4
    assert len(tool._rows) == 4
    tool._repr_mimebundle_()


def test_a_folder_of_your_own_is_taught_and_asked_about(networks, tmp_path):
    for name, picture in {"mug": data.photo("coffee"), "cat": data.photo("cat")}.items():
        (tmp_path / name).mkdir()
        for i in range(2):
            (tmp_path / name / f"{i}.png").write_bytes(png(np.roll(picture, 30 * i, axis=1)))
    tool = TeachExplorer(networks, data.own_classes(tmp_path, SIDE), None, {})
    assert tool.error.value == ""
    assert list(tool.asked) == ["the first of cat", "the first of mug"]
    assert "held out in turn" in tool._head.get_text()


def test_only_your_own_classes(tool):
    tool.forget()
    assert "no class yet" in tool.error.value
    tool.teach("mug", [png(data.photo("coffee"))])
    assert "one class, mug, yet" in tool.error.value
    tool.set(asked="a brick")
    assert "one class" in tool.error.value
    tool.teach("cat", [png(data.photo("cat"))])
    assert tool.error.value == ""
    assert [round(sum(bars(tool)), 5), len(tool._rows)] == [1.0, 2]
    assert tool._controls["count"].max == 1


def test_what_is_no_picture_is_explained_and_the_others_are_taken(tool):
    tool.teach("mug", [b"Dear diary", png(data.photo("coffee")), b""])
    assert "not a picture" in tool.error.value
    assert "empty" in tool.error.value
    assert len(tool.classes["mug"]) == 1
    before = tool.image.value
    tool.teach("cup", [b"Dear diary"])
    assert "not a picture" in tool.error.value
    assert "cup" not in tool.classes
    tool.teach(" ", [png(data.photo("coffee"))])
    assert "Write the name" in tool.error.value
    assert tool.image.value == before
    for i in range(MOST - 4):
        tool.teach(f"more {i}", [png(data.photo("coffee"))])
    tool.teach("one too many", [png(data.photo("coffee"))])
    assert "classes already" in tool.error.value


def test_a_picture_is_asked_about(tool):
    coffee = data.photo("coffee")
    tool.ask_about("<i>mine</i>.png", png(coffee))
    assert tool.values["asked"] == "<i>mine</i>.png"
    np.testing.assert_allclose(tool._shown.get_array(), data.own(png(coffee), SIDE), atol=1e-6)
    first = bars(tool)
    tool.ask_about("<i>mine</i>.png", png(1 - coffee))  # another one of that name takes its place
    assert bars(tool) != first
    tool.ask_about("notes.txt", b"Dear diary")
    assert "not a picture" in tool.error.value
    assert tool.values["asked"] == "<i>mine</i>.png"


def test_the_buttons_hand_over_what_was_opened(tool):
    files = [{"name": f"{i}.png", "content": memoryview(png(data.photo("coffee")))} for i in range(2)]
    tool._name.value = "mug"
    tool._add_files({"new": tuple(files)})
    assert len(tool.classes["mug"]) == 2
    tool._forget.click()
    assert tool.classes == {}


def test_what_it_cannot_show_is_refused(networks):
    picture = np.zeros((SIDE, SIDE, 3), dtype=np.float32)
    with pytest.raises(ValueError, match="at least one network"):
        TeachExplorer({}, {"a": [picture], "b": [picture]})
    with pytest.raises(ValueError, match="two to 8 classes; these are 1: a"):
        TeachExplorer(networks, {"a": [picture]})
    with pytest.raises(ValueError, match="two to 8"):
        TeachExplorer(networks, {str(i): [picture] for i in range(9)})
    with pytest.raises(ValueError, match="one size"):
        TeachExplorer(networks, {"a": [picture], "b": [picture[:30, :30]]})
    with pytest.raises(ValueError, match="list of photographs"):
        TeachExplorer(networks, {"a": [picture], "b": []})
    with pytest.raises(ValueError, match="the same classes"):
        TeachExplorer(networks, {"a": [picture], "b": [picture]}, {"a": [picture]})
