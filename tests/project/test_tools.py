"""The maintainers' tools: what is stored of a run, what is refused, and what is compared on which data."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from helpers.display import WIDGET_VIEW
from tools import ROOT, deck, glossary, lessons, nbval_real_data, notebooks, pages, slides

WIDGET = {WIDGET_VIEW: {"model_id": "ab12", "version_major": 2, "version_minor": 0}}


def display(data, **metadata):
    return nbformat.v4.new_output("display_data", data=data, metadata=metadata)


def stream(text, name="stdout"):
    return nbformat.v4.new_output("stream", text=text, name=name)


def notebook(*sources, outputs=()):
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    made.cells[0].outputs = list(outputs)
    return made


def test_cleaning_keeps_the_picture_of_a_tool_and_drops_what_only_a_kernel_can_show():
    tool = display(
        {**WIDGET, "image/png": "aGk=", "text/plain": "Kernel playground"}, **{"image/png": {"alt": "A map"}}
    )
    bar = display({**WIDGET, "text/plain": "  0%|          | 0/3 [00:00<?, ?it/s]"})
    slider = display({**WIDGET, "text/plain": "IntSlider(value=0)"})
    mute = display(dict(WIDGET))
    question = display({**WIDGET, "text/plain": "Which map is it?\n  a) left\n  b) right"})
    made = notebook("1", outputs=[tool, bar, slider, mute, question, stream("1.2\n")])
    made.metadata.update(widgets={"state": {}}, language_info={"name": "python", "version": "3.13.1"})
    made.cells[0].metadata.update(execution={"iopub": "now"}, tags=["setup"], trusted=True)
    cell = notebooks.clean(made).cells[0]
    assert [dict(output.get("data", {})) for output in cell.outputs] == [
        {"image/png": "aGk=", "text/plain": "Kernel playground"},
        {"text/plain": "Which map is it?\n  a) left\n  b) right"},
        {},
    ]
    assert cell.outputs[0].metadata["image/png"]["alt"] == "A map"
    assert cell.metadata == {"tags": ["setup"]}
    assert set(made.metadata) == {"kernelspec", "language_info"}
    assert "version" not in made.metadata.language_info


def test_cleaning_twice_changes_nothing(tmp_path):
    made = notebook("x = 1   \n", "2", outputs=[display({**WIDGET, "text/plain": "A tool"})])
    path = tmp_path / "02_a.ipynb"
    path.write_text(nbformat.writes(made))
    assert notebooks.write(notebooks.clean(notebooks.read(path)), path)
    first = path.read_bytes()
    assert not notebooks.write(notebooks.clean(notebooks.read(path)), path)
    assert path.read_bytes() == first
    assert first.endswith(b"}\n")
    assert all(cell["id"] for cell in json.loads(first)["cells"])


@pytest.mark.parametrize(
    ("output", "word"),
    [
        (stream("UserWarning: hm", "stderr"), "stderr"),
        (nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[]), "ValueError"),
        (stream(f"read from {ROOT}/data"), "path"),
        (display({"text/html": "<b>/Users/ada/data</b>"}), "path"),
    ],
)
def test_what_must_not_be_stored_is_found(output, word):
    assert word in "; ".join(notebooks.problems(notebook("1", outputs=[output])))


def test_ordinary_outputs_are_no_problem():
    harmless = "32/64 maps, 1/2, and/or; see https://example.org/home/x; ratio a/b; (N, C)/C"
    letters = "/".join(["", "tmp", "aaaa", "home", "bbbb=="])  # base64 may look like a path
    picture = display({"text/html": f'<img alt="a" src="data:image/png;base64,{letters}">'})
    assert notebooks.problems(notebook("1", outputs=[stream(harmless), picture])) == []


def test_running_stores_outputs_that_belong_to_the_code(tmp_path):
    made = notebook("import ipywidgets\nipywidgets.IntSlider()", "print('a')\nprint(6 * 7)", "1 / 0")
    notebooks.execute(made, tmp_path)
    assert [cell.execution_count for cell in made.cells] == [1, 2, 3]
    assert made.cells[1].outputs[0].text == "a\n42\n"
    assert "execution" not in made.cells[1].metadata
    assert "widgets" not in made.metadata
    assert "ZeroDivisionError" in "; ".join(notebooks.problems(made))
    before = notebooks.fingerprint(made)
    made.cells[1].source += "\n"
    assert notebooks.fingerprint(made) != before


def test_outputs_of_the_stand_in_are_refused(monkeypatch):
    from helpers import data

    class StandIn:
        real = False

    monkeypatch.setattr(data, "load", lambda name: StandIn)
    with pytest.raises(lessons.Refusal, match="mnist is not here: run `make data` first"):
        notebooks.run([])


def test_an_unknown_lesson_is_answered_with_a_sentence():
    done = subprocess.run(
        [sys.executable, "-m", "tools.notebooks", "clean", "mistletoe"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("There is no lesson 'mistletoe': choose among start_here, images")


def test_links_follow_a_lesson_whose_file_has_another_number(monkeypatch):
    paths = [lessons.NOTEBOOKS / name for name in ("05_images.ipynb", "31_occlusion.ipynb")]
    monkeypatch.setattr(lessons, "notebooks", lambda: paths)
    text = "[Images](notebooks/01_images.ipynb), [Occlusion](09_occlusion.ipynb#masks), [Edges](02_edge_filters.ipynb)"
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell(text), nbformat.v4.new_code_cell("open('01_images.ipynb')")]
    )
    notebooks.clean(made)
    assert made.cells[0].source == text.replace("01_images", "05_images").replace("09_occlusion", "31_occlusion")
    assert made.cells[1].source == "open('01_images.ipynb')", "code stays as it is: its outputs are made from it"


@pytest.mark.parametrize(("real", "failures"), [(True, 1), (False, 0)])
def test_what_shows_the_data_is_compared_on_the_real_data_only(real, failures, tmp_path):
    """The plain comparison stays in force either way; only the cell tagged `real-data` is excused on the stand-in."""
    made = notebook("print('from the real set')", "print(2)")
    for cell, stored in zip(made.cells, ("stored elsewhere\n", "2\n"), strict=True):
        cell.metadata["tags"] = ["nbval-check-output"]
        cell.execution_count, cell.outputs = 1, [stream(stored)]
    made.cells[0].metadata["tags"].append("real-data")
    nbformat.write(made, tmp_path / "02_a.ipynb")
    (tmp_path / "answer.py").write_text(
        f"from tools import nbval_real_data\nnbval_real_data.data_is_real = lambda: {real}\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tools.nbval_real_data",
        "-p",
        "answer",
        "-p",
        "no:cacheprovider",
    ]
    command += ["--nbval-lax", "--nbval-current-env", "--rootdir", str(tmp_path), str(tmp_path)]
    path = f"{ROOT}:{tmp_path}"
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
    assert f"{2 - failures} passed" in done.stdout, done.stdout
    assert ("1 failed" in done.stdout) == bool(failures)


def test_a_cell_that_is_not_of_the_data_is_compared_on_the_stand_in(monkeypatch):
    class Item:
        def __init__(self, *tags, name="04_pooling.ipynb"):
            self.cell = nbformat.from_dict({"metadata": {"tags": list(tags)}})
            self.options = {"check": True}
            self.path = Path(name)

    monkeypatch.setattr(nbval_real_data, "data_is_real", lambda: False)
    cells = [Item("nbval-check-output"), Item("nbval-check-output", "real-data"), Item()]
    nbval_real_data.pytest_collection_modifyitems([*cells, SimpleNamespace(path=Path("test_this.py"))])
    assert [item.options["check"] for item in cells] == [True, False, True]
    long = [Item(name="17_shortcuts.ipynb"), Item(name="21_photographs.ipynb"), Item(name="21_photographs.ipynb")]
    nbval_real_data.pytest_collection_modifyitems(mixed := [*cells, *long])
    assert mixed == [long[1], long[2], long[0], *cells], "the longest first, else as before"
    assert set(nbval_real_data.LONGEST) <= {nbval_real_data.lesson(path) for path in lessons.notebooks()}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells")
def test_the_memory_of_a_kernel_is_its_peak_without_the_pages_of_files(tmp_path):
    (tmp_path / "library").write_bytes(bytes(range(256)) * 4096 * 100)  # 100 MB
    script = f"""
import mmap, os
from tools.nbval_real_data import peak
start = peak(os.getpid())
with open({str(tmp_path / "library")!r}, "rb") as file:
    pages = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
assert sum(pages[::4096]) == 0
mapped = peak(os.getpid())
block = bytearray(100 * 2**20)
del block
print(mapped - start, peak(os.getpid()) - start)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    mapped, held = map(float, done.stdout.split())
    assert mapped < 10
    assert 90 < held < 115


def test_a_presentation_starts_without_the_lessons_presented_before(tmp_path):
    slides.prepare(tmp_path)
    (tmp_path / "workspaces").mkdir()
    (tmp_path / "workspaces" / "default.jupyterlab-workspace").write_text("{}")
    slides.prepare(tmp_path)
    assert not (tmp_path / "workspaces").exists()
    saving = json.loads((tmp_path / "settings/@jupyterlab/docmanager-extension/plugin.jupyterlab-settings").read_text())
    assert saving == {"autosave": False}, "presenting does not change the notebook"


def test_the_deck_plans_every_cell_but_notes_and_claims(tmp_path):
    def markdown(source, kind):
        return nbformat.v4.new_markdown_cell(source, metadata={"slideshow": {"slide_type": kind}})

    def code(source, kind):
        return nbformat.v4.new_code_cell(source, metadata={"slideshow": {"slide_type": kind}})

    cells = [
        markdown("# Edges", "slide"),
        markdown("<details>\n<summary>For the presenter</summary>\n\n**3 min.** Ask *them*.\n\n</details>", "notes"),
        code("1", ""),
        code("2", "fragment"),
        markdown("## Exercises", "slide"),
        markdown("### Exercise 1: blur\n★☆☆ · 5 min\n\nBlur.", ""),
        code("answer = ...", ""),
        code("assert True", "skip"),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "02_a.ipynb")
    made = deck.plan(tmp_path / "02_a.ipynb")
    assert [(slide["title"], slide["steps"]) for slide in made] == [
        ("Edges", [[0, 2], [3]]),
        ("Exercises", [[4]]),
        ("Exercise 1: blur", [[5, 6]]),
    ]
    assert [slide["minutes"] for slide in made] == [3, 0, 0]
    assert "<em>them</em>" in made[0]["notes"]
    assert "<details" not in made[0]["notes"]


def test_a_page_has_the_words_of_every_picture_and_no_presenter_notes(tmp_path):
    made = notebook("show()", outputs=[display({"image/png": "aGk="}, **{"image/png": {"alt": 'Edges of a "3"'}})])
    (tmp_path / "a.png").write_bytes(b"picture")
    first = nbformat.v4.new_markdown_cell("# Edges\n\nWhere is *it*? See [X](01_x.ipynb) ![dot](a.png)")
    notes = nbformat.v4.new_markdown_cell("Ask them", metadata={"slideshow": {"slide_type": "notes"}})
    fold = nbformat.v4.new_markdown_cell("<details>\n<summary>Hint</summary>\n\nLook **left**\n\n</details>")
    made.cells = [first, notes, *made.cells, fold]
    path = tmp_path / "02_edges.ipynb"
    nbformat.write(made, path)
    after = pages.Page("03_stride", "Stride & more", "", made, tmp_path)
    page = pages.finished(pages.lesson_page(path), [])
    body = pages.written(page, None, after)
    assert (page.title, page.goal[:12]) == ("Edges", "Where is it?")
    assert "alt='Edges of a \"3\"'" in body
    assert "Next: Stride &amp; more" in body
    assert "Ask them" not in body
    assert 'href="01_x.html"' in body
    assert 'href="03_stride.html"' in body
    assert "data:image/png;base64,cGljdHVyZQ==" in body
    assert "<script" not in body
    hint = body[body.index("<details>") : body.index("</details>")]
    assert "<strong>left</strong>" in hint


@pytest.mark.parametrize(
    ("text", "formulas"),
    [
        ("The sum $y = \\sum_i w_i x_i$ and\n\n$$\\frac{a|b}{c}$$", 2),
        ("`$PATH` costs $5, or $6 a piece, and ```$x$``` is code", 0),
        ("```python\nprint('$$a$$')\n```\n\n$x$", 1),
        ("from \\$3 to $n_1$*2", 1),
    ],
)
def test_formulas_become_mathml_and_prices_and_code_do_not(text, formulas):
    made = pages.with_formulas(text)
    assert made.count("<math") == formulas
    inside = "".join(re.findall(r"<math.*?</math>", made))
    assert not set("*_`|$") & set(inside), "markdown would read these signs"


def test_the_first_bold_use_of_a_term_leads_to_the_glossary():
    kernel = glossary.Term(("kernel", "kernels"), "the weights of a filter", "02_edges.ipynb")
    text = "`**kernel**` and **two kernels**, **kernel**"
    made = pages.with_terms(text, [kernel])
    linked = '<a id="term-kernel"></a>**[two kernels](glossary.html#term-kernel)**'
    assert made == f"`**kernel**` and {linked}, **kernel**"
