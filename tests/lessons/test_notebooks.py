"""The notebook contract: what every lesson holds to, so that a reader who knows one lesson knows them all.

A lesson is `notebooks/NN_name.ipynb`: its number stands in the file name only, its name everywhere else, and text links
it by its title. Its outputs are stored by `make notebooks` only. In order:

1. Opening, all markdown: the H1 `# Title` (once), a picture or a question, `**What you will be able to do**`
   with 3 to 5 bullets, `**Time:** 20 minutes live · 45 minutes alone`, `**Builds on:** ...`.
2. Set-up, the first code cell and the only one tagged `setup`: imports, and at most calls that choose the style.
3. Sections. Headings never skip a level; code cells have at most 25 lines, their median is under 12.
4. `predict("edge_filters/key")`, alone in its cell, at least twice. The cells that answer it, up to the next
   heading, are tagged `answer` and stored folded; on a slide the first of them is a later step, and "What to see"
   below it is a fold.
5. At least one cell that calls something imported from `helpers.explorers`.
6. `## Exercises`, then 2 to 4 times, easy to hard: a markdown cell `### Exercise 1: title` with `★☆☆ · 5 min` below
   it and the task; the stub, a code cell tagged `exercise` with `...` in it, ending in
   `check("edge_filters/key", answer)` (or the next cell, tagged `check`, is that call alone); a folded hint; a folded
   solution with one python block, which the tests run in place of the stub. `lessons.exercises` reads all this and
   says what is amiss. An exercise gives no new value to a name that earlier cells need.
   Before them are at most 60 cells. A lesson has at most 12 pictures and 1,500 words of prose (folds not counted).
   Presenter notes begin with their minutes, `**3 min.**`: together those of "live", at most 20. "Alone" adds those of
   the exercises, at most 25.
7. `> **Common mistake.**`, a block quote, anywhere. `## Summary` (five list items), `## Three questions to answer
   aloud` (three), `## Read more` (each item with a year), `## Next lesson`. The last code cell is `tally(...)`.

The front door, `start_here`, needs one prediction, and no exercises, explorer, mistake, summary, tally, time or basis.

Metadata: tags `setup`, `answer`, `claims` (asserts for the tests, each naming its sentence; left out of the slides),
`exercise`, `check`, `nbval-check-output` (text equal on every machine, compared in
`make test`) and beside it `real-data` (the text shows the real data: not compared on the offline stand-in). Every cell
has its `slideshow.slide_type`: slide, subslide, fragment, notes, skip or "" (goes on below the cell above).
"""

import ast
import re
import statistics
from collections.abc import Callable

import pytest

from helpers.display import WIDGET_VIEW
from tools import folds, lessons
from tools.lessons import Lesson, is_notes, items, prose
from tools.notebooks import FINGERPRINT, MACHINE_PATH, fingerprint, readable

SLIDE_TYPES = {"slide", "subslide", "fragment", "notes", "skip", ""}
TAGS = {"setup", "answer", "claims", "exercise", "check", "nbval-check-output", "real-data"}
CLOSING = ("Exercises", "Summary", "Three questions to answer aloud", "Read more", "Next lesson")
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)")


def opening(lesson):
    first = lesson.cells[0].source.split("\n")[0]
    if not re.fullmatch(r"# [^\W\d].*", first):
        yield f"the first line must read `# Title`, without a number, not `{first}`"
    if sum(level == 1 for _, level, _ in lesson.headings) != 1:
        yield "there must be exactly one H1"
    if not (re.search(r"\?(\s|$|\*)", lesson.opening) or IMAGE.search(lesson.opening)):
        yield "the opening has neither a picture nor a question"
    lines = lesson.opening.split("\n")
    goals = next((i for i, line in enumerate(lines) if line.startswith("**What you will be able to do")), None)
    if goals is None:
        yield "the opening lacks the line `**What you will be able to do**`"
    else:
        rest = iter(lines[goals + 1 :])
        bullets = []
        for line in rest:
            if lessons.ITEM.match(line):
                bullets.append(line)
            elif bullets and not line.startswith("  "):
                break
        if not 3 <= len(bullets) <= 5:
            yield f"what you will be able to do: 3 to 5 bullets, not {len(bullets)}"
    if not lesson.front_door:
        if not re.search(r"^\*\*Time:\*\* \d+ minutes live · \d+ minutes alone", lesson.opening, re.MULTILINE):
            yield "the opening lacks `**Time:** 20 minutes live · 45 minutes alone`"
        if not re.search(r"^\*\*Builds on:\*\* \S", lesson.opening, re.MULTILINE):
            yield "the opening lacks `**Builds on:** ...`"


def set_up(lesson):
    places = [i for i, cell in enumerate(lesson.code) if "setup" in lessons.tags(cell)]
    if places != [0]:
        yield "exactly one code cell is tagged `setup`, and it is the first"
        return
    for node in lesson.trees[0].body:
        styles = (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and "style" in ast.unparse(node.value.func)
        )
        if not (isinstance(node, ast.Import | ast.ImportFrom) or styles):
            yield f"the set-up holds more than imports and style: `{ast.unparse(node)}`"


def code_style(lesson):
    lengths = [len(cell.source.split("\n")) for cell in lesson.code]
    if statistics.median(lengths) >= 12:
        yield f"the median length of code cells is {statistics.median(lengths)}, not under 12"
    for index, (cell, length) in enumerate(zip(lesson.code, lengths, strict=True)):
        if length > 25:
            yield f"code cell {index} has {length} lines, over 25"
        if not cell.source.strip():
            yield f"code cell {index} is empty"
        if any(line.rstrip().endswith(";") for line in cell.source.split("\n")):
            yield f"code cell {index} has a line that ends in a semicolon"
        if re.search(r"#\s*(NBVAL|PYTEST_VALIDATE)_", cell.source):
            yield f"code cell {index} directs nbval by a comment: use tags"


def predictions(lesson):
    for index, tree in enumerate(lesson.trees):
        calls = lessons.called(tree, "predict")
        if calls and not (
            len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr) and tree.body[0].value is calls[0]
        ):
            yield f"code cell {index}: predict(...) stands alone in its cell"
    needed = 1 if lesson.front_door else 2
    if len(lessons.predictions(lesson.path)) < needed:
        yield f"there must be at least {needed} predictions"


def answers(lesson):
    """Nothing below a question answers it before the reader has chosen: neither what is stored nor the same slide."""
    for start, cell in enumerate(lesson.cells):
        if cell.cell_type != "code" or not lessons.called(ast.parse(cell.source), "predict"):
            continue
        question, found, stepped = cell.source.strip(), False, False
        for index, below in enumerate(lesson.cells[start + 1 :], start + 1):
            kind = below.metadata.get("slideshow", {}).get("slide_type")
            new_topic = below.cell_type == "markdown" and below.source.startswith(("#", "> **Common mistake"))
            if new_topic or "exercise" in lessons.tags(below) or (found and kind == "slide"):
                break
            stepped |= kind in {"slide", "subslide", "fragment"}
            if below.cell_type == "markdown":
                if below.source.startswith("**What to see"):
                    yield f"{question}: what to see in the answer, cell {index}, is not folded"
            elif folds.ANSWER in lessons.tags(below):
                found = True
                if not stepped:
                    yield f"{question}: its answer, cell {index}, stands on the same step of the slide"
                if below.outputs and not folds.is_folded(below):
                    yield f"{question}: its answer, cell {index}, is stored open: run `make notebooks`"
            elif below.outputs and not found and not lessons.called(ast.parse(below.source), "predict"):
                yield f"{question}: cell {index} stores an output above the answer; tag it `answer`"
        if not found:
            yield f"{question}: no cell below it is tagged `answer`"


def explorer(lesson):
    names = {
        alias.asname or alias.name.split(".")[0]
        for tree in lesson.trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if (node.module or "").startswith("helpers.explorers") or (node.module, alias.name) == ("helpers", "explorers")
    }
    roots = {
        re.split(r"\W", ast.unparse(call.func))[0]
        for tree in lesson.trees
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
    }
    if not lesson.front_door and not names & roots:
        yield "no cell opens an explorer out of helpers.explorers"


def exercises(lesson):
    try:
        found = lessons.exercises(lesson.path)
    except lessons.LayoutError as error:
        yield str(error)
        return
    if not lesson.front_door and not 2 <= len(found) <= 4:
        yield f"there must be 2 to 4 exercises, not {len(found)}"
    if [exercise.number for exercise in found] != list(range(1, len(found) + 1)):
        yield "the exercises are not numbered 1, 2, 3, ..."
    stars = [exercise.stars for exercise in found]
    if stars != sorted(stars):
        yield f"the exercises do not go from easy to hard: {stars}"
    tagged = sum("exercise" in lessons.tags(cell) for cell in lesson.code)
    if tagged != len(found):
        yield f"{tagged} cells are tagged `exercise`, but {len(found)} exercises have a heading"
    for cell in lesson.cells:
        told = re.search(r"\bexercise \d", cell.source, re.IGNORECASE) if cell.cell_type == "markdown" else None
        if told and not cell.source.startswith("### Exercise"):
            yield f"`{told[0]}` is a number that changes with the exercises: call it by its title"


def bound(tree):
    """The names that a cell gives a value, outside of its functions."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        else:
            yield from (n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))


def own_names(lesson):
    """Whoever has tried the exercises goes back and runs a cell of the lesson again: it must still mean the same."""
    read = set()  # names that the lesson's cells take from other cells
    for cell, tree in zip(lesson.code, lesson.trees, strict=True):
        if "exercise" in lessons.tags(cell):
            if taken := set(bound(tree)) & read:
                yield f"an exercise gives new values to {sorted(taken)}, which earlier cells need"
            continue
        names = [n for n in ast.walk(tree) if isinstance(n, ast.Name)]
        own = {n.id for n in names if isinstance(n.ctx, ast.Store)} | set(bound(tree))
        read |= {n.id for n in names if isinstance(n.ctx, ast.Load)} - own


def keys(lesson):
    used = lessons.predictions(lesson.path) + [exercise.key for exercise in lessons.exercises(lesson.path)]
    for key in used:
        if not key.startswith(lesson.name + "/"):
            yield f"the key {key} does not begin with the lesson's name"
        if used.count(key) > 1:
            yield f"the key {key} is used twice"


def closing(lesson):
    if lesson.front_door:
        return
    titles = [title for _, level, title in lesson.headings if level == 2]
    if tuple(titles[-len(CLOSING) :]) != CLOSING:
        yield f"the last sections must be {', '.join(CLOSING)}; they are {', '.join(titles[-len(CLOSING) :])}"
        return
    if len(items(lesson.sections["Summary"])) != 5:
        yield f"the summary has {len(items(lesson.sections['Summary']))} list items, not five"
    if len(items(lesson.sections["Three questions to answer aloud"])) != 3:
        yield "there must be exactly three questions to answer aloud, as a list"
    reading = items(lesson.sections["Read more"])
    if not reading or not all(re.search(r"\b(19|20)\d\d\b", item) for item in reading):
        yield "`Read more` is a list, and every item names a year"
    if not "".join(lesson.sections["Next lesson"][1:]).strip():
        yield "`Next lesson` says nothing"
    if not any(re.search(r"^> \*\*Common mistake", text, re.MULTILINE) for _, text in lesson.markdown):
        yield "there is no `> **Common mistake.**`"
    last = lesson.trees[-1]
    if not (len(last.body) == 1 and lessons.called(last, "tally")):
        yield "the last code cell is tally(...) alone"


def headings(lesson):
    levels = [1] + [level for _, level, _ in lesson.headings]
    for before, (_, level, title) in zip(levels, lesson.headings, strict=False):
        if level > before + 1:
            yield f"the heading `{title}` skips a level"


def words(lesson):
    for index, text in lesson.markdown:
        if "!" in prose(text):
            yield f"cell {index} has an exclamation mark"
        if re.search(r"<(style|script)\b", text):
            yield f"cell {index} brings its own style or script"
        for target in re.findall(r"\]\(([^)#\s]+)", text):
            if not re.match(r"[a-z]+:", target) and not (lesson.path.parent / target).exists():
                yield f"cell {index} links to {target}, which does not exist: run `python -m tools.notebooks clean`"
    for index, cell in enumerate(lesson.cells):
        if match := lessons.TYPED_NUMBER.search(cell.source):
            yield f"cell {index} refers to {match.group()!r}: link the lesson by its title"


def alternative_text(lesson):
    for index, output in lesson.outputs:
        for kind in output.get("data", {}):
            if kind.startswith("image/"):
                alt = output.metadata.get(kind, {}).get("alt") or ""
                if len(alt.strip()) < 15:
                    yield f"cell {index}: the picture has no alternative text in metadata['{kind}']['alt']"
        for tag in re.findall(r"<img\b[^>]*>", "".join(output.get("data", {}).get("text/html", ""))):
            if not re.search(r'\balt="[^"]+"', tag):
                yield f"cell {index}: an <img> in its HTML has no alternative text"
    for index, text in lesson.markdown:
        if any(not alt.strip() for alt, _ in IMAGE.findall(text)):
            yield f"cell {index}: a picture has no alternative text"
        if any(not re.search(r'\balt="[^"]+"', tag) for tag in re.findall(r"<img\b[^>]*>", text)):
            yield f"cell {index}: an <img> has no alternative text"


def fresh_outputs(lesson):
    if [cell.execution_count for cell in lesson.code] != list(range(1, len(lesson.code) + 1)):
        yield "the cells were not run in order, each once: run `make notebooks`"
    if lesson.notebook.metadata.get(FINGERPRINT) != fingerprint(lesson.notebook):
        yield "the outputs do not belong to this code: run `make notebooks`"


def clean_outputs(lesson):
    for index, output in lesson.outputs:
        if output.output_type == "error":
            yield f"cell {index} stores an error"
        if output.get("name") == "stderr":
            yield f"cell {index} stores a warning: {''.join(output.text)[:80]}"
        text = readable(output)
        if re.search(r"\bat 0x[0-9a-fA-F]+", text):
            yield f"cell {index} shows an object's address"
        if match := MACHINE_PATH.search(text):
            yield f"cell {index} shows a path of some machine: {match.group()}"
        if WIDGET_VIEW in output.get("data", {}):
            yield f"cell {index} stores a live widget"


def metadata(lesson):
    if "widgets" in lesson.notebook.metadata:
        yield "the notebook stores the state of widgets"
    for index, cell in enumerate(lesson.cells):
        if set(lessons.tags(cell)) - TAGS:
            yield f"cell {index} has an unknown tag: {set(lessons.tags(cell)) - TAGS}"
        if {folds.ANSWER, "nbval-check-output"} <= set(lessons.tags(cell)):
            yield f"cell {index} is an answer, stored folded: its output cannot be compared"
        if "real-data" in lessons.tags(cell) and "nbval-check-output" not in lessons.tags(cell):
            yield f"cell {index} is tagged `real-data`, but nothing in it is compared"
        if "execution" in cell.metadata or "ExecuteTime" in cell.metadata:
            yield f"cell {index} stores how long it ran"
        if match := MACHINE_PATH.search(cell.source):
            yield f"cell {index} names a path of some machine: {match.group()}"
    if lesson.path.stat().st_size >= 1_500_000:
        yield f"the file has {lesson.path.stat().st_size / 1e6:.1f} MB, not under 1.5"


def slides(lesson):
    types = [cell.metadata.get("slideshow", {}).get("slide_type") for cell in lesson.cells]
    for index, (cell, kind) in enumerate(zip(lesson.cells, types, strict=True)):
        if kind not in SLIDE_TYPES:
            yield f"cell {index} has the slide type {kind!r}: choose among {sorted(SLIDE_TYPES)}"
        if kind == "skip" and cell.cell_type == "code" and "claims" not in lessons.tags(cell):
            yield f"cell {index} is code that a slide show would leave out, and later cells need it: show it"
        if kind == "notes" and cell.cell_type != "markdown":
            yield f"cell {index}: presenter notes are markdown"
    if types[0] != "slide":
        yield "the first cell opens a slide"
    if "notes" not in types:
        yield "there are no presenter notes"


def budgets(lesson):
    """A lesson is one sitting: as much as fits into 20 minutes in a room and 45 alone."""
    end = next((i for i, _, title in lesson.headings if title == "Exercises"), len(lesson.cells))
    shown = [c for c in lesson.cells[:end] if not is_notes(c) and "claims" not in lessons.tags(c)]
    pictures = sum(len(folds.pictures(cell)) for cell in lesson.code)
    spoken = sum(len(prose(text).split()) for _, text in lesson.markdown if not text.startswith("<details>"))
    for count, limit, what in ((len(shown), 60, "cells"), (pictures, 12, "pictures"), (spoken, 1500, "words")):
        if count > limit:
            yield f"{count} {what}, over {limit}"
    if lesson.front_door:
        return
    notes = [cell.source for cell in lesson.cells if is_notes(cell)]
    planned = [re.search(r"^\*\*(\d+) min\.\*\*", source, re.MULTILINE) for source in notes]
    if not all(planned):
        yield f"{sum(not found for found in planned)} presenter notes do not begin with their minutes, `**3 min.**`"
        return
    said = re.search(r"^\*\*Time:\*\* (\d+) minutes live · (\d+) minutes alone", lesson.opening, re.MULTILINE)
    live = sum(int(found[1]) for found in planned)
    exercised = sum(exercise.minutes for exercise in lessons.exercises(lesson.path))
    alone = live + exercised
    if not said or (int(said[1]), int(said[2])) != (live, alone):
        yield f"notes and exercises add up to `{live} minutes live · {alone} minutes alone`: the opening says otherwise"
    if live > 20 or exercised > 25:
        yield f"{live} minutes live and {exercised} of exercises, over 20 and 25"


RULES: tuple[Callable, ...] = (
    opening,
    set_up,
    code_style,
    predictions,
    answers,
    explorer,
    exercises,
    own_names,
    keys,
    closing,
    headings,
    words,
    alternative_text,
    fresh_outputs,
    clean_outputs,
    metadata,
    slides,
    budgets,
)


@pytest.mark.parametrize("path", lessons.notebooks(), ids=lambda path: path.stem)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_contract(path, rule):
    """Every lesson keeps every rule."""
    broken = list(rule(Lesson(path)))
    assert not broken, f"{path.name}: " + "; ".join(broken)


@pytest.mark.parametrize("path", lessons.notebooks(), ids=lambda path: path.stem)
def test_every_key_is_known_and_used(path):
    """What a lesson asks is what `helpers.exercises` can judge, and nothing there waits for a cell that never comes."""
    from helpers.exercises.core import lesson

    asked, exercises = set(lessons.predictions(path)), lessons.exercises(path)
    known = lesson(lessons.name_of(path))
    assert asked == set(known.questions)
    assert {exercise.key for exercise in exercises} == set(known.checks)
