"""What is solved stays solved: one private file, merged and not overwritten, and no harm when it cannot be used."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.exercises import memory
from tools import ROOT


@pytest.fixture
def file(monkeypatch, tmp_path):
    """The place of the file, in a folder that does not exist yet."""
    path = tmp_path / "new" / "progress.json"
    monkeypatch.setenv("CNN_MEMORY", str(path))
    new_kernel(monkeypatch)
    return path


def new_kernel(monkeypatch):
    """As after a restart: only the file knows."""
    monkeypatch.setattr(memory, "_session", {"solved": {}, "predicted": {}})
    monkeypatch.setattr(memory, "_said", set())


def test_the_next_day_knows_what_was_solved_and_first_predicted(monkeypatch, file):
    memory.remember("solved", "a/one")
    memory.remember("predicted", "a/two", False)
    memory.remember("predicted", "a/two", True)
    new_kernel(monkeypatch)
    memory.remember("predicted", "a/two", True)
    assert memory.recall() == {"solved": {"a/one": True}, "predicted": {"a/two": False}}
    assert not [path for path in file.parent.iterdir() if path != file], "no lock and no half-written file stays"


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps its own lists of who may read")
@pytest.mark.usefixtures("file")
def test_the_file_is_its_owners_alone(file):
    memory.remember("solved", "a/one")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_two_notebooks_at_once_lose_nothing(file):
    code = (
        "import sys; from helpers.exercises import memory\n"
        "for i in range(40): memory.remember('solved', f'{sys.argv[1]}/{i}')"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, name], cwd=ROOT) for name in "abc"]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert len(json.loads(file.read_text())["solved"]) == 120


def test_a_lock_left_behind_by_a_crash_does_not_stop_anybody(file):
    file.parent.mkdir()
    file.with_name("progress.json.lock").touch()
    memory.remember("solved", "a/one")
    assert file.exists()


def test_a_file_is_whole_or_not_there(monkeypatch, file, capsys):
    memory.remember("solved", "a/one")
    before = file.read_text()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(memory.json, "dump", full)
    memory.remember("solved", "a/two")
    assert file.read_text() == before
    assert list(file.parent.iterdir()) == [file]
    assert "No space left on device" in capsys.readouterr().err
    assert "a/two" in memory.recall()["solved"], "until the kernel ends it is known"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "it is damaged"),
        ("", "it is damaged"),
        ("[1, 2]", "it is a file of something else"),
        ('{"about": "my thesis"}', "it is a file of something else"),
        (json.dumps({"about": memory._ABOUT, "solved": {"a/one": "yes"}, "predicted": {}}), "it is damaged"),
        (json.dumps({"about": memory._ABOUT, "solved": ["a/one"], "predicted": {}}), "it is damaged"),
        (json.dumps({"about": memory._ABOUT}), "it is damaged"),
        (b"\xff\xfe\x00", "it is damaged"),
    ],
)
def test_a_broken_or_foreign_file_is_named_once_and_left_as_it_is(file, content, reason, capsys):
    file.parent.mkdir()
    content = content if isinstance(content, bytes) else content.encode()
    file.write_bytes(content)
    memory.remember("solved", "a/one")
    memory.remember("predicted", "a/two", True)
    memory.forget("b")
    assert memory.recall() == {"solved": {"a/one": True}, "predicted": {"a/two": True}}
    assert file.read_bytes() == content
    said = capsys.readouterr().err
    assert said.count(reason) == 1
    assert said.count("Your progress is not kept") == 1
    assert str(file) in said


@pytest.mark.parametrize("obstacle", ["a folder in its place", "a file in the folder's place"])
def test_a_place_that_cannot_be_written_is_named_and_nothing_else_breaks(file, obstacle, capsys):
    if obstacle.startswith("a folder"):
        file.mkdir(parents=True)
    else:
        file.parent.write_text("mine")
    memory.remember("solved", "a/one")
    assert memory.recall()["solved"] == {"a/one": True}
    assert "cannot be used" in capsys.readouterr().err


def test_forgetting_one_lesson_or_all(monkeypatch, file):
    for key in ("a/one", "ab/one"):
        memory.remember("solved", key)
        memory.remember("predicted", key, True)
    memory.forget("a")
    new_kernel(monkeypatch)
    assert memory.recall() == {"solved": {"ab/one": True}, "predicted": {"ab/one": True}}
    memory.forget()
    assert memory.recall() == {"solved": {}, "predicted": {}}
    assert file.exists()


def test_what_was_forgotten_elsewhere_is_not_written_again(monkeypatch, file):
    memory.remember("solved", "a/one")
    here = memory._session
    new_kernel(monkeypatch)
    memory.forget()
    monkeypatch.setattr(memory, "_session", here)
    memory.remember("solved", "a/two")
    assert list(json.loads(file.read_text())["solved"]) == ["a/two"]


@pytest.mark.parametrize("word", ["off", " OFF "])
def test_off_writes_nothing(monkeypatch, tmp_path, word):
    new_kernel(monkeypatch)
    monkeypatch.setenv("CNN_MEMORY", word)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.chdir(tmp_path)
    memory.remember("solved", "a/one")
    assert memory.recall()["solved"] == {"a/one": True}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("platform", "environment", "wanted"),
    [
        ("linux", {}, ".local/share"),
        ("linux", {"XDG_DATA_HOME": "{home}/elsewhere"}, "elsewhere"),
        ("darwin", {}, "Library/Application Support"),
        ("win32", {}, "AppData/Local"),
        ("win32", {"LOCALAPPDATA": "{home}/roam"}, "roam"),
    ],
)
def test_the_place_follows_the_system(monkeypatch, tmp_path, platform, environment, wanted):
    for name in ("CNN_MEMORY", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format(home=tmp_path))
    monkeypatch.setattr(memory.sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert memory.place() == tmp_path / wanted / "convolutional-networks-by-eye" / "progress.json"


def test_tests_and_stored_notebooks_know_nothing_of_the_users_file():
    assert memory.place() is None
    for path in ("tools/notebooks.py", "tools/nbval_real_data.py"):
        assert 'os.environ["CNN_MEMORY"] = "off"' in (ROOT / path).read_text(encoding="utf-8")
