"""Links that can be checked without a network, in every page and every lesson: files, anchors, addresses, modules."""

import importlib
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest

from tests.project.test_project import tracked
from tools import ROOT, lessons

PAGES = [path for path in tracked() if path.suffix in (".md", ".ipynb")]
#: Hosts that serve no https.
HTTP_ONLY = {"yann.lecun.com"}
INLINE = re.compile(r"\]\(\s*<?([^)\s>]+(?:\([^)\s]*\)[^)\s>]*)*)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^\[[^\]]+\]:\s+(\S+)", re.MULTILINE)
HTML = re.compile(r"<(?:a|img)\b[^>]*?\b(?:href|src)=[\"']([^\"']+)[\"']")
BARE = re.compile(r"(?<![\w(<\"'])(https?://[^\s)>\]\"'`]+)")
MODULE = re.compile(r"\bhelpers(?:\.\w+)+")


def markdown(path):
    """The markdown of a page, or of all markdown cells of a lesson."""
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def links(text):
    """Every target in a markdown text, outside of code."""
    text = re.sub(r"`[^`\n]*`", "", "\n".join(lessons.unfenced(text)))
    return {target for pattern in (INLINE, REFERENCE, HTML, BARE) for target in pattern.findall(text)}


def anchors(text):
    """The anchors of a text's headings, as GitHub and as JupyterLab write them."""
    titles = [
        re.sub(r"\[([^\]]*)\]\([^)]*\)|[*`]", r"\1", t) for t in re.findall(r"^#{1,6} (.+?)\s*$", text, re.MULTILINE)
    ]
    github = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    return github | {title.replace(" ", "-") for title in titles}


def amiss(target, page):
    """What is wrong with a link on a page, or nothing."""
    parts = urlsplit(target)
    if parts.scheme in ("http", "https"):
        host = parts.hostname or ""
        if not re.fullmatch(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}", host):
            return "the host is misspelled"
        if parts.scheme == "http" and host not in HTTP_ONLY:
            return "use https"
        return "the end of a sentence is part of it" if target[-1] in ".,;:" else ""
    if parts.scheme:
        return f"{parts.scheme}: is no kind of link for a lesson" if parts.scheme != "mailto" else ""
    goal = page.parent / unquote(parts.path) if parts.path else page
    if not goal.exists():
        return "there is no such file"
    if parts.fragment and unquote(parts.fragment) not in anchors(markdown(goal)):
        return "there is no such heading"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page):
    found = {target: amiss(target, page) for target in sorted(links(markdown(page)))}
    assert not {target: reason for target, reason in found.items() if reason}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[a](README.md)", ""),
        ("[a](README.md#for-students)", ""),
        ("[a](README.md#For-students)", ""),
        ("![a](docs/none.png)", "there is no such file"),
        ("[a](README.md#nowhere)", "there is no such heading"),
        ('<img alt="a" src="none.png">', "there is no such file"),
        ("[a]: none.md", "there is no such file"),
        ("[a](https://arxiv.org/abs/1312.6034)", ""),
        ("[a](https://en.wikipedia.org/wiki/Kernel_(image_processing))", ""),
        ("see http://yann.lecun.com/exdb", ""),
        ("see http://arxiv.org", "use https"),
        ("[a](https://arxiv/abs)", "the host is misspelled"),
        ("[a](https:/arxiv.org)", "the host is misspelled"),
        ("[a](htp://arxiv.org)", "htp: is no kind of link for a lesson"),
    ],
)
def test_a_broken_link_is_noticed(text, reason):
    (target,) = links(text)
    assert amiss(target, ROOT / "page.md") == reason


def test_code_holds_no_links():
    assert links("`[a](b)`\n```\n[c](d)\n```\n") == set()


def resolves(name):
    """Tell whether a dotted name is a module of helpers, or something in one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def test_modules_that_prose_names_exist():
    workflows = sorted(Path(ROOT / ".github/workflows").glob("*.yml"))
    texts = {page: markdown(page) for page in PAGES if page.name != "CHANGELOG.md"}
    texts |= {path: path.read_text(encoding="utf-8") for path in workflows}
    wrong = {
        f"{page.relative_to(ROOT)}: {name}"
        for page, text in texts.items()
        for name in MODULE.findall(text)
        if not name.endswith(".py") and not resolves(name)
    }
    assert not wrong
    assert not resolves("helpers.convolve")
