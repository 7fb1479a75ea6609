"""The self-test: what it says on a healthy computer, and that each thing that can be missing gets its own sentence."""

import re
import shutil
import subprocess
import sys
from collections import namedtuple
from importlib import metadata
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from helpers import selftest
from helpers.data import download, raw
from helpers.selftest import Line, Report
from tools.notebooks import MACHINE_PATH


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """No images anywhere: no CNN_DATA, an empty data folder."""
    monkeypatch.delenv("CNN_DATA", raising=False)
    monkeypatch.setattr(download, "STORE", tmp_path / "data")
    monkeypatch.setattr(download, "stores", lambda: [tmp_path / "data", tmp_path / "cache"])
    return tmp_path


def arrays_at(monkeypatch, root):
    monkeypatch.setattr(download, "find", lambda name: ({"images": 1}, root, []))


def test_a_healthy_computer_has_nothing_to_fix():
    report = selftest.run()
    assert [line.name for line in report.lines] == list(selftest.QUESTIONS)
    assert report.ok, str(report)
    assert report.verdict == "Everything the lessons need is here."


def test_a_report_shows_no_path_of_this_machine_and_no_reading_of_a_clock():
    report = selftest.run()
    for text in (str(report), report._repr_html_()):
        assert not MACHINE_PATH.search(text)
        assert not re.search(r"\d\.\d{3,}", text)
    assert "<th scope" in report._repr_html_()
    assert "`" not in report._repr_html_()


def test_a_cross_names_what_to_fix_and_a_dot_does_not():
    lines = (Line("disk", "fix", "Full <b>."), Line("device", "note", "Slow: run `make lab`."), Line("x", "ok", "y"))
    report = Report(lines)
    assert not report.ok
    assert report.verdict.startswith("To fix before you start: disk.")
    assert "✗ disk" in str(report)
    assert "Full &lt;b&gt;." in report._repr_html_()
    assert "<code>make lab</code>" in report._repr_html_()
    assert Report(lines[1:]).ok


def test_missing_and_old_packages_are_named(monkeypatch):
    real = metadata.version

    def version(name):
        if name == "tqdm":
            raise metadata.PackageNotFoundError(name)
        return "2.0.1+cpu" if name == "torch" else real(name)

    monkeypatch.setattr(metadata, "version", version)
    mark, said = selftest.packages()
    assert mark == "fix"
    assert "tqdm" in said.split(";")[0]
    assert "torch 2.0.1+cpu (wanted: >=2.13)" in said
    assert "make lab" in said


def test_a_local_build_of_a_good_version_is_good(monkeypatch):
    """Of every package the tested version, of torch as it comes without CUDA."""
    tested = selftest._tested()
    versions = {name: f"{version}+cpu" if name == "torch" else version for name, version in tested.items()}
    monkeypatch.setattr(metadata, "version", lambda name: versions[canonicalize_name(name)])
    assert selftest.packages()[0] == "ok"


def test_versions_that_nobody_tested_are_told_in_words(monkeypatch):
    tested = selftest._tested()
    newer = {"torch": "99.0", "numpy": "99.1", "scipy": "99.2", "matplotlib": "99.3", "pooch": "99.4"}
    monkeypatch.setattr(metadata, "version", lambda name: ({**tested, **newer})[canonicalize_name(name)])
    mark, said = selftest.packages()
    assert mark == "note"
    assert f"torch 99.0 (tested: {tested['torch']})" in said
    assert said.count("(tested: ") == 3
    assert "and 2 more" in said
    assert "VERSIONS=pinned" in said
    monkeypatch.setattr(download, "PROJECT", download.PROJECT / "nowhere")
    assert selftest._tested() == {}


def test_an_old_python_is_named(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    mark, said = selftest.python()
    assert mark == "fix"
    assert "Python 3.9" in said
    assert ">=3.11" in said


@pytest.mark.usefixtures("alone")
def test_without_images_it_says_that_the_stand_in_is_used_and_downloads_nothing(monkeypatch):
    monkeypatch.setattr(download, "first_to_answer", lambda *_: pytest.fail("the self-test must not download"))
    mark, said = selftest.images("mnist")
    assert mark == "note"
    assert "stand-in" in said
    assert "`make data`." in said


def test_it_says_where_the_images_are(monkeypatch, alone):
    for root, words in ((alone / "data", "in the folder `data`"), (alone / "cache", "in this user's cache")):
        arrays_at(monkeypatch, root)
        mark, said = selftest.images("fashion")
        assert (mark, words in said) == ("ok", True)
    monkeypatch.setenv("CNN_DATA", "elsewhere")
    arrays_at(monkeypatch, alone / "elsewhere")
    assert "in the folder that CNN_DATA names" in selftest.images("mnist")[1]
    arrays_at(monkeypatch, alone / "data")
    mark, said = selftest.images("mnist")
    assert mark == "note"
    assert "CNN_DATA names was passed over" in said


def test_the_switch_for_downloads_is_left_as_it_was(monkeypatch, alone):
    import os

    for before in (None, "0"):
        monkeypatch.delenv("CNN_OFFLINE", raising=False)
        if before is not None:
            monkeypatch.setenv("CNN_OFFLINE", before)
        selftest.images("mnist")
        assert os.environ.get("CNN_OFFLINE") == before


def test_a_full_disk_is_named(monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1, 1, 2e8))
    mark, said = selftest.disk()
    assert mark == "fix"
    assert "0.2 GB" in said


def test_a_graphics_card_that_does_not_answer_is_named(monkeypatch):
    from helpers.network import device

    monkeypatch.setattr(device, "best_device", lambda: "cuda:99")
    mark, said = selftest.device()
    assert mark == "fix"
    assert 'device="cpu"' in said


def test_a_computer_too_slow_for_lesson_05_is_told_what_to_do_instead(monkeypatch):
    ticks = iter([0.0, 40.0])
    monkeypatch.setattr(selftest.time, "perf_counter", lambda: next(ticks))
    mark, said = selftest.training_step()
    assert mark == "note"
    assert "checkpoints.load" in said


def test_a_page_without_widgets_is_named(monkeypatch):
    monkeypatch.setattr("jupyter_core.paths.jupyter_path", lambda *_: ["nowhere"])
    mark, said = selftest.widgets()
    assert mark == "fix"
    assert "make lab" in said


def test_halves_of_widgets_that_do_not_fit_are_named(monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda name: "7.7.1" if name == "ipywidgets" else "3.0.0")
    assert selftest.widgets()[0] == "fix"


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_a_network_that_cannot_be_read_is_named(monkeypatch, tmp_path, damage):
    from helpers.network import checkpoints

    for path in Path(checkpoints.FOLDER).iterdir():
        shutil.copy(path, tmp_path)
    weights = tmp_path / "fashion.pt"
    if damage == "missing":
        weights.unlink()
    else:
        weights.write_bytes(weights.read_bytes()[:-100])
    monkeypatch.setattr(checkpoints, "FOLDER", tmp_path)
    mark, said = selftest.checkpoints()
    assert mark == "fix"
    assert "'fashion'" in said
    assert "git checkout data/checkpoints" in said


@pytest.mark.parametrize("damage", ["missing", "broken"])
def test_a_network_for_photographs_that_is_missing_or_broken_is_a_note_and_downloads_nothing(
    monkeypatch, alone, damage
):
    monkeypatch.setattr(download, "_fetch", lambda *_: pytest.fail("it downloads"), raising=False)
    if damage == "broken":
        path = alone / "data" / raw.NETWORK.path
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes(raw.NETWORK.size))
    mark, said = selftest.checkpoints()
    assert mark == "note"
    assert said.startswith("The finished networks are here: MNIST")
    assert "network for photographs is not on this computer, or not whole" in said
    assert "`make data`" in said


def test_the_network_for_photographs_is_found(monkeypatch, alone):
    found = download.Found({"file": "content"}, alone, [])
    monkeypatch.setattr(download, "find_network", lambda: found)
    mark, said = selftest.checkpoints()
    assert (mark, said.endswith("and the one for photographs, every byte of it.")) == ("ok", True)


def test_a_question_that_fails_is_a_line_and_not_a_traceback(monkeypatch):
    def broken():
        raise OSError(f"no {download.PROJECT}/x\nin {Path.home()}/y")

    line = selftest._ask("disk", broken)
    assert line.mark == "fix"
    assert "OSError" in line.said
    assert "\n" not in line.said
    assert not MACHINE_PATH.search(line.said)


def test_it_runs_from_the_command_line_and_its_exit_code_tells():
    done = subprocess.run(
        [sys.executable, "-m", "helpers.selftest"], capture_output=True, text=True, cwd=download.PROJECT, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "✓ Python" in done.stdout
