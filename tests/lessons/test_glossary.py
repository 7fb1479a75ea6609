"""The glossary: every term stands in bold in the lesson that introduces it, and no earlier lesson uses it."""

import pytest

from tools import glossary, lessons
from tools.glossary import SECTION, Term, in_bold, spoken, terms, uses
from tools.lessons import Lesson

TEXT = glossary.PATH.read_text(encoding="utf-8")
ALL = terms(TEXT)
ORDER = [path.name for path in lessons.notebooks()]
SPOKEN = {  # titles of papers may hold any word
    path.name: "\n".join(text for _, text in Lesson(path).markdown if not text.startswith("## Read more"))
    for path in lessons.notebooks()
}
FRONT_DOOR = ORDER[0]


def test_sections_are_the_lessons_in_their_order():
    sections = [match.groups() for match in map(SECTION.match, TEXT.split("\n")) if match]
    titles = [lessons.cells(path)[0].source.split("\n")[0].removeprefix("# ") for path in lessons.notebooks()]
    assert sections == list(zip(titles, ORDER, strict=True))[1:], "start_here introduces no term"


@pytest.mark.parametrize("term", ALL, ids=lambda term: term.forms[0])
def test_a_term_is_introduced_in_its_lesson_and_not_used_before(term):
    assert in_bold(term, SPOKEN[term.lesson]), f"{term.lesson} does not print **{term.forms[0]}**"
    early = [name for name in ORDER if name < term.lesson and uses(term, spoken(SPOKEN[name]))]
    if in_bold(term, SPOKEN[FRONT_DOOR]):  # the front door introduces no term, but it may explain one in passing
        early = [name for name in early if name != FRONT_DOOR]
    assert not early, f"{term.forms[0]} is introduced in {term.lesson}, but used before, in {early}"


def test_no_term_is_explained_twice_and_each_in_a_sentence():
    forms = [form.lower() for term in ALL for form in term.forms]
    assert len(forms) == len(set(forms)), sorted({form for form in forms if forms.count(form) > 1})
    assert all(term.meaning.endswith(".") for term in ALL)


def test_the_rules_can_be_broken():
    (term,) = terms("# G\n\n## [A](../notebooks/01_a.ipynb)\n\n- **kernel** (kernels): the weights of a filter.")
    assert term == Term(("kernel", "kernels"), "the weights of a filter.", "01_a.ipynb")
    assert in_bold(term, "the\n**convolution\nkernels** of")
    assert not in_bold(term, "a kernel **of**")
    assert uses(term, spoken("Kernels move."))
    assert not uses(term, spoken("`kernel` [Kernel](01_a.ipynb) $kernel$"))
    with pytest.raises(ValueError, match="not a section"):
        terms("## [A](../notebooks/01_a.ipynb)\n\n- kernel: no bold.")
