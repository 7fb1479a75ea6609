"""What holds for every tool: what a step draws is a full drawing, it keeps its words, and a bundle shows its state."""

import importlib
import io
import pkgutil

import ipywidgets as widgets
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from helpers import explorers
from helpers.data import Split
from helpers.explorers.activation_browser import ActivationBrowser
from helpers.explorers.ascent import AscentExplorer
from helpers.explorers.attack import AttackExplorer
from helpers.explorers.base import Explorer
from helpers.explorers.class_maps import ClassMapBrowser
from helpers.explorers.confusion import ConfusionBrowser
from helpers.explorers.draw import DrawDigit
from helpers.explorers.dropout import DropoutExplorer
from helpers.explorers.exceptions import ExceptionsExplorer
from helpers.explorers.filter_growth import FilterGrowth
from helpers.explorers.filter_recovery import FilterRecovery
from helpers.explorers.first_layer import FirstLayerBrowser
from helpers.explorers.letters import LetterReader
from helpers.explorers.map import MapExplorer
from helpers.explorers.momentum import MomentumExplorer
from helpers.explorers.neighbors import NeighborExplorer
from helpers.explorers.network_reader import NetworkReader
from helpers.explorers.occlusion import OcclusionExplorer
from helpers.explorers.parts import ImageExplorer
from helpers.explorers.photograph import PhotographExplorer
from helpers.explorers.playground import KernelPlayground
from helpers.explorers.pooling import PoolingExplorer
from helpers.explorers.promise import PromiseExplorer
from helpers.explorers.receptive import ReceptiveFieldExplorer
from helpers.explorers.saliency import SaliencyExplorer
from helpers.explorers.softmax import SoftmaxTemperature
from helpers.explorers.teach import TeachExplorer
from helpers.explorers.time_machine import TimeMachine
from helpers.explorers.turn import TurnDigit
from helpers.explorers.weight_ledger import WeightLedger
from helpers.explorers.window_stepper import WindowStepper
from helpers.inside import maximize
from helpers.network import photonet
from helpers.network.models import ConvNet
from helpers.plots.style import jpeg_of_pixels

CHANCE = np.random.default_rng(0)
IMAGES, LABELS = CHANCE.random((8, 1, 28, 28), dtype=np.float32), np.arange(8) % 3
CLASSES = tuple(f"class {i}" for i in range(10))
FEW = (torch.from_numpy(IMAGES), torch.from_numpy(LABELS), CLASSES)


def network():
    torch.manual_seed(0)
    return ConvNet(filters=(4, 6), hidden=16).eval()


def climbs():
    torch.manual_seed(0)
    return {rule: maximize.class_images(network(), steps=3, frames=3) for rule in ("plain", "again")}


def reader():
    torch.manual_seed(0)
    layers = nn.Conv1d(4, 3, 6), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(3, 2)
    return LetterReader(nn.Sequential(*layers), {"one": "ACGTTATAAAC", "other": "GGGGGCCCCCC"}, 1, ["no", "yes"])


PHOTOGRAPHS = {name: torch.rand(3, 51, 51, generator=torch.Generator().manual_seed(i)) for i, name in enumerate("ab")}
POINTS = {name: CHANCE.random((8, 2)) for name in ("one", "other")}
MADE = {
    ActivationBrowser: lambda: ActivationBrowser(network(), Split(IMAGES, LABELS), classes=CLASSES),
    AscentExplorer: lambda: AscentExplorer(climbs(), CLASSES),
    AttackExplorer: lambda: AttackExplorer(network(), *FEW),
    ClassMapBrowser: lambda: ClassMapBrowser(
        {"one": photonet.untrained(), "other": photonet.untrained(1)}, PHOTOGRAPHS, ("bow tie", "weevil")
    ),
    ConfusionBrowser: lambda: ConfusionBrowser(CHANCE.normal(size=(8, 3)), Split(IMAGES, LABELS), CLASSES[:3]),
    DrawDigit: lambda: DrawDigit({"digits": network(), "clothes": network()}),
    DropoutExplorer: lambda: DropoutExplorer(network(), IMAGES, CLASSES),
    ExceptionsExplorer: lambda: ExceptionsExplorer(share=0.1),
    FilterGrowth: lambda: FilterGrowth(
        [(step, torch.randn(8, 3, 5, 5)) for step in (0, 100, 200)], torch.randn(4, 3, 4, 4)
    ),
    FilterRecovery: lambda: FilterRecovery({"noise": IMAGES[:2, 0], "blank": 0 * IMAGES[:1, 0]}),
    FirstLayerBrowser: lambda: FirstLayerBrowser(
        {"one": photonet.untrained(), "other": photonet.untrained(1)}, PHOTOGRAPHS, number=17
    ),
    KernelPlayground: lambda: KernelPlayground({"noise": IMAGES[0, 0], "half": IMAGES[1, 0, :14]}),
    LetterReader: reader,
    MapExplorer: lambda: MapExplorer(POINTS, IMAGES, LABELS, CLASSES[:3], said=LABELS[::-1]),
    MomentumExplorer: MomentumExplorer,
    NeighborExplorer: lambda: NeighborExplorer(
        {name: (points, points[:4]) for name, points in POINTS.items()},
        (IMAGES, LABELS),
        (IMAGES[:4], LABELS[:4]),
        CLASSES,
    ),
    NetworkReader: lambda: NetworkReader({"large": (ConvNet(), (1, 28, 28)), "small": (network(), (1, 28, 28))}),
    OcclusionExplorer: lambda: OcclusionExplorer(network(), *FEW, stride=3),
    PhotographExplorer: lambda: PhotographExplorer(photonet.untrained(), PHOTOGRAPHS, target="weevil"),
    PoolingExplorer: lambda: PoolingExplorer({"noise": IMAGES[0, 0, :9, :12], "line": np.eye(6)}),
    PromiseExplorer: lambda: PromiseExplorer(network(), *FEW),
    ReceptiveFieldExplorer: lambda: ReceptiveFieldExplorer(IMAGES[0, 0]),
    SaliencyExplorer: lambda: SaliencyExplorer(
        {"one": network(), "other": ConvNet(filters=(4, 6), hidden=16).eval()}, *FEW
    ),
    SoftmaxTemperature: lambda: SoftmaxTemperature({"sure": (9.6, -1.5, 2.2), "torn": (5.2, -1.3, 4.9)}, CLASSES[:3]),
    TeachExplorer: lambda: TeachExplorer(
        {"one": photonet.untrained(), "other": photonet.untrained(1)},
        {name: CHANCE.random((3, 51, 51, 3), dtype=np.float32) for name in ("noise", "more noise")},
    ),
    TimeMachine: lambda: TimeMachine(own=IMAGES[0, 0]),
    TurnDigit: lambda: TurnDigit({"one": network(), "two": network()}, *FEW),
    WeightLedger: WeightLedger,
    WindowStepper: lambda: WindowStepper(
        {"noise": IMAGES[0, 0, :9, :7], "tiny": IMAGES[0, 0, :4, :4]},
        {"three": CHANCE.normal(size=(3, 3)), "five": CHANCE.normal(size=(5, 5)), "seven": np.eye(7)},
    ),
}


def tools():
    """Every class of a tool in the package."""
    found, new = set(), [Explorer]
    for module in pkgutil.iter_modules(explorers.__path__):
        importlib.import_module(f"helpers.explorers.{module.name}")
    while new:
        below = [c for c in new.pop().__subclasses__() if c.__module__.startswith("helpers.")]
        found |= set(below)
        new += below
    return found - {ImageExplorer}


def test_every_tool_is_tried_here():
    assert tools() == set(MADE)


def options(control):
    """Values to try: all of a menu, both ends and the middle of a slider."""
    if isinstance(control, widgets.SelectionSlider):
        return [control._options_full[i][1] for i in (0, len(control.options) // 2, -1)]
    if isinstance(control, (widgets.Dropdown, widgets.ToggleButtons)):
        return [each[1] if isinstance(each, tuple) else each for each in control._options_full]
    if isinstance(control, widgets.Checkbox):
        return [True, False]
    if isinstance(control, widgets.FloatLogSlider):
        return [control.base**control.min, 1.7, control.base**control.max]
    if isinstance(control, widgets.FloatText):
        return [-2.5]
    if isinstance(control, (widgets.IntSlider, widgets.FloatSlider)):
        kind = type(control.value)
        return [control.min, kind((control.min + control.max) / 2), control.max]
    return []


@pytest.mark.parametrize("made", MADE.values(), ids=[tool.__name__ for tool in MADE])
def test_what_a_step_draws_is_to_the_byte_what_a_full_drawing_is(made):
    tool, tried = made(), 0
    tool._repr_mimebundle_()  # as in a lesson: displayed first, moved then
    for name, control in tool._controls.items():
        start = getattr(control, "value", None)
        values = [*options(control), start] if options(control) else []
        for place, value in enumerate(values):
            control.value = value
            assert "stopped with" not in tool.error.value
            if tool.error.value or place % 2:  # explained; or every other step: a full drawing is slow
                continue
            step = bytes(tool.image.value)
            tool.figure.canvas.draw()
            full = np.asarray(tool.figure.canvas.buffer_rgba())
            if tool.travels_as == "jpeg":
                assert step == jpeg_of_pixels(full), (name, value)
            else:
                assert np.array_equal(np.asarray(Image.open(io.BytesIO(step))), full[..., :3]), (name, value)
            tried += 1
    assert tried > 1  # a tool with one slider: its ends
