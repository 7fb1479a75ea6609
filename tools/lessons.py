"""Read the lessons: their cells, exercises and predictions, as the tests and the contract need them."""

import ast
import re
import symtable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat

from tools import ROOT

NOTEBOOKS = ROOT / "notebooks"

TITLE = re.compile(r"^### Exercise (\d+): (.+)$")
EFFORT = re.compile(r"^([★☆]{3}) · (\d+) min$")
DETAILS = re.compile(r"\A<details>\n<summary>(Hint|Solution)</summary>\n\n(.+)\n\n</details>\s*\Z", re.DOTALL)
ITEM = re.compile(r"^(?:[-*]|\d+\.) ")
#: A reference to a lesson by its number, which the next renumbering would make untrue.
TYPED_NUMBER = re.compile(r"\b[Ll]essons? \d+|^#+ \d\d\b|\bLESSON=\d|^# .*\b\d\d ·", re.MULTILINE)
PYTHON_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Exercise:
    """One exercise as it stands in a notebook. Run `stub_source` or `solution_source`, then `check_source`."""

    key: str
    number: int
    title: str
    stars: int
    minutes: int
    stub_source: str
    check_source: str
    solution_source: str
    hint: str
    index: int  # of the stub among the notebook's cells


class LayoutError(ValueError):
    """An exercise is not laid out as the contract says."""


def relink(text: str) -> str:
    """Return a markdown text whose links to lessons name the files that these lessons have now."""
    files = {name_of(path): path.name for path in notebooks()}
    return re.sub(r"\b\d\d_(\w+)\.ipynb", lambda found: files.get(found[1], found[0]), text)


class Refusal(Exception):
    """A reason not to go on, in one sentence."""


def notebooks() -> list[Path]:
    """Return every lesson, in order."""
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def name_of(path: Path) -> str:
    """Return the name by which everything but its file knows a lesson: ``13_occlusion.ipynb`` is ``occlusion``."""
    return path.stem.partition("_")[2]


def chosen(names: list[str]) -> list[Path]:
    """Return the notebooks of the lessons with these names, or all of them, in order.

    Raises:
        Refusal: if there is no such lesson.
    """
    known = {name_of(path): path for path in notebooks()}
    for name in names:
        if name not in known:
            raise Refusal(f"There is no lesson {name!r}: choose among {', '.join(known)}.")
    return [known[name] for name in names] or list(known.values())


def read(path: Path) -> nbformat.NotebookNode:
    """Read a notebook as version 4."""
    return nbformat.read(path, as_version=4)


def cells(path: Path) -> list[nbformat.NotebookNode]:
    """Return the cells in order."""
    return read(path).cells


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    """Return the code cells in order."""
    return [cell for cell in cells(path) if cell.cell_type == "code"]


def tags(cell: nbformat.NotebookNode) -> list[str]:
    """Return the tags of a cell."""
    return cell.metadata.get("tags", [])


def is_notes(cell: nbformat.NotebookNode) -> bool:
    """Tell whether a cell holds presenter notes."""
    return cell.metadata.get("slideshow", {}).get("slide_type") == "notes"


def called(node: ast.AST, name: str) -> list[ast.Call]:
    """Return the calls of `name(...)` inside a syntax tree; `training.predict(...)` is another function."""
    return [call for call in ast.walk(node) if isinstance(call, ast.Call) and getattr(call.func, "id", None) == name]


def key_of(call: ast.Call) -> str:
    """Return the first argument of a call, which must be a string literal."""
    if not (call.args and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)):
        raise LayoutError(f"the first argument of `{ast.unparse(call)}` must be the key, a string literal")
    return call.args[0].value


def stored(name: str, words: str) -> str:
    """Return, as text, what the one cell of a lesson that shows these words showed when the lesson was stored.

    Raises:
        LookupError: if no cell but a prediction shows them.
    """
    for cell in code_cells(chosen([name])[0]):
        outputs = cell.get("outputs", [])
        parts = [part for output in outputs for part in (output.get("text", ""), *output.get("data", {}).values())]
        shown = "\n".join(part for part in parts if isinstance(part, str))
        if words in shown and "Predict:" not in shown:
            return shown
    raise LookupError(f"The lesson {name} shows {words!r} nowhere.")


def predictions(path: Path) -> list[str]:
    """Return the keys of all `predict("...")` calls, in order."""
    return [key_of(call) for cell in code_cells(path) for call in called(ast.parse(cell.source), "predict")]


def context(path: Path, exercise: Exercise) -> str:
    """Return those statements of the code cells above the stub on which an exercise depends."""
    return needed(path, exercise.index, exercise.stub_source + exercise.solution_source + exercise.check_source)


def needed(path: Path, index: int, source: str) -> str:
    """Return those statements of the code cells above a cell on which a source depends.

    A statement is kept if it binds a name that the source or a kept statement reads. What is called with a value, or
    writes into it, may change it: such a statement is kept too, unless the name is that of a module, function or class.
    """
    above = [cell.source for cell in cells(path)[:index] if cell.cell_type == "code"]
    statements = [ast.unparse(statement) for text in above for statement in ast.parse(text).body]
    bound = [_names(text) for text in statements]
    touched = [_touched(text) for text in statements]
    values = {name for _, assigned, fixed in bound for name in assigned} - {n for *_, fixed in bound for n in fixed}
    read, assigned, fixed = _names(source)
    wanted = read - assigned - fixed
    kept: set[int] = set()
    while True:
        more = {
            place
            for place, (_, assigned, fixed) in enumerate(bound)
            if wanted & (assigned | fixed) or wanted & values & touched[place]
        }
        if more == kept:
            return "\n".join(statements[place] for place in sorted(kept))
        kept = more
        wanted = wanted.union(*(bound[place][0] for place in kept))


def tool_cells(path: Path) -> list[int]:
    """Indices of the cells that show a tool: their last line calls, or names what was made by, an explorer class."""
    names: set[str] = set()
    found = []
    for index, cell in enumerate(cells(path)):
        if cell.cell_type != "code":
            continue
        tree = ast.parse(cell.source)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("helpers.explorers"):
                names |= {alias.asname or alias.name for alias in node.names}
            if isinstance(node, ast.Assign) and {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)} & names:
                names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        last = tree.body[-1] if tree.body else None
        if isinstance(last, ast.Expr):
            value = last.value.func if isinstance(last.value, ast.Call) else last.value
            if isinstance(value, ast.Name) and value.id in names:
                found.append(index)
    return found


def _names(source: str) -> tuple[set[str], set[str], set[str]]:
    """The global names that a source reads, those it assigns, and those it imports or defines."""
    read, assigned, fixed = set(), set(), set()
    tables = [symtable.symtable(source, "source", "exec")]
    for table in tables:
        tables += table.get_children()
        for symbol in table.get_symbols():
            name, outermost = symbol.get_name(), table.get_type() == "module"
            if symbol.is_referenced() and (outermost or symbol.is_global()):
                read.add(name)
            if outermost and (symbol.is_imported() or symbol.is_namespace()):
                fixed.add(name)
            elif outermost and symbol.is_assigned():
                assigned.add(name)
    return read, assigned, fixed


def _touched(source: str) -> set[str]:
    """The names in a call, as its object or among its arguments, or in the target of an assignment.

    To print or draw something does not change it.
    """
    parts = [
        node
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Call) and not ast.unparse(node.func).startswith(("print", "plots.")))
        or (isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load))
    ]
    return {node.id for part in parts for node in ast.walk(part) if isinstance(node, ast.Name)}


def exercises(path: Path) -> list[Exercise]:
    """Return the exercises of a notebook, in order.

    Raises:
        LayoutError: saying which exercise differs from the agreed layout, and how.
    """
    numbered = [(index, cell) for index, cell in enumerate(cells(path)) if not is_notes(cell)]
    starts = [
        place
        for place, (_, cell) in enumerate(numbered)
        if cell.cell_type == "markdown" and TITLE.match(cell.source.split("\n")[0])
    ]
    return [_exercise(numbered[start:]) for start in starts]


def _exercise(numbered: list[tuple[int, nbformat.NotebookNode]]) -> Exercise:
    """Read the exercise whose task is the first of these cells."""
    task = numbered[0][1].source.split("\n")
    number, title = TITLE.match(task[0]).groups()

    def need(condition: object, reason: str) -> None:
        if not condition:
            raise LayoutError(f"Exercise {number}: {reason}")

    lines = [line.strip() for line in task[1:] if line.strip()]
    effort = EFFORT.match(lines[0]) if lines else None
    need(effort, "the line below the title must read like `★★☆ · 10 min`")
    need(re.fullmatch("★+☆*", effort[1]), "one to three full stars come before the empty ones")
    need(len(lines) > 1, "the task is missing")
    rest = iter(numbered[1:])
    index, stub = next(rest, (None, None))
    need(
        stub and stub.cell_type == "code" and "exercise" in tags(stub), "a code cell tagged `exercise` follows the task"
    )
    stub_source, check_source = split_check(stub.source)
    following = next(rest, (None, None))[1]
    if not check_source:
        need(
            following and following.cell_type == "code" and "check" in tags(following),
            "the stub ends with check(...), or the next cell is code tagged `check`",
        )
        left_over, check_source = split_check(following.source)
        need(check_source and not left_over.strip(), "the cell tagged `check` holds the check(...) call alone")
        following = next(rest, (None, None))[1]
    need(
        any(isinstance(node, ast.Constant) and node.value is ... for node in ast.walk(ast.parse(stub_source))),
        "the stub holds at least one `...` to fill in",
    )
    folded = {}
    for label in ("Hint", "Solution"):
        match = following and following.cell_type == "markdown" and DETAILS.match(following.source)
        need(
            match and match[1] == label,
            f"a folded {label.lower()} comes next: <details>, <summary>{label}</summary>, blank line",
        )
        folded[label] = match[2].strip()
        following = next(rest, (None, None))[1]
    blocks = PYTHON_BLOCK.findall(folded["Solution"])
    need(len(blocks) == 1, "the solution holds exactly one ```python block")
    solution, repeated = split_check(blocks[0])
    need(not repeated, "the solution leaves the check(...) call out: it stays in the notebook")
    return Exercise(
        key=key_of(called(ast.parse(check_source), "check")[0]),
        number=int(number),
        title=title,
        stars=effort[1].count("★"),
        minutes=int(effort[2]),
        stub_source=stub_source,
        check_source=check_source,
        solution_source=solution,
        hint=folded["Hint"],
        index=index,
    )


def split_check(source: str) -> tuple[str, str]:
    """Split a cell into what comes before its last statement and that statement, if it is check(...).

    Otherwise the second part is empty. Raises LayoutError when check(...) stands elsewhere.
    """
    body = ast.parse(source).body
    calls = called(ast.Module(body, []), "check")
    if not calls:
        return source, ""
    last = body[-1]
    if len(calls) != 1 or not (isinstance(last, ast.Expr) and last.value is calls[0]):
        raise LayoutError("check(...) is called once, as the last statement of its cell")
    lines = source.split("\n")
    return "\n".join(lines[: last.lineno - 1]) + "\n", "\n".join(lines[last.lineno - 1 :]) + "\n"


class Lesson:
    """A notebook, with the views of it that the rules ask for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notebook = read(path)
        self.cells = self.notebook.cells
        self.name = name_of(path)
        self.front_door = self.name == "start_here"

    @cached_property
    def code(self) -> list[nbformat.NotebookNode]:
        """The code cells."""
        return [cell for cell in self.cells if cell.cell_type == "code"]

    @cached_property
    def trees(self) -> list[ast.Module]:
        """The code cells, parsed."""
        return [ast.parse(cell.source) for cell in self.code]

    @cached_property
    def markdown(self) -> list[tuple[int, str]]:
        """(index, source) of the markdown a reader sees: presenter notes are left out."""
        return [(i, c.source) for i, c in enumerate(self.cells) if c.cell_type == "markdown" and not is_notes(c)]

    @cached_property
    def headings(self) -> list[tuple[int, int, str]]:
        """(cell index, level, title) of every heading."""
        found = [(i, re.match(r"(#{1,6}) (.+)", line)) for i, text in self.markdown for line in unfenced(text)]
        return [(i, len(match[1]), match[2].strip()) for i, match in found if match]

    @cached_property
    def sections(self) -> dict[str | None, list[str]]:
        """The lines below each `## Title`."""
        lines, title = {}, None
        for _, text in self.markdown:
            for line in unfenced(text):
                if line.startswith("## "):
                    title = line[3:].strip()
                lines.setdefault(title, []).append(line)
        return lines

    @cached_property
    def opening(self) -> str:
        """The markdown above the first code cell."""
        first_code = next((i for i, cell in enumerate(self.cells) if cell.cell_type == "code"), len(self.cells))
        return "\n".join(text for i, text in self.markdown if i < first_code)

    @cached_property
    def outputs(self) -> list[tuple[int, nbformat.NotebookNode]]:
        """(cell index, output) of every stored output."""
        return [(i, output) for i, cell in enumerate(self.cells) for output in cell.get("outputs", [])]


def unfenced(text: str) -> list[str]:
    """The lines of a markdown text outside of ``` fences."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE).split("\n")


def prose(text: str) -> str:
    """The words of a markdown text: without code, formulas, comments and the syntax of pictures."""
    text = "\n".join(unfenced(text)).replace("![", "[")
    return re.sub(r"`[^`]*`|\$\$.*?\$\$|\$[^$\n]*\$|<!--.*?-->", "", text, flags=re.DOTALL)


def items(lines: list[str]) -> list[str]:
    """The list items among these lines, each with its continuation lines."""
    found = []
    for line in lines:
        if ITEM.match(line):
            found.append(line)
        elif found and line.startswith("  "):
            found[-1] += " " + line.strip()
    return found
