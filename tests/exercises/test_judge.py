"""What checks are made of: the student's function is called safely, answers are read in any form, compared fairly."""

import threading
import time

import numpy as np
import pytest
import torch
from torch import nn

from helpers.exercises import judge
from helpers.exercises.judge import (
    Blank,
    Wrong,
    apart,
    array,
    call,
    count,
    expect,
    kind,
    number,
    same,
    tensor,
    trials,
    whole,
    words,
)

# Calling the student's function --------------------------------------------------------------------------------------


def zeroing(x):
    """Compute the right sum, and wipe out what was given."""
    total = sum(float(np.sum(part)) for part in x) if isinstance(x, list) else float(x.sum())
    x[0] = x[0] * 0
    return total


@pytest.mark.parametrize(
    ("given", "way"),
    [
        (np.ones((2, 3)), "x.copy()"),
        (torch.ones(2, 3), "x.clone()"),
        ([1.0, 2.0], "x.copy()"),
        (np.array([np.nan, 1.0])[::-1], "x.copy()"),
    ],
)
def test_changing_an_argument_is_named_and_the_checks_own_stays_whole(given, way):
    before = str(given)
    with pytest.raises(Wrong) as raised:
        call(zeroing, given)
    assert str(raised.value).startswith("Your function changed its argument `x`: work on a copy, ")
    assert way in str(raised.value)
    assert str(given) == before


def appends(x):
    x["a"].append(1)
    return 1


def replaces_a_part(x):
    x["a"] = [0]
    return 1


def writes_into_a_part(x):
    x["b"][1][0] += 1
    return 1


def adds_a_key(x):
    x["c"] = 1
    return 1


def swaps_an_object(x):
    x["d"] = (min,)
    return 1


@pytest.mark.parametrize(
    ("harm", "hint"),
    [
        (appends, "changed what is in its argument `x`: work on copies"),
        (replaces_a_part, "changed what is in its argument `x`: work on copies"),
        (writes_into_a_part, "changed what is in its argument `x`: work on copies"),
        (adds_a_key, "changed its argument `x`: work on a copy, `x.copy()`,"),
        (swaps_an_object, "changed its argument `x`"),
    ],
)
def test_changing_what_an_argument_holds_is_named(harm, hint):
    given = {"a": [1, 2], "b": (torch.zeros(2), np.zeros(2)), "d": (max,)}
    with pytest.raises(Wrong) as raised:
        call(harm, given)
    assert hint in str(raised.value)
    assert given["a"] == [1, 2]
    assert not given["b"][1].any()


@pytest.mark.parametrize(
    "given",
    [
        np.array([np.nan, 1.0]),
        torch.tensor([np.nan, 1.0]),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        torch.rand(2, 3, requires_grad=True) * 2,
        [np.array([1, 2]), (3, torch.zeros(2)), {"a": [np.nan]}],
        np.array(["a", None], dtype=object),
        7,
        len,
    ],
)
def test_what_is_left_alone_is_no_complaint(given):
    assert call(lambda x: (x, 1), given)[1] == 1


def test_the_copy_keeps_strides_and_gradients():
    given = np.asfortranarray(np.zeros((2, 3)))
    assert call(lambda x: x.strides, given) == given.strides
    x = torch.ones(3, requires_grad=True)
    assert call(lambda x: torch.autograd.grad((2 * x).sum(), x)[0], x).tolist() == [2, 2, 2]


@pytest.mark.parametrize("changes", [("x",), (0,), ("another_name",)])
def test_an_argument_that_may_change_is_handed_over_as_it_is(changes):
    given = np.ones(3)
    call(zeroing, given, changes=changes)
    assert given[0] == 0


def test_only_the_named_argument_may_change():
    def both(a, b):
        a += 1
        b += 1
        return a

    with pytest.raises(Wrong, match="argument `b`"):
        call(both, np.ones(2), np.ones(2), changes=("a",))


def test_an_argument_without_a_name_is_counted():
    def any_number(*arrays):
        arrays[1][:] = 0
        return 1

    with pytest.raises(Wrong, match="changed its second argument"):
        call(any_number, np.ones(2), np.ones(2))


class Small(nn.Module):
    """A network with everything that can be left behind."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.body(x))


def train_mode(model):
    model.body[2].train()


def whole_train_mode(model):
    model.train()


def moves_weights(model):
    with torch.no_grad():
        model.head.weight += 1


def nan_weights(model):
    with torch.no_grad():
        model.head.weight[0, 0] = torch.nan


def leaves_gradients(model):
    model(torch.rand(2, 3)).sum().backward()


def freezes(model):
    model.head.bias.requires_grad_(False)


def touches_buffers(model):
    model.body[1].running_mean += 1


def adds_a_layer(model):
    model.tail = nn.Linear(2, 2)


@pytest.mark.parametrize(
    ("harm", "hint"),
    [
        (train_mode, "leaves `body.2` in the network in training mode"),
        (whole_train_mode, "leaves the network in training mode"),
        (moves_weights, "changed the weights of the network (`head.weight`)"),
        (nan_weights, "changed the weights of the network (`head.weight`)"),
        (leaves_gradients, "leaves gradients in the network (`body.0.weight.grad`)"),
        (freezes, "leaves `head.bias` of the network frozen"),
        (touches_buffers, "changed `body.1.running_mean` of the network"),
        (adds_a_layer, "leaves the network with other layers than it had"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_network_that_is_left_changed_is_named_and_ours_stays_whole(harm, hint, packed):
    model = Small().eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}

    def students(given):
        harm(given[0] if packed else given)
        return 1.0

    with pytest.raises(Wrong) as raised:
        call(students, [model] if packed else model)
    assert hint in str(raised.value)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not any(module.training for module in model.modules())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


def test_a_network_that_is_put_back_is_no_complaint():
    def careful(model):
        model.requires_grad_(False)
        x = torch.rand(2, 3, requires_grad=True)
        model(x).sum().backward()
        model.requires_grad_(True)
        model(x).sum().backward()
        model.zero_grad(set_to_none=False)
        return x.grad

    assert call(careful, Small().eval()).shape == (2, 3)


def test_a_networks_layer_handed_over_beside_it_is_still_its_layer():
    model = Small().eval()
    assert call(lambda model, layer: model.head is layer, model, model.head) is True


def test_a_network_in_training_with_its_optimizer_changes_what_it_may():
    model = Small()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    before = model.head.bias.detach().clone()

    def step(network, optimizer):
        network(torch.rand(4, 3)).sum().backward()
        optimizer.step()
        return 1.0

    call(step, model, optimizer, changes=(0,))
    assert not torch.equal(before, model.head.bias)


# Endless loops -------------------------------------------------------------------------------------------------------


def endless():
    while True:
        pass


def stubborn():
    while True:
        try:
            while True:
                pass
        except Exception:
            continue


def swallows_everything(left=2):
    while left:
        try:
            while True:
                pass
        except BaseException:
            left -= 1
    return 1


@pytest.mark.parametrize("function", [endless, stubborn])
def test_an_endless_loop_ends_with_a_sentence(monkeypatch, function):
    monkeypatch.setattr(judge, "LIMIT", 0.2)
    start = time.monotonic()
    with pytest.raises(Wrong, match=r"still running after 0\.2 seconds, and was stopped: is there a loop"):
        call(function)
    assert time.monotonic() - start < 5


def test_an_endless_loop_that_swallows_everything_is_stopped_again(monkeypatch):
    monkeypatch.setattr(judge, "LIMIT", 0.2)
    assert call(swallows_everything) == 1


def test_an_endless_loop_ends_in_another_thread_too(monkeypatch):
    monkeypatch.setattr(judge, "LIMIT", 0.2)
    said = []

    def work():
        try:
            call(endless)
        except Wrong as wrong:
            said.append(str(wrong))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(5)
    assert "still running" in said[0]


def test_the_limit_leaves_nothing_behind(monkeypatch):
    """A function that ends just before its time is not followed by an exception in somebody else's code."""
    monkeypatch.setattr(judge, "LIMIT", 0.02)

    def nearly():
        end = time.monotonic() + 0.02
        while time.monotonic() < end:
            pass
        return 1

    stopped = 0
    for _ in range(30):
        try:
            call(nearly)
        except Wrong:
            stopped += 1
        sum(range(20_000))
    assert 0 <= stopped <= 30
    time.sleep(0.1)
    assert sum(range(1_000)) == 499_500
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("time limit")]


def test_a_limit_that_strikes_on_the_way_out_leaves_nothing_behind(monkeypatch):
    """The exception comes when the function has ended and before the watching has."""
    monkeypatch.setattr(judge, "LIMIT", 0.05)
    end, struck = judge._Limit.end, []

    def strike(limit):
        if not struck:
            struck.append(limit)
            raise judge._TooLong
        end(limit)

    monkeypatch.setattr(judge._Limit, "end", strike)
    with pytest.raises(Wrong, match="still running"):
        call(lambda: 1)
    assert struck
    until = time.monotonic() + 0.3
    while time.monotonic() < until:  # an exception that is still to come comes here
        pass
    assert not [thread for thread in threading.enumerate() if thread.name == "time limit"]


def test_without_threads_there_is_no_limit_and_no_crash(monkeypatch):
    def cannot(*_, **__):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", cannot)
    assert call(lambda x: x + 1, 1) == 2


# What is still a stub ------------------------------------------------------------------------------------------------


def test_a_method_a_wrapped_function_and_an_object_can_be_stubs():
    class Answer:
        def __call__(self, x):
            return 2 * x

        def stub(self, x):
            """Nothing yet."""

    with pytest.raises(Blank):
        call(Answer().stub, 1)
    assert call(Answer(), 2) == 4


def test_dots_without_return_are_a_stub_and_a_number_without_return_is_none():
    def stub(x):
        """What is wanted."""
        ...

    def forgotten(x):
        """What is wanted."""
        7  # noqa: B018, what a student may forget

    with pytest.raises(Blank):
        call(stub, 1)
    with pytest.raises(Wrong, match="is there a `return`"):
        call(forgotten, 1)


def test_a_branch_that_is_missing_is_not_a_stub():
    def relu(x, rule):
        if rule == "keep":
            return x

    with pytest.raises(Wrong, match="is there a `return`"):
        call(relu, 1, "drop")


# Reading answers -----------------------------------------------------------------------------------------------------

SEVENS = [
    7,
    7.0,
    np.float32(7),
    np.int64(7),
    np.array(7),
    np.array([[7.0]]),
    torch.tensor(7),
    torch.tensor([7.0]).half(),
]


@pytest.mark.parametrize("answer", [*SEVENS, torch.tensor(7.0, requires_grad=True), torch.tensor(7.0).bfloat16()])
def test_one_number_in_any_form(answer):
    assert number(answer) == 7.0
    assert isinstance(number(answer), float)


@pytest.mark.parametrize(
    ("answer", "words_of_hint"),
    [
        ([7], "a list of 1: it asks for one number."),
        ([7, 7], "a list of 2"),
        ("7", "a string: it asks for one number. Leave the quotation marks out."),
        (True, "True: it asks"),
        (torch.tensor(True), "a tensor of shape ()"),
        (np.zeros(2), "an array of shape (2,)"),
        (7j, "the number 7j"),
        (torch.tensor(7j), "a tensor of shape ()"),
        (len, "a function"),
        (nn.Linear(1, 1), "a network (Linear)"),
        ({7}, "a set of 1"),
        (object(), "an object of type object"),
        (None, "None"),
        (float("nan"), "Your answer is NaN"),
        (np.float32("inf"), "Your answer is infinite"),
        (torch.tensor([-torch.inf]), "Your answer is infinite"),
    ],
)
def test_what_is_not_one_number_is_named(answer, words_of_hint):
    with pytest.raises(Wrong) as raised:
        number(answer)
    assert words_of_hint in str(raised.value)


def test_a_bool_is_read_where_it_is_asked_for():
    assert number(True, "True or False") == 1.0
    with pytest.raises(Wrong, match="it asks for the width in pixels"):
        number("wide", "the width in pixels")


def test_a_count_may_be_a_float():
    assert [count(answer, "how many") for answer in (7, 7.0, np.float32(7), torch.tensor([7.0]))] == [7] * 4
    for answer in (6.5, "7", None, [7, 8], float("nan")):
        with pytest.raises(Wrong):
            count(answer, "how many")


def test_a_whole_number_is_not_a_float():
    assert [whole(answer) for answer in (7, np.int32(7), np.array(7), torch.tensor([7]))] == [7] * 4
    for answer in (7.0, np.float64(7), torch.tensor(7.0)):
        with pytest.raises(Wrong, match="`//` divides whole numbers"):
            whole(answer)
    with pytest.raises(Wrong, match=r"yours is 7\.5"):
        whole(7.5)
    for answer in (True, float("nan"), float("inf"), "7"):
        with pytest.raises(Wrong):
            whole(answer)


TABLES = [
    [[1, 2, 3], [4, 5, 6]],
    ((1.0, 2, 3), [4, 5, 6]),
    np.arange(1, 7, dtype=np.uint8).reshape(2, 3),
    np.arange(1, 7, dtype=np.float16).reshape(2, 3),
    torch.arange(1.0, 7).view(2, 3).requires_grad_(),
    torch.arange(1, 7).view(2, 3).bfloat16(),
    [torch.tensor([1.0, 2, 3], requires_grad=True), np.array([4, 5, 6])],
    [range(1, 4), [torch.tensor(4.0), np.float32(5), 6]],
]


@pytest.mark.parametrize("answer", TABLES)
def test_an_array_in_any_form(answer):
    for read in (array(answer, (2, 3)), tensor(answer, (2, 3))):
        assert str(read.dtype).endswith("float64")
        assert read.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert not tensor(answer).requires_grad


@pytest.mark.parametrize(
    ("answer", "words_of_hint"),
    [
        ([[1, 2], [3]], "The parts of your answer, a list of 2, have different shapes: it asks for an array."),
        ("array", "a string: it asks for an array."),
        ([1, "2"], "a list of 2: it asks for an array."),
        ([1, None], "a list of 2"),
        (np.array(["a"]), "an array of shape (1,)"),
        (np.array([1, None]), "of objects"),
        (len, "a function"),
        (np.zeros((3, 2)), "The shape should be (2, 3); yours is (3, 2)."),
        (torch.full((2, 3), torch.nan), "Your answer holds NaN"),
        ([[1, 2, 3], [4, 5, float("inf")]], "Your answer holds infinity"),
        ({1: 2}, "a dict of 1"),
        ((x for x in [1]), "an object of type generator"),
    ],
)
def test_what_is_no_such_array_is_named(answer, words_of_hint):
    for read in (array, tensor):
        with pytest.raises(Wrong) as raised:
            read(answer, (2, 3), "an array")
        assert words_of_hint in str(raised.value)


def test_words_forgive_capitals_and_blanks():
    options = ("Conv2d", "max pooling")
    assert words(" MAX  pooling ", options) == words("maxpooling", options) == "max pooling"
    with pytest.raises(Wrong, match='"ReLU" is not among the answers: choose one of "Conv2d", "max pooling"'):
        words("ReLU", options)
    with pytest.raises(Wrong, match='the number 3: it asks for one of "Conv2d", "max pooling"'):
        words(3, options)


# Comparing -----------------------------------------------------------------------------------------------------------


def test_the_same_as_far_as_float32_can_tell():
    for rng in trials(20):
        a, b = rng.normal(size=(2, 400))
        assert same(np.float32(a) @ np.float32(b), a @ b)
    assert same(torch.tensor([1.0, 2]), [1, 2])
    assert same(1, np.array(1.0))
    assert not same([1.0, 2], [1.0, 2.001])
    assert not same([[1.0, 2]], [1.0, 2])
    assert not same([np.nan], [np.nan])
    assert not same("1", 1)


def test_the_right_answer_is_compared_before_the_mistakes():
    for wanted in (0.0, np.zeros(3), torch.zeros(2, 2), [0, 0]):
        expect(wanted, wanted, [(wanted, "never said")])


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (3, "the first"),
        (np.array([3.0]), "the first"),
        ([1, 2, 3], "these are the products"),
        ([1, 2], "a list of 2: it asks for one number"),
        (5, "otherwise"),
        (6.5, "otherwise"),
        (float("nan"), "NaN"),
        ("6", "Leave the quotation marks out"),
    ],
)
def test_a_foreseen_mistake_gets_its_hint(answer, hint):
    mistakes = [
        (6, "never: it is right here"),
        (3, "the first"),
        (3, "the second"),
        ([1, 2, 3], "these are the products"),
    ]
    with pytest.raises(Wrong, match=hint):
        expect(answer, 6, mistakes, "otherwise")


def test_a_wrong_shape_is_named_unless_it_was_foreseen():
    wanted = np.arange(6).reshape(2, 3)
    with pytest.raises(Wrong, match="transposed"):
        expect(wanted.T, wanted, [(wanted.T, "transposed")])
    with pytest.raises(Wrong, match=r"The shape should be \(2, 3\); yours is \(6,\)"):
        expect(wanted.ravel(), wanted, [(wanted.T, "transposed")])
    with pytest.raises(Wrong, match="have different shapes"):
        expect([[1], [2, 3]], wanted)


def test_a_bool_is_compared_with_a_bool():
    expect(np.True_, True)
    with pytest.raises(Wrong, match="otherwise"):
        expect(False, True, otherwise="otherwise")
    with pytest.raises(Wrong, match="it asks for one number"):
        expect(True, 1)


def test_a_check_that_compares_words_as_numbers_is_a_mistake_of_ours():
    with pytest.raises(TypeError, match="not a string"):
        expect("a", "a")


def test_trials_are_fresh_and_follow_the_seed_of_the_engine():
    def drawn(seed):
        with apart(seed):
            return [rng.random() for rng in trials()]

    assert len(set(drawn(1))) == 4
    assert drawn(1) == drawn(1) != drawn(2)
    assert drawn(None) != drawn(None)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.bool_(True), "True"),
        (np.float32(2.5), "the number 2.5"),
        ((), "a tuple of 0"),
        (nn.ReLU, "an object of type type"),
    ],
)
def test_kinds_in_words(value, said):
    assert kind(value) == said
