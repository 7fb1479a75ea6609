"""How questions are asked and answers judged: verdicts, never tracebacks, first choices that count, a fair tally."""

import random
import re
import sys
import types

import numpy as np
import pytest
import torch

from helpers import display
from helpers.exercises import core, memory
from helpers.exercises.core import Lesson, Option, check, predict, reset, tally
from helpers.exercises.judge import Wrong, call, expect, number

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def made_up(monkeypatch):
    """A lesson with a number, a function, a network, two predictions; and nothing remembered from before."""
    lesson = Lesson("made_up")

    @lesson.check("number")
    def one_number(answer):
        if number(answer) == 41:
            raise Wrong("One more than `41`, please: 1 < 2.")
        if number(answer) != 42:
            raise Wrong("Not even near.")
        return "It is `42`, and 1 < 2."

    @lesson.check("function")
    def function(answer):
        expect(call(answer, 2), 4, otherwise="Double it.")
        return "Doubled."

    @lesson.check("network")
    def network(answer):
        answer(torch.zeros(1, 3))
        return "It runs."

    @lesson.check("careless")
    def careless(answer):
        return "Fine." if {answer} else ""  # a list cannot stand in a set: the check's fault

    lesson.ask("easy", "Is `1 < 2`?", Option("`yes`", "Count.", right=True), Option("no", "Count again & again."))
    lesson.ask("both", "One or two?", Option("one", "Yes.", True), Option("two", "Also.", True), Option("3", "Never."))
    module = types.ModuleType("helpers.exercises.made_up")
    module.LESSON = lesson
    monkeypatch.setitem(sys.modules, "helpers.exercises.made_up", module)
    memory.forget()
    yield lesson
    memory.forget()


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
        ({"a": [1, (2, ...)]}, "not attempted yet", "Replace the dots"),
        (np.array([1, ...], dtype=object), "not attempted yet", "Replace the dots"),
        (np.zeros(3), "wrong", "an array of shape (3,): it asks for one number"),
        ("42", "wrong", "a string: it asks for one number. Leave the quotation marks out."),
        (float("nan"), "wrong", "NaN"),
        ([], "wrong", "a list of 0"),
    ],
)
def test_every_answer_gets_a_verdict(answer, status, words):
    verdict = check("made_up/number", answer)
    assert verdict.status == status
    assert words in verdict.message
    assert verdict.key == "made_up/number"


def forgets(x):
    y = 2 * x
    print(y)


def empty(x):
    """Only words and dots."""
    ...


def dots_inside(x):
    y = ...
    print(y)


def leaves_dots(x):
    return ...


def calculates_with_dots(x):
    y = ...
    return x * y


def indexes_with_dots(x):
    print(np.zeros((2, 3))[..., 0])


def divides(x):
    y = x - 2
    return x / y


def says_much(x):
    raise KeyError("first line\nsecond line")


def raises_without_words(x):
    raise ValueError


def never_ends(x):
    return never_ends(x)


def leaves_python(x):
    sys.exit(1)


def inner(x):
    return np.linalg.inv(np.zeros((x, 3)))


def lazy(x):
    yield 1 / 0


@pytest.mark.usefixtures("made_up")
@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (lambda x: 2 * x, "right", "Doubled"),
        (lambda x: torch.tensor([2.0 * x], requires_grad=True), "right", "Doubled"),
        (lambda x: x, "wrong", "Double it"),
        (forgets, "wrong", "Your function returns nothing: is there a `return`?"),
        (indexes_with_dots, "wrong", "Your function returns nothing: is there a `return`?"),
        (empty, "not attempted yet", "Replace the dots"),
        (dots_inside, "not attempted yet", "Replace the dots"),
        (leaves_dots, "not attempted yet", "Replace the dots"),
        (calculates_with_dots, "not attempted yet", "Replace the dots"),
        (lambda x: [x, ...], "not attempted yet", "Replace the dots"),
        (divides, "wrong", "`return x / y`: ZeroDivisionError: division by zero"),
        (says_much, "wrong", "KeyError: 'first line"),
        (raises_without_words, "wrong", "`raise ValueError`: ValueError: no message"),
        (never_ends, "wrong", "`return never_ends(x)`: RecursionError"),
        (leaves_python, "wrong", "`sys.exit(1)`: SystemExit"),
        (inner, "wrong", "`return np.linalg.inv(np.zeros((x, 3)))`: LinAlgError"),
        (lambda x: 4 + "4", "wrong", "Your code stopped in line"),
        (len, "wrong", "Your code stopped with TypeError: object of type"),
        (lambda: 4, "wrong", "cannot be called with 1 argument: TypeError: too many positional arguments."),
        (4, "wrong", "should be a function"),
        (lambda x: float("nan"), "wrong", "Your answer is NaN"),
        (lambda x: [4.0, 4.0], "wrong", "a list of 2: it asks for one number"),
        (lazy, "wrong", "object of type generator"),
    ],
)
def test_a_students_function_never_raises_out_of_a_check(answer, status, words):
    verdict = check("made_up/function", answer)
    assert (verdict.status, words in verdict.message) == (status, True), verdict


@pytest.mark.usefixtures("made_up")
def test_code_that_stops_is_quoted_with_its_line(monkeypatch):
    """As in a notebook, whose cells are in linecache; code that is nowhere to be read is named with its function."""
    source = "def double(x):\n    total = 0\n\n    total += imge[x]\n    return total\n"
    names = {}
    exec(compile(source, "cell-17.py", "exec"), names)
    assert check("made_up/function", names["double"]).message == (
        "Your code stopped in line 4 of `double`: NameError: name 'imge' is not defined"
    )
    monkeypatch.setitem(sys.modules["linecache"].cache, "cell-17.py", (1, None, source.splitlines(True), "17"))
    assert check("made_up/function", names["double"]).message == (
        "Your code stopped in line 4, `total += imge[x]`: NameError: name 'imge' is not defined"
    )


@pytest.mark.usefixtures("made_up")
def test_a_network_that_stops_is_not_the_checks_fault():
    assert check("made_up/network", torch.nn.Linear(3, 2)).status == "right"
    verdict = check("made_up/network", torch.nn.Sequential(torch.nn.Linear(4, 2)))
    assert verdict.message.startswith("Your network stopped with RuntimeError: mat1 and mat2")

    class Own(torch.nn.Module):
        def forward(self, x):
            return self.missing(x)

    assert "`return self.missing(x)`: AttributeError" in check("made_up/network", Own()).message


@pytest.mark.usefixtures("made_up")
def test_a_check_that_stops_does_not_blame_the_student():
    verdict = check("made_up/careless", [7, 7])
    assert verdict.status == "wrong"
    assert verdict.message == "This check cannot read your answer, a list of 2 (TypeError: unhashable type: 'list')."


@pytest.mark.usefixtures("made_up")
def test_a_check_without_its_answer_says_what_it_needs():
    for answers in ((), (1, 2)):
        verdict = check("made_up/number", *answers)
        assert (verdict.status, "This check needs `answer`" in verdict.message) == ("wrong", True)


def state():
    """Where the three generators of random numbers stand."""
    return random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().tolist()  # noqa: NPY002


@pytest.mark.usefixtures("made_up")
@pytest.mark.parametrize("answer", [lambda x: 2 * x, lambda x: x / 0, forgets])
def test_a_check_leaves_the_random_numbers_and_gradients_of_the_notebook_alone(answer):
    seen = []

    def reseeds(x):
        numbers = random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002 - what a student may use
        seen.append((*numbers, torch.is_grad_enabled()))
        random.seed(0), np.random.seed(0), torch.manual_seed(0)  # noqa: NPY002
        torch.set_grad_enabled(False)
        return answer(x)

    before = state()
    with torch.no_grad():
        check("made_up/function", reseeds)
        check("made_up/function", reseeds)
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()
    assert state() == before
    assert seen[0] != seen[1], "every check draws fresh numbers"
    assert seen[0][3], "inside a check gradients are on"


@pytest.mark.usefixtures("made_up")
def test_the_student_can_still_interrupt():
    def interrupted(x):
        raise KeyboardInterrupt

    before = state()
    with pytest.raises(KeyboardInterrupt):
        check("made_up/function", interrupted)
    assert state() == before


def test_an_unknown_key_names_those_there_are(made_up):
    with pytest.raises(ValueError, match="no 'made_up/nothing' in this lesson; it has made_up/number, made_up/func"):
        check("made_up/nothing", 1)
    with pytest.raises(ValueError, match="it has made_up/easy, made_up/both"):
        predict("made_up/number")
    with pytest.raises(ValueError, match="no lesson 'nowhere': the lessons are start_here, images, edge_filters"):
        check("nowhere/number", 1)


def test_a_lesson_that_lacks_a_library_says_which(monkeypatch, tmp_path):
    """A missing library is not a missing lesson."""
    import helpers.exercises

    (tmp_path / "too_much.py").write_text("import a_library_that_is_not_here\nLESSON = None\n")
    monkeypatch.setattr(helpers.exercises, "__path__", [*helpers.exercises.__path__, str(tmp_path)])
    with pytest.raises(ModuleNotFoundError, match="a_library_that_is_not_here"):
        core.lesson("too_much")


def test_a_module_that_asks_nothing_is_no_lesson():
    assert not {"core", "judge", "memory", "__init__"} & set(core.names())


@pytest.mark.usefixtures("made_up")
def test_a_verdict_reads_as_text_and_as_html():
    verdict = check("made_up/number", 41)
    assert str(verdict) == repr(verdict) == "✗ Not yet. One more than `41`, please: 1 < 2."
    assert "<b>✗ Not yet.</b> One more than <code>41</code>, please: 1 &lt; 2." in verdict._repr_html_()
    marks = {check("made_up/number", answer)._repr_html_()[40:60] for answer in (42, 41, ...)}
    assert len(marks) == 3, "the three verdicts differ in color"


# Predictions ---------------------------------------------------------------------------------------------------------


def test_a_prediction_needs_options_and_a_right_one():
    for options in (
        [Option("a", "x", True)],
        [Option("a", "x"), Option("b", "y")],
        [Option(c, "x", True) for c in "abcde"],
    ):
        with pytest.raises(ValueError, match="two to four options"):
            Lesson("made_up").ask("q", "?", *options)


@pytest.mark.usefixtures("made_up")
def test_a_prediction_reads_as_a_question_without_a_kernel_and_does_not_tell():
    question = predict("made_up/easy")
    data = question._repr_mimebundle_()
    assert set(data) == {"text/plain", "text/html", VIEW}
    assert data["text/plain"] == "Predict: Is `1 < 2`?  (a) `yes`  (b) no"
    assert "Is <code>1 &lt; 2</code>?" in data["text/html"]
    assert re.findall(r"([ab]\))&ensp;", data["text/html"]) == ["a)", "b)"]
    for told in ("Count", "Right", "✓"):
        assert told not in data["text/html"] + data["text/plain"]


@pytest.mark.usefixtures("made_up")
def test_choosing_explains_every_option():
    question = predict("made_up/easy")
    assert "✓ Right.</b> Count." in question.choose(0)
    assert "✗ Not yet.</b> Count again &amp; again." in question.choose(1)


@pytest.mark.usefixtures("made_up")
def test_a_click_shows_the_explanation_and_marks_the_button():
    _, row, answer = predict("made_up/easy")._widget().children
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


def test_the_tally_counts_first_choices_and_solved_exercises(made_up):
    del made_up.checks["made_up/network"], made_up.checks["made_up/careless"]
    assert "This lesson: 0 of 2 predictions" in str(tally("made_up"))
    assert "(0 answered), 0 of 2 exercises solved" in str(tally("made_up"))
    wrong_first, right_first = predict("made_up/easy"), predict("made_up/both")
    wrong_first.choose(1)
    wrong_first.choose(0)
    right_first.choose(1)
    right_first.choose(2)
    assert "1 of 2 predictions right at the first try (2 answered)" in str(tally("made_up"))
    check("made_up/number", 42)
    check("made_up/function", forgets)
    assert "1 of 2 exercises solved." in str(tally("made_up"))
    assert "Still open: function." in tally("made_up")._repr_html_()
    check("made_up/function", lambda x: x + x)
    assert "All exercises solved." in tally("made_up")._repr_html_()


@pytest.mark.usefixtures("made_up")
def test_a_later_wrong_try_does_not_unsolve():
    check("made_up/number", 42)
    check("made_up/number", 41)
    check("made_up/number", ...)
    assert "1 of 4 exercises solved" in str(tally("made_up"))


@pytest.mark.usefixtures("made_up")
def test_the_tally_of_the_series_adds_the_lessons_up():
    check("made_up/number", 42)
    predict("made_up/easy").choose(0)
    lessons = [core.lesson(name) for name in core.names()]
    asked, exercises = sum(len(one.questions) for one in lessons), sum(len(one.checks) for one in lessons)
    assert str(tally()) == (
        f"The whole series: 1 of {asked} predictions right at the first try (1 answered), "
        f"1 of {exercises} exercises solved."
    )
    page = tally()._repr_html_()
    assert "Made up: 1 of 2 predictions" in page
    assert page.index("Images") < page.index("Edge filters") < page.index("Shortcuts")


@pytest.mark.usefixtures("made_up")
def test_reset_forgets_one_lesson_or_all_and_a_wrong_name_nothing():
    check("made_up/number", 42)
    predict("made_up/easy").choose(0)
    with pytest.raises(ValueError, match="no lesson"):
        reset("nowhere")
    reset("images")
    assert "1 of 4 exercises" in str(tally("made_up"))
    assert "0 of 2 predictions" in str(reset("made_up"))
    assert "0 of 4 exercises" in str(tally("made_up"))
    check("made_up/number", 42)
    assert " 0 of " in str(reset())


@pytest.mark.usefixtures("made_up")
def test_a_caption_stands_below_an_answer():
    question = predict("made_up/easy")
    assert "speaks" not in question.choose(0)
    display.notice("Missing", ["So it is."], "The text speaks of another.")
    assert "The text speaks of another." in question.choose(0)
