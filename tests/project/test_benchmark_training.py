"""The training race: its parts keep their promises, and a tiny race on the stand-in runs to its end."""

import importlib.util
from dataclasses import replace

import pytest
import torch

from helpers import data
from helpers.network.models import count_parameters
from tools import ROOT

SCRIPT = ROOT / "benchmarks" / "training.py"


@pytest.fixture(scope="module")
def race():
    described = importlib.util.spec_from_file_location("training_race", SCRIPT)
    module = importlib.util.module_from_spec(described)
    described.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def digits(race):
    chance = torch.Generator().manual_seed(0)
    labels = torch.arange(96) % 2
    images = torch.rand((96, 1, 28, 28), generator=chance) * 0.2
    images[labels == 1, :, 8:20, 8:20] += 0.8  # a square or none: learned in an epoch or two
    split = data.Split(images, labels)
    return race.Digits(split, split, split)


def test_the_network_of_the_example_has_its_well_known_size(race):
    for pooled, parameters in ((False, 1_199_882), (True, 225_034)):
        net = race.ExampleNet(pooled)
        assert count_parameters(net) == parameters
        assert net(torch.zeros(3, 1, 28, 28)).shape == (3, 10)


def test_every_rung_reaches_the_target_and_is_measured_in_every_round(race, digits):
    samples = torch.utils.data.TensorDataset(race.normalized(digits.train.images), digits.train.labels)
    ladder = [replace(rung, batch=16) for rung in race.LADDER]
    results = race.measure(digits, samples, 1, 12, 0.9, ladder)
    assert {race.EXAMPLE, race.PLAIN, race.FIT, race.LARGE, race.SMOOTH} <= {result.name for result in results}
    for result in results:
        columns = (result.seconds, result.epochs, result.validation, result.test, result.steps)
        assert {len(column) for column in columns} == {1}
        assert result.validation[0] >= 0.9, result
        assert result.seconds[0] > 0
    lines = list(race.table(results))
    assert len(lines) == 2 + len(results)
    assert len({line.count("|") for line in lines}) == 1


def test_an_epoch_shows_every_image_once(race, digits):
    rung = next(rung for rung in race.LADDER if rung.name == race.PLAIN)
    pairs = list(race.batches(rung, digits, None, torch.Generator().manual_seed(0)))
    seen = torch.cat([images for images, _ in pairs])
    assert torch.equal(seen.sum((1, 2, 3)).sort().values, digits.train.images.sum((1, 2, 3)).sort().values)


def test_the_example_sees_the_same_pixels_from_its_loader_and_from_memory(race, digits):
    loaded, memory = (replace(race.LADDER[i], batch=96) for i in (1, 2))
    samples = torch.utils.data.TensorDataset(race.normalized(digits.train.images), digits.train.labels)
    (images, _), (same, _) = (next(race.batches(r, digits, samples, torch.Generator())) for r in (loaded, memory))
    assert images.sum((1, 2, 3)).sort().values.allclose(same.sum((1, 2, 3)).sort().values)


def test_fit_without_bfloat16_trains_in_float32(race, digits, monkeypatch):
    seen = []
    real = race.training.fit
    monkeypatch.setattr(race.training, "fit", lambda *a, **k: seen.append(real(*a, **k)) or seen[-1])
    race.fitted(race.LADDER[-1], digits, 0, 1, 0.0)
    assert seen[0].precision == "float32"


def test_a_try_that_is_not_enough_is_followed_by_a_longer_one_and_all_of_it_counts(race, digits):
    rung = replace(race.LADDER[-1], batch=16, half=False)
    assert race.fitted(rung, digits, 0, 1, 0.0)[1::3] == (1, 6)
    assert race.fitted(rung, digits, 0, 2, 2.0)[1::3] == (1 + 2, 6 + 12)  # never good enough: one epoch, then two


def test_a_ratio_is_taken_round_by_round(race):
    slow, quick = (race.Result("", "", seconds=s) for s in ([8.0, 10.0, 30.0], [2.0, 5.0, 5.0]))
    assert race.ratio(slow, quick) == 4.0


def test_the_machine_is_described_without_a_name(race):
    about = race.machine()
    assert set(about) == {"processor", "cores", "threads", "bfloat16 in hardware", "torch"}
    assert "+" not in about["torch"]


def test_without_units_for_bfloat16_its_rungs_are_left_out(race, digits, monkeypatch):
    monkeypatch.setattr(race.device, "fast_bfloat16", lambda *_: False)
    ladder = [replace(rung, batch=16) for rung in race.LADDER[5:]]
    kept = ["SGD with momentum", "one cycle", race.FIT, race.LARGE, race.SMOOTH]
    assert [result.name for result in race.measure(digits, None, 1, 12, 0.9, ladder)] == kept
