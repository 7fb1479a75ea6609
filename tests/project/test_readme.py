"""The README shows what the lessons show, and every link in it leads somewhere."""

import re

import pytest

from tools import ROOT, pictures
from tools.lessons import Refusal

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
LINKS = re.findall(r"!?\[([^\]]*)\]\(([^)]+)\)", TEXT)


@pytest.mark.parametrize("target", sorted({target for _, target in LINKS if "://" not in target}))
def test_links_lead_somewhere(target):
    assert (ROOT / target).exists(), f"README links to {target}, which is not there"


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_pictures_are_those_of_the_lessons(name):
    shown = (pictures.FOLDER / f"{name}.png").read_bytes()
    assert shown == pictures.stored(*pictures.PICTURES[name]), "run `python -m tools.pictures`"


def test_every_lesson_is_in_the_table():
    listed = {target for _, target in LINKS if target.startswith("notebooks/")}
    assert listed == {f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}


def test_a_picture_that_no_lesson_stores_is_named():
    with pytest.raises(Refusal, match="LESSON=edge_filters"):
        pictures.stored("edge_filters", "A picture that was never drawn")
    with pytest.raises(Refusal, match="no lesson 'edges'"):
        pictures.stored("edges", "Kernel playground")
