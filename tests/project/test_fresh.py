"""A student's cells survive `make fresh` and `make update`, whatever goes wrong."""

import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from tools import fresh
from tools.lessons import Refusal

NOW = datetime(2030, 5, 17, 9, 5)
LESSON, OTHER = Path("notebooks/13_occlusion.ipynb"), Path("notebooks/02_edge_filters.ipynb")


def git(folder, *words):
    subprocess.run(["git", "-c", "user.name=T", "-c", "user.email=t@example.org", *words], cwd=folder, check=True)


def publish(folder, **texts):
    """Commit these texts of the two lessons, and of helpers, in the series' own repository."""
    for name, text in texts.items():
        path = folder / {"lesson": LESSON, "other": OTHER, "helpers": Path("helpers.py")}[name]
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "x")


@pytest.fixture
def series(tmp_path):
    """The published series, in a repository of its own."""
    folder = tmp_path / "published"
    folder.mkdir()
    git(folder, "init", "-qb", "main")
    publish(folder, lesson="first", other="first", helpers="first")
    return folder


@pytest.fixture
def student(series, tmp_path):
    """A student's clone, in a folder with a space and an umlaut."""
    git(tmp_path, "clone", "-q", str(series), str(tmp_path / "meine Übung"))
    return tmp_path / "meine Übung"


def mine(folder):
    """What lies in notebooks/mine/, by name."""
    return {path.name: path.read_text() for path in (folder / "notebooks" / "mine").glob("*")}


def test_a_lesson_comes_back_and_the_answers_are_kept(student):
    (student / LESSON).write_text("my answers")
    said = fresh.lesson(student, LESSON, NOW)
    assert (student / LESSON).read_text() == "first"
    assert mine(student) == {"13_occlusion, 2030-05-17 09.05.ipynb": "my answers"}
    assert "notebooks/mine/13_occlusion, 2030-05-17 09.05.ipynb" in said
    (student / LESSON).write_text("once more")
    fresh.lesson(student, LESSON, NOW)  # in the same minute
    assert sorted(mine(student).values()) == ["my answers", "once more"]


def test_an_untouched_lesson_is_left_alone(student):
    assert "as it was handed out" in fresh.lesson(student, LESSON, NOW)
    assert mine(student) == {}


def test_an_update_brings_the_new_and_keeps_the_old(series, student):
    (student / LESSON).write_text("my answers")
    publish(series, lesson="second", other="second")
    said = fresh.update(student, NOW)
    assert [(student / path).read_text() for path in (LESSON, OTHER)] == ["second", "second"]
    assert mine(student) == {"13_occlusion, 2030-05-17 09.05.ipynb": "my answers"}
    assert said.startswith("You have the newest version.")
    assert fresh.update(student, NOW) == "Nothing is newer than what you have."


def test_without_news_nothing_is_touched(student):
    (student / LESSON).write_text("my answers")
    assert fresh.update(student, NOW) == "Nothing is newer than what you have."
    assert (student / LESSON).read_text() == "my answers"
    assert mine(student) == {}


def test_without_a_network_nothing_is_touched(series, student):
    (student / LESSON).write_text("my answers")
    publish(series, lesson="second")
    series.rename(series.with_name("moved"))
    with pytest.raises(Refusal, match="git fetch says"):
        fresh.update(student, NOW)
    assert (student / LESSON).read_text() == "my answers"
    assert mine(student) == {}


def test_an_update_that_does_not_fit_gives_everything_back(series, student):
    publish(student, helpers="my own commit")
    (student / LESSON).write_text("my answers")
    publish(series, lesson="second")
    with pytest.raises(Refusal, match="git merge says"):
        fresh.update(student, NOW)
    assert (student / LESSON).read_text() == "my answers"
    assert mine(student) == {}


def test_changes_elsewhere_are_named(series, student):
    (student / "helpers.py").write_text("tried something")
    publish(series, lesson="second")
    with pytest.raises(Refusal, match=r"You changed helpers\.py"):
        fresh.update(student, NOW)
    assert (student / "helpers.py").read_text() == "tried something"


def test_a_download_without_git_is_told_so(tmp_path):
    with pytest.raises(Refusal, match="git diff says"):
        fresh.lesson(tmp_path, LESSON, NOW)
