"""After a restart, or with cells run out of order, a student reads which cell to run."""

import json
import os
import subprocess
import sys

import pytest
from IPython.core.interactiveshell import InteractiveShell

from helpers import names
from tools import ROOT, lessons

CELLS = [
    "import numpy as np\nfrom helpers import data",
    "mnist = data.load('mnist')",
    "mnist.train",
    "total = total + 1",
]


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    path = tmp_path / "lesson.ipynb"
    cells = [{"cell_type": "markdown", "source": ["mnist = 1"]}]
    cells += [{"cell_type": "code", "source": source.splitlines(keepends=True)} for source in CELLS]
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    return path


@pytest.fixture
def shell():
    """A fresh IPython, with the hook."""
    InteractiveShell.clear_instance()
    fresh = InteractiveShell.instance()
    fresh.run_line_magic("colors", "nocolor")
    names.load_ipython_extension(fresh)
    yield fresh
    InteractiveShell.clear_instance()


def run(shell, source, capsys):
    shell.run_cell(source, store_history=True)
    return "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("mnist.train", "code cell 2 of 4, which begins with `mnist = data.load('mnist')`"),
        ("np.ones(3)", "code cell 1 of 4, which begins with `import numpy as np`"),
        ("def f():\n    return mnist\nf()", "code cell 2 of 4"),
    ],
)
def test_a_missing_name_is_traced_to_the_cell_that_makes_it(source, words, notebook, shell, capsys):
    said = run(shell, source, capsys)
    assert "NameError" in said
    assert words in said
    assert "Run All Above Selected Cell" in said


@pytest.mark.parametrize("source", ["mnst.train", "total = total + 1", "1 / 0", "def f():\n    x = x + 1\nf()"])
def test_what_no_other_cell_makes_is_left_to_python(source, notebook, shell, capsys):
    said = run(shell, source, capsys)
    assert "Error" in said
    assert "another cell" not in said
    assert "Custom TB Handler failed" not in said


def test_a_name_that_is_missing_inside_a_package_is_its_own_matter(notebook, shell, capsys):
    exec("def stops():\n    return mnist", elsewhere := {})
    shell.user_ns["stops"] = elsewhere["stops"]
    said = run(shell, "stops()", capsys)
    assert "NameError" in said
    assert "another cell" not in said


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"cells": [{}]}', '{"cells": 3}'])
def test_a_notebook_that_cannot_be_read_adds_nothing(content, notebook, shell, capsys):
    if content is None:
        notebook.unlink()
    else:
        notebook.write_text(content)
    said = run(shell, "mnist.train", capsys)
    assert "NameError: name 'mnist' is not defined" in said
    assert "another cell" not in said
    assert "Custom TB Handler failed" not in said


def test_what_a_cell_makes():
    source = "a = b.c = d[0] = 1\nfor e, (f, *g) in x: pass\nwith y as h: i: int = 2\nimport j.k, l as m\n"
    source += "def n(o): p = 1\nclass q: r = 1\n[s for s in z]\nif (t := 1): u += 1\n"
    assert names.made_by(source) == set("aefghijmnqtu")
    assert names.made_by("%matplotlib inline\nx = 1") == set()


@pytest.mark.parametrize("path", lessons.notebooks(), ids=lessons.name_of)
def test_the_last_tool_of_each_lesson_finds_the_cell_that_makes_its_names(path):
    """What a student runs first after a restart."""
    cells = lessons.cells(path)
    last = cells[lessons.tool_cells(path)[-1]].source
    made_elsewhere = set().union(
        *(names.made_by(cell.source) for cell in cells if cell.cell_type == "code" and cell.source != last)
    )
    needed = {name for name in compile(last, "cell", "exec").co_names if name in made_elsewhere}
    assert needed
    for name in needed:
        assert "code cell" in names.advice(name, path, last)


def test_a_kernel_loads_it_from_the_settings_of_the_project(notebook, tmp_path):
    """As in .venv, where set-up puts the settings; here they lie in a folder of their own."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    (tmp_path / "profile_default").mkdir()
    settings = (ROOT / "jupyter" / "kernel.json").read_text(encoding="utf-8")
    (tmp_path / "profile_default" / "ipython_kernel_config.json").write_text(settings, encoding="utf-8")
    document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("mnist.train")])
    client = nbclient.NotebookClient(document, timeout=60, kernel_name="python3", allow_errors=True)
    client.execute(env={**os.environ, "IPYTHONDIR": str(tmp_path)}, cwd=str(ROOT))
    (shown,) = document.cells[0].outputs
    assert shown.ename == "NameError"
    assert "code cell 2 of 4" in "\n".join(shown.traceback)


def test_it_costs_a_kernel_nothing_to_load():
    code = (
        "import sys, helpers.names; print([n for n in ('torch', 'numpy', 'matplotlib', 'IPython') if n in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert printed.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), RuntimeError("duplicate registrations"), NameError("x", name="mnist")]
)
def test_a_stopped_import_asks_for_a_restart(error, notebook, shell, monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setitem(sys.modules, "torch.half", None)
    shell.user_ns["error"] = error
    said = run(shell, "raise error", capsys)
    assert "import of torch was stopped before its end" in said
    assert "Restart Kernel" in said
    assert "another cell" not in said


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("shapes differ"), AttributeError("no")])
def test_other_errors_are_shown_as_always(error, notebook, shell, capsys):
    shell.user_ns["error"] = error
    said = run(shell, "raise error", capsys)
    assert type(error).__name__ in said
    assert str(error) in said
    assert "Restart" not in said
    assert "Custom TB Handler failed" not in said
