"""Drawing in the body's own measure."""

import math
from dataclasses import dataclass, replace

from PIL import ImageDraw

from topdb.datasets.render.people import Colour

Point = tuple[float, float]

SHOULDER, WAIST, KNEE, ANKLE = 0.185, 0.4, 0.745, 0.95
"""Heights of a body's landmarks, counted down from the crown (0) to the soles (1)."""


@dataclass(frozen=True, slots=True)
class Brush:
    """Draws on a canvas in the body's own measure: y from the crown (0) to the soles (1)."""

    draw: ImageDraw.ImageDraw
    x: float
    """Pixel column of the body's axis at the soles."""
    y: float
    """Pixel row of the crown."""
    unit: float
    """Pixels for the body's height."""
    lean: float
    shade: float = 1.0

    def at(self, point: Point) -> Point:
        """Return a point's pixel."""
        x, y = point
        return self.x + self.unit * (x + self.lean * (1.0 - y)), self.y + self.unit * y

    def fill(self, colour: Colour, *points: Point) -> None:
        """Fill a polygon."""
        self.draw.polygon([self.at(point) for point in points], fill=self.lit(colour))

    def limb(self, colour: Colour, start: Point, end: Point, width: float, narrow: float) -> None:
        """Fill a bar between two points that narrows from one width to another."""
        dx, dy = end[0] - start[0], end[1] - start[1]
        length = math.hypot(dx, dy) or 1.0
        nx, ny = -dy / length, dx / length
        a, b = width / 2, narrow / 2
        self.fill(
            colour,
            (start[0] + nx * a, start[1] + ny * a),
            (start[0] - nx * a, start[1] - ny * a),
            (end[0] - nx * b, end[1] - ny * b),
            (end[0] + nx * b, end[1] + ny * b),
        )

    def oval(self, colour: Colour, centre: Point, rx: float, ry: float) -> None:
        """Fill an ellipse."""
        x, y = self.at(centre)
        dx, dy = rx * self.unit, ry * self.unit
        self.draw.ellipse((x - dx, y - dy, x + dx, y + dy), fill=self.lit(colour))

    def lit(self, colour: Colour) -> Colour:
        """Return a colour as it looks in this brush's light."""
        red, green, blue = colour
        return int(red * self.shade), int(green * self.shade), int(blue * self.shade)

    def darker(self, share: float) -> "Brush":
        """Return a brush for parts that lie in the shade."""
        return replace(self, shade=self.shade * share)
