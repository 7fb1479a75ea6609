"""The network for photographs: the answers it is known for, torchvision's architecture as oracle, its stand-in."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from helpers import data
from helpers.data import download, weights
from helpers.filters import geometry
from helpers.network import hooks, photonet
from helpers.network.models import count_parameters, layer_table

needs_the_file = pytest.mark.skipif(download.find_network().arrays is None, reason="the file is not at hand")
#: Photograph, square, first answer and its probability; what else is among the first answers.
KNOWN = [
    ("cat", "right", "Egyptian cat", 0.83, {"tabby": 0.10, "tiger cat": 0.07}),
    ("coffee", "middle", "espresso", 0.89, {"soup bowl": 0.03, "cup": 0.02}),
    ("hopper", "middle", "bow tie", 0.88, {"suit": 0.07}),
    ("motorcycle", "right", "moped", 0.74, {"motor scooter": 0.20}),
    ("camera", "middle", "tripod", 0.96, {}),
    ("china", "middle", "bell cote", 0.16, {"monastery": 0.10}),
    ("flower", "middle", "sea urchin", 0.55, {}),
    ("horse", "middle", "English foxhound", 0.68, {}),
    ("astronaut", "middle", "espresso maker", 0.10, {}),
    ("hubble", "middle", "bubble", 0.37, {}),
]


@pytest.fixture(scope="module")
def network():
    return photonet.load()


@pytest.fixture(scope="module")
def random():
    return photonet.untrained()


@pytest.fixture(scope="module")
def images():
    return photonet.batch([data.square(data.photo(name), part) for name, part, *_ in KNOWN])


@needs_the_file
def test_the_answers_are_the_published_ones(network, images):
    assert network.trained
    for (name, _, first, probability, others), found in zip(KNOWN, photonet.answers(network, images, 4), strict=True):
        assert found[0][0] == first, name
        assert found[0][1] == pytest.approx(probability, abs=0.02), name
        for other, value in others.items():
            assert dict(found)[other] == pytest.approx(value, abs=0.02), name


@needs_the_file
def test_the_same_weights_in_torchvision_s_architecture_answer_the_same(network, images):
    """An independent door as well: blue, green, red from 0 to 255 minus the authors' mean."""
    from torchvision.models import squeezenet1_0

    theirs = squeezenet1_0(weights=None).eval()
    theirs.classifier[1].padding = (1, 1)
    pairs = zip(theirs.parameters(), network.parameters(), strict=True)
    with torch.no_grad():
        for parameter, own in pairs:
            parameter.copy_(own)
        theirs.features[0].weight.copy_(network.conv1.weight.flip(1))
        bgr = 255 * images[:4].flip(1) - torch.tensor([104.0, 117.0, 123.0]).view(3, 1, 1)
        torch.testing.assert_close(network(images[:4]), theirs(bgr), rtol=1e-4, atol=1e-3)


@needs_the_file
def test_two_thirds_of_its_weights_are_zero_and_few_are_different(network):
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    values = torch.cat([c.weight.detach().flatten() for c in convolutions])
    assert len(convolutions) == 26
    assert 0.66 < (values == 0).float().mean() < 0.67
    assert max(len(c.weight.unique()) for c in convolutions) <= 256
    assert all(torch.isfinite(p).all() and p.requires_grad for p in network.parameters())


def test_the_layers_have_names_that_can_be_read_and_the_published_size(network):
    table = {row.name: row.output_shape for row in layer_table(network, (3, 227, 227))}
    assert count_parameters(network) == 1_248_424
    assert table["conv1"] == (96, 111, 111)
    assert table["classes"] == table["maps"] == (1000, 15, 15)
    outer = [name for name, _ in network.named_children()]
    assert outer == [
        *("door", "conv1", "relu1", "pool1", "fire2", "fire3", "fire4", "pool4", "fire5", "fire6", "fire7", "fire8"),
        *("pool8", "fire9", "dropout", "classes", "maps", "average", "flatten"),
    ]
    assert set(table) - set(outer) == {
        f"fire{i}.{layer}"
        for i in range(2, 10)
        for layer in (f"{kind}{relu}" for kind in ("squeeze", "expand1x1", "expand3x3") for relu in ("", "_relu"))
    }
    assert not any(module.inplace for module in network.modules() if isinstance(module, nn.ReLU))
    assert not network.training


def test_the_windows_are_those_of_the_network(random):
    fields = dict(zip(photonet.WINDOWS, geometry.receptive_field(list(photonet.WINDOWS.values())), strict=True))
    found = hooks.activations(random, torch.rand(1, 3, 227, 227), list(photonet.WINDOWS))
    for name, field in fields.items():
        assert found[name].shape[-1] == field.units(227), name
    # Place i inside the ring looks at 155 pixels around 16i + 17.
    last = fields["classes"]
    assert (last.size, last.start + last.jump + last.size // 2, last.jump) == (155, 17, 16)
    pixels = torch.rand(1, 3, 227, 227, requires_grad=True)
    (gradient,) = torch.autograd.grad(random.part("classes")(pixels)[0, :, 7, 7].sum(), pixels)
    rows = gradient.abs().sum((0, 1, 3)).nonzero()[:, 0]
    seen = last.interval(7, 227)
    assert seen.start <= rows.min()
    assert rows.max() < seen.stop


@pytest.mark.parametrize("size", [(21, 21), (22, 40), (96, 96), (100, 64), (227, 227), (300, 250)])
def test_images_of_any_size_and_maps_whose_mean_is_the_logit(random, size):
    x = torch.rand(2, 3, *size)
    with torch.no_grad():
        logits = random(x)
    maps = photonet.class_maps(random, x)
    assert logits.shape == (2, 1000)
    assert maps.shape[:2] == (2, 1000)
    assert maps.min() >= 0
    torch.testing.assert_close(maps.mean((2, 3)), logits)
    bias = random.classes.bias.detach().relu()
    torch.testing.assert_close(maps[:, :, 0, 1], bias.expand(2, -1))  # the ring sees nothing


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.rand(2, 3, 20, 50), "at least 21×21 pixels"),
        (torch.rand(2, 1, 50, 50), "three equal channels"),
        (torch.rand(2, 4, 50, 50), r"color images \(N, 3, H, W\)"),
        (torch.rand(3, 50, 50), r"color images \(N, 3, H, W\)"),
        (255 * torch.rand(1, 3, 50, 50), "divide by 255"),
    ],
)
def test_what_is_no_color_image_is_refused_in_a_sentence(random, x, words):
    with pytest.raises(ValueError, match=words) as error:
        random(x)
    assert "\n" not in str(error.value)


def test_a_part_of_the_network_shares_its_weights(random):
    x = torch.rand(1, 3, 64, 80)
    part = random.part("fire4")
    with torch.no_grad():
        torch.testing.assert_close(part(x), hooks.activations(random, x, "fire4")["fire4"])
    assert part.conv1 is random.conv1
    with pytest.raises(ValueError, match=r"no layer 'fire12' of its own; its layers are door, conv1"):
        random.part("fire12")


def test_the_random_network_is_the_same_each_time_and_leaves_the_random_numbers_alone(random):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    again, other = photonet.untrained(), photonet.untrained(seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    same = [torch.equal(a, b) for a, b in zip(random.parameters(), again.parameters(), strict=True)]
    assert all(same)
    assert not torch.equal(random.conv1.weight, other.conv1.weight)
    assert not random.trained
    assert not random.training
    x = torch.rand(4, 3, 96, 96)
    with torch.no_grad():
        maps = random.part("fire9")(x)
    assert 1 < maps.std() < 1000  # signals keep their size: gray levels
    assert random(x).argmax(1).shape == (4,)


def test_without_the_file_a_stand_in_and_a_notice(monkeypatch, capsys, random):
    monkeypatch.setattr(download, "find_network", lambda: download.Found(None, None, ["No network: nobody answers."]))
    for _ in range(2):  # on every call
        network = photonet.load()
        shown = capsys.readouterr().err
        assert shown.count("NOT THE TRAINED NETWORK") == 1
        assert "No network: nobody answers." in shown
        assert "`make data`" in shown
    assert not network.trained
    assert torch.equal(network.conv1.weight, random.conv1.weight)


@needs_the_file
def test_a_word_about_where_the_file_came_from(monkeypatch, capsys):
    found = download.find_network()
    monkeypatch.setattr(download, "find_network", lambda: found._replace(notes=["It lay under the sofa."]))
    assert photonet.load().trained
    assert "It lay under the sofa." in capsys.readouterr().err
    monkeypatch.setattr(download, "find_network", lambda: found._replace(notes=[]))
    assert weights.squeezenet() is not None
    assert capsys.readouterr() == ("", "")


def test_a_file_of_another_network_is_refused():
    with pytest.raises(ValueError, match="The file ends after 100 bytes"):
        photonet.decoded(bytes(100))


def test_names_are_those_of_torchvision_which_is_not_imported(monkeypatch):
    from torchvision.models import SqueezeNet1_0_Weights

    theirs = tuple(SqueezeNet1_0_Weights.IMAGENET1K_V1.meta["categories"])
    assert photonet.names() == theirs
    script = (
        "import sys; from helpers.network import photonet; photonet.names(); assert 'torchvision' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=download.PROJECT)
    for moved in (lambda path: {}, lambda path: Path("nowhere").read_bytes()):  # in another version
        monkeypatch.setattr("runpy.run_path", moved)
        assert photonet.names.__wrapped__() == theirs


def test_names_and_numbers_of_the_classes():
    names = photonet.names()
    assert len(names) == 1000
    assert names[457] == "bow tie"
    assert photonet.number("bow tie") == photonet.number("Bow Tie") == 457
    assert [names[photonet.number(name)] for name in ("espresso", "Egyptian cat")] == ["espresso", "Egyptian cat"]
    with pytest.raises(ValueError, match=r"no class 'bowtie'; did you mean bow tie"):
        photonet.number("bowtie")
    with pytest.raises(ValueError, match=r"no class 'xyzxyz'\.$"):
        photonet.number("xyzxyz")
    twice = {name for name in names if sum(other.lower() == name.lower() for other in names) > 1}
    for name in twice:
        with pytest.raises(ValueError, match="are both called"):
            photonet.number(name)


def test_answers_are_sorted_and_named(random):
    found = photonet.answers(random, torch.rand(3, 3, 64, 64), 1000)
    assert len(found) == 3
    for row in found:
        values = [value for _, value in row]
        assert values == sorted(values, reverse=True)
        assert math.isclose(sum(values), 1, abs_tol=1e-4)
    for k in (0, 1001, 2.0):
        with pytest.raises(ValueError, match="k is how many"):
            photonet.answers(random, torch.rand(1, 3, 64, 64), k)


def test_a_batch_of_photographs():
    cat, coffee = (data.square(data.photo(name), side=64) for name in ("cat", "coffee"))
    images = photonet.batch([cat, coffee])
    assert images.shape == (2, 3, 64, 64)
    np.testing.assert_array_equal(images[1, 2].numpy(), coffee[..., 2])
    images[:] = 0  # one's own
    assert cat.max() > 0
    for bad in ([], [cat, coffee[:32]], [cat[..., 0]], [cat.transpose(2, 0, 1)]):
        with pytest.raises(ValueError, match="Give a list of photographs"):
            photonet.batch(bad)
