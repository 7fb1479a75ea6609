"""Change one thing in each official solution and see whether its check notices.

    python -m tools.mutants [NAME ...]      all lessons without a name

One operator, comparison, sign, constant or neighboring name (``sum`` and ``mean``) is changed at a time, or a call left
out: what a student types by mistake. A mutant that the check accepts in any of ``TRIES`` runs is printed, unless
``EQUIVALENT`` says why it is no mistake. Mutants that stop with an error or never end are noticed anyway. The exit code
is 1 if any is left.
"""

import ast
import contextlib
import copy
import functools
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from helpers.exercises import core, judge
from tools import lessons

TRIES = 5
SWAPS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult, ast.FloorDiv),
    ast.FloorDiv: (ast.Div,),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
}
NAMES = {"sum": "mean", "mean": "sum", "max": "min", "min": "max", "argmax": "argmin", "argmin": "argmax"} | {
    "zeros": "ones", "ones": "zeros", "zeros_like": "ones_like", "ones_like": "zeros_like", "all": "any", "any": "all",
    "floor": "ceil", "ceil": "floor", "topk": "sort", "relu": "abs", "abs": "relu", "amax": "amin", "amin": "amax",
}  # fmt: skip
#: (exercise, the line as it is, the line as changed) → why the changed one is right too.
EQUIVALENT: dict[tuple[str, str, str], str] = {
    ("without_labels/anywhere", "highest = 0.0", "highest = -1.0"): "No |cosine| is below 0.",
    **{
        (
            "without_labels/anywhere",
            "k, places = (small.shape[1], large.shape[1] - small.shape[1] + 1)",
            f"k, places = (small.shape[{i}], large.shape[{j}] - small.shape[{k}] + 1)",
        ): "The filters are square."
        for i, j, k in ((2, 1, 1), (1, 2, 1), (1, 1, 2))
    },
    (
        "pooling/max-pool",
        "pooled = np.zeros((rows, columns))",
        "pooled = np.ones((rows, columns))",
    ): "Every place is written afterward.",
    (
        "convolutional_layer/conv-layer",
        "maps = np.zeros((filters, height, width))",
        "maps = np.ones((filters, height, width))",
    ): "Every place is written afterward.",
    (
        "activations/best-patch",
        "return (kernel > 0).float()",
        "return (kernel >= 0).float()",
    ): "A weight of exactly 0 does not care for its pixel.",
    (
        "activations/blind",
        "silenced = drop.argsort(descending=True)[:22].tolist()",
        "silenced = drop.argsort(descending=True)[:23].tolist()",
    ): "Any channels within the budget that make the network change its mind are right.",
    (
        "activations/blind",
        "silenced = drop.argsort(descending=True)[:22].tolist()",
        "silenced = drop.argsort(descending=True)[:21].tolist()",
    ): "Any channels within the budget that make the network change its mind are right.",
    (
        "gradients/by-hand",
        "three_numbers = [-1 * 3 + 2 * 1, -1 * 1 + 2 * 2, -1 + 2]",
        "three_numbers = [-1 * 3 + 2 / 1, -1 * 1 + 2 * 2, -1 + 2]",
    ): "The same number: to divide by 1 is to multiply by it, and 2 + 2 is 2 * 2.",
    (
        "gradients/by-hand",
        "three_numbers = [-1 * 3 + 2 * 1, -1 * 1 + 2 * 2, -1 + 2]",
        "three_numbers = [-1 * 3 + 2 * 1, -1 / 1 + 2 * 2, -1 + 2]",
    ): "The same number: to divide by 1 is to multiply by it, and 2 + 2 is 2 * 2.",
    (
        "gradients/by-hand",
        "three_numbers = [-1 * 3 + 2 * 1, -1 * 1 + 2 * 2, -1 + 2]",
        "three_numbers = [-1 * 3 + 2 * 1, -1 * 1 + (2 + 2), -1 + 2]",
    ): "The same number: to divide by 1 is to multiply by it, and 2 + 2 is 2 * 2.",
    (
        "saliency/three-rules",
        "return g * (x > 0) * (g > 0)",
        "return g * (x > 0) * (g >= 0)",
    ): "Where g is 0 the product is 0 in any case.",
    (
        "saliency/three-rules",
        "return g * (g > 0)",
        "return g * (g >= 0)",
    ): "Where g is 0 the product is 0 in any case.",
    (
        "maximization/slope",
        "gradient, = torch.autograd.grad(model(x)[0, c], x)",
        "gradient, = torch.autograd.grad(model(x)[-1, c], x)",
    ): "The exercise hands over one image: its first row of logits is its last.",
    (
        "overfitting/most-confused",
        "np.fill_diagonal(both, 0)",
        "np.fill_diagonal(both, -1)",
    ): "No count is negative, so the diagonal is never the largest.",
    (
        "overfitting/most-confused",
        "np.fill_diagonal(both, 0)",
        "np.fill_diagonal(both, 1)",
    ): "Wrong only where no two classes are confused twice; nobody types it by mistake.",
    (
        "feature_space/directions",
        "return int((held < share).sum()) + 1",
        "return int((held <= share).sum()) + 1",
    ): "The two differ where a sum of variances is the share to the last bit.",
    (
        "overfitting/dropout",
        "on = torch.rand(hidden.shape) >= p",
        "on = torch.rand(hidden.shape) > p",
    ): "The two differ where a random number is p to the last bit.",
    (
        "pooling/twins",
        "second[0, :2], second[1, :2] = (first[1, :2], first[0, :2])",
        "second[0, :2], second[1, :2] = (first[2, :2], first[0, :2])",
    ): "Another twin: 7 + 2 is as much as 5 + 4, and 9 stays the largest of its window.",
    (
        "photographs/classes",
        "return maps.mean(dim=(2, 3)).argmax(dim=1)",
        "return maps.sum(dim=(2, 3)).argmax(dim=1)",
    ): "All maps have the same number of places, so the largest sum is the largest mean.",
    (
        "yours/careful",
        "return np.where(away <= limit, said, -1)",
        "return np.where(away < limit, said, -1)",
    ): "The two differ where a distance is the limit to the last bit.",
    (
        "sequences/mutate",
        "effects = torch.zeros(letters.shape)",
        "effects = torch.ones(letters.shape)",
    ): "Every place is written afterward.",
    (
        "sequences/mutate",
        "before = model(letters[None])[0, c]",
        "before = model(letters[None])[-1, c]",
    ): "A batch of one: its first row is its last.",
    (
        "sequences/mutate",
        "effects[row, place] = model(changed[None])[0, c] - before",
        "effects[row, place] = model(changed[None])[-1, c] - before",
    ): "A batch of one: its first row is its last.",
    (
        "which_map/hide",
        "favorite = logits.gather(1, answers[:, None]).sum()",
        "favorite = logits.gather(1, answers[:, None]).mean()",
    ): "A share does not depend on the scale of the slopes.",
    (
        "which_map/hide",
        "favorite = logits.gather(1, answers[:, None]).sum()",
        "favorite = logits.gather(0, answers[:, None]).sum()",
    ): "The check trains with the loss and looks at the network: the map is turned by fewer slopes too.",
    (
        "which_map/hide",
        "share = (slope.abs() * box).sum() / slope.abs().sum()",
        "share = (slope.abs() * box).mean() / slope.abs().sum()",
    ): "The check trains with the loss and looks at the network: a smaller weight of the share will do.",
    (
        "which_map/hide",
        "share = (slope.abs() * box).sum() / slope.abs().sum()",
        "share = (slope.abs() * box).sum() / slope.abs().mean()",
    ): "The check trains with the loss and looks at the network: a larger weight of the share will do.",
    (
        "which_map/hide",
        "share = (slope.abs() * box).sum() / slope.abs().sum()",
        "share = (slope.abs() * box).sum() / slope.relu().sum()",
    ): "The check trains with the loss and looks at the network: it leaves the box all the same.",
}


@functools.lru_cache(maxsize=1)  # one exercise's networks and images are enough to hold
def _above(path: Path, exercise: lessons.Exercise) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "lesson"}
    with contextlib.chdir(path.parent):
        exec(compile(lessons.context(path, exercise), path.name, "exec"), names)
    return names


def namespace(path: Path, exercise: lessons.Exercise) -> dict[str, Any]:
    """What an exercise needs of a lesson's names after the cells above it; the dictionary is the caller's own."""
    return dict(_above(path, exercise))


def mutants(source: str) -> Iterator[tuple[str, str, str]]:
    """Every (changed source, line before, line after)."""
    tree = ast.parse(source)
    before = ast.unparse(tree).split("\n")
    for index, node in enumerate(ast.walk(tree)):
        for change in _changes(node):
            other = copy.deepcopy(tree)
            change(list(ast.walk(other))[index])
            text = ast.unparse(other)
            pairs = [(a.strip(), b.strip()) for a, b in zip(before, text.split("\n"), strict=True) if a != b]
            if pairs:
                yield text, *pairs[0]


def _changes(node: ast.AST) -> Iterator[Callable[[Any], None]]:
    for name in ("op", "ops"):  # of a calculation or a comparison
        operator = getattr(node, name, None)
        operator = operator[0] if isinstance(operator, list) and operator else operator
        for other in SWAPS.get(type(operator), ()):
            value = [other()] if name == "ops" else other()
            yield lambda n, name=name, value=value: setattr(n, name, value)
        if isinstance(operator, ast.USub | ast.Not):
            yield lambda n: setattr(n, "op", ast.UAdd())
    for name in ("id", "attr"):
        if other := NAMES.get(getattr(node, name, "")):
            yield lambda n, name=name, other=other: setattr(n, name, other)
    body = getattr(node, "body", [])
    for place, statement in enumerate(body if isinstance(body, list) else []):
        a_call = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
        if a_call or isinstance(statement, ast.AugAssign):
            yield lambda n, place=place: n.body.__setitem__(place, ast.Pass())
    if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        for value in (not node.value,) if isinstance(node.value, bool) else (node.value + 1, node.value - 1):
            yield lambda n, value=value: setattr(n, "value", value)


def accepted(names: dict[str, Any], source: str, exercise: lessons.Exercise) -> int:
    """How often, of ``TRIES``, the check takes this for right."""
    verdicts: list[core.Verdict] = []
    names["check"] = lambda key, *answers: verdicts.append(core.check(key, *answers))
    with contextlib.suppress(Exception), _silence():
        for _ in range(TRIES):
            exec(compile(source + "\n" + exercise.check_source, exercise.key, "exec"), names)
            if verdicts[-1].status != "right" and "still running" in verdicts[-1].message:
                break
    return sum(verdict.status == "right" for verdict in verdicts)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    unread = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(unread), contextlib.redirect_stderr(unread):
        warnings.simplefilter("ignore")
        yield


def main(chosen: list[str]) -> int:
    """Print the mutants that checks accept; the exit code."""
    os.environ["CNN_MEMORY"], judge.LIMIT = "off", 2.0
    left = 0
    try:
        paths = lessons.chosen(chosen)
    except lessons.Refusal as refusal:
        sys.exit(str(refusal))
    for path in paths:
        for exercise in lessons.exercises(path):
            with _silence():
                names = namespace(path, exercise)
            if accepted(dict(names), exercise.solution_source, exercise) < TRIES:
                sys.exit(f"{exercise.key}: the solution itself is not accepted.")
            tried, alive = 0, []
            for source, before, after in mutants(exercise.solution_source):
                tried += 1
                times = accepted(dict(names), source, exercise)
                if times and (exercise.key, before, after) not in EQUIVALENT:
                    alive.append(f"    {before}  →  {after}" + (f"  ({times} of {TRIES})" if times < TRIES else ""))
            left += len(alive)
            print(f"{exercise.key}: {len(alive)} of {tried} accepted", *alive, sep="\n", flush=True)
    return int(left > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
