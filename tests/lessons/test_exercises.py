"""Every exercise of every notebook: its solution is right, its stub is not attempted, its mistakes get their hints.

The solution is taken out of the notebook's folded block and run in place of the stub, after the cells above it. The
wrong answers stand in ``WRONG`` of ``tests/lessons/test_NAME.py``: key → [(function that returns the answers, words of the
hint)].
"""

import importlib
import os
from pathlib import Path

import pytest

from helpers.exercises import core
from tools import lessons

LESSONS = [path for path in lessons.notebooks() if lessons.exercises(path)]
EXERCISES = [(path, exercise) for path in LESSONS for exercise in lessons.exercises(path)]
NAMES = [exercise.key for _, exercise in EXERCISES]


def wrong_answers(name):
    """The plausible mistakes of a lesson's test file."""
    return importlib.import_module(f"tests.lessons.test_{name}").WRONG


class Recorder:
    """Stands in for ``check`` in the executed cells, so that the verdict can be read."""

    def __init__(self):
        self.verdicts = {}

    def __call__(self, key, *answers):
        """Judge as in the notebook and remember."""
        verdict = core.check(key, *answers)
        self.verdicts[key] = verdict
        return verdict


@pytest.fixture(scope="module")
def namespaces():
    """The lesson's names after the cells above an exercise, executed once per lesson as the notebook would."""
    made = {}

    def at(path, exercise):
        cells = lessons.context(path, exercise)
        names, done = made.get(path, ({"__name__": "lesson"}, 0))
        before = Path.cwd()
        os.chdir(path.parent)
        try:
            for cell in cells[done:]:
                exec(compile(cell, path.name, "exec"), names)
        finally:
            os.chdir(before)
        made[path] = (names, len(cells))
        return dict(names)

    return at


def run(names, source, exercise):
    """Run an answer and the check, as the student's cell does."""
    recorder = Recorder()
    names["check"] = recorder
    exec(compile(source + "\n" + exercise.check_source, exercise.key, "exec"), names)
    return recorder.verdicts[exercise.key]


@pytest.mark.parametrize(("path", "exercise"), EXERCISES, ids=NAMES)
def test_solution_is_right_and_stub_is_not_attempted(path, exercise, namespaces):
    stub = run(namespaces(path, exercise), exercise.stub_source, exercise)
    assert stub.status == "not attempted yet", stub
    solution = run(namespaces(path, exercise), exercise.solution_source, exercise)
    assert solution.status == "right", solution


@pytest.mark.parametrize(("path", "exercise"), EXERCISES, ids=NAMES)
def test_three_plausible_mistakes_get_their_hint(path, exercise):
    mistakes = wrong_answers(lessons.name_of(path))[exercise.key]
    assert len(mistakes) >= 3
    hints = set()
    for answers, words in mistakes:
        verdict = core.check(exercise.key, *answers())
        assert verdict.status == "wrong", (words, verdict)
        assert words in verdict.message, verdict
        hints.add(verdict.message)
    assert len(hints) > 1, "every mistake gets the same hint"


@pytest.mark.parametrize("path", LESSONS, ids=lessons.name_of)
def test_the_lesson_asks_what_its_file_holds(path):
    lesson = core.lesson(lessons.name_of(path))
    assert {exercise.key for exercise in lessons.exercises(path)} == set(lesson.checks)
    assert set(lessons.predictions(path)) == set(lesson.questions)


@pytest.mark.parametrize("path", LESSONS, ids=lessons.name_of)
def test_each_option_explains_itself(path):
    for question in core.lesson(lessons.name_of(path)).questions.values():
        rights = [option.right for option in question.options]
        assert not all(rights), f"{question.key}: every option is right"
        assert all(len(option.why) > 20 for option in question.options), question.key
