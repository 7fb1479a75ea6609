"""Questions and verdicts: what a lesson asks, what an answer comes to, and the tally. One file a lesson asks them."""

from __future__ import annotations

import html
import importlib
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from helpers.display import box, captions, plain, rich, with_widget
from helpers.exercises import judge, memory
from helpers.exercises.judge import Blank, Wrong

Status = Literal["right", "wrong", "not attempted yet"]

_TONES = {
    "right": ("#009E73", "✓ Right."),
    "wrong": ("#D55E00", "✗ Not yet."),
    "not attempted yet": ("#5b6672", "○ Not attempted yet."),
}


@dataclass(frozen=True)
class Verdict:
    """What a check found; shown as a colored line in a notebook.

    Attributes:
        status: ``"right"``, ``"wrong"`` or ``"not attempted yet"``.
        message: what a right answer shows, or a hint about the very mistake.
        key: the exercise.
    """

    status: Status
    message: str
    key: str = ""

    def __str__(self) -> str:
        return f"{_TONES[self.status][1]} {self.message}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        color, word = _TONES[self.status]
        return box(color, f"<b>{word}</b> {rich(self.message)}")


@dataclass(frozen=True)
class Option:
    """One possible answer of a prediction: its text, whether it is right, and why."""

    text: str
    why: str
    right: bool = False


@dataclass
class Question:
    """A prediction: the question and two to four options, at least one of them right."""

    text: str
    options: Sequence[Option]
    key: str = ""


@dataclass
class Lesson:
    """The exercises and predictions of one lesson, collected by the file that bears its name."""

    name: str
    checks: dict[str, Callable[..., str]] = field(default_factory=dict)
    questions: dict[str, Question] = field(default_factory=dict)

    def check(self, name: str) -> Callable[[Callable[..., str]], Callable[..., str]]:
        """Register a check: a function of the student's answers that raises :class:`Wrong` or returns the praise."""

        def register(function: Callable[..., str]) -> Callable[..., str]:
            self.checks[f"{self.name}/{name}"] = function
            return function

        return register

    def ask(self, name: str, text: str, *options: Option) -> None:
        """Register a prediction.

        Raises:
            ValueError: if it does not have two to four options with at least one right one.
        """
        if not 2 <= len(options) <= 4 or not any(o.right for o in options):
            raise ValueError(f"{name}: a prediction needs two to four options, at least one of them right.")
        key = f"{self.name}/{name}"
        self.questions[key] = Question(text, options, key)


_NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def lesson(name: str) -> Lesson:
    """The questions of a lesson, ``"edge_filters"``: the name of its notebook without the number.

    Raises:
        ValueError: if there is no such lesson.
    """
    module = sys.modules.get(f"{__package__}.{name}")
    if module is not None and hasattr(module, "LESSON"):  # without reading all the files again for each check
        return module.LESSON
    if name not in names():
        raise ValueError(f"There is no lesson {name!r}: the lessons are {', '.join(names())}.")
    return importlib.import_module(f"{__package__}.{name}").LESSON


def names() -> list[str]:
    """The names of all lessons that ask something, in their order: the files beside this one that define ``LESSON``."""
    files = [path for folder in sys.modules[__package__].__path__ for path in Path(folder).glob("*.py")]
    asking = {path.stem for path in files if "\nLESSON = " in path.read_text(encoding="utf-8")}
    made = {name for name, module in [*sys.modules.items()] if hasattr(module, "LESSON")}
    asking |= {name.rpartition(".")[2] for name in made if name.startswith(f"{__package__}.")}
    numbered = {path.stem.partition("_")[2]: path.stem for path in _NOTEBOOKS.glob("*.ipynb")}
    return sorted(asking, key=lambda name: numbered.get(name, name))


def _find(key: str, what: str) -> Any:
    table = getattr(lesson(key.split("/")[0]), what)
    if key not in table:
        raise ValueError(f"There is no {key!r} in this lesson; it has {', '.join(table)}.")
    return table[key]


def check(key: str, *answers: Any) -> Verdict:
    """Judge the answer to an exercise. It never raises over a student's code: a mistake is a verdict with a hint.

    Args:
        key: the exercise, such as ``"edge_filters/response"``.
        answers: what the exercise asks for: a function, an array, a number.
    """
    verdict = _judge(_find(key, "checks"), key, answers)
    if verdict.status == "right":  # once solved stays solved: a later try may play
        memory.remember("solved", key)
    return verdict


def _judge(function: Callable[..., str], key: str, answers: tuple[Any, ...]) -> Verdict:
    dots = Verdict("not attempted yet", "Replace the dots and run the cell again.", key)
    if any(judge.holds(answer, ..., None) for answer in answers):
        return dots
    try:
        inspect.signature(function).bind(*answers)
    except TypeError:
        names = ", ".join(f"`{name}`" for name in inspect.signature(function).parameters)
        return Verdict("wrong", f"This check needs {names} behind its name: put the cell's last line back.", key)
    try:
        with judge.apart():
            return Verdict("right", function(*answers), key)
    except Blank:
        return dots
    except Wrong as wrong:
        return Verdict("wrong", str(wrong), key)
    except (Exception, SystemExit) as error:
        try:
            return Verdict("wrong", judge.explain(error, function, answers), key)
        except Blank:
            return dots


def predict(key: str) -> Prediction:
    """Ask a question before the picture that answers it: choose, and read why each option is right or wrong."""
    return Prediction(_find(key, "questions"))


# Without it a button cuts its text off at the edge of the page.
_WHOLE_TEXT = (
    "<style>.prediction button {white-space: normal; text-align: left; line-height: 1.4; padding: 5px 12px}</style>"
)


class Prediction:
    """A question with its options as buttons; without a running kernel it reads as a question with its options."""

    def __init__(self, question: Question) -> None:
        self.question = question

    def choose(self, index: int) -> str:
        """Take the option with this index; returns the explanation as HTML. The first choice counts."""
        option = self.question.options[index]
        memory.remember("predicted", self.question.key, option.right)
        color, word = _TONES["right" if option.right else "wrong"]
        return box(color, f"<b>{word}</b> {rich(option.why)}{captions()}", role="alert")

    def __repr__(self) -> str:
        options = "  ".join(f"({'abcd'[i]}) {o.text}" for i, o in enumerate(self.question.options))
        return f"Predict: {self.question.text}  {options}"

    def _repr_html_(self) -> str:
        # Letters as text: JupyterLab numbers every list 1, 2, 3, whatever its type.
        items = "".join(
            f'<div style="margin:3px 0 3px 1em">{"abcd"[i]})&ensp;{rich(option.text)}</div>'
            for i, option in enumerate(self.question.options)
        )
        return box("#0072B2", f"<b>Predict:</b> {rich(self.question.text)}{items}")

    def _widget(self) -> Any:
        import ipywidgets as widgets

        answer = widgets.HTML().add_class("prediction-answer")
        wide = widgets.Layout(width="auto", min_width="12em", height="auto", margin="2px 6px 2px 0")
        buttons: list[widgets.Button] = []
        for index, option in enumerate(self.question.options):
            button = widgets.Button(description=f"{'abcd'[index]})  {plain(option.text)}", layout=wide)
            button.style.button_color = "#e8f1f8"
            button.style.text_color = "#1d2733"  # the ground is light in the dark theme too

            def clicked(_: Any, index: int = index) -> None:
                for i, (b, o) in enumerate(zip(buttons, self.question.options, strict=True)):
                    chosen = "#bfe6d8" if o.right else "#f6d0b8"
                    b.style.button_color = chosen if i == index else "#e8f1f8"
                answer.value = self.choose(index)

            button.on_click(clicked)
            buttons.append(button)
        text = widgets.HTML(_WHOLE_TEXT + box("#0072B2", f"<b>Predict:</b> {rich(self.question.text)}"))
        row = widgets.Layout(flex_flow="row wrap", padding="0 0 0 12px")
        return widgets.VBox([text, widgets.HBox(buttons, layout=row), answer]).add_class("prediction")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return with_widget({"text/plain": repr(self), "text/html": self._repr_html_()}, self._widget())


@dataclass(frozen=True)
class Tally:
    """How many predictions came true at the first try and how many exercises are solved, of how many.

    Attributes:
        lessons: those that are counted.
        whole: whether they are the whole series.
    """

    lessons: tuple[Lesson, ...]
    whole: bool = False

    def __str__(self) -> str:
        return f"{'The whole series' if self.whole else 'This lesson'}: {_counted(self.lessons)}."

    __repr__ = __str__

    def _repr_html_(self) -> str:
        if self.whole:
            rows = "".join(f"<br>{html.escape(_title(one.name))}: {_counted((one,))}" for one in self.lessons)
            return box("#0072B2", f"<b>{self}</b>{rows}")
        solved = memory.recall()["solved"]
        left = [key.split("/")[1] for one in self.lessons for key in one.checks if key not in solved]
        rest = f" Still open: {', '.join(left)}." if left else " All exercises solved."
        return box("#0072B2", f"<b>{self}</b>{html.escape(rest)}")


def _counted(lessons: Sequence[Lesson]) -> str:
    facts = memory.recall()
    asked = [key for lesson in lessons for key in lesson.questions]
    exercises = [key for lesson in lessons for key in lesson.checks]
    return (
        f"{sum(facts['predicted'].get(key, False) for key in asked)} of {len(asked)} predictions right at the first "
        f"try ({sum(key in facts['predicted'] for key in asked)} answered), "
        f"{sum(key in facts['solved'] for key in exercises)} of {len(exercises)} exercises solved"
    )


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def tally(name: str = "") -> Tally:
    """The tally of a lesson, ``"edge_filters"``, or of the whole series; run the cell again after further answers.

    Args:
        name: of the lesson; without one, all of them.
    """
    return Tally((lesson(name),)) if name else Tally(tuple(map(lesson, names())), whole=True)


def reset(name: str = "") -> Tally:
    """Forget what you solved and predicted in a lesson, or in all of them, also on the disk; returns the new tally."""
    nothing_yet = tally(name)  # first, so that a wrong name forgets nothing
    memory.forget(name)
    return nothing_yet
