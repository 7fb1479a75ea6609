"""Training as a lesson relies on it: it learns, it can be stopped, it says what is wrong, and it leaves no trace."""

import json
import math
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from helpers import plots
from helpers.data import Split
from helpers.network import checkpoints, device, running, training
from helpers.network.history import Diverged
from helpers.network.models import ConvNet, DenseNet


def quadrants(n=256, size=12, channels=1, seed=0):
    """Noise with one bright quarter; which one is the class: learned in seconds by anything that learns."""
    generator = torch.Generator().manual_seed(seed)
    images = 0.3 * torch.rand(n, channels, size, size, generator=generator)
    labels = torch.randint(4, (n,), generator=generator)
    half = size // 2
    for image, label in zip(images, labels.tolist(), strict=True):
        y, x = divmod(label, 2)
        image[:, y * half : (y + 1) * half, x * half : (x + 1) * half] += 0.6
    return Split(images, labels)


def small(size=12, channels=1, classes=4, dropout=0.0, seed=0):
    torch.manual_seed(seed)
    return ConvNet(classes=classes, channels=channels, size=size, filters=(8, 16), hidden=64, dropout=dropout)


def fit(model, train, validation=None, **options):
    return training.fit(model, train, validation, **{"device": "cpu", "bar": False} | options)


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


# -- it learns ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    "make",
    [
        lambda: small(),
        lambda: DenseNet(classes=4, size=12, hidden=16),
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(144, 4)),
        lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(400, 4)),
    ],
    ids=["conv", "dense", "linear", "batchnorm"],
)
def test_any_classifier_learns(make, fast):
    torch.manual_seed(0)
    model = make()
    history = fit(model, quadrants(512), quadrants(200, seed=1), epochs=12, fast=fast)
    assert history.epochs[-1].validation_accuracy > 0.95
    assert history.losses[0] > 1.0 > history.losses[-1]


@pytest.mark.parametrize(("size", "channels"), [(10, 1), (17, 3), (28, 1), (32, 3)])
def test_any_image_size_and_depth(size, channels):
    model = small(size, channels)
    history = fit(model, quadrants(256, size, channels), epochs=15, lr=0.03)
    assert running.accuracy(model, quadrants(200, size, channels, seed=1)) > 0.9
    assert len(history.losses) == history.total_steps == 15 * 8


def test_images_that_are_not_square():
    train = Split(torch.rand(64, 1, 6, 20), torch.randint(3, (64,)))
    model = nn.Sequential(nn.Flatten(), nn.Linear(120, 3))
    assert len(fit(model, train, optimizer="adam", lr=0.003).losses) == 2


def test_fast_and_plain_reach_the_same_quality():
    scores = []
    for fast in (True, False):
        model = small()
        fit(model, quadrants(512), epochs=12, fast=fast)
        scores.append(running.accuracy(model, quadrants(400, seed=1)))
    assert min(scores) > 0.97
    assert abs(scores[0] - scores[1]) < 0.02


def test_without_extras_it_is_the_loop_of_the_lesson():
    train, ours, theirs = quadrants(96), small(), small()
    fit(ours, train, one_cycle=False, shift=0, weight_decay=0, momentum=0, lr=0.1, fast=False, seed=3)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1)
    for rows in torch.randperm(96, generator=torch.Generator().manual_seed(3)).split(32):
        loss = F.cross_entropy(theirs(train.images[rows]), train.labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, msg=name)


def test_shift_moves_the_batch_and_flip_mirrors_it():
    seen = []
    train = quadrants(64)
    model = small()
    model.register_forward_pre_hook(lambda m, inputs: seen.append(inputs[0].clone()) if m.training else None)
    fit(model, train, shift=2, flip=True, epochs=20, batch_size=64, lr=0.001)
    moves = set()
    for batch in seen:
        for y in range(-2, 3):
            for x in range(-2, 3):
                for mirrored in (False, True):
                    back = (batch.flip(3) if mirrored else batch).roll((-y, -x), (2, 3))
                    if torch.equal(back.sum(0).sort().values, train.images.sum(0).sort().values) or torch.allclose(
                        back.sum(0), train.images.sum(0), atol=1e-4
                    ):
                        moves.add((y, x, mirrored))
    assert len(moves) > 5
    assert {m for *_, m in moves} == {True, False}


def test_the_learning_rate_rises_and_falls_or_stays():
    rates = {}
    for one_cycle in (True, False):
        steppers = []

        def build(parameters, lr, steppers=steppers):
            steppers.append(torch.optim.SGD(parameters, lr))
            return steppers[-1]

        seen = rates[one_cycle] = []
        fit(
            small(),
            quadrants(320),
            optimizer=build,
            lr=0.1,
            one_cycle=one_cycle,
            watch=lambda _, seen=seen, steppers=steppers: seen.append(steppers[0].param_groups[0]["lr"]),
        )
    assert set(rates[False]) == {0.1}
    assert rates[True][0] < max(rates[True]) > 20 * rates[True][-1]
    assert max(rates[True]) == pytest.approx(0.1, rel=0.1)


def test_fewer_images_than_one_batch():
    history = fit(small(), quadrants(5), epochs=2)
    assert len(history.losses) == 2
    assert history.steps_per_epoch == 1


# -- history ------------------------------------------------------------------------------------------------------


def test_history_agrees_with_the_network_it_describes():
    model, validation = small(), quadrants(150, seed=1)
    history = fit(model, quadrants(200), validation, epochs=2)
    assert len(history.losses) == len(history.accuracies) == history.total_steps == 14
    assert len(history.epochs) == 2
    last = history.epochs[-1]
    assert last.loss == pytest.approx(np.mean(history.losses[7:]))
    assert last.accuracy == pytest.approx(np.mean(history.accuracies[7:]))
    assert last.validation_accuracy == pytest.approx(running.accuracy(model, validation))
    logits = running.predict(model, validation.images)
    assert last.validation_loss == pytest.approx(F.cross_entropy(logits, validation.labels).item(), rel=1e-4)
    assert history.seconds == pytest.approx(sum(e.seconds for e in history.epochs))
    assert history.seconds > 0
    assert "14 of 14 steps" in repr(history)
    assert f"{last.validation_accuracy:.2%}" in repr(history)
    assert not history.interrupted


def test_watch_is_called_after_every_step_and_closed_once():
    class Watcher:
        def __init__(self):
            self.steps, self.closed = [], 0

        def __call__(self, history):
            self.steps.append(len(history.losses))

        def close(self, history):
            self.closed += 1
            assert len(history.epochs) == 2  # the last epoch is already judged

    watcher = Watcher()
    fit(small(), quadrants(96), quadrants(20), epochs=2, watch=watcher)
    assert watcher.steps == [1, 2, 3, 4, 5, 6]
    assert watcher.closed == 1


def test_several_watchers_at_once():
    first, second = [], []
    fit(
        small(),
        quadrants(96),
        watch=[lambda h: first.append(len(h.losses)), lambda h: second.append(h.losses[-1])],
    )
    assert first[:3] == [1, 2, 3]
    assert len(first) == len(second) == 4  # three steps, and the end


# -- the stop button ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [1, 5, 11])
def test_the_stop_button_keeps_what_was_learned(stop):
    def press(history):
        if len(history.losses) == stop:
            raise KeyboardInterrupt

    model, before, validation = small(), weights(small()), quadrants(100, seed=1)
    history = fit(model, quadrants(256), validation, epochs=2, watch=press)
    assert history.interrupted
    assert len(history.losses) == stop
    assert "interrupted" in repr(history)
    assert not same(before, weights(model))
    assert not model.training
    assert len(history.epochs) == math.ceil(stop / 8)
    assert history.epochs[-1].validation_accuracy == pytest.approx(running.accuracy(model, validation))
    assert plots.history(history).png()
    again = fit(model, quadrants(256), epochs=15)
    assert not again.interrupted
    assert running.accuracy(model, validation) > 0.9


def test_the_stop_button_before_the_first_step():
    class Never(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(144, 4)

        def forward(self, x):
            if self.training:
                raise KeyboardInterrupt
            return self.layer(x.flatten(1))

    history = fit(Never(), quadrants(64), quadrants(8))
    assert history.interrupted
    assert history.losses == history.epochs == []
    assert repr(history) == "History: no step was taken"


# -- what goes wrong is a sentence --------------------------------------------------------------------------------


def test_a_learning_rate_that_is_too_large_is_named_and_the_record_kept():
    with pytest.raises(Diverged, match=r"learning rate lr=1e\+06 is most likely too large.*lr=100000") as info:
        fit(small(), quadrants(512), lr=1e6, epochs=4, one_cycle=False)
    assert info.value.history.losses
    assert not math.isfinite(info.value.history.losses[-1])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_broken_pixels_are_named(value):
    train = quadrants(64)
    train.images[40, 0, 3, 3] = value
    model = small()
    with pytest.raises(Diverged, match="some pixels are"):
        fit(model, train, epochs=2)
    assert not model.training


@pytest.mark.parametrize(
    ("split", "error", "words"),
    [
        ((torch.rand(8, 12, 12), torch.zeros(8).long()), ValueError, r"shape \(N, channels, height, width\)"),
        ((torch.zeros(8, 1, 12, 12).byte(), torch.zeros(8).long()), TypeError, "divide by 255"),
        ((torch.rand(8, 1, 12, 12), torch.zeros(7).long()), ValueError, "8 images and 7 labels"),
        ((torch.rand(0, 1, 12, 12), torch.zeros(0).long()), ValueError, "0 images"),
        ((torch.rand(8, 1, 12, 12), torch.arange(8)), ValueError, "labels run from 0 to 7.*4 outputs.*classes=8"),
        ((torch.rand(8, 1, 12, 12), torch.full((8,), -1)), ValueError, "labels run from -1"),
        ((torch.rand(8, 1, 12, 12), torch.rand(8)), TypeError, "Labels are class numbers"),
        ((torch.rand(8, 1, 12, 12), torch.eye(8)), ValueError, r"One label per image.*argmax"),
        (
            (torch.rand(8, 1, 14, 14), torch.zeros(8).long()),
            ValueError,
            r"does not accept .* \(1, 14, 14\)",
        ),
        (
            (torch.rand(8, 3, 12, 12), torch.zeros(8).long()),
            ValueError,
            r"does not accept .* \(3, 12, 12\)",
        ),
    ],
)
def test_data_that_does_not_fit_is_explained_before_anything_is_trained(split, error, words):
    model = small()
    before = weights(model)
    with pytest.raises(error, match=words) as info:
        fit(model, split)
    assert "\n" not in str(info.value).strip()
    assert same(before, weights(model))


@pytest.mark.parametrize("options", [{"epochs": 0}, {"batch_size": 0}, {"lr": 0}, {"lr": -1.0}])
def test_impossible_settings(options):
    with pytest.raises(ValueError, match="at least 1 and lr above 0"):
        fit(small(), quadrants(8), **options)


def test_an_unknown_optimizer():
    with pytest.raises(ValueError, match="'sgd', 'adam' or a function"):
        fit(small(), quadrants(8), optimizer="rmsprop")


def test_a_network_that_does_not_classify():
    with pytest.raises(ValueError, match=r"returns \(N, classes\) logits"):
        fit(nn.Conv2d(1, 4, 3), quadrants(8))


def test_a_network_with_nothing_to_train():
    with pytest.raises(ValueError, match="no weights to train"):
        fit(nn.Flatten(), quadrants(8))


@pytest.mark.parametrize("images", [torch.float64, torch.float16])
@pytest.mark.parametrize("labels", [torch.int32, torch.uint8])
def test_other_number_formats_are_taken_as_they_are_meant(images, labels):
    train, model, reference = quadrants(64), small(), small()
    fit(model, (train.images.to(images), train.labels.to(labels)), fast=False)
    fit(reference, (train.images.to(images).float(), train.labels), fast=False)
    assert same(weights(model), weights(reference))


def test_numpy_arrays_and_strided_views():
    train = quadrants(64)
    pair = (train.images.numpy()[::2].copy()[::-1], train.labels.numpy()[::2][::-1])
    history = fit(small(), pair, Split(train.images.numpy(), train.labels.numpy()))
    assert history.epochs[-1].validation_accuracy is not None


# -- it leaves no trace -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fast", [True, False])
def test_the_same_seed_repeats_and_another_does_not(fast):
    runs = []
    for seed in (4, 4, 5):
        model = small(dropout=0.5)
        runs.append((fit(model, quadrants(160), seed=seed, fast=fast).losses, weights(model)))
    assert runs[0][0] == runs[1][0]
    assert same(runs[0][1], runs[1][1])
    assert runs[0][0] != runs[2][0]


def test_state_afterwards():
    model, train = small(dropout=0.5), quadrants(64)
    model.train()
    kept = train.images.clone(), train.labels.clone()
    fit(model, train, quadrants(16))
    assert not any(m.training for m in model.modules())
    for parameter in model.parameters():
        assert parameter.dtype == torch.float32
        assert parameter.device.type == "cpu"
        assert parameter.is_contiguous()
        assert parameter.requires_grad
        assert parameter.grad is None
    assert torch.equal(train.images, kept[0])
    assert torch.equal(train.labels, kept[1])


def test_state_after_an_error_in_watch():
    model = small()

    def break_down(history):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fit(model, quadrants(64), watch=break_down)
    assert not model.training
    assert all(p.grad is None and p.is_contiguous() for p in model.parameters())


def test_nothing_is_printed_or_warned(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(small(), quadrants(64), quadrants(16), watch=plots.LiveCurves(every=0))
    assert capfd.readouterr() == ("", "")


def test_the_bar_writes_only_to_stderr_and_goes_away(capfd):
    training.fit(small(), quadrants(64), device="cpu")
    out, err = capfd.readouterr()
    assert out == ""
    assert "training" in err


# -- predict and accuracy -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 7, 500])
def test_predict_is_the_network_in_evaluation_mode(batch_size):
    model, images = small(dropout=0.5), torch.rand(23, 1, 12, 12)
    model.train()
    got = running.predict(model, images, batch_size=batch_size)
    assert model.training
    assert not got.requires_grad
    model.eval()
    torch.testing.assert_close(got, model(images).detach(), atol=1e-5, rtol=1e-5)


def test_predict_keeps_the_flag_when_the_network_fails():
    model = small().train()
    with pytest.raises(RuntimeError):
        running.predict(model, torch.rand(2, 1, 99, 99))
    assert model.training


def test_accuracy_is_the_share_of_right_answers():
    class Says(nn.Module):
        def __init__(self):
            super().__init__()
            self.unused = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            return F.one_hot((x.flatten(1)[:, 0] * 10).round().long(), 10).float()

    labels = torch.tensor([0, 1, 2, 3, 9])
    images = torch.tensor([0, 1, 2, 4, 9]).div(10).view(5, 1, 1, 1).expand(5, 1, 4, 4)
    assert running.accuracy(Says(), (images, labels)) == pytest.approx(0.8)
    assert running.accuracy(Says(), Split(images.numpy(), labels.numpy())) == pytest.approx(0.8)


# -- pictures of a run --------------------------------------------------------------------------------------------


def test_live_curves_outside_a_notebook_do_nothing_and_can_be_used_again():
    live = plots.LiveCurves(every=0)
    for _ in range(2):
        fit(small(), quadrants(64), watch=live)


def test_live_curves_in_a_notebook_draw_once_and_then_move(monkeypatch):
    shown, moved = [], []

    class Handle:
        def update(self, picture):
            moved.append(picture)

    def display(picture, display_id=None):
        shown.append(picture)
        return Handle()

    monkeypatch.setattr("IPython.get_ipython", object)
    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr("helpers.plots.live.time", SimpleNamespace(perf_counter=lambda: 0.0))  # drawing takes no time
    history = fit(small(), quadrants(96), quadrants(16), watch=plots.LiveCurves(every=0))
    assert len(shown) == 1
    assert len(moved) == 3  # two more steps, and the end
    assert f"{history.epochs[-1].validation_accuracy:.2%}" in moved[-1].alt


# -- checkpoints --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [{}, {"classes": 3, "channels": 3, "size": 14, "filters": (2, 5), "hidden": 7, "dropout": 0.25}],
)
def test_a_checkpoint_brings_the_same_network_back(tmp_path, arguments):
    model = ConvNet(**arguments)
    path = checkpoints.save(model, "mine", {"accuracy": 0.5, "data": "noise ✓"}, folder=tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.json", "mine.pt"]
    assert path == tmp_path / "mine.pt"
    loaded = checkpoints.load("mine", folder=tmp_path)
    assert same(weights(model), weights(loaded))
    assert not loaded.training
    assert loaded.arguments == model.arguments
    x = torch.rand(2, loaded.arguments["channels"], loaded.arguments["size"], loaded.arguments["size"])
    assert torch.equal(loaded(x), model.eval()(x))
    described = checkpoints.card("mine", folder=tmp_path)
    assert (described["accuracy"], described["data"]) == (0.5, "noise ✓")


def test_saving_again_replaces_and_saving_does_not_touch_the_network(tmp_path):
    model = small().to(memory_format=torch.channels_last).train()
    checkpoints.save(small(seed=1), "net", folder=tmp_path)
    checkpoints.save(model, "net", folder=tmp_path)
    assert same(weights(model), weights(checkpoints.load("net", folder=tmp_path)))
    assert model.training


def test_damaged_weights_are_refused(tmp_path):
    path = checkpoints.save(small(), "net", folder=tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="not the file its card describes"):
        checkpoints.load("net", folder=tmp_path)


def test_a_damaged_card_is_refused(tmp_path):
    checkpoints.save(small(), "net", folder=tmp_path)
    (tmp_path / "net.json").write_text('{"sha256": ', encoding="utf-8")
    with pytest.raises(ValueError, match="damaged"):
        checkpoints.load("net", folder=tmp_path)


@pytest.mark.parametrize("text", ["[]", "{}", '{"sha256": "?"}', '{"architecture": {"filters": [1, 2]}}'])
def test_a_card_that_says_too_little_is_refused(tmp_path, text):
    checkpoints.save(small(), "net", folder=tmp_path)
    (tmp_path / "net.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"card"):
        checkpoints.load("net", folder=tmp_path)


def test_a_card_for_another_architecture_is_refused(tmp_path):
    checkpoints.save(small(), "net", folder=tmp_path)
    card = json.loads((tmp_path / "net.json").read_text(encoding="utf-8"))
    card["architecture"]["hidden"] = 17
    (tmp_path / "net.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(ValueError, match="card"):
        checkpoints.load("net", folder=tmp_path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="make checkpoints"):
        checkpoints.load("none", folder=tmp_path)
    checkpoints.save(small(), "there", folder=tmp_path)
    with pytest.raises(FileNotFoundError, match="choose one of there"):
        checkpoints.load("none", folder=tmp_path)
    (tmp_path / "there.pt").unlink()
    with pytest.raises(FileNotFoundError, match="weights"):
        checkpoints.load("there", folder=tmp_path)


def test_a_file_with_code_in_it_is_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (print, ("the trap ran",))

    path = checkpoints.save(small(), "net", folder=tmp_path)
    torch.save({"x": Trap()}, path)
    card = json.loads((tmp_path / "net.json").read_text(encoding="utf-8"))
    card["sha256"] = checkpoints._digest(path)
    (tmp_path / "net.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(ValueError, match="card"):
        checkpoints.load("net", folder=tmp_path)


@pytest.mark.parametrize("name", ["mnist", "fashion"])
def test_the_reference_networks_are_the_ones_their_cards_describe(name):
    if not (checkpoints.FOLDER / f"{name}.json").is_file():
        pytest.skip("the reference networks have not been trained yet")
    model, described = checkpoints.load(name), checkpoints.card(name)
    assert described["test accuracy"] >= {"mnist": 0.992, "fashion": 0.915}[name]
    assert isinstance(model, ConvNet)


# -- the device ---------------------------------------------------------------------------------------------------


def test_the_best_device_exists_and_bfloat16_is_asked_for_by_device():
    best = device.best_device()
    assert torch.zeros(1, device=best).device.type == best
    assert device.fast_bfloat16("mps") is False
    assert isinstance(device.fast_bfloat16("cpu"), bool)


def test_precision_is_recorded(monkeypatch):
    for has in (True, False):
        monkeypatch.setattr(training, "fast_bfloat16", lambda kind, has=has: has)
        history = fit(small(), quadrants(64))
        assert (history.precision, history.device) == ("bfloat16" if has else "float32", "cpu")
    assert fit(small(), quadrants(64), fast=False).precision == "float32"


@pytest.mark.skipif(device.best_device() == "cpu", reason="this computer has no accelerator")
def test_on_an_accelerator_the_network_comes_home():
    model = small()
    history = training.fit(model, quadrants(256), epochs=15, bar=False)
    assert history.device == device.best_device()
    assert {p.device.type for p in model.parameters()} == {"cpu"}
    assert running.accuracy(model, quadrants(200, seed=1)) > 0.9


def test_each_image_draws_its_own_shift_and_mirroring():
    images = torch.rand(400, 1, 8, 9)
    train, seen = (images, torch.arange(400) % 4), []
    model = nn.Sequential(nn.Flatten(), nn.Linear(72, 4))
    model.register_forward_pre_hook(lambda m, inputs: seen.append(inputs[0].clone()) if m.training else None)
    fit(model, train, shift=1, flip=True, each=True, batch_size=400, seed=2, bar=False, device="cpu")
    order = torch.randperm(400, generator=torch.Generator().manual_seed(2))
    moves = set()
    for one, wide in zip(seen[0], F.pad(images[order], (1,) * 4), strict=True):
        windows = {(y, x): wide[:, y : y + 8, x : x + 9] for y in range(3) for x in range(3)}
        own = {
            (place, m) for place, w in windows.items() for m in (False, True) if torch.equal(one, w.flip(2) if m else w)
        }
        assert own
        moves |= own
    assert len(moves) == 18  # nine places, mirrored or not


def test_smoothed_labels_keep_the_network_from_certainty():
    train = quadrants(64)
    sure = {}
    for smooth in (0.0, 0.3):
        torch.manual_seed(0)
        model = small()
        fit(model, train, epochs=30, smooth=smooth, shift=0, batch_size=32, bar=False, device="cpu")
        sure[smooth] = torch.softmax(running.predict(model, train.images), 1).max(1).values.mean()
    assert sure[0.3] < sure[0.0] - 0.05
    with pytest.raises(ValueError, match="smooth"):
        fit(small(), train, smooth=1.0)
