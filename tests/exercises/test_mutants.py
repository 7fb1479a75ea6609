"""The mutation runner: what it changes, and that it tells a careless check from a careful one."""

import sys
import types

import pytest

from helpers.exercises.core import Lesson
from helpers.exercises.judge import call, expect, trials
from tools import lessons, mutants

SOLUTION = "def positive(x):\n    if x > 0 and (not x == 5):\n        return x * 2\n    return -1"


def test_one_thing_is_changed_at_a_time():
    changed = {after for _, _, after in mutants.mutants(SOLUTION)}
    assert changed == {
        "if x >= 0 and (not x == 5):",
        "if x < 0 and (not x == 5):",
        "if x > 1 and (not x == 5):",
        "if x > -1 and (not x == 5):",
        "if x > 0 or not x == 5:",
        "if x > 0 and +(x == 5):",
        "if x > 0 and (not x != 5):",
        "if x > 0 and (not x == 6):",
        "if x > 0 and (not x == 4):",
        "return x / 2",
        "return x + 2",
        "return x * 3",
        "return x * 1",
        "return +1",
        "return -2",
        "return -0",
    }
    loop = "def total(x, step):\n    for v in x:\n        step()\n        s += v\n    return max(s.sum(), 'a')"
    changed = {after for _, _, after in mutants.mutants(loop)}
    assert changed == {"pass", "s -= v", "return min(s.sum(), 'a')", "return max(s.mean(), 'a')"}
    for source, before, after in mutants.mutants(SOLUTION):
        compile(source, "mutant", "exec")
        assert before != after


@pytest.fixture
def exercise(monkeypatch):
    """An exercise whose check is careful with positive numbers and looks at no other."""
    lesson = Lesson("half")

    @lesson.check("positive")
    def positive(function):
        for rng in trials():
            x = int(rng.integers(6, 20))
            expect(call(function, x), 2 * x)
        return "Doubled."

    module = types.ModuleType("helpers.exercises.half")
    module.LESSON = lesson
    monkeypatch.setitem(sys.modules, "helpers.exercises.half", module)
    words = {"number": 1, "title": "", "stars": 1, "minutes": 1, "stub_source": "", "hint": "", "index": 0}
    return lessons.Exercise(
        key="half/positive", check_source='check("half/positive", positive)', solution_source=SOLUTION, **words
    )


def test_what_a_check_does_not_look_at_stays_alive(exercise):
    assert mutants.accepted({}, SOLUTION, exercise) == mutants.TRIES
    alive = {after for source, _, after in mutants.mutants(SOLUTION) if mutants.accepted({}, source, exercise)}
    assert "return -2" in alive, "the check never asks for a number that is not positive"
    assert not {"return x / 2", "return x * 3", "if x < 0 and (not x == 5):"} & alive


def test_a_mutant_that_never_ends_is_noticed(exercise, monkeypatch):
    monkeypatch.setattr(mutants.judge, "LIMIT", 0.2)
    assert mutants.accepted({}, "def positive(x):\n    while True:\n        pass", exercise) == 0
    assert mutants.accepted({}, "positive = undefined", exercise) == 0


def test_what_is_no_mistake_is_a_mutant_of_an_exercise_and_says_why():
    made = {
        (exercise.key, before, after)
        for path in lessons.notebooks()
        for exercise in lessons.exercises(path)
        for _, before, after in mutants.mutants(exercise.solution_source)
    }
    assert set(mutants.EQUIVALENT) - made == set()
    assert all(why.endswith(".") for why in mutants.EQUIVALENT.values())


def test_a_misspelled_lesson_is_answered_with_those_that_there_are():
    with pytest.raises(SystemExit, match="There is no lesson 'strde'"):
        mutants.main(["strde"])
