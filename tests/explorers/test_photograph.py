"""The photograph explorer: its maps are those of the methods, any class can be had, masks follow when there is time."""

import asyncio
import datetime
import io

import numpy as np
import pytest
import torch
from PIL import Image

from helpers import data
from helpers.explorers import photograph
from helpers.explorers.class_maps import lit
from helpers.explorers.photograph import PhotographExplorer
from helpers.inside import attribution
from helpers.inside.fields import place
from helpers.inside.occlusion import occlusion
from helpers.inside.photo_maps import PhotoMaps
from helpers.network import photonet
from helpers.network.running import predict


@pytest.fixture(scope="module")
def network():
    return photonet.load()  # or its stand-in with random weights


@pytest.fixture(scope="module")
def squares():
    return {name: photonet.batch([data.square(data.photo(name), side=83)])[0] for name in ("cat", "coffee")}


@pytest.fixture
def tool(network, squares):
    return PhotographExplorer(network, squares)


def faded(image, spot):
    return lit(image.permute(1, 2, 0).numpy(), spot.numpy())


def shown(tool):
    return [np.asarray(picture.get_array()) for picture in tool._pictures]


@pytest.mark.parametrize(("name", "target", "layer"), [("cat", "tabby", "fire9"), ("coffee", "soup bowl", "fire4")])
def test_every_picture_is_the_map_of_its_method(tool, network, squares, name, target, layer):
    tool.set(photograph=name, target=target, layer=layer)
    tool.refine()
    tool.update()
    image, number = squares[name], photonet.number(target)
    x = image[None]
    slope = torch.nn.functional.avg_pool2d(attribution.saliency(network, x, number), 7, stride=1, padding=3)[0]
    cam = attribution.grad_cam(network, x, number, layer)
    drop = occlusion(network, image, 18, 6, 0.5).map(number)
    maps = photonet.class_maps(network, x)[:, number]
    wanted = {
        1: faded(image, place(maps, network, x, "maps")[0]),
        2: faded(image, slope),
        4: faded(image, place(cam, network, x, layer)[0]),
        5: faded(image, drop),
    }
    pictures = shown(tool)
    np.testing.assert_allclose(pictures[0], image.permute(1, 2, 0))
    for i, picture in wanted.items():
        np.testing.assert_allclose(pictures[i], picture, atol=1e-3, err_msg=str(i))
    guided = attribution.guided_backprop(network, x, number)[0].permute(1, 2, 0).numpy()
    away = (pictures[3] - 0.5).ravel()
    assert np.corrcoef(away, guided.clip(*np.percentile(guided, [0.2, 99.8])).ravel())[0, 1] > 0.98
    words = [title.get_text() for title in tool._titles]
    logits = predict(network, x)[0]
    assert f"mean {logits[number]:.1f} = logit" in words[1]
    assert f"{target}, {logits.softmax(0)[number]:.0%}" in words[1]
    assert layer in words[4]
    assert f"up to {drop.max():.1f}" in words[5]


def test_every_control_changes_the_picture(tool):
    others = {"photograph": lambda: "coffee", "target": lambda: tool._target.options[3][1], "layer": lambda: "conv1"}
    for name, value in others.items():
        before = tool.image.value
        tool._controls[name].value = value()
        assert tool.image.value != before, name
        assert tool.error.value == ""


def test_the_menu_holds_the_first_answers_of_the_photograph(tool, network, squares):
    for name, image in reversed(squares.items()):
        tool._controls["photograph"].value = name
        best = photonet.answers(network, image[None], 5)[0]
        assert [words for words, _ in tool._target.options] == [f"{said}, {p:.0%}" for said, p in best]
        assert photonet.names()[tool.values["target"]] == best[0][0]


def test_a_class_that_was_searched_for_stays_with_another_photograph(tool):
    tool._field.value = "Bow Tie"
    assert (tool.values["target"], tool._field.value) == (photonet.number("bow tie"), "")
    assert "bow tie" in tool._titles[1].get_text()
    tool._controls["photograph"].value = "coffee"
    assert tool.values["target"] == photonet.number("bow tie")
    assert [words for words, _ in tool._target.options].count("bow tie") == 1
    before = tool.values
    tool._field.value = "unicorn"
    assert "no class 'unicorn'" in tool.error.value
    assert tool.values == before


def test_values_describe_the_tool(tool, network, squares):
    tool.set(photograph="coffee", target="weevil", layer="fire2")
    again = PhotographExplorer(network, squares, **tool.values)
    assert again.values == tool.values
    assert again.image.value == tool.image.value


def test_outside_of_a_kernel_there_are_the_first_masks_and_a_display_has_them_all(tool):
    assert "of" in tool._titles[5].get_text().split("\n")[0]
    tool._repr_mimebundle_()
    assert tool._titles[5].get_text().startswith("occlusion, 144 masks")


def test_where_a_kernel_runs_the_masks_come_by_themselves_and_a_control_goes_first(tool):
    async def lesson():
        tool.set(photograph="coffee")
        pictures = [tool.image.value]
        assert tool._titles[5].get_text() == "occlusion\n…"
        tool.set(photograph="cat")  # before the first masks: they are those of the new photograph
        for _ in range(400):
            await asyncio.sleep(0.01)
            if tool.image.value != pictures[-1]:
                pictures.append(tool.image.value)
            if tool._titles[5].get_text().startswith("occlusion, 144 masks"):
                break
        return pictures

    tool._masks.clear(), tool._more.clear()
    pictures = asyncio.run(lesson())
    assert len(set(pictures)) > 5
    assert set(tool._masks) == {"cat"}
    assert tool._masks["cat"].left == 0


def test_where_a_kernel_runs_what_a_key_may_ask_for_next_is_found_ahead(tool, monkeypatch):
    asked = []

    class Counted(PhotoMaps):
        def of(self, target):
            asked.append(target)
            return super().of(target)

    async def lesson():
        tool.set(photograph="coffee")
        for _ in range(1000):
            await asyncio.sleep(0.01)
            if tool._handle is None or (tool._ahead() is None and not tool._unfinished()):
                break

    monkeypatch.setattr(photograph, "PhotoMaps", Counted)
    tool._found.clear(), tool._look_at("cat")
    asyncio.run(lesson())
    classes = [number for _, number in tool._target.options]
    assert sorted(asked) == sorted([*classes, int(tool._logits["cat"].argmax())])
    pictures = {tool.image.value}
    for number in classes[1:]:
        tool.set(target=number)
        pictures.add(tool.image.value)
    tool.set(photograph="cat")
    pictures.add(tool.image.value)
    assert len(pictures) == 6
    assert len(asked) == 6  # nothing was looked up anew


def test_a_class_that_was_searched_for_is_found_ahead_on_other_photographs(tool):
    tool.set(target="bow tie")
    for _, number in tool._target.options:
        tool._find("cat", number)
    assert tool._ahead() == ("coffee", photonet.number("bow tie"))


def test_only_so_many_answers_are_kept(tool, monkeypatch):
    monkeypatch.setattr(photograph, "KEPT", 3)
    for number in (1, 2, 3, 4, 1):
        tool.set(target=number)
    assert [number for _, number in tool._found] == [3, 4, 1]
    assert tool._ahead() is None


def test_a_photograph_from_the_readers_computer(tool):
    noise = np.random.default_rng(3).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    with io.BytesIO() as buffer:
        Image.fromarray(noise).save(buffer, "PNG")
        content = memoryview(buffer.getvalue())
    tool._picker.value = ({"name": "me.png", "type": "image/png", "size": len(content), "content": content,
                           "last_modified": datetime.datetime(2026, 1, 1)},)  # fmt: skip
    assert (tool.values["photograph"], tool.error.value) == ("me.png", "")
    assert tool.photographs["me.png"].shape == (3, 227, 227)
    np.testing.assert_allclose(shown(tool)[0], data.own(content, side=227), atol=1e-6)
    first = tool._masks["me.png"]
    tool.take("me.png", 255 - noise)  # another one of that name takes its place, with masks of its own
    assert tool._masks["me.png"] is not first
    np.testing.assert_allclose(shown(tool)[0], data.own(255 - noise, side=227), atol=1e-6)
    before = tool.values, tool.image.value
    tool.take("notes.txt", b"Dear diary")
    assert "not a picture" in tool.error.value
    assert (tool.values, tool.image.value) == before


def stored(form, array=None, **more):
    picture = array if isinstance(array, Image.Image) else Image.fromarray(SMALL if array is None else array)
    with io.BytesIO() as buffer:
        picture.save(buffer, form, **more)
        return buffer.getvalue()


SMALL = np.random.default_rng(5).integers(0, 256, (40, 60, 3), dtype=np.uint8)
TURNED = Image.Exif()
TURNED[0x0112] = 6
STRANGE = {
    "JPEG held upright": (lambda: stored("JPEG", exif=TURNED), ""),
    "PNG with alpha": (lambda: stored("PNG", np.dstack([SMALL, SMALL[..., :1]])), ""),
    "PNG of 16 bits": (lambda: stored("PNG", SMALL[..., 0].astype(np.uint16) * 257), ""),
    "CMYK": (lambda: stored("JPEG", Image.fromarray(SMALL).convert("CMYK")), ""),
    "GIF": (lambda: stored("GIF"), ""),
    "8,000 pixels wide": (lambda: stored("JPEG", np.full((50, 8_000, 3), 90, np.uint8)), ""),
    "3 pixels wide": (lambda: stored("PNG", SMALL[:, :3]), ""),
    "HEIC": (lambda: b"\x00\x00\x00\x18ftypheic" + bytes(100), "HEIC, the format of phones"),
    "text": (lambda: b"Dear diary", "not a picture"),
}


@pytest.mark.parametrize(("made", "words"), STRANGE.values(), ids=list(STRANGE))
def test_a_strangers_file_is_a_picture_or_a_sentence(tool, made, words):
    before = tool.image.value
    tool.take("theirs", made())
    assert words in tool.error.value
    assert (tool.image.value == before) == bool(words)
    assert ("theirs" in tool.photographs) == (not words)


def test_what_there_is_not_is_refused(network, squares):
    with pytest.raises(ValueError, match="at least one photograph"):
        PhotographExplorer(network, {})
    with pytest.raises(ValueError, match="no class 'unicorn'"):
        PhotographExplorer(network, squares, target="unicorn")
    with pytest.raises(ValueError, match="not a possible value of 'target'"):
        PhotographExplorer(network, squares, target=1000)
    with pytest.raises(ValueError, match="not a possible value of 'layer'"):
        PhotographExplorer(network, squares, layer="fire1")


def test_without_photographs_those_of_the_series_are_shown(network):
    tool = PhotographExplorer(network, photograph="hopper", target="bow tie")
    assert tuple(tool.photographs) == data.PHOTOS
    if network.trained:
        assert tool._titles[0].get_text().startswith("bow tie 88%")
