"""Teach it: a few pictures of each class, a linear classifier on a network's features, and what it says to others."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib import rc_context
from matplotlib.figure import Figure
from torch import Tensor, nn

from helpers import data
from helpers.data import distort
from helpers.explorers.base import Explorer, flow
from helpers.explorers.class_maps import lit
from helpers.explorers.parts import WIDTH, inches, menu, panel, picker, shape, slider
from helpers.inside import features, teach
from helpers.inside.fields import place
from helpers.network import hooks, photonet
from helpers.network.photonet import PhotoNet
from helpers.plots.redraw import Redraw
from helpers.plots.style import COLORS, RC, as_array, figure

#: The maps that are averaged to the features.
LAYER = "fire9"
#: Classes that fit one below the other, and pictures of a class that are shown beside each other.
MOST, SHOWN = 8, 10
#: Pixels of the side of such a picture, and letters of a name that fit.
SMALL, LONGEST = 54, 12


CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "as it is": lambda images: images,
    "darker": lambda images: 0.6 * images,
    "twice as large": lambda images: distort.scale(images, 2.0),
    "upside down": lambda images: images.flip(2),
    "noisy": lambda images: distort.noise(images, 0.1),
}


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


class TeachExplorer(Explorer):
    """Classes with their pictures in rows; a picture that is asked about, what is said to it, and where it was seen.

    Learned is one weight for each feature and class; the network stays as it is. Two buttons take your own pictures:
    one adds a class, the other asks about a picture.

    Args:
        networks: networks for photographs by name, such as the trained one and one with random weights.
        pictures: class → pictures (S, S, 3) in [0, 1], all of one size; at most eight classes.
        tests: class → new pictures, which are only judged. Without them each picture is judged by what was learned from
            others (cross-validation).
        ask: name → picture to ask about; the first of each class if not given.
        values: starting values of the controls.

    Raises:
        ValueError: if there is no network, fewer than two classes or more than eight, or pictures that differ in size.
    """

    alt = (
        "Teach it: rows of example pictures, one row for each class, with the probability of the class as a bar; a "
        "picture that is asked about, and the same faded where the evidence for the answer is low."
    )

    def __init__(
        self,
        networks: Mapping[str, PhotoNet],
        pictures: Mapping[str, Sequence[np.ndarray]],
        tests: Mapping[str, Sequence[np.ndarray]] | None = None,
        ask: Mapping[str, np.ndarray] | None = None,
        **values: Any,
    ) -> None:
        if not networks:
            raise ValueError("Give at least one network for photographs, by name.")
        self.networks = dict(networks)
        self.classes = {str(name): photonet.batch(own) for name, own in pictures.items()}
        self._check(self.classes)
        self.side = next(iter(self.classes.values())).shape[-1]
        if tests is not None and set(map(str, tests)) != set(self.classes):
            raise ValueError(f"The tests need the same classes, {', '.join(self.classes)}; got {', '.join(tests)}.")
        self.tests = None if tests is None else {name: photonet.batch(tests[name]) for name in tests}
        asked = ask or {f"the first of {name}": own[0] for name, own in (tests or pictures).items()}
        self.asked = {name: photonet.batch([picture])[0] for name, picture in asked.items()}
        self._known: dict[tuple[Hashable, ...], Any] = {}
        super().__init__(**values)

    def _check(self, classes: Mapping[str, Tensor]) -> None:
        if not 2 <= len(classes) <= MOST:
            raise ValueError(f"Give two to {MOST} classes; these are {len(classes)}: {', '.join(classes) or 'none'}.")
        sizes = {tuple(images.shape[1:]) for images in classes.values()}
        if len(sizes) > 1 or len({n for size in sizes for n in size[1:]}) > 1:
            raise ValueError(f"All pictures have to be squares of one size; these have {sorted(sizes)}.")

    # -- the controls --------------------------------------------------------------------------------------------------

    def controls(self) -> Mapping[str, widgets.Widget]:
        """Network if there are several, pictures of each class to learn from, what is asked, and how it is changed."""
        self._name = widgets.Text(placeholder="its name", description="new class", **shape())
        self._files = widgets.FileUpload(
            accept="image/*",
            multiple=True,
            description="its pictures",
            tooltip="Open pictures of this class from your computer, up to 10 MB together",
            layout=widgets.Layout(width="140px"),
        )
        self._files.observe(self._add_files, names="value")
        self._forget = widgets.Button(description="forget the classes", layout=widgets.Layout(width="150px"))
        self._forget.on_click(lambda _: self.forget())
        self._picker = picker(self.ask_about)
        networks = {"network": menu("network", self.networks)} if len(self.networks) > 1 else {}
        fewest = self._most()
        return {
            "asked": menu("ask about", self.asked),
            "change": menu("changed", CHANGES),
            **networks,
            "count": slider("learn from", 1, fewest, fewest),
        }

    def arrange(self, controls: Mapping[str, widgets.Widget]) -> widgets.Widget:
        """What is asked in the first row, what is learned in the second, your own classes in the third."""
        first = flow(controls["asked"], controls["change"], self._picker)
        second = [controls[name] for name in ("network", "count") if name in controls]
        self._name.layout.width = WIDTH
        return self.page(first, flow(*second), flow(self._name, self._files, self._forget))

    def _most(self) -> int:
        return max([len(images) for images in self.classes.values()], default=1)

    # -- your own ------------------------------------------------------------------------------------------------------

    def ask_about(self, name: str, source: Any) -> None:
        """Ask about a picture; what is none is explained in a line.

        Args:
            name: as it stands in the menu.
            source: what :func:`helpers.data.own` takes: the name of a file, its bytes, an array.
        """
        try:
            picture = data.own(source, self.side)
        except ValueError as error:
            self._explain(str(error))
            return
        self.asked[name] = photonet.batch([picture])[0]
        self._known = {key: value for key, value in self._known.items() if key[:1] + key[2:3] != ("asked", name)}
        with self.quiet():
            self._controls["asked"].options = list(self.asked)
        self.set(asked=name)

    def teach(self, name: str, sources: Sequence[Any]) -> None:
        """Add a class, or pictures to a class that is there; files that are no pictures are explained in a line.

        Args:
            name: of the class.
            sources: what :func:`helpers.data.own` takes.
        """
        name = " ".join(name.split())
        if not name:
            self._explain("Write the name of the class first, then open its pictures.")
            return
        if name not in self.classes and len(self.classes) == MOST:
            self._explain(f"There are {MOST} classes already: forget them, and begin with your own.")
            return
        pictures, unread = [], []
        for source in sources:
            try:
                pictures.append(data.own(source, self.side))
            except ValueError as error:
                unread.append(str(error))
        if pictures:
            before = [self.classes[name]] if name in self.classes else []
            self._change({**self.classes, name: torch.cat([*before, photonet.batch(pictures)])})
        if unread:
            self._explain(" ".join(unread[:3]))

    def forget(self) -> None:
        """Begin with no class, to teach your own only."""
        self._change({})

    def _add_files(self, change: Any) -> None:
        if change["new"]:
            self.teach(self._name.value, [file["content"] for file in change["new"]])
            self._files.value = ()  # else nothing would happen when the same files are opened for another name

    def _change(self, classes: dict[str, Tensor]) -> None:
        """Take other classes; a figure with so many rows is made."""
        self.classes, self.tests, self._known = classes, None, {}
        with self.quiet():
            count = self._controls["count"]
            count.max = self._most()
            count.value = count.max
        with rc_context(RC):
            self.figure = self.build()
        self._redraw = Redraw(self.figure)
        self._changed(None)

    # -- the picture ---------------------------------------------------------------------------------------------------

    def build(self) -> Figure:
        """A row for each class: its name, its pictures, a bar; at the right what is asked, and where it was seen."""
        drawn = figure(11.2, 3.3, layout=None)
        rows, self._rows = max(len(self.classes), 1), []
        height = min(0.84, 2.6 / rows)
        for i, name in enumerate(self.classes):
            bottom = 2.66 - (i + 1) * height
            strip = inches(drawn, 1.42, bottom + 0.03, 3.6, height - 0.06)
            artist, _ = panel(strip)
            strip.set_anchor("W")
            for spine in strip.spines.values():
                spine.set_visible(False)
            drawn.text(1.34 / 11.2, (bottom + height / 2) / 3.3, _short(name), fontsize=13, ha="right", va="center",
                       parse_math=False)  # fmt: skip
            bar = inches(drawn, 5.1, bottom + 0.2 * height, 0.9, 0.6 * height)
            bar.set(xlim=(0, 1), ylim=(-0.5, 0.5), xticks=[], yticks=[])
            bar.spines[["bottom"]].set_visible(False)
            (patch,) = bar.barh([0], [0.0], height=1.0, color=COLORS[0]).patches
            share = inches(drawn, 6.02, bottom, 0.5, height)
            share.set_axis_off()
            self._rows.append((artist, patch, share.text(0, 0.5, "", fontsize=12, va="center")))
        head = inches(drawn, 0.1, 2.72, 6.3, 0.5)
        head.set_axis_off()
        self._head = head.text(0, 0.5, "", fontsize=13, va="center", parse_math=False)
        self._shown, self._asks = panel(inches(drawn, 6.62, 0.36, 2.2, 2.2), size=12)
        self._lit, self._says = panel(inches(drawn, 8.92, 0.36, 2.2, 2.2), size=12)
        foot = inches(drawn, 6.62, 0.02, 4.5, 0.3)
        foot.set_axis_off()
        self._foot = foot.text(0, 0.5, "", fontsize=12, va="center")
        return drawn

    def draw(self, asked: str, change: str, count: int, network: str | None = None) -> None:
        """Learn from the first pictures of each class, once for each setting; judge what is asked and what is new."""
        if len(self.classes) < 2:
            there = f"one class, {next(iter(self.classes))}," if self.classes else "no class"
            raise ValueError(
                f"There is {there} yet: write a name, open its pictures, and do so for two classes at least."
            )
        network = next(iter(self.networks)) if network is None else network
        rows, _, taught = self._learned(network, count)
        image = CHANGES[change](self.asked[asked][None])
        own, maps = self._once(("asked", network, asked, change), lambda: self._seen(network, image))
        chances = taught.chances(own)[0]
        said = int(chances.argmax())
        self._strips(count)
        for i, ((_, patch, share), chance) in enumerate(zip(self._rows, chances, strict=True)):
            patch.set_width(float(chance))
            patch.set_color(COLORS[0] if i == said else COLORS[5])
            share.set_text(f"{chance:.0%}")
        evidence = taught.maps(maps)[0]
        rival = np.delete(evidence, said, axis=0).mean(axis=0)
        spot = place(torch.from_numpy(evidence[said] - rival)[None], self.networks[network], image, LAYER)[0]
        picture = as_array(image[0]).transpose(1, 2, 0)
        self._shown.set_data(picture)
        self._lit.set_data(lit(picture, as_array(spot)))
        self._asks.set_text(_short(asked) if change == "as it is" else f"{_short(asked)}, {change}")
        self._says.set_text(f"“{_short(taught.classes[said])}”, {chances[said]:.0%}")
        self._head.set_text(self._score(network, count, change, taught))
        distance = teach.distances(rows, own)[0]
        usual = self._usual(network, count, rows)
        compared = "" if usual is None else f" (new ones: up to {usual:.0f})"
        self._foot.set_text(f"nearest example: {distance:.0f} away{compared}")

    def _strips(self, count: int) -> None:
        """The pictures that are learned from, side by side, as large as a row allows."""
        for (artist, _, _), images in zip(self._rows, self.classes.values(), strict=True):
            small = as_array(nn.functional.adaptive_avg_pool2d(images[: min(count, SHOWN)], (SMALL, SMALL)))
            sheet = np.ones((SMALL, (SMALL + 2) * SHOWN - 2, 3), dtype=np.float32)
            for i, picture in enumerate(small.transpose(0, 2, 3, 1)):
                left = (SMALL + 2) * i
                sheet[:, left : left + SMALL] = picture
            if not np.array_equal(artist.get_array(), sheet):
                artist.set_data(sheet)

    # -- the numbers ---------------------------------------------------------------------------------------------------

    def _once(self, key: tuple[Hashable, ...], compute: Callable[[], Any]) -> Any:
        """What was computed under this key, or compute it."""
        if key not in self._known:
            self._known[key] = compute()
        return self._known[key]

    def _seen(self, network: str, image: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Features (1, 512) of an image, and the maps (1, 512, h, w) of which they are the mean."""
        maps = as_array(hooks.activations(self.networks[network], image, LAYER)[LAYER])
        return maps.mean(axis=(2, 3)), maps

    def _vectors(self, network: str, kind: str, change: str = "as it is") -> dict[str, np.ndarray]:
        """Class → features (n, 512) of its pictures to learn from, or of its new ones."""
        images = self.classes if kind == "classes" else self.tests or {}
        return self._once(
            (kind, network, change),
            lambda: {
                name: features.vectors(self.networks[network], CHANGES[change](own)) for name, own in images.items()
            },
        )

    def _learned(self, network: str, count: int) -> tuple[np.ndarray, np.ndarray, teach.Taught]:
        """Rows, labels, and what was learned from them."""

        def compute() -> tuple[np.ndarray, np.ndarray, teach.Taught]:
            few = [rows[:count] for rows in self._vectors(network, "classes").values()]
            rows, labels = np.concatenate(few), np.repeat(np.arange(len(few)), [len(own) for own in few])
            return rows, labels, teach.learn(rows, labels, list(self.classes))

        return self._once(("taught", network, count), compute)

    def _score(self, network: str, count: int, change: str, taught: teach.Taught) -> str:
        """How many new pictures are right, in words."""
        fewest = min(map(len, self.classes.values()))
        learned = f"learned from {'up to ' if count > fewest else ''}{count} of each"
        if self.tests is not None:
            new = self._vectors(network, "tests", change).values()
            right = sum(int((taught.logits(rows).argmax(1) == k).sum()) for k, rows in enumerate(new))
            total = sum(map(len, new))
            return f"{learned}; {right} of {total} new pictures right (by chance {total / len(self.classes):.0f})"
        rows, labels, _ = self._learned(network, count)
        if min(np.bincount(labels)) < 2:
            return f"{learned}; with one picture of a class, none is left to test on"
        said = self._once(("held out", network, count), lambda: teach.held_out(rows, labels))
        return f"{learned}; held out in turn, {(said == labels).sum()} of {len(labels)} are right"

    def _usual(self, network: str, count: int, rows: np.ndarray) -> float | None:
        """How far new pictures of the classes are from the nearest example, at most; None if there are too few."""
        if self.tests is not None:
            new = np.concatenate(list(self._vectors(network, "tests").values()))
            return float(teach.distances(rows, new).max())
        if count == 1:
            return None
        return max(float(teach.distances(np.delete(rows, i, axis=0), rows[[i]])[0]) for i in range(len(rows)))
