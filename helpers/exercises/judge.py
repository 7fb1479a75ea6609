"""What a check is made of: calling the student's function safely, reading any form of answer, comparing, giving hints.

Whose fault it is, is decided here too: :func:`call` is the only place from which a check runs the student's code, so
an exception that passes through it is the student's, and any other one is the check's (:func:`explain`).
"""

from __future__ import annotations

import ast
import contextlib
import copy
import ctypes
import dis
import inspect
import linecache
import random
import secrets
import sys
import sysconfig
import textwrap
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor, nn

#: Seconds that one call of a student's function may take.
LIMIT = 10.0

_HERE = str(Path(__file__).parents[1])
_LIBRARIES = tuple({str(Path(sysconfig.get_path(name))) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")


class Wrong(Exception):
    """Raised by a check to say what is wrong with an answer; its text is the hint."""


class Blank(Exception):
    """Raised by :func:`call` when the student's function is still the stub."""


class _TooLong(BaseException):
    """Raised inside a function that runs too long; no Exception, so that ``except Exception`` does not swallow it."""


def trials(n: int = 4) -> Iterator[np.random.Generator]:
    """Random generators for ``n`` fresh cases, so that no answer is right by luck.

    They follow Python's own generator, which the engine seeds afresh before each check and restores after it.
    """
    for _ in range(n):
        yield np.random.default_rng(random.getrandbits(64))


# The student's function ----------------------------------------------------------------------------------------------


def call(function: Any, *arguments: Any, changes: Sequence[str | int] = ()) -> Any:
    """Call a student's function with copies of the arguments and demand that it leaves them as they are.

    Copied are arrays, tensors, networks, and lists, tuples and dicts with what they hold. Anything else is handed over
    as it is: numbers, callables, optimizers.

    Args:
        function: the student's function, or a network.
        arguments: what it is given.
        changes: names (of the student's parameters) or positions of the arguments that it is meant to change, such as
            the network in a training step; they are handed over as they are and not compared. A name that the student
            gave to no parameter frees every argument: positions are safer.

    Returns:
        What the function returned; never ``None``.

    Raises:
        Wrong: if it is no function, cannot be called with these arguments, runs longer than :data:`LIMIT` seconds,
            returns nothing, changes an argument, or leaves a network in another state.
        Blank: if it is still a stub, or what it returns still holds dots.
    """
    if not callable(function):
        raise Wrong("This should be a function: keep the line that begins with `def`.")
    names = _parameters(function, arguments)
    free = {names.index(name) if name in names else name for name in changes}
    if any(isinstance(place, str) for place in free):
        free = set(range(len(arguments)))
    memo: dict[int, Any] = {}
    given = [value if place in free else _copied(value, memo) for place, value in enumerate(arguments)]
    limit = _Limit(LIMIT)
    try:
        try:
            limit.begin()
            answer = _invoke(function, given)
        finally:
            try:
                limit.end()
            finally:  # the exception may have come on the way into the first: the next one is a second away
                limit.end()
    except _TooLong:
        raise Wrong(
            f"Your code was still running after {LIMIT:g} seconds, and was stopped: is there a loop that never ends?"
        ) from None
    if answer is None:
        if _is_stub(function):
            raise Blank
        raise Wrong("Your function returns nothing: is there a `return`?")
    if holds(answer, ...):
        raise Blank
    for place, (before, after) in enumerate(zip(arguments, given, strict=True)):
        if place not in free:
            _untouched(before, after, names[place])
    _last.answer = answer
    return answer


class _Last(threading.local):
    answer: Any = None


_last = _Last()  # what the student's function returned last, for the sentence about an answer that cannot be read


def _invoke(function: Callable[..., Any], given: list[Any]) -> Any:
    """Run the student's code; an exception whose traceback holds this frame is the student's."""
    return function(*given)


def _parameters(function: Callable[..., Any], arguments: tuple[Any, ...]) -> list[str]:
    """The student's names for the arguments; raises :class:`Wrong` if the function does not take so many."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # built-in functions, some of NumPy's
        signature = None
    names = []
    if signature is not None:
        try:
            signature.bind(*arguments)
        except TypeError as error:
            many = f"{len(arguments)} argument{'s' * (len(arguments) != 1)}"
            raise Wrong(f"Your function cannot be called with {many}: TypeError: {error}.") from None
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        names = [name for name, parameter in signature.parameters.items() if parameter.kind in kinds]
    return [names[i] if i < len(names) else f"{_ORDINALS[min(i, 6)]} argument" for i in range(len(arguments))]


class _Limit:
    """Raises :class:`_TooLong` in this thread after so many seconds, and every second again in case it is swallowed.

    Python delivers it between two lines of Python code, on every system and in every thread; a single long operation
    of a library is not interrupted. Where threads cannot be started there is no limit. No context manager: the
    exception may come between the end of a ``with`` block and its ``__exit__``, which then never runs.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds, self._ident = seconds, ctypes.c_ulong(threading.get_ident())
        self._lock, self._done = threading.Lock(), threading.Event()

    def begin(self) -> None:
        """Start to watch."""
        with contextlib.suppress(RuntimeError):
            threading.Thread(target=self._watch, name="time limit", daemon=True).start()

    def end(self) -> None:
        """Stop watching; when this returns no exception is left to come. May be called again."""
        with self._lock:
            self._done.set()
        ctypes.pythonapi.PyThreadState_SetAsyncExc(self._ident, None)

    def _watch(self) -> None:
        wait = self._seconds
        for _ in range(20):
            if self._done.wait(wait):
                return
            with self._lock:
                if not self._done.is_set():
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(self._ident, ctypes.py_object(_TooLong))
            wait = 1.0


def _is_stub(function: Any) -> bool:
    """Whether a function is still what the notebook gave: a docstring and dots, or names set to dots."""
    function = inspect.unwrap(function)
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if code is None:
        return False
    steps = [step for step in dis.get_instructions(code) if step.opname not in _BOOKKEEPING]
    only_none = all(step.opname.startswith(("LOAD_CONST", "RETURN")) and step.argval is None for step in steps)
    dots = any(a.argval is ... and b.opname.startswith(("STORE", "RETURN")) for a, b in pairwise(steps))
    return (only_none and not _says_something(function)) or dots


def _says_something(function: Any) -> bool:
    """Whether the source holds a line such as `7`, of which nothing is left in the compiled function."""
    try:
        definition = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, TypeError, SyntaxError):
        return False
    lines = [line.value for line in getattr(definition, "body", []) if isinstance(line, ast.Expr)]
    said = [line.value if isinstance(line, ast.Constant) else None for line in lines]
    return any(value is not ... and not isinstance(value, str) for value in said)


_BOOKKEEPING = {"RESUME", "NOP", "CACHE", "COPY_FREE_VARS", "MAKE_CELL", "NOT_TAKEN"}


def holds(value: Any, *wanted: Any) -> bool:
    """Whether a value is one of these objects, or a list, tuple, dict or array of objects that holds one."""
    if any(value is one for one in wanted):
        return True
    if isinstance(value, dict):
        value = list(value.values())
    elif isinstance(value, np.ndarray) and value.dtype.kind == "O":  # np.array([..., ..., ...])
        value = list(value.ravel())
    return isinstance(value, list | tuple) and any(part is not value and holds(part, *wanted) for part in value)


# Copies, and whether they came back as they were ---------------------------------------------------------------------


def _torch() -> Any:
    """PyTorch, if anybody has imported it: only then can there be a tensor."""
    return sys.modules.get("torch")


def _is_tensor(value: Any) -> bool:
    torch = _torch()
    return torch is not None and isinstance(value, torch.Tensor)


def _is_network(value: Any) -> bool:
    torch = _torch()
    return torch is not None and isinstance(value, torch.nn.Module)


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    if isinstance(value, np.ndarray):
        return np.array(value, order="K", subok=True)
    if _is_tensor(value):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if _is_network(value):
        return copy.deepcopy(value, memo)
    if isinstance(value, dict):
        return {key: _copied(part, memo) for key, part in value.items()}
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(_copied(part, memo) for part in value)
    return value


def _equal(a: Any, b: Any) -> bool:
    """Whether two values are the same to the last bit, NaN included."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.shape == b.shape and a.dtype == b.dtype and (a.dtype.kind == "O" or a.tobytes() == b.tobytes())
    if _is_tensor(a) and _is_tensor(b):
        if a.shape != b.shape or a.dtype != b.dtype:
            return False
        a, b = a.detach(), b.detach()
        return bool(((a == b) | ((a != a) & (b != b))).all())
    plain = isinstance(a, int | float | complex | str | np.generic) and type(a) is type(b)
    return a is b or (plain and bool(a == b or (a != a and b != b)))


def _untouched(before: Any, after: Any, name: str, what: str = "its") -> None:
    """Compare an argument with the copy that the student's function was given."""
    holds = isinstance(before, list | tuple | dict) and type(before) is type(after) and len(before) == len(after)
    if _is_network(before):
        _network_untouched(before, after)
    elif holds and (not isinstance(before, dict) or before.keys() == after.keys()):
        for key in before if isinstance(before, dict) else range(len(before)):
            part = before[key]
            inside = "what is in its" if isinstance(part, np.ndarray | list | dict) or _is_tensor(part) else what
            _untouched(part, after[key], name, inside)
    elif not _equal(before, after):
        called = f"argument `{name}`" if " " not in name else name
        way = f"{'x' if ' ' in name else name}.{'clone' if _is_tensor(before) else 'copy'}()"
        copy = f"a copy, `{way}`," if what == "its" else "copies"
        raise Wrong(f"Your function changed {what} {called}: work on {copy} or compute with a new name.")


def _network_untouched(before: nn.Module, after: nn.Module) -> None:
    """Say what of a network is not as it was: weights, gradients, mode, what may be trained, buffers."""
    flags = {name: module.training for name, module in before.named_modules()}
    for name, module in after.named_modules():
        if module.training != flags.get(name, module.training):
            part, mode = (
                (f"`{name}` in the network" if name else "the network"),
                "training" if module.training else "evaluation",
            )
            raise Wrong(f"Your function leaves {part} in {mode} mode; it was not. Put it back, or leave it alone.")
    old, new = dict(before.named_parameters()), dict(after.named_parameters())
    if old.keys() != new.keys():
        raise Wrong("Your function leaves the network with other layers than it had.")
    for name, parameter in new.items():
        if not _equal(old[name], parameter):
            raise Wrong(f"Your function changed the weights of the network (`{name}`): it has to stay as it is.")
        if old[name].requires_grad != parameter.requires_grad:
            state = "trainable" if parameter.requires_grad else "frozen"
            raise Wrong(f"Your function leaves `{name}` of the network {state} (`requires_grad`); it was not.")
        if not _equal(_gradient(old[name]), _gradient(parameter)):
            raise Wrong(
                f"Your function leaves gradients in the network (`{name}.grad`): ask for the one you need with "
                "`torch.autograd.grad`, or clear them afterward with `zero_grad()`."
            )
    buffers = dict(before.named_buffers())
    for name, buffer in after.named_buffers():
        if name in buffers and not _equal(buffers[name], buffer):
            raise Wrong(f"Your function changed `{name}` of the network: it has to stay as it is.")


def _gradient(parameter: Tensor) -> Tensor:
    return parameter.new_zeros(parameter.shape) if parameter.grad is None else parameter.grad


# Reading answers -----------------------------------------------------------------------------------------------------


def kind(value: Any) -> str:
    """What something is, in words: "a list of 3", "an array of shape (2, 3)", "a string"."""
    if value is None:
        return "None"
    if isinstance(value, np.ndarray) or _is_tensor(value):
        noun = "a tensor" if _is_tensor(value) else "an array"
        return f"{noun} of shape {tuple(value.shape)}" + (" of objects" if str(value.dtype) == "object" else "")
    if isinstance(value, str):
        return "a string"
    if isinstance(value, bool | np.bool_):
        return f"{bool(value)}"
    if isinstance(value, int | float | complex | np.number):
        return f"the number {value}"
    noun = type(value).__name__
    if isinstance(value, list | tuple | dict | set | frozenset):
        return f"a {noun} of {len(value)}"
    if _is_network(value):
        return f"a network ({noun})"
    if inspect.isroutine(value):
        return "a function"
    return f"an object of type {noun}"


def _refuse(answer: Any, what: str) -> NoReturn:
    hint = " Leave the quotation marks out." if isinstance(answer, str) else ""
    raise Wrong(f"This check cannot read your answer, {kind(answer)}: it asks for {what}.{hint}")


def _read(answer: Any) -> np.ndarray | None:
    """Numbers in any form as a float64 array; None for what holds none, or is ragged."""
    if _is_tensor(answer):
        if answer.is_complex():
            return None
        return answer.detach().cpu().double().resolve_conj().resolve_neg().numpy()
    if isinstance(answer, list | tuple):
        parts = [part for part in map(_read, answer) if part is not None]
        if len(parts) < len(answer) or len({part.shape for part in parts}) > 1:
            return None
        return np.stack(parts) if parts else np.zeros(0)
    if isinstance(answer, str | bytes | set | frozenset | dict) or answer is None or callable(answer):
        return None
    try:
        found = np.asarray(answer)
        return None if found.dtype.kind not in "biuf" else found.astype(np.float64)
    except Exception:  # any class may define __array__
        return None


def _finite(values: np.ndarray) -> None:
    if np.isnan(values).any():
        part = "is" if values.size == 1 else "holds"
        raise Wrong(f"Your answer {part} NaN, not a number: somewhere 0 is divided by 0, or infinity meets infinity.")
    if np.isinf(values).any():
        part = "is infinite" if values.size == 1 else "holds infinity"
        raise Wrong(f"Your answer {part}: somewhere a number is divided by 0, or grew too large.")


def number(answer: Any, what: str = "one number") -> float:
    """One number out of an int, a float, a scalar of NumPy or PyTorch, or an array or tensor of one element.

    Args:
        answer: what the student gave.
        what: what the check asks for, in words; a bool is read only if they name ``True``.

    Raises:
        Wrong: if there is no one number in it, or it is NaN or infinite.
    """
    logical = isinstance(answer, bool | np.bool_) or str(getattr(answer, "dtype", "")).endswith("bool")
    values = None if isinstance(answer, list | tuple) or (logical and "True" not in what) else _read(answer)
    if values is None or values.size != 1:
        _refuse(answer, what)
    _finite(values)
    return float(values.item())


def whole(answer: Any, what: str = "a whole number") -> int:
    """A whole number; 1.0 is refused, because a size or an index cannot be a float.

    Raises:
        Wrong: if it is anything else.
    """
    value = number(answer, what)
    dtype = str(getattr(answer, "dtype", type(answer).__name__))
    if "int" not in dtype and dtype != "bool":
        if value == int(value):
            raise Wrong(
                f"{value:g} is the right kind of number in the wrong type, a float ({value}): `/` always gives a "
                "float, `//` divides whole numbers and gives a whole one."
            )
        raise Wrong(f"It asks for {what}, and yours is {value:g}: `//` divides and drops the rest.")
    return int(value)


def count(answer: Any, what: str) -> int:
    """How many: a whole number of any type, because a sum of floats counts as well.

    Raises:
        Wrong: if it is anything else.
    """
    value = number(answer, what)
    if value != round(value):
        raise Wrong(f"It asks for {what}, and yours is {value:g}.")
    return round(value)


def array(answer: Any, shape: tuple[int, ...] | None = None, what: str = "an array") -> np.ndarray:
    """The answer as a float64 array: lists, tuples, arrays and tensors of any type are read.

    Args:
        answer: what the student gave.
        shape: the shape it must have.
        what: what the check asks for, in words.

    Raises:
        Wrong: if it is anything else, ragged, of another shape, or holds NaN or infinity.
    """
    values = _read(answer)
    if values is None:
        if isinstance(answer, list | tuple) and answer and all(_read(part) is not None for part in answer):
            raise Wrong(f"The parts of your answer, {kind(answer)}, have different shapes: it asks for {what}.")
        _refuse(answer, what)
    if shape is not None and values.shape != tuple(shape):
        raise Wrong(f"The shape should be {tuple(shape)}; yours is {values.shape}.")
    _finite(values)
    return values


def tensor(answer: Any, shape: tuple[int, ...] | None = None, what: str = "a tensor") -> Tensor:
    """The same as :func:`array`, as a float64 tensor on the processor, without gradient."""
    import torch

    return torch.from_numpy(np.array(array(answer, shape, what)))


def words(answer: Any, options: Sequence[str]) -> str:
    """The one of these options that the answer names; capitals and blanks do not matter.

    Raises:
        Wrong: if it names none of them.
    """
    listed = ", ".join(f'"{option}"' for option in options)
    if not isinstance(answer, str):
        raise Wrong(f"This check cannot read your answer, {kind(answer)}: it asks for one of {listed}.")
    for option in options:
        if "".join(answer.split()).casefold() == "".join(option.split()).casefold():
            return option
    raise Wrong(f'"{answer.strip()[:40]}" is not among the answers: choose one of {listed}.')


# Comparing -----------------------------------------------------------------------------------------------------------


def same(a: Any, b: Any, atol: float = 1e-5, rtol: float = 1e-4) -> bool:
    """Whether two answers hold the same numbers, as far as float32 can tell; never with NaN or another shape."""
    first, second = _read(a), _read(b)
    if first is None or second is None or first.shape != second.shape:
        return False
    return bool(np.allclose(first, second, atol=atol, rtol=rtol))


def expect(
    answer: Any,
    wanted: Any,
    mistakes: Sequence[tuple[Any, str]] = (),
    otherwise: str = "These are not the right numbers yet.",
    atol: float = 1e-5,
) -> None:
    """Compare an answer with the right one, and only then with foreseen mistakes, each of which has its hint.

    Args:
        answer: what the student gave: a number, or an array in any form.
        wanted: the right answer.
        mistakes: (value, hint) pairs; one that equals ``wanted`` in this case is passed over.
        otherwise: the hint when it is none of them.
        atol: absolute tolerance, see :func:`same`.

    Raises:
        Wrong: unless the answer is right.
    """
    right = _read(wanted)
    if right is None:
        raise TypeError(f"expect() compares numbers, not {kind(wanted)}")
    scalar = right.ndim == 0
    logical = isinstance(wanted, bool | np.bool_)
    what = ("True or False" if logical else "one number") if scalar else "an array"
    values = _read(answer)
    if values is None or (scalar and values.size == 1):
        values = np.asarray(number(answer, what)) if scalar else array(answer)
    if same(values, right, atol):
        return
    for value, hint in mistakes:
        if same(values, value, atol) and not same(value, right, atol):
            raise Wrong(hint)
    if values.shape != right.shape:
        if scalar:
            _refuse(answer, what)
        raise Wrong(f"The shape should be {right.shape}; yours is {values.shape}.")
    _finite(values)
    raise Wrong(otherwise)


# The engine's part ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def apart(seed: int | None = None) -> Iterator[None]:
    """Seed the generators of Python, NumPy and PyTorch afresh inside, and leave them afterward as they were.

    Gradients are switched on inside, whatever the student's notebook has switched off, or switches off now.
    """
    seed = secrets.randbits(32) if seed is None else seed
    _last.answer = None
    python, legacy, torch = random.getstate(), np.random.get_state(), _torch()  # noqa: NPY002 - the student's
    with contextlib.ExitStack() as stack:
        stack.callback(random.setstate, python)
        stack.callback(np.random.set_state, legacy)
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - a student's function may use it
        if torch is not None:
            cards = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
            stack.enter_context(torch.random.fork_rng(devices=list(cards)))
            stack.enter_context(torch.enable_grad())
            torch.default_generator.manual_seed(seed)
        yield


def explain(error: BaseException, check: Callable[..., str], answers: tuple[Any, ...]) -> str:
    """Say where the student's code stopped, or that the check could not read the answer.

    Args:
        error: what came out of the check.
        check: the check's function.
        answers: what it was given.

    Raises:
        Blank: if it stopped over dots that are still there.
    """
    said = str(error).strip().splitlines()
    reason = f"{type(error).__name__}: {said[0][:200] if said else 'no message'}"
    frames = list(_frames(error.__traceback__))
    theirs = [(frame, line) for frame, line in frames if frame.f_code is not check.__code__ and _is_students(frame)]
    owned = {id(part) for answer in answers if _is_network(answer) for part in answer.modules()}
    if theirs:
        if "'ellipsis'" in reason:  # Python quotes the type; NumPy's words on bad indices do not
            raise Blank from None
        frame, line = theirs[-1]
        code = frame.f_code
        source = linecache.getline(code.co_filename, line, frame.f_globals).strip()
        place = f"in line {line}, `{source[:100]}`" if source else f"in line {line} of `{code.co_name}`"
        return f"Your code stopped {place}: {reason}"
    if any(frame.f_code is _invoke.__code__ for frame, _ in frames):
        return f"Your code stopped with {reason}"
    if any(id(frame.f_locals.get("self")) in owned for frame, _ in frames):
        return f"Your network stopped with {reason}"
    answer = _last.answer if _last.answer is not None else answers[0] if len(answers) == 1 else answers
    return f"This check cannot read your answer, {kind(answer)} ({reason})."


def _frames(traceback: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    while traceback is not None:
        yield traceback.tb_frame, traceback.tb_lineno
        traceback = traceback.tb_next


def _is_students(frame: FrameType) -> bool:
    name = frame.f_code.co_filename
    return not name.startswith((_HERE, *_LIBRARIES, "<frozen", "<__array_function__"))
