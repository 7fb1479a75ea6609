"""The photograph explorer: what five methods say about any class, on a photograph of the series or on your own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional

from helpers import data
from helpers.explorers.base import Explorer, flow
from helpers.explorers.class_maps import lit
from helpers.explorers.parts import inches, menu, panel, picker, shape
from helpers.inside.photo_maps import LAYERS, ClassMaps, Masks, PhotoMaps, placed, refined
from helpers.network import photonet
from helpers.network.photonet import PhotoNet
from helpers.plots.style import as_array, figure, limit

#: The square of each photograph that is shown, where it is not the middle one.
SQUARES = {"cat": "right", "motorcycle": "right"}
#: So many of the first answers are in the menu of classes.
FIRST = 5
#: So many answers, a photograph and a class, are kept; each takes a megabyte.
KEPT = 30
#: Seconds between two steps of what goes on by itself, in which a control that was moved goes first.
REST = 0.03


def _image(source: Any) -> Tensor:
    """A photograph as (3, H, W): an image of a network stays as it is, anything else becomes a square of 227×227."""
    if isinstance(source, Tensor) and source.ndim == 3 and len(source) == 3:
        return source
    return photonet.batch([data.own(source, side=photonet.SIDE)])[0]


class PhotographExplorer(Explorer):
    """A photograph, and over it the class map, the gradient, guided backpropagation, Grad-CAM and occlusion of a class.

    Occlusion shows what 25 masks say at once and goes on to 169 while nothing else is asked for. A button takes a
    photograph of your own.

    Args:
        network: the network for photographs.
        photographs: name → image (3, H, W) in [0, 1], or anything that :func:`helpers.data.own` takes, such as the name
            of a file; those that ship with the series if not given.
        values: starting values of the controls: ``photograph``, ``target``, a class by name or number, and ``layer``.

    Raises:
        ValueError: for a photograph, class or layer that there is not.
    """

    alt = (
        "Photograph explorer: a photograph with its three most probable classes, and for a chosen class the photograph "
        "faded by the class map, the gradient, Grad-CAM at a chosen layer and occlusion, and the colors of guided "
        "backpropagation, each with its highest value."
    )
    travels_as = "jpeg"
    _maps: PhotoMaps | None = None
    _last: str = ""
    _handle: asyncio.TimerHandle | None = None

    def __init__(self, network: PhotoNet, photographs: Mapping[str, Any] | None = None, **values: Any) -> None:
        if photographs is None:
            photographs = {
                name: photonet.batch([data.square(data.photo(name), SQUARES.get(name, "middle"))])[0]
                for name in data.PHOTOS
            }
        if not photographs:
            raise ValueError("Give at least one photograph, by name.")
        self.network = network
        self.photographs = {name: _image(source) for name, source in photographs.items()}
        self._masks: dict[str, Masks] = {}
        self._more: dict[str, Iterator[Masks]] = {}
        self._logits: dict[str, Tensor] = {}
        self._found: dict[tuple[str, int], ClassMaps] = {}
        super().__init__(**values)

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Photograph, class (the first answers, and what was searched for), and the layer of Grad-CAM."""
        self._picker = picker(self.take)
        photograph = menu("photograph", self.photographs)
        self._target = menu("class", self._answers(photograph.value))
        photograph.observe(self._other_answers, names="value")
        self._field = widgets.Combobox(
            placeholder="name of a class",
            options=photonet.names(),
            description="search",
            continuous_update=False,
            **shape(),
        )
        self._field.observe(self._search, names="value")
        return {
            "photograph": photograph,
            "target": self._target,
            "layer": menu("Grad-CAM at", LAYERS, LAYERS[-1]),
        }

    def arrange(self, controls: Mapping[str, widgets.Widget]) -> widgets.Widget:
        """Photograph, file and layer in one row, the class in the next."""
        photograph, target, layer = controls.values()
        return self.page(flow(photograph, self._picker, layer), flow(target, self._field))

    def build(self) -> Figure:
        """Six pictures in two rows."""
        drawn = figure(7.7, 5.12, layout=None)
        places = [(0.25 + 2.6 * i, bottom, 2.02, 2.02) for bottom in (2.6, 0.05) for i in range(3)]
        made = [panel(inches(drawn, *place), size=11) for place in places]
        self._pictures, self._titles = zip(*made, strict=True)
        return drawn

    def draw(self, photograph: str, target: int, layer: str) -> None:
        """Look the class up in what the network has kept of the photograph, and fade the photograph by each map."""
        found, logits, name = self._find(photograph, target), self._logits[photograph], photonet.names()[target]
        image = self.photographs[photograph]
        sides = (image.shape[1], image.shape[2])
        chances = logits.softmax(0)
        best = chances.topk(3)
        said = [
            f"{photonet.names()[i]} {v:.0%}" for v, i in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]
        own, cam = found.class_map, found.grad_cam[layer]
        slope = functional.avg_pool2d(found.gradient[None], 7, stride=1, padding=3)[0]
        guided = as_array(found.guided).transpose(1, 2, 0)
        top = limit([guided], 99.5)
        self._picture = as_array(image).transpose(1, 2, 0)
        self._pictures[0].set_data(self._picture)
        self._pictures[3].set_data((0.5 + 0.5 * guided / top).clip(0, 1))
        for place, shown in ((1, placed(own, "maps", sides)), (2, slope), (4, placed(cam, layer, sides))):
            self._pictures[place].set_data(lit(self._picture, as_array(shown)))
        texts = (
            f"{said[0]}\n{said[1]}, {said[2]}",
            f"{name}, {float(chances[target]):.0%}\nclass map, mean {own.mean():.1f} = logit",
            f"gradient, smoothed\nup to {slope.max():.2g}",
            f"guided backpropagation\n±{top:.2g} around gray",
            f"Grad-CAM at {layer}\nup to {cam.max():.2g}",
        )
        for title, text in zip(self._titles, texts, strict=False):
            title.set_text(_fitting(text))
        self._call_later()
        if photograph not in self._masks and self._handle is None:  # nobody will call: what can be had at once
            self.refine(1)
        self._draw_masks(self._masks.get(photograph), target)

    def _look_at(self, photograph: str) -> PhotoMaps:
        """Send a photograph through the network, if it is not the last that went."""
        if self._last != photograph:
            self._maps, self._last = None, ""  # first, so that the new maps can take its place in memory
            self._maps, self._last = PhotoMaps(self.network, self.photographs[photograph]), photograph
            self._logits[photograph] = self._maps.logits
        assert self._maps is not None
        return self._maps

    def _find(self, photograph: str, target: int | None) -> ClassMaps:
        """What the methods say of a class, or of the first answer; the last :data:`KEPT` results are kept."""
        with self._busy:
            if photograph not in self._logits:
                self._look_at(photograph)
            key = (photograph, int(self._logits[photograph].argmax()) if target is None else target)
            self._found[key] = self._found.pop(key, None) or self._look_at(photograph).of(key[1])
            while len(self._found) > KEPT:
                self._found.pop(next(iter(self._found)))
            return self._found[key]

    def _ahead(self) -> tuple[str, int | None] | None:
        """What a key may ask for next and nobody has asked: a class of the menu, the first answer to a photograph.

        None if all is known, or if that would be more than is kept.
        """
        now = self._controls["photograph"].value
        best = {name: int(logits.argmax()) for name, logits in self._logits.items()}
        menu_of, chosen = [number for _, number in self._target.options], self._target.value
        likely = [(now, number) for number in menu_of]
        stays = chosen in menu_of[FIRST:]  # a class that was searched for stays with another photograph
        likely += [(name, chosen if stays else best.get(name)) for name in self.photographs if name != now]
        unknown = [key for key in likely if key not in self._found]
        return unknown[0] if unknown and len(likely) <= KEPT else None

    def refine(self, steps: int | None = None) -> None:
        """Score the next masks of this photograph, without drawing them.

        Args:
            steps: how many of the nine steps; all that are left if not given.
        """
        name = self._controls["photograph"].value
        with self._busy:
            going = self._more.setdefault(name, refined(self.network, self.photographs[name]))
            for _ in range(9 if steps is None else steps):
                if (masks := next(going, None)) is None:
                    break
                self._masks[name] = masks

    def take(self, name: str, source: Any) -> None:
        """Add a photograph to the menu and show it; what is no picture is explained in a line.

        Args:
            name: as it stands in the menu.
            source: what :func:`helpers.data.own` takes: the name of a file, its bytes, an array.
        """
        try:
            image = _image(source)
        except ValueError as error:
            self._explain(str(error))
            return
        self.photographs[name] = image
        self._masks.pop(name, None)
        self._more.pop(name, None)
        self._logits.pop(name, None)
        self._found = {key: found for key, found in self._found.items() if key[0] != name}
        self._last = "" if self._last == name else self._last
        with self.quiet():
            self._controls["photograph"].options = list(self.photographs)
            self._controls["photograph"].value = name
            self._other_answers({"new": name})
        self.update()

    def _draw_masks(self, masks: Masks | None, target: int) -> None:
        """The map of the masks so far; before the first of them the photograph as if nothing mattered."""
        if masks is None:
            self._pictures[5].set_data(lit(self._picture, np.zeros(self._picture.shape[:2])))
            self._titles[5].set_text("occlusion\n…")
            return
        drop = masks.map(target)
        self._pictures[5].set_data(lit(self._picture, as_array(drop)))
        going = f" of {len(masks.boxes) + masks.left}" if masks.left else ""
        self._titles[5].set_text(f"occlusion, {len(masks.boxes)}{going} masks\nlogit falls by up to {drop.max():.1f}")

    # -- the classes ---------------------------------------------------------------------------------------------------

    def _answers(self, photograph: str) -> list[tuple[str, int]]:
        """The first answers to a photograph with their probabilities: (words, number)."""
        with self._busy:
            if photograph not in self._logits:
                self._look_at(photograph)
        best = self._logits[photograph].softmax(0).topk(FIRST)
        numbers, chances = best.indices.tolist(), best.values.tolist()
        return [(f"{photonet.names()[i]}, {p:.0%}", i) for i, p in zip(numbers, chances, strict=True)]

    def _other_answers(self, change: Any) -> None:
        """Another photograph has other first answers; its first is chosen, unless the class was searched for."""
        chosen = self._target.value
        with self.quiet():
            searched = dict(self._target.options[FIRST:])
            new = self._answers(change["new"])
            kept = [(words, i) for words, i in searched.items() if i not in dict(new).values()]
            with self._target.hold_sync():  # one message to the page
                self._target.options = [*new, *kept]
                self._target.value = chosen if chosen in searched.values() else new[0][1]

    def _search(self, change: Any) -> None:
        """A name that was typed is added to the menu of classes and chosen."""
        name = change["new"].strip()
        if not name:
            return
        try:
            self.set(target=name)
        except ValueError as error:
            self._explain(str(error))
            return
        self._field.value = ""

    def _set(self, name: str, value: Any) -> None:
        """A class may be given by its name, and does not have to be in the menu."""
        if name == "target":
            value = photonet.number(value) if isinstance(value, str) else value
            known = [i for _, i in self._target.options]
            if value not in known and value in range(1000):
                with self.quiet():
                    self._target.options = [*self._target.options, (photonet.names()[value], value)]
        super()._set(name, value)

    # -- between two controls ------------------------------------------------------------------------------------------

    def _call_later(self) -> None:
        """Where a kernel runs, go on with the masks when it has nothing else to do."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._unfinished() or self._ahead():
            # A script has no loop: it gets the first masks at once, and the others from refine().
            with contextlib.suppress(RuntimeError):
                self._handle = asyncio.get_running_loop().call_later(REST, self._go_on)

    def _unfinished(self) -> bool:
        masks = self._masks.get(self._controls["photograph"].value)
        return masks is None or masks.left > 0

    def _go_on(self) -> None:
        """Score the next masks and show them; when there are no more, find out what may be asked for next."""
        if self._unfinished():
            self.refine(1)
            self._changed(None)
        elif key := self._ahead():
            self._find(*key)
            self._call_later()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Shown for the first time, and stored, with all its masks."""
        self.refine()
        self.update()
        return super()._repr_mimebundle_(include, exclude)


def _fitting(text: str, width: int = 33) -> str:
    """Words above a picture, each line cut to so many letters."""
    return "\n".join(line if len(line) <= width else f"{line[: width - 1]}…" for line in text.splitlines())
