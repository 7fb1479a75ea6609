"""Where the units of a layer look: the formula against poking the network, and maps placed there."""

import pytest
import torch
from torch import nn

from helpers.inside import attribution as at
from helpers.inside.fields import place, unit_field
from helpers.network.models import ConvNet, DenseNet


@pytest.fixture
def model():
    torch.manual_seed(0)
    return ConvNet().eval()


class Padded(nn.Module):
    """Two convolutions and poolings with "same" padding, dilation in the second."""

    def __init__(self):
        super().__init__()
        self.conv1, self.pool1 = nn.Conv2d(2, 4, 3, padding=1), nn.MaxPool2d(2)
        self.conv2, self.pool2 = nn.Conv2d(4, 4, 3, padding=2, dilation=2), nn.AvgPool2d(2)
        self.relu, self.out = nn.ReLU(), nn.Linear(4 * 49, 3)

    def forward(self, x):
        x = self.pool1(self.relu(self.conv1(x)))
        return self.out(self.pool2(x + self.relu(self.conv2(x))).flatten(1))


def poked(model, layer, channels, size=28):
    """(h, size): which rows of pixels reach which rows of units. NaN passes every window, whatever its weights."""
    images = torch.zeros(size, channels, size, size)
    images[torch.arange(size), :, torch.arange(size)] = torch.nan
    seen = {}
    handle = model.get_submodule(layer).register_forward_hook(lambda *a: seen.update(maps=a[-1].detach()))
    with torch.no_grad():
        model(images)
    handle.remove()
    return seen["maps"].isnan().any(1).all(-1).T  # a whole row is poked, so that all units of a row see it or none


@pytest.mark.parametrize("layer", ["conv1", "relu1", "pool1", "conv2", "relu2", "pool2"])
def test_the_field_of_a_unit_is_what_poking_finds(model, layer):
    field = unit_field(model, torch.zeros(1, 1, 28, 28), f"features.{layer}")
    for unit, row in enumerate(poked(model, f"features.{layer}", 1)):
        wanted = torch.zeros(28, dtype=torch.bool)
        wanted[field.interval(unit, 28)] = True
        assert torch.equal(row, wanted)


def test_unit_i_of_the_second_layer_looks_at_pixels_2i_to_2i_plus_7(model):
    field = unit_field(model, torch.zeros(3, 1, 28, 28), model.features.relu2)
    assert (field.size, field.jump, field.start) == (8, 2, 0)
    assert field.interval(10, 28) == slice(20, 28)


@pytest.mark.parametrize("layer", ["conv1", "pool1", "conv2", "pool2"])
def test_padding_and_dilation_are_poked_too(layer):
    torch.manual_seed(0)
    model = Padded().eval()
    field, seen = unit_field(model, torch.zeros(1, 2, 28, 28), layer), poked(model, layer, 2)
    for unit, row in list(enumerate(seen))[2:-2]:  # at the rim a dilated window may have nothing but padding at its end
        inside = field.interval(unit, 28)
        assert row.nonzero().min() == inside.start
        assert row.nonzero().max() == inside.stop - 1


@pytest.mark.parametrize("unit", [1, 4, 9])
def test_a_unit_is_drawn_at_the_center_of_what_it_sees(model, unit):
    maps = torch.zeros(1, 11, 11)
    maps[0, unit, 10 - unit] = 1
    drawn = place(maps, model, torch.zeros(1, 1, 28, 28), "features.relu2")[0]
    seen = poked(model, "features.relu2", 1)
    for of_unit, shares in ((unit, drawn.sum(1)), (10 - unit, drawn.sum(0))):
        middle = seen[of_unit].nonzero().double().mean()  # of the pixels that it sees
        assert ((shares * torch.arange(28)).sum() / shares.sum()).item() == pytest.approx(middle.item())


def test_a_ramp_lies_where_its_units_look(model):
    """A map whose value is the center of its unit, placed, names each pixel between the outermost centers itself."""
    ramp = (2.0 * torch.arange(11) + 3.5).expand(1, 11, 11)
    drawn = place(ramp, model, torch.zeros(1, 1, 28, 28), "features.relu2")[0]
    torch.testing.assert_close(drawn[3:25, 4:24], torch.arange(4.0, 24.0).expand(22, 20))
    outside = torch.ones(28, 28, dtype=torch.bool)
    outside[3:25, 3:25] = False
    assert not drawn[outside].any(), "no unit looks straight at the rim"
    stretched = at.upscale(ramp, (28, 28))[0]
    assert (stretched[:, 1:27] - torch.arange(1.0, 27.0)).abs().max() == pytest.approx(2.7, abs=0.1)


def test_with_same_padding_placing_and_stretching_agree():
    torch.manual_seed(0)
    maps = torch.rand(2, 7, 7)
    drawn = place(maps, Padded(), torch.zeros(2, 2, 28, 28), "pool2")
    torch.testing.assert_close(drawn, at.upscale(maps, (28, 28)))


def test_a_network_is_left_as_it_was_and_a_batch_is_its_images(model):
    model.train()
    maps = torch.rand(3, 11, 11, dtype=torch.float64)
    drawn = place(maps, model, torch.zeros(3, 1, 28, 28), "features.relu2")
    assert drawn.dtype == torch.float64
    assert model.training
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    torch.testing.assert_close(drawn[1:2], place(maps[1:2], model, torch.zeros(1, 1, 28, 28), "features.relu2"))


def test_a_pooling_that_rounds_up_has_one_unit_more():
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3, stride=2), nn.MaxPool2d(3, 2, ceil_mode=True), nn.Flatten(), nn.LazyLinear(3)
    )
    drawn = place(torch.ones(1, 7, 7), net, torch.zeros(1, 1, 28, 28), "1")  # 13, then 6 whole windows and a part
    assert drawn.shape == (1, 28, 28)


def test_maps_of_another_layer_are_refused(model):
    for shape in ((1, 5, 5), (1, 1, 11, 11), (11, 11)):
        with pytest.raises(ValueError, match=r"maps of this layer are \(N, 11, 11\)"):
            place(torch.ones(shape), model, torch.zeros(1, 1, 28, 28), "features.relu2")


def test_layers_without_a_field_are_named(model):
    x = torch.zeros(1, 1, 28, 28)
    with pytest.raises(ValueError, match=r"classifier\.hidden: Flatten is not a window"):
        unit_field(model, x, "classifier.hidden")
    with pytest.raises(ValueError, match="its layers are"):
        unit_field(model, x, "relu7")
    with pytest.raises(ValueError, match="not a window"):
        unit_field(DenseNet(), x, "classifier.hidden")
    with pytest.raises(ValueError, match="not square"):
        unit_field(nn.Sequential(nn.Conv2d(1, 2, (3, 5)), nn.Flatten(), nn.LazyLinear(3)), x, "0")

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c, self.out = nn.Conv2d(1, 2, 3), nn.Conv2d(1, 2, 5), nn.ReLU(), nn.Linear(2, 3)

        def forward(self, x):
            return self.out(self.c(self.a(x).amax((2, 3)) + self.b(x).amax((2, 3))))

    with pytest.raises(ValueError, match="does not take the maps of the window before it"):
        unit_field(Twice(), x, "b")
