"""A network comes back from disk as it was, and whatever is not what its card describes is refused."""

import json

import pytest
import torch

from helpers.network import checkpoints
from helpers.network.models import ConvNet


def small(size=12, classes=4, dropout=0.0, seed=0):
    torch.manual_seed(seed)
    return ConvNet(classes=classes, size=size, filters=(8, 16), hidden=64, dropout=dropout)


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


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
