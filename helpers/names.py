"""The hook that says which cell to run when a name is missing: after a restart, or with cells run out of order.

It also says what to do when PyTorch was stopped while it was being loaded, which no second try can mend.

Set-up installs ``jupyter/kernel.json``, which loads this module into every kernel. A name that no other cell of the
notebook makes is most likely a slip of the pen, and Python's own words are enough.
"""

from __future__ import annotations

import ast
import json
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Any


def made_by(source: str) -> set[str]:
    """The names that a cell makes when it runs: by assignment, import, `def`, `class`, `for` and `with`.

    What functions and classes make inside themselves stays there. A cell that Python cannot read makes nothing.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:  # an unfinished cell, or a command of IPython
        return set()
    names: set[str] = set()
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
            continue
        if isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        waiting += ast.iter_child_nodes(node)
    return names


def notebook() -> Path | None:
    """The file of the notebook that this kernel serves, as the Jupyter server tells its kernels; None if unknown."""
    told = os.environ.get("JPY_SESSION_NAME", "")
    return next((path for path in (Path(told), Path(Path(told).name)) if told and path.is_file()), None)


def advice(name: str, path: Path | None, running: str = "") -> str | None:
    """What to do about a missing name: which cell makes it. None if no cell does, or the notebook is unknown.

    Args:
        name: that is not defined.
        path: of the notebook, as it was saved last.
        running: the source of the cell that stopped; it cannot help itself.
    """
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"] if path else []
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    for place, source in enumerate(sources, 1):
        if source.strip() != running.strip() and name in made_by(source):
            first = next(line for line in source.splitlines() if line.strip())
            return (
                f"{name!r} is made by another cell, which has not run since this kernel started: code cell {place} of "
                f"{len(sources)}, which begins with `{first.strip()}`. Choose Run > Run All Above Selected Cell, then "
                "run this cell again."
            )
    return None


def half_loaded() -> str | None:
    """The package that was stopped while it was being loaded: parts of it are there, the whole is not."""
    for package in ("torch", "numpy"):
        if package not in sys.modules and any(name.startswith(f"{package}.") for name in sys.modules):
            return package
    return None


def explain(
    shell: Any,
    kind: type[BaseException],
    problem: BaseException,
    trace: TracebackType | None,
    tb_offset: int | None = None,
) -> None:
    """Show an error as always, with a sentence below it where we know what to do."""
    innermost = trace
    while innermost and innermost.tb_next:
        innermost = innermost.tb_next
    in_a_cell = innermost is not None and innermost.tb_frame.f_globals is shell.user_ns
    if package := half_loaded():
        problem.add_note(
            f"The import of {package} was stopped before its end, and half of it cannot be loaded twice. Choose "
            "Kernel > Restart Kernel, then run the cells again from the first, and let the imports finish."
        )
    elif isinstance(problem, NameError) and in_a_cell and problem.name:
        running = (shell.user_ns.get("In") or [""])[-1]
        if sentence := advice(problem.name, notebook(), running):
            problem.add_note(sentence)
    shell.showtraceback((kind, problem, trace), tb_offset=tb_offset)


def load_ipython_extension(shell: Any) -> None:
    """Called by IPython when a kernel starts."""
    shell.set_custom_exc((NameError, KeyboardInterrupt, ImportError, AttributeError, RuntimeError), explain)
