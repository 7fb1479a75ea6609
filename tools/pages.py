"""Write the series as pages to read into site/: `python -m tools.pages` (make site).

The pages need no server, no kernel and no network: pictures and formulas are inside them, interactive tools show their
stored picture, the options of a prediction open by a click, hints and solutions are folded, presenter notes are left
out. Beside the lessons: a glossary, a cheat sheet to print, all predictions with their reasons, the instructor's guide.
"""

import ast
import base64
import html
import io
import json
import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
from latex2mathml import converter
from nbconvert import HTMLExporter
from PIL import Image

from helpers.display import rich
from helpers.exercises.core import Question, lesson
from tools import ROOT, flipbooks, glossary, live
from tools.lessons import called, is_notes, key_of, name_of, notebooks, predictions, prose, read, tags, tool_cells

SITE = ROOT / "site"
DOCS = ROOT / "docs"
TEMPLATE = ROOT / "tools" / "page_template"
#: Pages made from a text in docs/: file name, and the name of its page in the foot of every page.
TEXTS = {"glossary": "Glossary", "cheat_sheet": "Cheat sheet", "guide": "Instructor's guide"}
QUESTIONS = "All predictions"
FLIPBOOK = '<figure class="flipbook">'
# Code first: a dollar sign in it is no formula.
_CODE_OR_FORMULA = re.compile(
    r"(?P<code>^```.*?^```|`[^`\n]+`)|\$\$(?P<block>.+?)\$\$|(?<![\\\w$])\$(?P<inline>[^\s$](?:[^$`\n]*[^\s$`\\])?)\$(?!\d)",
    re.DOTALL | re.MULTILINE,
)
_HEADING = re.compile(r'<h([23]) id="([^"]+)">(.*?)<a class="anchor-link"[^>]*>.*?</a></h\1>', re.DOTALL)


@dataclass
class Page:
    """One page: its file without the ending, its title, its first paragraph, its notebook."""

    stem: str
    title: str
    goal: str
    notebook: nbformat.NotebookNode
    folder: Path
    sections: list[dict[str, str]] = field(default_factory=list)


def with_formulas(text: str) -> str:
    """A markdown text with every TeX formula as MathML, which a browser draws without a script."""

    def formula(found: re.Match[str]) -> str:
        if found["code"]:
            return found["code"]
        made = converter.convert(found["block"] or found["inline"], display="block" if found["block"] else "inline")
        # Markdown would read these signs; as entities they are only text.
        return re.sub(r"[*_`|\\~\[\]$]", lambda sign: f"&#{ord(sign[0])};", made.replace("\n", " "))

    return _CODE_OR_FORMULA.sub(formula, text)


def with_terms(text: str, open_terms: list[glossary.Term]) -> str:
    """A markdown text in which the first bold use of each term leads to the glossary; found terms leave the list."""

    def linked(found: re.Match[str]) -> str:
        if found["code"]:
            return found["code"]
        for term in open_terms:
            if glossary.uses(term, " ".join(found["bold"].split())):
                open_terms.remove(term)
                return f'<a id="{term.anchor}"></a>**[{found["bold"]}](glossary.html#{term.anchor})**'
        return found[0]

    pattern = r"(?P<code>^```.*?^```|`[^`\n]+`|\[[^\]]*\]\([^)]*\))|\*\*(?P<bold>(?![^*]*\]\()[^*`]+?)\*\*"
    return re.sub(pattern, linked, text, flags=re.DOTALL | re.MULTILINE)


def question(asked: Question) -> str:
    """A prediction as HTML: each option opens by a click, or a key, and says why it is right or wrong."""
    options = "".join(
        f'<details class="option {"right" if option.right else "wrong"}"><summary>{"abcd"[i]})&ensp;{rich(option.text)}'
        f"</summary><p><b>{'✓ Right.' if option.right else '✗ Not yet.'}</b> {rich(option.why)}</p></details>"
        for i, option in enumerate(asked.options)
    )
    return f'<div class="question"><p><b>Predict:</b> {rich(asked.text)}</p>{options}</div>'


def inline(picture: Path) -> str:
    """Return a picture as a data address. (The exporter's own `embed_images` unfolds every <details>.)"""
    kind = mimetypes.guess_type(picture.name)[0]
    return f"data:{kind};base64,{base64.b64encode(picture.read_bytes()).decode()}"


def describe(source: str) -> tuple[str, str]:
    """Return the title of a lesson and the first paragraph below it, from its first cell."""
    title, _, rest = source.partition("\n")
    paragraphs = [
        part.strip() for part in rest.split("\n\n") if part.strip() and not part.strip().startswith(("!", "<"))
    ]
    return title.lstrip("# "), re.sub(r"[*`]", "", paragraphs[0].replace("\n", " ")) if paragraphs else ""


def lesson_page(path: Path, moving: bool = False) -> Page:
    """A lesson without what is for the presenter or the tests only, its predictions as questions to answer here.

    Args:
        path: the notebook.
        moving: turn its tools into flipbooks, which takes as long as running the cells that they need.
    """
    notebook = read(path)
    for index in tool_cells(path) if moving else []:
        book = flipbooks.flipbook(flipbooks.made(path, index))
        notebook.cells[index].outputs = [nbformat.v4.new_output("display_data", data={"text/html": book})]
    notebook.cells = [cell for cell in notebook.cells if not is_notes(cell) and "claims" not in tags(cell)]
    for cell in notebook.cells:
        asked = called(ast.parse(cell.source), "predict") if cell.cell_type == "code" else []
        if asked:
            key = key_of(asked[0])
            shown = question(lesson(key.partition("/")[0]).questions[key])
            cell.outputs = [nbformat.v4.new_output("display_data", data={"text/html": shown})]
    return Page(path.stem, *describe(notebook.cells[0].source), notebook, path.parent)


def text_page(stem: str, source: str) -> Page:
    """A page made from a markdown text."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(source)])
    return Page(stem, *describe(source), notebook, DOCS)


def glossary_text() -> str:
    """The glossary, each term with an anchor and a link to the place in its lesson where it is printed in bold."""
    text = glossary.PATH.read_text(encoding="utf-8")
    text = re.sub(
        r"(?<=# Glossary\n\n).*?(?=\n## )", "Every term, below the lesson that introduces it.\n", text, flags=re.S
    )
    for term in glossary.terms(text):
        page = term.lesson.removesuffix(".ipynb") + ".html"
        old = f"- **{term.forms[0]}**"
        text = text.replace(old, f'- <a id="{term.anchor}"></a>**[{term.forms[0]}]({page}#{term.anchor})**', 1)
    return re.sub(r"(\*\*) \([^)]*\):", r"\1:", text)


def question_text() -> str:
    """All predictions, lesson by lesson: a bank of questions for a class."""
    parts = [
        f"# {QUESTIONS}",
        "Questions, their options, and what each of them says about who chooses it. Click on an option to read it.",
    ]
    for path in notebooks():
        name, title = name_of(path), describe(read(path).cells[0].source)[0]
        parts.append(f"## [{title}]({path.name})")
        parts += [question(lesson(name).questions[key]) for key in predictions(path)]
    return "\n\n".join(parts)


def finished(page: Page, terms: list[glossary.Term]) -> Page:
    """The same page with links to pages, formulas, pictures and terms in its texts."""
    wanted = [term for term in terms if term.lesson == f"{page.stem}.ipynb"]
    for cell in page.notebook.cells:
        if cell.cell_type != "markdown":
            continue
        text = re.sub(r"\]\((?:\.\./notebooks/)?(\d\d_\w+)\.ipynb", r"](\1.html", cell.source)
        text = re.sub(r"\]\((?:\.\./docs/)?(\w+)\.md(#[\w-]+)?\)", r"](\1.html\2)", text)
        text = re.sub(r"(!\[[^\]]*\]\()([^):]+)\)", lambda found: found[1] + inline(page.folder / found[2]) + ")", text)
        cell.source = with_formulas(with_terms(text, wanted))
    return page


def texts() -> dict[str, str]:
    """The pages beside the lessons: file names without their ending, and what links to them say."""
    return {**{stem: words for stem, words in TEXTS.items() if (DOCS / f"{stem}.md").exists()}, "questions": QUESTIONS}


@cache
def _exporter() -> HTMLExporter:
    exporter = HTMLExporter(template_name=TEMPLATE.name, extra_template_basedirs=[str(TEMPLATE.parent)])
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    return exporter


def written(page: Page, before: Page | None = None, after: Page | None = None) -> str:
    """One page as HTML; its sections are noted in it for the search."""
    links: dict[str, Any] = {"before": before, "after": after, "texts": texts()}
    style = (TEMPLATE / "page.css").read_text(encoding="utf-8")
    scripted = any(FLIPBOOK in str(cell.get("outputs", "")) for cell in page.notebook.cells)
    links["script"] = flipbooks.SCRIPT if scripted else ""
    resources = {**links, "style": style, "title": page.title, "metadata": {"name": page.title}}
    body, _ = _exporter().from_notebook_node(page.notebook, resources=resources)
    # What scrolls sideways is reached by the keyboard too.
    body = re.sub(r'<(pre|table|math display="block")(?![^>]*tabindex)', r'<\1 tabindex="0"', body)
    headings = [(found[1], found[2], _words(found[3])) for found in _HEADING.finditer(body)]
    items = "".join(f'<li><a href="#{id_}">{words}</a></li>' for level, id_, words in headings if level == "2")
    contents = f"<details class='contents'><summary>On this page</summary><ol>{items}</ol></details>" if items else ""
    page.sections = list(_sections(page, [id_ for _, id_, _ in headings]))
    return body.replace("<!-- contents -->", contents)


def _words(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", markup)).strip()


def _sections(page: Page, anchors: list[str]) -> Iterator[dict[str, str]]:
    """For the search: each section of a page, its anchor, its heading and its words."""
    heading, to, text, rest = page.title, f"{page.stem}.html", [], iter(anchors)
    for cell in page.notebook.cells:
        source = cell.source if cell.cell_type == "markdown" else ""
        for line in prose(re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", source)).split("\n"):
            if found := re.match(r"#{2,3} (.+)", line):
                yield _section(page, heading, to, text)
                heading, to, text = _words(found[1]), f"{page.stem}.html#{next(rest)}", []
            else:
                text.append(_words(line))
    yield _section(page, heading, to, text)


def _section(page: Page, heading: str, to: str, text: list[str]) -> dict[str, str]:
    words = re.sub(r"[*`_#>]|\s+", " ", " ".join(text))
    return {"page": page.title, "to": to, "heading": heading, "text": " ".join(words.split())}


def parts_of_the_series() -> list[tuple[str, list[str]]]:
    """(title of a part, file names of its lessons) as the table of README.md names them."""
    parts: list[tuple[str, list[str]]] = [("", [])]
    for line in (ROOT / "README.md").read_text(encoding="utf-8").split("\n"):
        if found := re.match(r"\| \*\*(.+?)\*\* \| \| \|", line):
            parts.append((found[1], []))
        elif found := re.match(r"\| \[.+?\]\(notebooks/(\d\d_\w+)\.ipynb\)", line):
            parts[-1][1].append(found[1])
    return parts


def islands(film: Path) -> str:
    """The moving picture of the front page; its last frame for whoever has asked their system for less motion."""
    still = io.BytesIO()
    with Image.open(film) as frames:
        frames.seek(frames.n_frames - 1)
        frames.convert("RGB").save(still, "PNG")
    alt = "Three hundred digits as points while a network trains: one crowd at first, ten islands in the end"
    source = f"data:image/png;base64,{base64.b64encode(still.getvalue()).decode()}"
    return (
        f'<source media="(prefers-reduced-motion: reduce)" srcset="{source}">'
        f'<img src="{inline(film)}" alt="{alt}" width="520" height="440">'
    )


def index(pages: list[Page]) -> str:
    """The front page: every lesson with its first paragraph, by parts, and a search over all pages."""
    by_stem = {page.stem: page for page in pages}
    lines = []
    for part, stems in parts_of_the_series():
        if part:
            lines.append(f"<h2>{html.escape(part)}</h2>")
        entries = [by_stem[stem] for stem in stems if stem in by_stem]
        items = "".join(
            f'<li><a href="{page.stem}.html">{html.escape(page.title)}</a><p>{html.escape(page.goal)}</p></li>'
            for page in entries
        )
        lines.append(f"<ul class='lessons'>{items}</ul>")
    more = "".join(f'<li><a href="{stem}.html">{words}</a></li>' for stem, words in texts().items())
    template = (TEMPLATE / "front.html").read_text(encoding="utf-8")
    style = (TEMPLATE / "page.css").read_text(encoding="utf-8")
    return (
        template.replace("<!-- lessons -->", "\n".join(lines))
        .replace("<!-- islands -->", islands(DOCS / "pictures" / "islands.webp"))
        .replace("<!-- more -->", more)
        .replace("/* style */", style)
    )


def main(site: Path = SITE, moving: bool = True) -> None:
    """Write the pages, the front page and what it searches in; tools as flipbooks, or as their stored pictures."""
    site.mkdir(exist_ok=True)
    terms = glossary.terms(glossary.PATH.read_text(encoding="utf-8"))
    lessons = [finished(lesson_page(path, moving), terms) for path in notebooks()]
    made = {"glossary": glossary_text, "questions": question_text}
    others = [
        text_page(stem, made[stem]() if stem in made else (DOCS / f"{stem}.md").read_text(encoding="utf-8"))
        for stem in texts()
    ]
    for before, page, after in zip([None, *lessons], lessons, [*lessons[1:], None], strict=False):
        (site / f"{page.stem}.html").write_text(written(page, before, after), encoding="utf-8")
    for page in others:
        (site / f"{page.stem}.html").write_text(written(finished(page, [])), encoding="utf-8")
    (site / "index.html").write_text(index(lessons), encoding="utf-8")
    live.write(site, (TEMPLATE / "page.css").read_text(encoding="utf-8"))
    found = [section for page in [*lessons, *others] for section in page.sections if section["text"]]
    words = json.dumps(found, ensure_ascii=False).replace("</", "<\\/")
    (site / "search.js").write_text(f"const SECTIONS = {words};\n", encoding="utf-8")
    print(f"{len(lessons)} lessons: open site/index.html")


if __name__ == "__main__":
    main()
