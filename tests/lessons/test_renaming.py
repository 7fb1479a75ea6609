"""A lesson is known by its name: another number in its file name changes the links to it, and nothing else."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.lessons import test_notebooks as contract
from tests.project.test_project import tracked
from tools import ROOT, lessons

NAME, NUMBER = "occlusion", 31
LINK = re.compile(r"\b\d\d_(\w+\.ipynb)")
#: Ways of referring to a lesson by its number, wherever they stand.
TYPED_NUMBERS = (
    lessons.TYPED_NUMBER,
    re.compile(r"\blesson_?\d\d"),
    re.compile(r"\b(check|predict|tally|Lesson)\(f?[\"']\d"),
    re.compile(r"[\"'`]\d\d/[a-z]"),
)
#: They spoil a lesson with a number on purpose, or look for one.
EXAMPLES = {"tests/lessons/test_contract.py", "tests/lessons/test_renaming.py", "tools/lessons.py"}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of everything that git tracks: no data set, no environment."""
    folder = tmp_path_factory.mktemp("renaming") / "project"
    for path in tracked():
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return folder


def python(folder, *arguments):
    """Run a module of the copy, on the same data as here; return what it printed."""
    data = (ROOT / os.environ.get("CNN_DATA", "data")).resolve()
    environment = os.environ | {"PYTHONPATH": str(folder), "CNN_DATA": str(data), "EXERCISE_RUNS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def contents(folder):
    """{file: bytes} of the copy, without what Python writes beside its modules."""
    paths = [path for path in folder.rglob("*") if path.is_file() and "cache" not in str(path.relative_to(folder))]
    return {path.relative_to(folder): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def renamed(checkout):
    """The copy with one lesson moved to the end, as CONTRIBUTING.md says; and its files before and after."""
    python(checkout, "tools.notebooks", "clean")
    before = contents(checkout)
    (old,) = (checkout / "notebooks").glob(f"[0-9][0-9]_{NAME}.ipynb")
    old.rename(old.with_name(f"{NUMBER}_{NAME}.ipynb"))
    python(checkout, "tools.notebooks", "clean")
    return before, contents(checkout)


def test_only_file_names_in_links_change(renamed):
    before, after = renamed
    moved = {path: path.with_name(LINK.sub(r"\1", path.name)) for path in {*before, *after}}
    assert {moved[path] for path in before} == {moved[path] for path in after}
    after = {moved[path]: content for path, content in after.items()}
    changed = set()
    for path, content in before.items():
        if after[moved[path]] != content:
            changed.add(path)
            assert path.suffix in (".ipynb", ".md"), f"{path} holds the number of a lesson"
            old, new = (LINK.sub(r"\1", text.decode()) for text in (content, after[moved[path]]))
            assert old == new, f"{path} changed in more than the file names of links"
    assert Path("README.md") in changed


def test_the_renamed_lesson_keeps_its_contract_and_its_exercises(renamed, checkout):
    files = ("tests/lessons/test_notebooks.py", "tests/lessons/test_exercises.py", "tests/project/test_readme.py")
    chosen = f"{NUMBER}_{NAME} or (solution_is_right and {NAME}/) or readme"
    printed = python(checkout, "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen, *files)
    rules = len(lessons.exercises(next(lessons.NOTEBOOKS.glob(f"*_{NAME}.ipynb")))) + len(contract.RULES)
    assert int(re.search(r"(\d+) passed", printed)[1]) > rules, printed


def words(path):
    """The text of a tracked file in which a person could have typed a number: for a notebook, its cells."""
    if path.suffix == ".ipynb":
        return "\n\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    text = path.read_text(encoding="utf-8")
    if path.name == "CHANGELOG.md":
        return text[: text.index("## 0.1")]  # the first edition knew its lessons by number
    # A comment may begin with two digits, a heading may not.
    return re.sub(r"^\s*#", "", text, flags=re.MULTILINE) if path.suffix in (".py", ".yml", ".toml", "") else text


def test_no_lesson_is_referred_to_by_its_number():
    paths = [path for path in tracked() if path.suffix not in (".pt", ".png", ".webp")]
    paths = [path for path in paths if path.relative_to(ROOT).as_posix() not in EXAMPLES]
    found = [
        f"{path.relative_to(ROOT)}: {match.group()!r}"
        for path in paths
        for pattern in TYPED_NUMBERS
        for match in pattern.finditer(words(path))
    ]
    assert not found, "link the lesson by its title, name it in keys and commands: " + "; ".join(found)


@pytest.mark.parametrize(
    "text", ["in lesson 5", "## 05 Edges", "LESSON=02", "# 02 · Edges", 'check("02/key")', "`02/a`"]
)
def test_a_typed_number_is_found(text):
    assert any(pattern.search(text) for pattern in TYPED_NUMBERS)
