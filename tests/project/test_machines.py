"""On other machines than ours: little memory, another locale, no home folder, a checkout that nobody may write into."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import torch

from helpers.network import models, running
from tools import ROOT, nbval_real_data

# Memory --------------------------------------------------------------------------------------------------------------


def under_nbval(folder, **lessons):
    """Run notebooks of one cell each as `make test` runs the lessons; return what pytest says."""
    for name, source in lessons.items():
        document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in (source, "1")])
        nbformat.write(document, folder / f"{name.lstrip('_')}.ipynb")
    command = [sys.executable, "-m", "pytest", "-p", "tools.nbval_real_data", "--nbval-lax", "--nbval-current-env"]
    done = subprocess.run([*command, "-p", "no:cacheprovider", str(folder)], cwd=ROOT, capture_output=True, text=True)
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell what a process held at most")
def test_a_lesson_that_holds_too_much_memory_fails_with_its_number(tmp_path):
    held = "b = b'1' * {}; del b".format  # given back in the end: the most at any time counts
    said = under_nbval(tmp_path, _00_start_here=held(900_000_000), _01_small="2", _02_large=held(900_000_000))
    assert "5 passed" not in said
    assert "6 passed, 1 error" in said
    (reason,) = {line for line in said.splitlines() if line.startswith("The kernel of")}
    assert reason.startswith("The kernel of 00_start_here.ipynb held ")
    assert "of its own memory, its budget is 470" in reason
    table = said[said.index("own memory of the kernels, at most") :].splitlines()[1:4]
    assert [line.split()[-1] for line in table] == ["00_start_here.ipynb", "01_small.ipynb", "02_large.ipynb"]
    assert 870 < int(table[0].split()[0].replace(",", "")) < 960
    assert 20 < int(table[1].split()[0]) < 200


def test_where_nobody_tells_the_memory_no_lesson_fails():
    assert nbval_real_data.peak(2**22 + 1) is None
    assert {nbval_real_data.budget(Path(name)) for name in ("00_start_here.ipynb", "03_start_here.ipynb")} == {470}
    assert nbval_real_data.budget(Path("04_pooling.ipynb")) == 770


# Surroundings --------------------------------------------------------------------------------------------------------

LESSON = """
import numpy as np
from helpers import data, plots, display, selftest
from helpers.exercises import check
from helpers.filters import convolve, kernels
plots.use_style()
digits = data.load("mnist", first=20)
assert digits.train.images.shape == (20, 1, 28, 28)
picture = plots.images(digits.train.images[:4, 0], alt="Four digits – schön")
display.notice("Größe", ["„é“ – ☆"])
assert check("edge_filters/feature-map", ...).status == "not attempted yet"
print("★ done")
"""


def in_a_process(source, cwd=ROOT, drop=(), **environment):
    """Run Python elsewhere: the environment is ours without what is dropped; the network is not asked."""
    kept = {name: value for name, value in os.environ.items() if name not in drop}
    kept = {**kept, "CNN_OFFLINE": "1", "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        [sys.executable, "-"],  # from its input: a command line has the encoding of the locale
        input="# coding: utf-8\n" + source,
        cwd=cwd,
        env=kept,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )


@pytest.mark.parametrize(
    ("drop", "settings"),
    [
        ((), {"LC_ALL": "C", "MPLBACKEND": "agg"}),
        ((), {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "utf-8"}),
        (
            ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "DISPLAY"),
            {"MPLBACKEND": "TkAgg", "OMP_NUM_THREADS": "64", "MKL_NUM_THREADS": "64", "OPENBLAS_NUM_THREADS": "64"},
        ),
    ],
    ids=["locale C, agg", "locale C, ASCII files", "no HOME, TkAgg without a display, 64 threads"],
)
def test_a_piece_of_a_lesson_runs(drop, settings, tmp_path):
    done = in_a_process(LESSON, tmp_path, drop, **settings)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "★ done"


NOBODY = """
import os, pwd
from pathlib import Path
def unknown(*_):
    raise KeyError("uid not found")
pwd.getpwuid = unknown
for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "CNN_MEMORY"):
    os.environ.pop(name, None)
"""


def test_a_user_without_a_home_folder_can_learn_too(tmp_path):
    """As in a container that runs under a number which no list of users knows."""
    source = NOBODY + LESSON + "\nfrom helpers import selftest\nselftest.disk()\n"
    source += "from helpers.exercises import memory\nassert memory.place() is None\n"
    source += "line = selftest._ask('x', lambda: 1 / 0)\nassert 'ZeroDivisionError' in line.said\n"
    done = in_a_process(source, tmp_path)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []  # no folder called "~"


def test_no_text_file_is_read_in_the_encoding_of_some_machine():
    """Without `encoding=` Windows reads and writes another one; set-up reads and writes ASCII alone."""
    command = [sys.executable, "-m", "ruff", "check", "--preview", "--select", "PLW1514", "--output-format", "concise"]
    done = subprocess.run(
        [*command, "--exclude", "tools/setup.py", "helpers", "tools", "benchmarks", "notebooks"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_sixty_four_threads_on_few_cores_change_no_answer():
    torch.manual_seed(0)
    network, images = models.ConvNet().eval(), torch.rand(64, 1, 28, 28)
    before, answers = torch.get_num_threads(), []
    try:
        for threads in (1, 64):
            torch.set_num_threads(threads)
            answers.append(running.predict(network, images))
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(*answers, atol=1e-5, rtol=1e-5)


def test_another_package_called_helpers_is_named(tmp_path):
    (tmp_path / "helpers.py").write_text("", encoding="utf-8")
    done = in_a_process("from helpers import data", tmp_path)
    assert done.returncode == 1
    assert str(tmp_path / "helpers.py") in done.stderr.splitlines()[-1]


@pytest.mark.skipif(sys.platform == "win32", reason="make needs a Unix shell")
@pytest.mark.parametrize("target", ["lab", "slides"])
def test_make_puts_our_helpers_before_those_of_other_projects(target, tmp_path):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "first: $PYTHONPATH"\n', encoding="utf-8")
    python.chmod(0o755)
    command = ["make", "-s", "-o", "setup", target, f"PY={python}", "LESSON=occlusion"]
    for before, wanted in ((None, f"{ROOT}"), ("/elsewhere", f"{ROOT}:/elsewhere")):
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment |= {"PYTHONPATH": before} if before else {}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert set(done.stdout.splitlines()) == {f"first: {wanted}"}, done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lends memory as a folder")
def test_without_shared_memory_the_lessons_load_and_train(tmp_path):
    """A container with an empty /dev/shm: nothing here starts workers that share tensors."""
    source = """
import os, tempfile
def refused(*_, **__):
    raise OSError(28, "No space left on device")
import multiprocessing.shared_memory as shared
shared.SharedMemory.__init__ = refused
import multiprocessing
multiprocessing.Process.start = refused
import torch
from helpers.data import Split
from helpers.network import models, training
torch.manual_seed(0)
images = torch.rand(64, 1, 28, 28)
split = Split(images, torch.arange(64) % 10)
training.fit(models.ConvNet(), split, split, epochs=1, batch_size=32, bar=False)
print("trained")
"""
    done = in_a_process(source, tmp_path)
    assert done.stdout.strip() == "trained", done.stderr


def test_notebooks_work_in_a_folder_of_their_own_and_the_checkout_stays_as_it_is(tmp_path):
    """As on a JupyterHub: the checkout belongs to somebody else, the student has copies of the notebooks.

    Nothing is written below the checkout: every attempt to open a file there for writing is recorded.
    """
    source = f"""
import sys
root, wrote = {str(ROOT)!r}, []
def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and arguments[0].startswith(root):
        if isinstance(arguments[1], str) and set(arguments[1]) & set("wax+") or (arguments[2] or 0) & 0x3:
            wrote.append(arguments[0])
    elif event in ("os.mkdir", "os.rename", "os.remove") and str(arguments[0]).startswith(root):
        wrote.append(str(arguments[0]))
sys.dont_write_bytecode = True
sys.addaudithook(watch)
{LESSON}
from helpers.network import checkpoints, photonet
checkpoints.load("mnist"); photonet.load()
assert selftest.run().lines
assert not wrote, wrote
"""
    done = in_a_process(source, tmp_path)
    assert done.returncode == 0, done.stderr
