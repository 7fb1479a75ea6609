"""The plans of the instructor's guide add up to what the lessons say, and its commands and keys exist."""

import os
import re
import subprocess
import sys

import pytest

from tools import ROOT, lessons

TEXT = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
#: The front door has no line "Time"; the table of the README says its minutes.
FRONT_DOOR = 10


def live(path):
    """The minutes of a lesson, live, as it says itself."""
    lesson = lessons.Lesson(path)
    return FRONT_DOOR if lesson.front_door else int(re.search(r"\*\*Time:\*\* (\d+) minutes live", lesson.opening)[1])


MINUTES = {path.name: live(path) for path in lessons.notebooks()}


def plans():
    """The rows of every table of minutes, by the heading above it: (cells but the last, minutes)."""
    found, heading = {}, ""
    for line in TEXT.split("\n"):
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif match := re.match(r"\| (.+) \| (\d+) \|$", line):
            found.setdefault(heading, []).append((match[1], int(match[2])))
    return found


PLANS = plans()


def test_there_are_three_plans():
    assert len(PLANS) == 3


@pytest.mark.parametrize("plan", PLANS)
def test_each_row_has_the_minutes_of_its_lessons_and_the_rows_add_up(plan):
    total = 0
    for row, minutes in PLANS[plan]:
        names = re.findall(r"notebooks/(\d\d_\w+\.ipynb)", row)
        if names:
            assert sum(MINUTES[name] for name in names) == minutes, row
        if row == "together":
            assert total == minutes
        total += minutes


def test_the_weeks_cover_every_lesson_once_in_order_and_leave_time_for_exercises():
    (weeks,) = [rows for plan, rows in PLANS.items() if "week" in plan]
    named = [name for row, _ in weeks for name in re.findall(r"notebooks/(\d\d_\w+\.ipynb)", row)]
    assert named == list(MINUTES)
    assert len(weeks) == 6
    lowest, highest = map(int, re.search(r"Between (\d+) and (\d+) minutes of lessons", TEXT).groups())
    assert (lowest, highest) == (min(m for _, m in weeks), max(m for _, m in weeks))
    assert highest < 90


def test_the_table_of_needs_is_what_the_lessons_say():
    rows = re.findall(r"^\| \[.+?\]\(\.\./notebooks/(\S+?)\) \| (.+?) \| .+ \|$", TEXT, re.MULTILINE)
    listed = {name: re.findall(r"notebooks/(\w+\.ipynb)", needs) for name, needs in rows}
    assert list(listed) == list(MINUTES)
    for path in lessons.notebooks():
        said = re.search(r"\*\*Builds on:\*\* (.+)", lessons.read(path).cells[0].source)
        assert listed[path.name] == re.findall(r"\((\w+\.ipynb)\)", said[1] if said else ""), path.name


def test_every_command_is_one_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([a-z-]+)", TEXT):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_key_is_one_of_the_deck():
    deck = (ROOT / "tools" / "deck" / "deck.js").read_text(encoding="utf-8")
    known = re.search(r"const KEYS = \{(.*?)\};", deck, re.DOTALL)[1].replace("'", "")
    for key, name in {"C": "c:", "R": "r:", "B": "b:", "F": "f:", "P": "p:", "Home": "Home:", "End": "End:"}.items():
        assert f"`{key}`" in TEXT
        assert name in known


def test_the_cell_for_colab_finds_the_series(tmp_path):
    """In a kernel that begins elsewhere, with this repository as the address."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a git checkout")
    (cell,) = re.findall(r"^  ```\n(.*?git clone.*?)^  ```$", TEXT, re.DOTALL | re.MULTILINE)
    cell = re.sub("^  ", "", cell, flags=re.MULTILINE).replace("ADDRESS", f'"{ROOT}"')
    cell = cell.replace("/content", str(tmp_path))
    cell += "import os, helpers; from helpers import data; print(helpers.__file__, os.getcwd())"
    run = f"from IPython.core.interactiveshell import InteractiveShell as S; S().run_cell({cell!r}).raise_error()"
    (tmp_path / "gitconfig").write_text("[safe]\n\tdirectory = *\n")  # the repository may be somebody else's
    settings = os.environ | {
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"),
    }
    done = subprocess.run(
        [sys.executable, "-c", run], cwd=tmp_path, capture_output=True, text=True, check=True, env=settings
    )
    series = tmp_path / "series"
    assert done.stdout.splitlines()[-1] == f"{series / 'helpers' / '__init__.py'} {series / 'notebooks'}"
