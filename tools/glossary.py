"""The glossary, docs/glossary.md, read: its terms, their other forms, what they mean, and who introduces them."""

import re
from dataclasses import dataclass

from tools import ROOT
from tools.lessons import prose

PATH = ROOT / "docs" / "glossary.md"
SECTION = re.compile(r"^## \[(.+)\]\(\.\./notebooks/(\d\d_\w+\.ipynb)\)$")
ITEM = re.compile(r"^- \*\*(.+?)\*\*(?: \((.+?)\))?: (.+)$")


@dataclass(frozen=True)
class Term:
    """One term: its forms as they are looked for, what it means, and the file of the lesson that introduces it."""

    forms: tuple[str, ...]
    meaning: str
    lesson: str

    @property
    def anchor(self) -> str:
        """The name of its place in a page."""
        return "term-" + re.sub(r"\W+", "-", self.forms[0].lower()).strip("-")


def terms(text: str) -> list[Term]:
    """Return the terms of a glossary.

    Raises:
        ValueError: naming the line, when it is not written as the head of the glossary says.
    """
    found, lesson = [], ""
    for line in text.split("\n"):
        if match := SECTION.match(line):
            lesson = match[2]
        elif match := ITEM.match(line):
            forms = (match[1], *(form.strip() for form in (match[2] or "").split(",") if form.strip()))
            found.append(Term(forms, match[3], lesson))
        elif lesson and line.strip() and not line.startswith("  "):
            raise ValueError(f"not a section and not a term: {line}")
    return found


def spoken(text: str) -> str:
    """The words of a markdown text that count: no code, no formula, no title of a lesson that a link names."""
    return re.sub(r"\[[^\]]*\]\([^)]*\)|<[^>]+>", " ", prose(text))


def uses(term: Term, text: str) -> bool:
    """Tell whether a text uses a term, in any of its forms."""
    return any(re.search(rf"\b{re.escape(form)}\b", text, re.IGNORECASE) for form in term.forms)


def in_bold(term: Term, text: str) -> bool:
    """Tell whether a text prints a term in bold."""
    bold = "\n".join(re.findall(r"\*\*(.+?)\*\*", text, re.DOTALL))
    return uses(term, " ".join(bold.split()))
