"""Ten kinds of garments, drawn: what the offline stand-in for FashionMNIST is made of.

Each garment is a handful of polygons, ellipses and lines whose measures are drawn at random within bounds that keep it
what it is: sleeve length, hem, heel, neckline, buttons. Coordinates are those of the finished 28×28 picture, x to the
right, y down, with (14, 14) in the middle; drawing happens four times larger so that edges come out gray. Shoes
point left, as in the real set.
"""

from collections.abc import Callable, Iterable

import numpy as np
from PIL import Image, ImageDraw

FINE = 4  # pixels drawn per pixel kept, each way
Point = tuple[float, float]


class Pen:
    """Draws one garment in shades from 0 (background) to 1, at random: ``pen(a, b)`` is between the two."""

    def __init__(self, rng: np.random.Generator) -> None:
        # Random numbers are drawn in one go: asking the generator for each separately took longer than drawing.
        self.draws = iter(rng.random(64).tolist())
        self.image = Image.new("L", (28 * FINE, 28 * FINE))
        self.draw = ImageDraw.Draw(self.image)
        self.base = self(0.4, 0.98)  # the shade of the cloth
        # How plainly seams and buttons show: on some garments so little that a shirt is hard to tell.
        self.detail = self(0.45, 1)
        # How the garment lies: wider or narrower, a little aside, a little turned.
        self.wide, self.tall, self.turn = self(0.8, 1.1), self(0.88, 1.03), self(-0.09, 0.09)
        self.aside, self.down = self(-1.3, 1.3), self(-0.8, 0.8)

    def __call__(self, low: float, high: float) -> float:
        """Draw a random number between the two."""
        return low + (high - low) * next(self.draws)

    def often(self, share: float) -> bool:
        """Decide yes in this share of all cases."""
        return next(self.draws) < share

    def ink(self, shade: float) -> int:
        """Turn a shade, given as a multiple of the cloth's, into a gray level; 0 is the background."""
        return min(255, max(1, round(255 * self.base * (1 + self.detail * (shade - 1))))) if shade else 0

    def place(self, x: float, y: float) -> Point:
        """Turn a place in the finished picture into one on the large canvas, as this garment lies."""
        x, y = self.wide * (x - 14), self.tall * (y - 14)
        return FINE * (14 + self.aside + x - self.turn * y), FINE * (14 + self.down + y + self.turn * x)

    def area(self, points: Iterable[Point], shade: float = 1.0) -> None:
        """Fill a polygon."""
        self.draw.polygon([self.place(x, y) for x, y in points], fill=self.ink(shade))

    def both(self, points: list[Point], shade: float = 1.0) -> None:
        """Fill a polygon given by its distance from the middle line, and its mirror image."""
        self.area([(14 + x, y) for x, y in points], shade)
        self.area([(14 - x, y) for x, y in points], shade)

    def line(self, points: Iterable[Point], width: float, shade: float = 1.0) -> None:
        """Draw a bent line."""
        places = [self.place(x, y) for x, y in points]
        self.draw.line(places, fill=self.ink(shade), width=max(1, round(width * FINE)), joint="curve")

    def mirrored(self, points: list[Point], width: float, shade: float = 1.0) -> None:
        """Draw a line given by its distance from the middle, and its mirror image."""
        self.line([(14 + x, y) for x, y in points], width, shade)
        self.line([(14 - x, y) for x, y in points], width, shade)

    def oval(self, x: float, y: float, rx: float, ry: float, shade: float = 1.0) -> None:
        """Fill an ellipse with the middle (x, y) and the radii rx and ry."""
        (x, y), rx, ry = self.place(x, y), rx * self.wide * FINE, ry * self.tall * FINE
        self.draw.ellipse((x - rx, y - ry, x + rx, y + ry), fill=self.ink(shade))


def _top(pen: Pen, sleeve: float, hem: float, flare: float = 0.0, neck: float = 2.6) -> tuple[float, float]:
    """Draw a body with two sleeves (sleeve 1 reaches the wrist); return the height of the neck, half the width."""
    top, half = pen(2.5, 4), pen(5.4, 6.8)
    shoulder, arm = half + pen(0.3, 1), pen(2.7, 3.4)
    reach = 3.5 + sleeve * (hem - top - 5)
    out = shoulder + 2.2 + 2.4 * min(1, 3 * sleeve) - 1.3 * sleeve  # short sleeves stand off, long ones hang
    inner = max(half + 0.5, out - arm)
    body = [(0, top + 0.3), (neck, top), (shoulder, top + 1.3), (half, top + 8), (half - 0.3 + flare, hem), (0, hem)]
    sleeves = [(shoulder - 1.2, top + 0.8), (shoulder + 0.8, top + 1.7), (out, top + reach)]
    sleeves += [(inner, top + reach + 0.9), (half, top + 6.5)]
    pen.both(sleeves, pen(0.82, 0.95))
    pen.both(body)
    pen.mirrored([(half - 0.1, top + 4), (half - 0.1, min(hem, top + 4 + reach))], 0.35, 0.6)  # shade under the arm
    return top, half


def tshirt(pen: Pen) -> None:
    """Short sleeves, an open neck, nothing down the front, at most a print."""
    hem = pen(23, 26)
    neck = pen(2.4, 3.6)
    top, half = _top(pen, pen(0.05, 0.22), hem, pen(-0.3, 0.6), neck)
    deep = pen(1.6, 3.8)
    pen.oval(14, top, neck + 0.6, deep + 0.8, 0.75)
    pen.oval(14, top - 0.1, neck, deep, 0)
    pen.area([(9, -4), (19, -4), (19, top), (9, top)], 0)
    if pen.often(0.3):
        pen.oval(14, top + 9, pen(1.5, half - 2.5), pen(1.2, 3), pen(0.35, 0.7))


def trouser(pen: Pen) -> None:
    """Two legs from one waistband."""
    top, hem, waist = pen(1, 2.5), pen(25, 27.5), pen(3.4, 4.6)
    hip, foot, crotch = waist + pen(0.2, 1), pen(1.8, 3.2), pen(8, 11)
    spread = pen(0.6, 1.6)
    pen.both([(0, top), (waist, top), (hip, crotch), (spread + foot, hem), (spread, hem), (0, crotch)])
    pen.line([(14, top + 1), (14, crotch)], 0.4, 0.65)
    pen.area([(14 - waist, top), (14 + waist, top), (14 + waist, top + 1), (14 - waist, top + 1)], pen(0.6, 0.85))
    if pen.often(0.5):
        pen.mirrored([(spread + foot / 2, crotch + 1), (spread + foot / 2, hem)], 0.4, pen(1.08, 1.2))


def pullover(pen: Pen) -> None:
    """Long sleeves, a small round neck, ribbed cuffs and hem."""
    hem = pen(22.5, 25)
    top, half = _top(pen, pen(0.9, 1), hem)
    rib = pen(0.62, 0.8)
    pen.area([(14 - half, hem - 1.5), (14 + half, hem - 1.5), (14 + half - 0.4, hem), (14 - half + 0.4, hem)], rib)
    neck = pen(2, 2.8)
    pen.oval(14, top + 0.2, neck + 0.7, 1.9, rib)
    pen.oval(14, top - 0.3, neck, 1.1, 0)
    pen.area([(9, -4), (19, -4), (19, top - 0.4), (9, top - 0.4)], 0)
    if pen.often(0.25):
        pen.area([(14 - half, 10), (14 + half, 10), (14 + half, pen(12, 15)), (14 - half, pen(12, 15))], pen(0.5, 0.75))


def dress(pen: Pen) -> None:
    """Slim above, a waist, a skirt that widens to the lower edge; straps or very short sleeves."""
    top, hem = pen(1, 2.5), pen(25.5, 27.5)
    chest, waist, skirt = pen(3, 4), pen(2.4, 3.2), pen(4, 7.5)
    middle = pen(10, 13)
    pen.both([(1.6, top), (chest, top + 3), (chest, top + 5), (waist, middle), (skirt, hem), (0, hem), (0, top + 4)])
    if pen.often(0.45):
        pen.both([(1.6, top), (chest + pen(1, 2.6), top + pen(3, 5)), (chest, top + 5.5)], 0.9)
    pen.oval(14, top, 1.7, pen(2, 4), 0)
    if pen.often(0.6):
        pen.line([(14 - waist, middle), (14 + waist, middle)], pen(0.6, 1.2), pen(0.4, 0.7))
    for fold in (-0.5, 0.1, 0.6):
        pen.line([(14 + fold * waist, middle + 1), (14 + fold * skirt, hem)], 0.4, pen(0.7, 0.9))


def coat(pen: Pen) -> None:
    """Long in sleeve and body, open in front: lapels, a seam from top to bottom, pockets."""
    hem = pen(25.3, 27.5)
    top, half = _top(pen, pen(0.8, 0.98), hem, pen(0.2, 1.2))
    depth = pen(6, 9)
    pen.both([(0, top + depth), (0.2, top), (2.6, top - 0.2), (3.6, top + 4)], 0.6)
    pen.area([(14 - 1.5, top - 0.2), (14 + 1.5, top - 0.2), (14, top + depth - 1)], 0.3)
    pen.line([(14, top + depth - 1), (14, hem)], pen(0.7, 1.2), 0.3)
    for y in (top + depth + 2, top + depth + 6):
        pen.oval(14 + 1.4, y, 0.45, 0.45, 0.3)
    if pen.often(0.7):
        pen.mirrored([(half - 3.2, hem - 7), (half - 0.8, hem - 7.4)], 0.6, 0.5)
    if pen.often(0.3):
        pen.area([(14 - half, 14.5), (14 + half, 14.5), (14 + half, 16), (14 - half, 16)], 0.5)


def sandal(pen: Pen) -> None:
    """A sole on a flat, wedge or pin heel, a strap over the toes, one around the ankle, and air between them."""
    heel = pen(2, 9) if pen.often(0.6) else pen(0, 1)
    floor, thick, toe = pen(19.5, 20.5) + 0.4 * heel, pen(1, 2.2), pen(1, 2.5)

    def on(x: float, rise: float = 0) -> Point:
        """Return the place so far above the sole, which is flat to the ball of the foot and climbs to the heel."""
        climb = min(1, max(0, (x - 9) / 13))
        return x, floor - heel * climb * climb * (3 - 2 * climb) - rise

    xs = np.linspace(toe, 26, 12).tolist()
    under = [on(x, -thick) for x in reversed(xs)]
    if heel > 2.5 and pen.often(0.5):
        under = [(25.5, floor + thick), (toe + 1, floor + thick)]
    elif heel > 2.5:
        pen.area([on(23), on(26), (25.4, floor + thick), (24.2, floor + thick)], 0.85)
    pen.area([*(on(x) for x in xs), *under], pen(0.6, 1))
    band, ankle, front = pen(6.5, 9.5), pen(4.5, 7), pen(16, 19)
    pen.area(
        [on(toe + 1.2), on(toe + 2, 2.2), on(band - 2, pen(3.2, 4.4)), on(band + 1, 3.6), on(band)], pen(0.85, 1.1)
    )
    if pen.often(0.35):  # open toes: two narrow straps in place of the broad one
        pen.area([on(toe + 2.6), on(toe + 3.2, 2), on(band - 1.8, 2.8), on(band - 2)], 0)
    if pen.often(0.5):
        pen.line([on(band, 3.2), on(front, ankle)], pen(0.8, 1.4))
    if pen.often(0.4):
        pen.line([on(12), on(front, ankle)], pen(0.8, 1.4), 0.9)
    pen.line([on(25), on(24.6, ankle + 0.6), on(front, ankle), on(front + 1.5, 0)], pen(0.9, 1.7), 0.95)
    if pen.often(0.5):
        pen.area([on(22), on(25.8), on(25.2, 3.2)], 0.9)


def shirt(pen: Pen) -> None:
    """A pointed collar and a row of buttons; sleeves of any length, a curved hem."""
    hem = pen(23.5, 26)
    long = pen.often(0.7)
    top, half = _top(pen, pen(0.88, 1) if long else pen(0.1, 0.25), hem, pen(-0.4, 0.4))
    pen.both([(half, hem + 0.3), (half, hem - 1.6), (half - 2.5, hem + 0.3)], 0)
    pen.line([(14, top + 1), (14, hem)], 1.5, 1.12)
    pen.line([(14.8, top + 2), (14.8, hem)], 0.35, 0.5)
    for y in np.linspace(top + 4, hem - 2, 5):
        pen.oval(14, y, 0.55, 0.55, 0.15)
    if pen.often(0.75):
        pen.area([(14 - 1.6, top - 0.6), (14 + 1.6, top - 0.6), (14, top + 2.6)], 0.15)
        pen.both([(0.2, top + 2.4), (1.2, top - 1), (3.4, top - 0.4), (3.2, top + 3.2)], 1.25)
        pen.mirrored([(0.2, top + 2.6), (3.2, top + 3.3)], 0.4, 0.4)
    else:
        pen.oval(14, top, 2.4, pen(1, 2.4), 0)
    if pen.often(0.5):
        pen.area([(16.4, top + 7), (19, top + 7), (19, top + 9.6), (16.4, top + 9.6)], 0.75)


def sneaker(pen: Pen) -> None:
    """Low and long: a rounded toe, laces, a pale sole of even thickness."""
    floor, tall = pen(20, 21.5), pen(7, 9.5) if pen.often(0.8) else pen(9.5, 13)
    thick, toe = pen(1.4, 2.4), pen(1, 2)
    top = floor - tall
    upper = [(toe, floor), (toe + 0.6, floor - 2.2), (toe + 4, floor - 3.6), (13, top + 2.2), (16.5, top)]
    pen.area([*upper, (20, top + 1.4), (25, top + 0.4), (26.5, floor - 3), (26.6, floor)])
    pen.oval(toe + 3.2, floor - 1, 3, 2.2, pen(0.75, 1.15))
    pen.area([(toe - 0.4, floor), (26.8, floor), (26.6, floor + thick), (toe + 0.6, floor + thick)], pen(1.15, 1.6))
    for step in range(3):
        x = 10 + 2.2 * step
        pen.line([(x, floor - 3.4 - 1.35 * step), (x + 2.2, floor - 2.6 - 1.1 * step)], 0.6, pen(0.25, 0.5))
    if pen.often(0.6):
        shade = pen(0.3, 1.5)
        pen.line([(16, floor - 0.6), (19.5, top + 3)], 0.9, shade)
        pen.line([(18.4, floor - 0.6), (21.9, top + 3)], 0.9, shade)


def bag(pen: Pen) -> None:
    """A box with a handle; a flap and a clasp, or a zip."""
    top, floor, wide = pen(9, 13), pen(23, 26), pen(8.5, 12.5)
    narrow, rise, grip = wide - pen(-0.5, 2.5), pen(4, 8), pen(3, 7)
    shade = pen(0.6, 1.1)
    pen.oval(14, top + 0.5, grip, rise, shade)
    pen.oval(14, top + 0.8, grip - pen(0.8, 1.5), rise - 1, 0)
    pen.both([(0, top), (narrow, top), (wide, top + 2), (wide, floor - 1.5), (wide - 1.5, floor), (0, floor)])
    if pen.often(0.6):
        low = top + pen(4, 8)
        pen.both([(0, top), (narrow, top), (narrow - 0.8, low - 1), (0, low)], pen(0.7, 0.85))
        pen.oval(14, low, 1, 0.9, pen(1.2, 1.6))
    else:
        pen.line([(14 - narrow + 1, top + 1.5), (14 + narrow - 1, top + 1.5)], 0.6, 0.45)


def boot(pen: Pen) -> None:
    """A shaft above the ankle, a heel, the toe to the left."""
    floor, top, front = pen(23, 26), pen(2, 8), pen(12.5, 15)
    heel, thick, toe = pen(0.6, 5.5), pen(0.8, 1.5), pen(1, 3)
    shaft = [(25, top + pen(-0.6, 0.8)), (24.6, floor - 9), (25.6, floor - heel)]
    foot = [(17, floor - 0.6 * heel), (13, floor), (toe, floor - 0.6), (toe + 0.5, floor - 3), (toe + 5, floor - 5.2)]
    pen.area([*shaft, *foot, (front, floor - 9), (front - 0.4, top)])
    pen.area([(25.6, floor - heel), (25, floor + thick), (20.5, floor + thick), (19.5, floor - 0.6 * heel)], 0.55)
    pen.area([(toe, floor - 0.8), (13.5, floor - 0.4), (13.5, floor + thick), (toe, floor + thick)], 0.55)
    if pen.often(0.5):
        for y in np.arange(top + 2, floor - 8, 2.2):
            pen.line([(front, y), (front + 3, y - 0.7)], 0.6, pen(0.3, 0.6))
    else:
        pen.area([(18, top + 1.5), (21, top + 1.5), (20.5, floor - 10), (18.5, floor - 10)], pen(0.6, 0.8))


KINDS: tuple[Callable[[Pen], None], ...] = (
    *(tshirt, trouser, pullover, dress, coat),
    *(sandal, shirt, sneaker, bag, boot),
)


def plain(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one garment per label, of cloth without pattern: labels (N,) from 0 to 9 → float32 (N, 28, 28), 0 to 255."""
    pictures = np.empty((len(labels), 28, 28), np.float32)
    for picture, label in zip(pictures, labels, strict=True):
        pen = Pen(rng)
        KINDS[label](pen)
        picture[:] = np.asarray(pen.image.reduce(FINE))
    return pictures
