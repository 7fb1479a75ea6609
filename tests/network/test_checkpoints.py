"""A network comes back from disk as it was, and whatever is not what its card describes is refused."""

import hashlib
import json
import pickle

import pytest
import torch

from helpers.inside import exceptions, growth
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


@pytest.mark.parametrize(
    "text",
    ["[]", "{}", "null", "3", '{"sha256": "?"}', '{"architecture": {"filters": [1]}}', '{"sha256": "'],
)
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


class Trap:
    """Leaves a file behind wherever it is unpickled without care."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return (open, (str(self.place), "w"))


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def changed(change):
    """Replaces every tensor of the weights by what a function makes of it."""
    return lambda path: torch.save({name: change(value) for name, value in small().state_dict().items()}, path)


FOREIGN = {
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "half": half,
    "empty": lambda path: path.write_bytes(b""),
    "a web page": lambda path: path.write_text("<!doctype html>"),
    "a list": lambda path: torch.save([1, 2], path),
    "a tensor": lambda path: torch.save(torch.zeros(3), path),
    "a whole network": lambda path: torch.save(small(), path),
    "another network": lambda path: torch.save(torch.nn.Linear(2, 2).state_dict(), path),
    "wrapped": lambda path: torch.save({"state_dict": small().state_dict()}, path),
    "texts": changed(str),
    "arrays": changed(lambda value: value.numpy()),
    "without numbers": changed(lambda value: value.to("meta")),
    "other shapes": changed(lambda value: value[..., None]),
    "NaN": changed(lambda value: torch.full_like(value, torch.nan)),
    "one NaN": changed(lambda value: value.index_fill(0, torch.tensor([0]), torch.nan)),
    "infinity": changed(lambda value: value / 0),
    "whole numbers": changed(lambda value: value.int()),
    "a pickle with code": lambda path: path.write_bytes(pickle.dumps(Trap(path.parent / "trapped"), 2)),
    "code among the weights": lambda path: torch.save({"features.conv1.weight": Trap(path.parent / "trapped")}, path),
}


@pytest.mark.parametrize("described", [True, False], ids=["its card describes it", "its card does not"])
@pytest.mark.parametrize("foreign", FOREIGN)
def test_foreign_weights_are_refused_in_one_sentence_and_no_code_in_them_runs(tmp_path, foreign, described):
    path = checkpoints.save(small(), "net", folder=tmp_path)
    FOREIGN[foreign](path)
    if described:
        card = json.loads((tmp_path / "net.json").read_text(encoding="utf-8"))
        card["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        (tmp_path / "net.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(ValueError, match=r"make checkpoints") as caught:
        checkpoints.load("net", folder=tmp_path)
    assert str(path) in str(caught.value)
    assert str(caught.value).count(". ") == 0
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "trapped").exists()


def test_the_trap_would_have_snapped(tmp_path):
    pickle.loads(pickle.dumps(Trap(tmp_path / "trapped"))).close()
    assert (tmp_path / "trapped").exists()


def test_swapped_cards_are_noticed(tmp_path):
    for name, seed in (("mnist", 0), ("fashion", 1)):
        checkpoints.save(small(seed=seed), name, {"data set": name}, folder=tmp_path)
        checkpoints.load(name, folder=tmp_path)

    def swap(ending):
        one, other = tmp_path / f"mnist.{ending}", tmp_path / f"fashion.{ending}"
        content = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(content)

    swap("json")
    with pytest.raises(ValueError, match="a network for 'fashion'"):
        checkpoints.load("mnist", folder=tmp_path)
    swap("pt")  # now each pair fits, under the wrong name
    with pytest.raises(ValueError, match="a network for 'mnist'"):
        checkpoints.load("fashion", folder=tmp_path)
    swap("json")
    with pytest.raises(ValueError, match="not the file its card describes"):
        checkpoints.load("mnist", folder=tmp_path)


@pytest.mark.parametrize("name", ["../net", "a/b", "/net", "..", "", None, 3, "a\0b", "a\\b"])
def test_a_name_never_leads_out_of_the_folder(tmp_path, name):
    inside = tmp_path / "inside"
    for act in (lambda: checkpoints.load(name, folder=inside), lambda: checkpoints.save(small(), name, folder=inside)):
        with pytest.raises(ValueError, match="plain name"):
            act()
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_saved_is_refused_before_anything_is_written(tmp_path):
    broken = small()
    with torch.no_grad():
        broken.classifier.output.bias[0] = torch.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        checkpoints.save(broken, "net", folder=tmp_path)
    for other in (None, torch.nn.Linear(2, 2), ConvNet):
        with pytest.raises(TypeError, match="holds a ConvNet"):
            checkpoints.save(other, "net", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["mnist", "fashion"])
def test_the_reference_networks_are_the_ones_their_cards_describe(name):
    if not (checkpoints.FOLDER / f"{name}.json").is_file():
        pytest.skip("the reference networks have not been trained yet")
    model, described = checkpoints.load(name), checkpoints.card(name)
    assert described["test accuracy"] >= {"mnist": 0.992, "fashion": 0.915}[name]
    assert isinstance(model, ConvNet)


@pytest.mark.parametrize("kind", [growth, exceptions])
def test_a_stored_recording_that_is_damaged_is_named_with_the_command_that_makes_it(kind, tmp_path):
    load, whole = kind.load, kind.STORED
    path = tmp_path / "mine.pt"
    with pytest.raises(FileNotFoundError, match="is not there: restore it, or make it with `python -m tools"):
        load(path)
    bad = [whole.read_bytes()[:-2000], b"", b"<html>portal</html>", pickle.dumps(print)]
    for content in bad:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"mine.pt is damaged .* `python -m tools\.\w+"):
            load(path)
    for other in (torch.ones(3), {"images": torch.ones(3)}, {name: 1 for name in torch.load(whole)}):
        torch.save(other, path)
        with pytest.raises(ValueError, match="is damaged or another file"):
            load(path)
    path.write_bytes(whole.read_bytes())
    load(path)
