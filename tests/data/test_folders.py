"""Your own classes from a folder of folders: pictures of any kind, or one sentence."""

import os
from types import SimpleNamespace

import IPython
import IPython.display
import numpy as np
import pytest
from PIL import Image

from helpers import data
from helpers.data import folders
from helpers.data.photographs import PhotographError
from tests.data.test_photographs import rotated, stored, with_alpha

NOISE = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
DEEP = np.linspace(0, 65_535, 60 * 90).reshape(60, 90).astype(np.uint16)
#: What strangers have on their disks, and how it is named.
PICTURES = {
    "held upright.jpg": rotated(6),
    "see-through.png": with_alpha("RGBA"),
    "sixteen bits.png": stored(Image.fromarray(DEEP)),
    "for print.jpg": stored(Image.fromarray(NOISE).convert("CMYK"), "JPEG"),
    "moving.gif": stored(NOISE, "GIF", save_all=True, append_images=[Image.fromarray(255 - NOISE)]),
    "panorama.png": stored(np.zeros((4, 8000, 3), dtype=np.uint8)),
    "sliver.png": stored(NOISE[:, :3]),
    "new.webp": stored(NOISE, "WEBP"),
}
NO_PICTURES = {
    "phone.heic": (b"\0\0\0\x18ftypheic" + bytes(40), "HEIC"),
    "notes.txt": (b"Dear diary", "not a picture"),
    "empty.jpg": (b"", "is empty"),
    "broken.jpg": (stored(NOISE, "JPEG")[:900], "damaged or breaks off"),
}


def fill(root, classes):
    """Write {class: {file: bytes}} to a folder."""
    for name, files in classes.items():
        (root / name).mkdir(parents=True)
        for file, content in files.items():
            (root / name / file).write_bytes(content)
    return root


def test_whatever_lies_there_is_a_picture_as_own_reads_it(tmp_path, capsys):
    root = fill(tmp_path / "mine", {"b": {"one.png": stored(NOISE)}, "a": PICTURES})
    found = data.own_classes(root, side=32)
    assert list(found) == ["a", "b"]
    for picture, name in zip(found["a"], sorted(PICTURES), strict=True):
        assert picture.shape == (32, 32, 3)
        np.testing.assert_array_equal(picture, data.own(PICTURES[name], 32))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", NO_PICTURES)
def test_what_is_no_picture_is_left_out_with_a_sentence(name, tmp_path, capsys):
    content, words = NO_PICTURES[name]
    root = fill(tmp_path, {"a": {"one.png": stored(NOISE), name: content}, "b": {"two.png": stored(NOISE)}})
    found = data.own_classes(root, side=8)
    assert [len(own) for own in found.values()] == [1, 1]
    said = capsys.readouterr().err
    assert "1 thing was left out" in said
    assert f'"{name}"' in said
    assert words in said


def test_hidden_files_and_folders_within_are_passed_over_without_a_word(tmp_path, capsys):
    files = {"one.png": stored(NOISE), ".DS_Store": b"x", "._one.png": b"x", "Thumbs.db": b"x"}
    root = fill(tmp_path, {"a": files, "b": files, ".git": {"c.png": stored(NOISE)}, "a/deeper": {"d.png": b"x"}})
    (root / "readme.txt").write_text("what these are")
    assert {name: len(own) for name, own in data.own_classes(root, side=8).items()} == {"a": 1, "b": 1}
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ({}, "no folder with a picture"),
        ({"a": {}}, "no folder with a picture"),
        ({"mugs": {"one.png": stored(NOISE)}}, 'only one class, "mugs"'),
        ({"mugs": {"one.png": stored(NOISE)}, "cups": {"notes.txt": b"hello"}}, 'only one class, "mugs"'),
        ({"": {"one.png": stored(NOISE)}}, "sort them into folders"),
    ],
)
def test_too_few_classes_are_refused_in_a_sentence(classes, words, tmp_path):
    (tmp_path / "mine").mkdir()
    for name, files in classes.items():
        (tmp_path / "mine" / name).mkdir(exist_ok=True)
        for file, content in files.items():
            (tmp_path / "mine" / name / file).write_bytes(content)
    with pytest.raises(PhotographError, match=words):
        data.own_classes(tmp_path / "mine", side=8)


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("nowhere", 'no folder "nowhere"'),
        ("", "no folder"),
        (7, "not int"),
        ("a\0b", "no folder"),
        ("file.txt", "is a file"),
    ],
)
def test_a_folder_that_is_none_is_refused_in_a_sentence(folder, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.txt").write_text("hello")
    with pytest.raises(PhotographError, match=words):
        data.own_classes(folder)


def test_one_picture_of_a_class_is_enough_to_be_read_and_a_thousand_are_not_all_taken(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(folders, "MOST", 3)
    many = {f"{i}.png": stored(NOISE) for i in range(5)}
    found = data.own_classes(fill(tmp_path, {"one": {"a.png": stored(NOISE)}, "many": many}), side=8)
    assert {name: len(own) for name, own in found.items()} == {"one": 1, "many": 3}
    assert "the first 3 pictures" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="other rules for names")
def test_names_are_escaped_where_they_become_html(tmp_path, monkeypatch):
    """In a notebook the notice is HTML: what a file or a folder is called must not be read as such."""
    shown, evil = [], "<img src=x onerror=alert(1)>"
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel="a kernel"))
    monkeypatch.setattr(IPython.display, "display", lambda content, raw: shown.append(content["text/html"]))
    files = {"a.png": stored(NOISE), f"{evil}.txt": b"x"}
    data.own_classes(fill(tmp_path, {evil: files, "b": {"b.png": stored(NOISE)}, f"{evil} empty": {}}), side=8)
    (content,) = shown
    assert content.count("&lt;img") == 3
    assert "<img" not in content
