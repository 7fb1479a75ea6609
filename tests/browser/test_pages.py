"""The pages of `make site` as a reader meets them: from a folder, without a network, on a phone, on paper."""

import re
import subprocess
import sys

import pytest

from tools import ROOT, lessons, live, pages
from tools.browser import barriers

pytestmark = pytest.mark.browser

STEMS = [path.stem for path in lessons.notebooks()]
TEXTS = sorted(
    stem for stem in (*pages.TEXTS, "questions") if stem == "questions" or (ROOT / f"docs/{stem}.md").exists()
)


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the pages, written once."""
    folder = tmp_path_factory.mktemp("site")
    source = f"from pathlib import Path; from tools import pages; pages.main(Path({str(folder)!r}), moving=False)"
    subprocess.run([sys.executable, "-c", source], check=True, cwd=ROOT)
    return folder


@pytest.mark.parametrize("stem", ["index", *live.PAGES, *TEXTS, *STEMS])
def test_a_page_is_whole(stem, site, page):
    """Nothing is fetched or fails, no formula is left as TeX, a screen reader can read it, it fits a phone."""
    page.goto((site / f"{stem}.html").as_uri())
    assert not re.search(r"\$\$|\\(frac|sum|sigma|cdot|partial|begin)\b", page.inner_text("body"))
    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert page.evaluate("[...document.images].filter(i => !i.alt.trim()).length") == 0
    assert barriers(page) == []
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    cut = page.evaluate(
        """[...document.querySelectorAll('pre, table, math[display=block]')].filter(
             e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== 'auto'
           ).map(e => e.innerText.slice(0, 80))"""
    )
    assert cut == []


def test_every_link_leads_somewhere(site):
    ids, wanted = {}, []
    for path in site.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        ids[path.name] = set(re.findall(r'\bid="([^"]+)"', text))
        wanted += [(path.name, *to.partition("#")[::2]) for to in re.findall(r'href="([^":]+)"', text)]
    wanted += [
        ("search.js", *to.partition("#")[::2])
        for to in re.findall(r'"to": "([^"]+)"', (site / "search.js").read_text())
    ]
    assert len(wanted) > 500
    broken = {w for w in wanted if (w[1] or w[0]) not in ids or (w[2] and w[2] not in ids[w[1] or w[0]])}
    assert broken == set()


@pytest.mark.parametrize("stem", STEMS)
def test_every_prediction_can_be_answered_and_answers_nothing_by_itself(stem, site, page):
    page.goto((site / f"{stem}.html").as_uri())
    questions = page.query_selector_all(".question")
    assert len(questions) == len(lessons.predictions(ROOT / "notebooks" / f"{stem}.ipynb"))
    seen = """e => [...e.querySelectorAll('.option p')].map(p => p.checkVisibility() ? p.innerText : '')"""
    for question in questions:
        assert set(question.evaluate(seen)) == {""}
        question.query_selector("summary").press("Enter")
        first, *others = question.evaluate(seen)
        assert first
        assert set(others) == {""}
        question.evaluate("e => [...e.querySelectorAll('summary')].slice(1).forEach(summary => summary.click())")
        said = question.evaluate(seen)
        assert all(answer.startswith(("✓ Right.", "✗ Not yet.")) for answer in said)
        assert any(answer.startswith("✓") for answer in said)


def test_terms_lead_to_the_glossary_and_back(site, page):
    page.goto((site / "02_edge_filters.html").as_uri())
    page.click("a[href='glossary.html#term-kernel']")
    assert "glossary.html#term-kernel" in page.url
    page.click("#term-kernel + strong a")
    assert page.url.endswith("02_edge_filters.html#term-kernel")


def test_the_search_finds_a_section_and_leads_to_it(site, page):
    page.goto((site / "index.html").as_uri())
    page.fill("#search", "softmax temperature")
    first = page.wait_for_selector("#found a")
    assert "Train a convolutional network" in first.inner_text()
    first.click()
    assert "06_training.html#" in page.url or "_training.html#" in page.url
    page.go_back()
    page.fill("#search", "zebra unicorn <b>")
    assert page.inner_text("#found") == "Nothing found."


def test_on_paper_code_wraps_and_folds_are_chosen(site, page):
    page.goto((site / "02_edge_filters.html").as_uri())
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.querySelector('.input pre')).whiteSpace") == "pre-wrap"
    fold = page.locator("details:has(summary:text-is('Solution'))").first
    assert fold.bounding_box() is None
    page.evaluate("document.getElementById('folds').checked = true")
    assert fold.bounding_box()["height"] > 100


def test_a_tool_is_a_flipbook_that_the_keyboard_turns(tmp_path, page):
    (path,) = lessons.chosen(["learning_rate"])
    made = pages.written(pages.finished(pages.lesson_page(path, moving=True), []))
    (tmp_path / "lesson.html").write_text(made, encoding="utf-8")
    page.goto((tmp_path / "lesson.html").as_uri())
    book = page.query_selector(".flipbook")
    shown = "e => e.querySelector('img').src"
    seen = [book.evaluate(shown)]
    for field in book.query_selector_all("[data-control]"):
        start = field.input_value()
        field.press("ArrowRight" if start == "0" else "ArrowLeft")
        seen.append(book.evaluate(shown))
        said = field.evaluate("e => e.nextElementSibling && e.nextElementSibling.textContent")
        assert said is None or said == field.get_attribute("aria-valuetext") != ""
        field.press("ArrowLeft" if start == "0" else "ArrowRight")
        assert book.evaluate(shown) == seen[0]
    assert len(set(seen)) == len(seen) > 2
    assert page.evaluate("e => e.querySelector('img').naturalWidth > 0", book)
    assert barriers(page) == []
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
