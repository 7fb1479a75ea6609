"""Every exercise of every notebook: right answers are right however they are written, wrong ones get their hint.

``tests/lessons/test_NAME.py`` holds the answers, by key: ``RIGHT`` → [function that returns the answers], at least
three written differently; ``WRONG`` → [(function that returns the answers, words of the hint)], at least eight. The
notebook's own solution and stub come from its cells. All run ``EXERCISE_RUNS`` times with fresh random numbers (3; at
night 200): a verdict that depends on them is a defect. A failure names its seed; ``EXERCISE_SEED`` starts from there.

Function exercises are also given what no lesson has to think of: their solution without a return, with NaN, stopped by
an error, and one that wipes out its arguments.
"""

import functools
import importlib
import inspect
import linecache
import os
import secrets

import numpy as np
import pytest
import torch

from helpers.exercises import core, judge
from tools import lessons, mutants

LESSONS = [path for path in lessons.notebooks() if lessons.exercises(path)]
EXERCISES = [(path, exercise) for path in LESSONS for exercise in lessons.exercises(path)]
NAMES = [exercise.key for _, exercise in EXERCISES]
PATIENCE = 4.0  # seconds, in which any answer but an endless one comes on a busy computer
RUNS = int(os.environ.get("EXERCISE_RUNS", "3"))
# The scope keeps the tests of one exercise together, so that one lesson at a time is in memory.
each_exercise = pytest.mark.parametrize(("path", "exercise"), EXERCISES, ids=NAMES, scope="module")


def table(path, name, exercise):
    """The right or the wrong answers to an exercise."""
    return getattr(importlib.import_module(f"tests.lessons.test_{lessons.name_of(path)}"), name, {}).get(
        exercise.key, []
    )


# The first optimizer and the first gradient of a process import for seconds, which must not count as an endless loop.
torch.optim.SGD([torch.ones(1, requires_grad=True)])
torch.ones(1, requires_grad=True).square().sum().backward()


@pytest.fixture(autouse=True)
def shorter_wait(monkeypatch):
    """Endless answers end sooner than in a lesson."""
    monkeypatch.setattr(judge, "LIMIT", PATIENCE)


@pytest.fixture
def seeds(monkeypatch):
    """The seeds of the runs; while one is the present one, the engine uses it."""
    first = int(os.environ.get("EXERCISE_SEED") or secrets.randbits(31))

    def runs():
        for seed in range(first, first + RUNS):
            monkeypatch.setattr(judge.secrets, "randbits", lambda _, seed=seed: seed)
            yield seed

    return runs


class Recorder:
    """Stands in for ``check`` in the executed cells, so that answers and verdict can be read."""

    def __call__(self, key, *answers):
        """Judge as in the notebook and remember."""
        self.answers, self.verdict = answers, core.check(key, *answers)
        return self.verdict


def run(names, source, exercise):
    """Run an answer and the check, as the student's cell does; source lines can be quoted as a cell's can."""
    recorder = names["check"] = Recorder()
    cell = source + "\n" + exercise.check_source
    linecache.cache[exercise.key] = (len(cell), None, cell.splitlines(True), exercise.key)
    exec(compile(cell, exercise.key, "exec"), names)
    return recorder


@each_exercise
def test_solution_is_right_and_stub_is_not_attempted(path, exercise, seeds):
    for seed in seeds():
        stub = run(mutants.namespace(path, exercise), exercise.stub_source, exercise).verdict
        assert stub.status == "not attempted yet", (seed, stub)
        solution = run(mutants.namespace(path, exercise), exercise.solution_source, exercise).verdict
        assert solution.status == "right", (seed, solution)


@each_exercise
def test_right_answers_are_right_however_they_are_written(path, exercise, seeds):
    answers = table(path, "RIGHT", exercise)
    failed = []
    for number, answer in enumerate(answers):
        for seed in seeds():
            verdict = core.check(exercise.key, *answer())
            if verdict.status != "right":
                failed.append(f"answer {number}, seed {seed}: {verdict}")
                break
    assert not failed, "\n".join(failed)
    assert len(answers) >= 3, f"{len(answers)} of 3 right answers to {exercise.key}"


@each_exercise
def test_plausible_mistakes_get_their_hint(path, exercise, seeds, monkeypatch):
    mistakes = table(path, "WRONG", exercise)
    failed, hints = [], set()
    for number, (answer, words) in enumerate(mistakes):
        if "still running" in words:
            monkeypatch.setattr(judge, "LIMIT", 0.5)  # each of its runs takes as long
        for seed in seeds():
            verdict = core.check(exercise.key, *answer())
            hints.add(verdict.message)
            if verdict.status != "wrong" or words not in verdict.message:
                failed.append(f"mistake {number}, seed {seed}: wanted {words!r}, got: {verdict}")
                break
        monkeypatch.setattr(judge, "LIMIT", PATIENCE)
    assert not failed, "\n".join(failed)
    assert len(mistakes) >= 8, f"{len(mistakes)} of 8 wrong answers to {exercise.key}"
    assert len(hints) > 1, "every mistake gets the same hint"


# What no lesson has to think of --------------------------------------------------------------------------------------


def without_return(function, arguments):
    """Calculate, and keep it to oneself."""
    function(*arguments)


def spoiled(value):
    """The same form, all NaN."""
    if isinstance(value, list | tuple):
        return type(value)(spoiled(part) for part in value)
    if isinstance(value, dict):
        return {key: spoiled(part) for key, part in value.items()}
    if isinstance(value, torch.Tensor):
        return torch.full_like(value, torch.nan, dtype=torch.float32)
    return np.full(value.shape, np.nan) if isinstance(value, np.ndarray) else float("nan")


def gives_nan(function, arguments):
    """Divide 0 by 0 at the end."""
    return spoiled(function(*arguments))


def stops(function, arguments):
    """Stop in a line that can be quoted."""
    raise RuntimeError("stopped on purpose")


def wipes(function, arguments):
    """Return the right thing and set everything given to zero."""
    answer = function(*arguments)
    for argument in arguments:
        if isinstance(argument, np.ndarray) and argument.size:
            wiped.append(argument.any())
            argument[...] = 0
        elif isinstance(argument, torch.Tensor) and argument.numel():
            wiped.append(bool(argument.any()))
            argument.data.zero_()
    return answer


wiped: list[bool] = []
SWEEP = {
    without_return: "Your function returns nothing: is there a `return`?",
    gives_nan: "",
    stops: '`raise RuntimeError("stopped on purpose")`: RuntimeError: stopped on purpose',
    wipes: "Your function changed its ",
}


def variant(function, what):
    """A student's function with something wrong in it, known by its old name and parameters."""

    @functools.wraps(function)
    def changed(*arguments):
        return what(function, arguments)

    return changed


@each_exercise
def test_no_return_nan_an_error_and_wiped_arguments_are_noticed_everywhere(path, exercise, seeds):
    for seed in seeds():
        right = run(mutants.namespace(path, exercise), exercise.solution_source, exercise)
        for place, function in enumerate(right.answers):
            if not inspect.isfunction(function):
                continue
            for what, words in SWEEP.items():
                wiped.clear()
                answers = list(right.answers)
                answers[place] = variant(function, what)
                verdict = core.check(exercise.key, *answers)
                if what is wipes and not any(wiped):
                    continue  # it is given no array
                said = f"{what.__name__}, seed {seed}: {verdict}"
                assert verdict.status == "wrong", said
                assert words in verdict.message, said


@pytest.mark.parametrize("path", LESSONS, ids=lessons.name_of)
def test_each_option_explains_itself(path):
    for question in core.lesson(lessons.name_of(path)).questions.values():
        rights = [option.right for option in question.options]
        assert not all(rights), f"{question.key}: every option is right"
        assert all(len(option.why) > 20 for option in question.options), question.key
