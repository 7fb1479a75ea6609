"""How questions are asked and answers judged: verdicts, never tracebacks, first choices that count, a fair tally."""

import re
import sys
import types

import numpy as np
import pytest

from helpers.exercises import core
from helpers.exercises.core import Lesson, Option, Wrong, call, check, is_blank, predict, tally

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def made_up(monkeypatch):
    """Lesson 99: a number, a function, two predictions; and nothing remembered from before."""
    lesson = Lesson("99")

    @lesson.check("number")
    def number(answer):
        if answer == 41:
            raise Wrong("One more than `41`, please: 1 < 2.")
        if answer != 42:
            raise Wrong("Not even near.")
        return "It is `42`, and 1 < 2."

    @lesson.check("function")
    def function(answer):
        if call(answer, 2) != 4:
            raise Wrong("Double it.")
        return "Doubled."

    lesson.ask("easy", "Is `1 < 2`?", Option("`yes`", "Count.", right=True), Option("no", "Count again & again."))
    lesson.ask("both", "One or two?", Option("one", "Yes.", True), Option("two", "Also.", True), Option("3", "Never."))
    module = types.ModuleType("helpers.exercises.lesson99")
    module.LESSON = lesson
    monkeypatch.setitem(sys.modules, "helpers.exercises.lesson99", module)
    monkeypatch.setattr(core, "_checked", {})
    monkeypatch.setattr(core, "_predicted", {})
    return lesson


# Checks --------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("made_up")
@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (42, "right", "It is `42`"),
        (41, "wrong", "One more than"),
        (0, "wrong", "Not even near"),
        (..., "not attempted yet", "Replace the dots"),
        (None, "not attempted yet", "Replace the dots"),
        ([1, ...], "not attempted yet", "Replace the dots"),
        (np.array([1, ...], dtype=object), "not attempted yet", "Replace the dots"),
        (np.zeros(3), "wrong", "Your code stopped with ValueError"),
    ],
)
def test_every_answer_gets_a_verdict(answer, status, words):
    verdict = check("99/number", answer)
    assert verdict.status == status
    assert words in verdict.message
    assert verdict.key == "99/number"


def forgets(x):
    pass


def leaves_dots(x):
    return ...


def divides(x):
    return x / 0


def says_much(x):
    raise KeyError("first line\nsecond line")


def raises_without_words(x):
    raise ValueError


def never_ends(x):
    return never_ends(x)


@pytest.mark.usefixtures("made_up")
@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (lambda x: 2 * x, "right", "Doubled"),
        (lambda x: x, "wrong", "Double it"),
        (forgets, "not attempted yet", "still returns nothing"),
        (leaves_dots, "not attempted yet", "still returns nothing"),
        (lambda x: [x, ...], "not attempted yet", "still returns nothing"),
        (divides, "wrong", "ZeroDivisionError: division by zero"),
        (says_much, "wrong", "KeyError: 'first line"),
        (raises_without_words, "wrong", "ValueError: no message"),
        (never_ends, "wrong", "RecursionError"),
        (lambda: 4, "wrong", "TypeError"),
        (4, "wrong", "should be a function"),
    ],
)
def test_a_students_function_never_raises_out_of_a_check(answer, status, words):
    verdict = check("99/function", answer)
    assert (verdict.status, words in verdict.message) == (status, True), verdict


def test_only_dots_and_nothing_count_as_not_attempted():
    blank = [..., None, [...], (1, None), {"a": ...}, {"a": [1, (2, ...)]}, np.array([..., 1.0], dtype=object)]
    filled = [
        0,
        0.0,
        "",
        False,
        [],
        {},
        (),
        np.zeros(0),
        np.array([[None]]).astype(str),
        float("nan"),
        [0, False],
        "...",
    ]
    assert all(is_blank(answer) for answer in blank)
    assert not any(is_blank(answer) for answer in filled)


def test_an_unknown_key_names_those_there_are(made_up):
    with pytest.raises(ValueError, match="no '99/nothing' in this lesson; it has 99/number, 99/function"):
        check("99/nothing", 1)
    with pytest.raises(ValueError, match="it has 99/easy, 99/both"):
        predict("99/number")
    with pytest.raises(ValueError, match="no lesson '98'"):
        check("98/number", 1)


def test_a_lesson_that_lacks_a_library_says_which(monkeypatch, tmp_path):
    """A missing library is not a missing lesson."""
    import helpers.exercises

    (tmp_path / "lesson97.py").write_text("import a_library_that_is_not_here\n")
    monkeypatch.setattr(helpers.exercises, "__path__", [*helpers.exercises.__path__, str(tmp_path)])
    with pytest.raises(ModuleNotFoundError, match="a_library_that_is_not_here"):
        core.lesson("97")


@pytest.mark.usefixtures("made_up")
def test_a_verdict_reads_as_text_and_as_html():
    verdict = check("99/number", 41)
    assert str(verdict) == repr(verdict) == "✗ Not yet. One more than `41`, please: 1 < 2."
    assert "<b>✗ Not yet.</b> One more than <code>41</code>, please: 1 &lt; 2." in verdict._repr_html_()
    marks = {check("99/number", answer)._repr_html_()[40:60] for answer in (42, 41, ...)}
    assert len(marks) == 3, "the three verdicts differ in color"


# Predictions ---------------------------------------------------------------------------------------------------------


def test_a_prediction_needs_options_and_a_right_one():
    for options in (
        [Option("a", "x", True)],
        [Option("a", "x"), Option("b", "y")],
        [Option(c, "x", True) for c in "abcde"],
    ):
        with pytest.raises(ValueError, match="two to four options"):
            Lesson("99").ask("q", "?", *options)


@pytest.mark.usefixtures("made_up")
def test_a_prediction_reads_as_a_question_without_a_kernel_and_does_not_tell():
    question = predict("99/easy")
    data = question._repr_mimebundle_()
    assert set(data) == {"text/plain", "text/html", VIEW}
    assert data["text/plain"] == "Predict: Is `1 < 2`?  (a) `yes`  (b) no"
    assert "Is <code>1 &lt; 2</code>?" in data["text/html"]
    assert re.findall(r"([ab]\))&ensp;", data["text/html"]) == ["a)", "b)"]
    for told in ("Count", "Right", "✓"):
        assert told not in data["text/html"] + data["text/plain"]


@pytest.mark.usefixtures("made_up")
def test_choosing_explains_every_option():
    question = predict("99/easy")
    assert "✓ Right.</b> Count." in question.choose(0)
    assert "✗ Not yet.</b> Count again &amp; again." in question.choose(1)


@pytest.mark.usefixtures("made_up")
def test_a_click_shows_the_explanation_and_marks_the_button():
    _, row, answer = predict("99/easy")._widget().children
    yes, no = row.children
    assert (yes.description, no.description) == ("a)  yes", "b)  no")
    assert answer.value == ""
    untouched = yes.style.button_color
    no.click()
    assert "Count again" in answer.value
    assert no.style.button_color != untouched == yes.style.button_color
    yes.click()
    assert "Right." in answer.value
    assert no.style.button_color == untouched != yes.style.button_color
    assert yes.style.text_color, "dark words on a light button in the dark theme too"


# The tally -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("made_up")
def test_the_tally_counts_first_choices_and_solved_exercises():
    assert "0 of 2 predictions" in str(tally("99"))
    assert "(0 answered), 0 of 2 exercises solved" in str(tally("99"))
    wrong_first, right_first = predict("99/easy"), predict("99/both")
    wrong_first.choose(1)
    wrong_first.choose(0)
    right_first.choose(1)
    right_first.choose(2)
    assert "1 of 2 predictions right at the first try (2 answered)" in str(tally("99"))
    check("99/number", 42)
    check("99/function", forgets)
    assert "1 of 2 exercises solved." in str(tally("99"))
    assert "Still open: function." in tally("99")._repr_html_()
    check("99/function", lambda x: x + x)
    assert "All exercises solved." in tally("99")._repr_html_()


@pytest.mark.usefixtures("made_up")
def test_an_exercise_that_was_broken_again_is_open_again():
    check("99/number", 42)
    check("99/number", 41)
    assert "0 of 2 exercises solved" in str(tally("99"))
