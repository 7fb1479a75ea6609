"""The contract can fail: a good lesson keeps every rule, and each way of spoiling it breaks the rule that is meant."""

import copy

import nbformat
import pytest

from helpers.display import WIDGET_VIEW
from tests.lessons import test_notebooks as contract
from tools import lessons
from tools import notebooks as maker

FOLD = "<details>\n<summary>{}</summary>\n\n{}\n\n</details>"
ALT = {"image/png": {"alt": "A digit three beside its edges"}}


def markdown(source, kind=""):
    return nbformat.v4.new_markdown_cell(source, metadata={"slideshow": {"slide_type": kind}})


def code(source, *tags, kind="", outputs=()):
    cell = nbformat.v4.new_code_cell(source, metadata={"slideshow": {"slide_type": kind}, "tags": list(tags)})
    cell.outputs = list(outputs)
    return cell


def picture(metadata=ALT):
    return nbformat.v4.new_output(
        "display_data", data={"image/png": "aGVsbG8=", "text/plain": "A digit three"}, metadata=metadata
    )


def exercise(number, stars):
    return [
        markdown(f"### Exercise {number}: edges\n{stars} · 5 min\n\nMake a filter that responds to edges."),
        code(f'answer = ...\ncheck("edge_filters/edge-{number}", answer)', "exercise"),
        markdown(FOLD.format("Hint", "Signs.")),
        markdown(FOLD.format("Solution", f"```python\nanswer = {number}\n```\n\nBecause it is.")),
    ]


@pytest.fixture
def good():
    """A small lesson that keeps every rule."""
    cells = [
        markdown(
            "# Edges\n\nWhere is the edge?\n\n**What you will be able to do**\n\n- make\n- slide\n- read\n\n"
            "**Time:** 20 minutes live · 35 minutes alone\n\n**Builds on:** arrays",
            "slide",
        ),
        markdown("**20 min.** Ask what they see. Great!", "notes"),
        code(
            "from helpers import plots\nfrom helpers.explorers.playground import Playground\n\nplots.style()", "setup"
        ),
        markdown("## A filter\n\nIf `a != b`, look.\n\n> **Common mistake.** Multiplying matrices.", "slide"),
        code('predict("edge_filters/one")'),
        code("plots.show(training.predict(1))", "answer", kind="fragment", outputs=[picture()]),
        markdown(FOLD.format("What to see", "The edge.")),
        code('predict("edge_filters/two")'),
        code("Playground()", "answer", kind="subslide", outputs=[picture()]),
        markdown("## Exercises", "slide"),
        *exercise(1, "★☆☆"),
        *exercise(2, "★★☆"),
        *exercise(3, "★★★"),
        markdown("## Summary\n\n1. a\n2. b\n3. c\n4. d\n5. e", "slide"),
        code('tally("edge_filters")'),
        markdown("## Three questions to answer aloud\n\n- x?\n- y?\n- z?\n\n## Read more\n\n- LeCun et al., 1998."),
        markdown("## Next lesson\n\n**Stride**"),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    for count, cell in enumerate((cell for cell in cells if cell.cell_type == "code"), 1):
        cell.execution_count = count
    return stamp(maker.clean(notebook))


def stamp(notebook):
    notebook.metadata[maker.FINGERPRINT] = maker.fingerprint(notebook)
    return notebook


@pytest.fixture
def broken_rules(tmp_path):
    """Return a function: notebook -> names of the rules that it breaks."""

    def judge(notebook, name="02_edge_filters.ipynb"):
        path = tmp_path / name
        nbformat.write(notebook, path)
        broken = set()
        for rule in contract.RULES:
            try:
                broken |= {rule.__name__ for _ in rule(lessons.Lesson(path))}
            except lessons.LayoutError:
                broken.add("exercises")
        return broken

    return judge


def find(notebook, start):
    return next(cell for cell in notebook.cells if cell.source.startswith(start))


def swap(start, old, new):
    """A way of spoiling: replace words in the cell that starts so."""

    def spoil(notebook):
        cell = find(notebook, start)
        assert old in cell.source
        cell.source = cell.source.replace(old, new)

    return spoil


def drop(start):
    return lambda notebook: notebook.cells.remove(find(notebook, start))


def out(output):
    """A way of spoiling: store this output."""
    return lambda notebook: find(notebook, "plots.show").outputs.append(output)


def stream(text, name="stdout"):
    return out(nbformat.v4.new_output("stream", text=text, name=name))


SPOILED = {
    "no title": ("opening", swap("# Edges", "# Edges", "Edges")),
    "a number in the title": ("opening", swap("# Edges", "# Edges", "# 02 · Edges")),
    "no question": ("opening", swap("# Edges", "?", ".")),
    "two goals": ("opening", swap("# Edges", "- read\n", "")),
    "no time": ("opening", swap("# Edges", "**Time:**", "Time:")),
    "no basis": ("opening", swap("# Edges", "**Builds on:**", "After")),
    "set-up assigns": ("set_up", swap("from helpers import plots", "plots.style()", "mnist = 1")),
    "set-up not first": ("set_up", lambda nb: nb.cells.insert(1, code("1"))),
    "long cell": ("code_style", swap("plots.show", "1))", "1))" + "\n1" * 25)),
    "semicolon": ("code_style", swap("plots.show", "1))", "1));")),
    "nbval by comment": ("code_style", swap("plots.show", "1))", "1))\n# NBVAL_SKIP")),
    "one prediction": ("predictions", drop('predict("edge_filters/two")')),
    "crowded prediction": ("predictions", swap('predict("edge_filters/two")', ")", ")\nplots.show(2)")),
    "answer not tagged": ("answers", lambda nb: find(nb, "plots.show").metadata.update(tags=[])),
    "answer stored open": ("answers", lambda nb: find(nb, "Playground").update(outputs=[picture()])),
    "answer on the question's slide": (
        "answers",
        lambda nb: find(nb, "plots.show").metadata.slideshow.update(slide_type=""),
    ),
    "answer compared": ("metadata", lambda nb: find(nb, "plots.show").metadata.tags.append("nbval-check-output")),
    "what to see is open": ("answers", swap("<details>\n<summary>What", "<details>", "**What to see:**")),
    "no answer": ("answers", lambda nb: find(nb, "Playground").update(outputs=[], metadata={"slideshow": {}})),
    "no explorer": ("explorer", drop("Playground()")),
    "one exercise": ("exercises", lambda nb: [drop("### Exercise 3")(nb), drop("### Exercise 2")(nb)]),
    "no effort": ("exercises", swap("### Exercise 2", "★★☆ · 5 min", "easy")),
    "easier later": ("exercises", swap("### Exercise 1", "★☆☆", "★★★")),
    "no blank": ("exercises", swap("answer", "...", "1")),
    "no tag": ("exercises", lambda nb: find(nb, "answer").metadata.pop("tags")),
    "no check": ("exercises", swap("answer", 'check("edge_filters/edge-1", answer)', "")),
    "no hint": ("exercises", drop("<details>\n<summary>Hint")),
    "unfolded solution": ("exercises", swap("<details>\n<summary>Solution", "<details>", "")),
    "two solutions": ("exercises", swap("<details>\n<summary>Solution", "Because", "```python\n1\n```\nBecause")),
    "key of another lesson": ("keys", swap('predict("edge_filters/two")', "edge_filters/", "images/")),
    "key twice": ("keys", swap('predict("edge_filters/two")', "two", "one")),
    "no mistake": ("closing", swap("## A filter", "Common mistake", "Note")),
    "six lines": ("closing", swap("## Summary", "5. e", "5. e\n6. f")),
    "two questions": ("closing", swap("## Three", "- z?\n", "")),
    "no year": ("closing", swap("## Three", "1998", "long ago")),
    "no next": ("closing", drop("## Next")),
    "no tally": ("closing", drop("tally")),
    "level skipped": ("headings", swap("## A filter", "## A filter", "### A filter")),
    "exclamation": ("words", swap("## A filter", "look.", "look!")),
    "link to a lesson that does not exist": ("words", swap("## Next", "**Stride**", "[Stride](03_stride.ipynb)")),
    "typed number of a lesson": ("words", swap("## A filter", "look.", "look as in lessons 05 and 6.")),
    "typed number in the notes": ("words", swap("**20 min.**", "Great!", "Lesson 7 has the answer.")),
    "typed number in code": ("words", swap("plots.show", "1", "'network of lesson 05'")),
    "typed number before a title": ("words", swap("## A filter", "## A filter", "## 05 A filter")),
    "exercise takes a name": ("own_names", swap("answer", "answer = ...", "training = answer = ...")),
    "picture without words": ("alternative_text", out(picture({}))),
    "html picture without words": (
        "alternative_text",
        out(nbformat.v4.new_output("display_data", data={"text/html": '<img src="x">'})),
    ),
    "markdown picture without words": ("alternative_text", swap("## A filter", "look.", "![](https://x.org/a.png)")),
    "edited since": ("fresh_outputs", lambda nb: nb.metadata.update({maker.FINGERPRINT: "0"})),
    "run out of order": ("fresh_outputs", lambda nb: find(nb, "tally").update(execution_count=99)),
    "error": ("clean_outputs", out(nbformat.v4.new_output("error", ename="E", evalue="e", traceback=[]))),
    "warning": ("clean_outputs", stream("UserWarning: hm", "stderr")),
    "address": ("clean_outputs", stream("<Thing at 0x7f3a>")),
    "path": ("clean_outputs", stream("saved to /Users/ada/x.png")),
    "windows path": ("clean_outputs", stream(r"saved to C:\Users\ada")),
    "live widget": ("clean_outputs", out(nbformat.v4.new_output("display_data", data={WIDGET_VIEW: {}}))),
    "widget state": ("metadata", lambda nb: nb.metadata.update(widgets={})),
    "unknown tag": ("metadata", lambda nb: find(nb, "plots.show").metadata.update(tags=["nbval-skip"])),
    "only real-data": ("metadata", lambda nb: find(nb, "plots.show").metadata.update(tags=["real-data"])),
    "timing": ("metadata", lambda nb: find(nb, "plots.show").metadata.update(execution={})),
    "heavy": ("metadata", stream("x" * 1_500_000)),
    "no slide type": ("slides", lambda nb: find(nb, "plots.show").metadata.pop("slideshow")),
    "lost slide": ("slides", lambda nb: find(nb, "plots.show").metadata.slideshow.update(slide_type="-")),
    "code left out": ("slides", lambda nb: find(nb, "plots.show").metadata.slideshow.update(slide_type="skip")),
    "too many cells": ("budgets", lambda nb: nb.cells.__setitem__(slice(5, 5), [markdown("More.") for _ in range(60)])),
    "too many pictures": ("budgets", lambda nb: find(nb, "plots.show").update(outputs=[picture()] * 13)),
    "too many words": ("budgets", swap("## A filter", "look.", "look. " + "word " * 1500)),
    "notes without minutes": ("budgets", swap("**20 min.**", "**20 min.** ", "")),
    "minutes that do not add up": ("budgets", swap("**20 min.**", "20", "18")),
    "an hour": ("budgets", swap("### Exercise 3", "· 5", "· 50")),
    "no notes": ("slides", drop("**20 min.**")),
}


def test_every_rule_has_a_spoiled_lesson():
    assert {rule for rule, _ in SPOILED.values()} == {rule.__name__ for rule in contract.RULES}


def test_a_good_lesson_keeps_every_rule(good, broken_rules):
    assert broken_rules(good) == set()


def test_the_front_door_is_excused_from_the_parts_of_a_lesson(good, broken_rules):
    good.cells = good.cells[:7]
    good.cells[0].source = good.cells[0].source.replace("# Edges", "# Start").split("**Time")[0]
    find(good, "predict").source = 'predict("start_here/one")'
    good.cells.append(code("plots.show(2)", outputs=[picture()]))
    good.cells[-1].execution_count = 4
    assert broken_rules(stamp(good), "00_start_here.ipynb") == set()
    assert {"exercises", "closing", "explorer"} <= broken_rules(good)


@pytest.mark.parametrize("spoiled", SPOILED)
def test_each_rule_can_be_broken(spoiled, good, broken_rules):
    rule, spoil = SPOILED[spoiled]
    notebook = copy.deepcopy(good)
    spoil(notebook)
    assert rule in broken_rules(notebook)


def test_exercises_are_taken_apart_for_running(good, tmp_path):
    path = tmp_path / "02_edge_filters.ipynb"
    second = find(good, "### Exercise 2")
    stub = good.cells[good.cells.index(second) + 1]
    stub.source = stub.source.split("\n")[0]
    good.cells.insert(good.cells.index(stub) + 1, code('check(\n    "edge_filters/edge-2",\n    answer,\n)', "check"))
    nbformat.write(good, path)
    first, second, _ = lessons.exercises(path)
    assert (first.key, first.title, first.stars, first.minutes) == ("edge_filters/edge-1", "edges", 1, 5)
    assert (first.hint, first.stub_source, first.solution_source) == ("Signs.", "answer = ...\n", "answer = 1\n")
    assert first.check_source.strip() == 'check("edge_filters/edge-1", answer)'
    heard = []
    exec(second.solution_source + second.check_source, {"check": lambda key, answer: heard.append((key, answer))})
    assert heard == [("edge_filters/edge-2", 2)]
    assert lessons.predictions(path) == ["edge_filters/one", "edge_filters/two"]


def test_an_exercise_is_given_the_statements_it_depends_on_and_no_others(good, tmp_path):
    above = find(good, "from helpers import plots")
    above.source = (
        "import numpy as np\nlarge = np.zeros(10**9)\nnumbers = [factor]\nnumbers.append(3)\nprint(numbers)\n"
        "def scaled(x):\n    large = 5\n    return factor * x\nfactor = 2\nanswer = large.sum()"
    )
    stub = find(good, "answer = ...")
    stub.source = stub.source.replace("...", "...\nlist(map(scaled, numbers))")
    path = tmp_path / "02_edge_filters.ipynb"
    nbformat.write(good, path)
    kept = lessons.context(path, lessons.exercises(path)[0])
    assert kept == (
        "numbers = [factor]\nnumbers.append(3)\ndef scaled(x):\n    large = 5\n    return factor * x\nfactor = 2"
    )
