"""Judge a function over several cases at once: a mistake gets its hint only if it explains every answer."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from helpers.exercises.judge import Wrong, array, call, same

Mistake = tuple[Callable[..., Any], str]


def compare(
    function: Any,
    cases: Iterable[tuple[Any, ...]],
    right: Callable[..., Any],
    mistakes: Sequence[Mistake] = (),
    otherwise: Callable[..., str] = lambda case, answer, wanted: "These are not the right numbers yet.",
    only: Sequence[Mistake] = (),
    read: Callable[[Any], Any] = array,
    atol: float | None = 1e-4,
    defaults: tuple[Any, ...] = (),
) -> None:
    """Run a student's function on all cases and compare; the right answer is tried first.

    One case alone can be right by luck, or be explained by two mistakes; all of them together seldom are.

    Args:
        function: the student's.
        cases: the arguments of each call.
        right: the official function of the same arguments.
        mistakes: (wrong function, hint): given when the function has the student's answer in every case.
        otherwise: the hint when no mistake explains them, from the first wrong case, its answer and the right one.
        only: (condition of the arguments, hint): given when the wrong cases are those that meet it, and right ones do
            not.
        read: how one answer is read, such as :func:`judge.array`.
        atol: absolute tolerance; what comes in float16 gets more. None compares exactly, as counts have to be.
        defaults: of the last arguments; a function that has defaults of its own is called without them, too.

    Raises:
        Wrong: unless every answer is right.
    """
    asked, answers, slack = [], [], []
    cases = list(cases)
    for case in cases:
        try:
            raw = call(function, *case)
            answers.append(read(raw))
        except Exception:
            if all(map(_agree, answers, [right(*one) for one in asked], slack)):
                raise
            break  # an earlier wrong answer tells more than a later one that stops
        asked.append(case)
        slack.append(3e-2 if atol and str(getattr(raw, "dtype", "")).endswith("float16") else atol)
    wanted = [right(*case) for case in asked]
    fits = list(map(_agree, answers, wanted, slack))
    if all(fits):
        for case, tolerance in zip(asked[:2], slack, strict=False):  # in one case, two sizes may be alike by chance
            _left_out(function, case, right, read, tolerance, defaults)
        return
    for mistake, hint in mistakes:
        if _explains(mistake, asked, answers, slack):
            raise Wrong(hint)
    for condition, hint in only:
        if len(asked) == len(cases) and [not condition(*case) for case in asked] == fits:
            raise Wrong(hint)
    first = fits.index(False)
    raise Wrong(otherwise(asked[first], answers[first], wanted[first]))


def _left_out(
    function: Any, case: tuple[Any, ...], right: Callable[..., Any], read: Any, atol: Any, defaults: tuple[Any, ...]
) -> None:
    """Call the function without its last arguments, if it has defaults for them."""
    first = len(case) - len(defaults)
    try:
        last = [*inspect.signature(function).parameters.values()][first : len(case)]
    except (TypeError, ValueError):  # some built-in functions have no signature
        return
    if not defaults or len(last) < len(defaults) or any(one.default is one.empty for one in last):
        return
    if not _agree(read(call(function, *case[:first])), right(*case[:first], *defaults), atol):
        names = ", ".join(f"`{one.name}={value}`" for one, value in zip(last, defaults, strict=True))
        raise Wrong(f"Right when all arguments are given, wrong when the last ones are left out: keep {names}.")


def _agree(answer: Any, wanted: Any, atol: float | None) -> bool:
    return answer == wanted if atol is None else same(answer, wanted, atol=atol, rtol=max(1e-4, atol / 10))


def _explains(mistake: Callable[..., Any], cases: list[Any], answers: list[Any], slack: list[float | None]) -> bool:
    try:
        # One case after the other: most mistakes are ruled out by the first, and some take long.
        return all(_agree(*each) for each in zip(answers, itertools.starmap(mistake, cases), slack, strict=True))
    except (ArithmeticError, ValueError, IndexError):  # the mistake has no answer to one of these cases
        return False
