"""A person drawn: brush, body and clothes."""

import math
from dataclasses import dataclass, replace

from PIL import ImageDraw

from topdb.drawn.people import Colour, Person

Point = tuple[float, float]
Ink = Colour | int

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

    def of(self, name: str, turn: int = 0) -> "Brush":
        """Return a brush for a part of the body; what fills by colour needs no other.

        `turn` is -1 for a limb on the image's left, and 1 for one on its right.
        """
        return self

    def lit(self, colour: Colour) -> Ink:
        """Return a colour as it looks in this brush's light."""
        red, green, blue = colour
        return int(red * self.shade), int(green * self.shade), int(blue * self.shade)

    def darker(self, share: float) -> "Brush":
        """Return a brush for parts that lie in the shade."""
        return replace(self, shade=self.shade * share)


def draw_clothes(brush: Brush, person: Person, breadth: float, front: float, side: float) -> None:
    """Draw top, pattern, logo, belt and skirt; `breadth` is the body's, seen from this angle."""
    shoulder, waist = 0.118 * breadth, 0.098 * breadth
    hem_y = person.hip + person.hem
    hem = 0.1 * breadth * (1.0 + 1.2 * person.hem)
    if person.bottom != "trousers":
        low = 0.64 if person.bottom == "shorts" else 0.7
        wide = hem * (1.0 if person.bottom == "shorts" else 1.28)
        if person.bottom == "skirt":
            brush.fill(
                person.bottom_colour,
                (-waist, person.hip - 0.05),
                (waist, person.hip - 0.05),
                (wide, low),
                (-wide, low),
            )
    brush.of("torso").fill(
        person.top,
        (-0.04, 0.148),
        (0.04, 0.148),
        (shoulder, SHOULDER),
        (waist, WAIST),
        (hem, hem_y),
        (-hem, hem_y),
        (-waist, WAIST),
        (-shoulder, SHOULDER),
    )
    _draw_pattern(brush, person, shoulder, waist, hem, hem_y, front, side)
    if person.logo and abs(front) > 0.25:
        x = 0.03 * side
        half = 0.055 * abs(front)
        brush.fill(
            person.logo, (x - half, 0.235), (x + half, 0.235), (x + half, 0.315), (x - half, 0.315)
        )
    if person.belt:
        y = person.hip - 0.045
        brush.fill(
            person.belt,
            (-waist, y),
            (waist, y),
            (waist * 1.02, y + 0.028),
            (-waist * 1.02, y + 0.028),
        )


def _draw_pattern(
    brush: Brush,
    person: Person,
    shoulder: float,
    waist: float,
    hem: float,
    hem_y: float,
    front: float,
    side: float,
) -> None:
    second = person.top_second

    def half(y: float) -> float:
        if y < WAIST:
            return shoulder + (waist - shoulder) * (y - SHOULDER) / (WAIST - SHOULDER)
        return waist + (hem - waist) * (y - WAIST) / (hem_y - WAIST)

    if person.pattern in ("hoops", "checks"):
        y = SHOULDER + 0.03
        while y + 0.024 < hem_y:
            a, b = half(y), half(y + 0.024)
            brush.fill(second, (-a, y), (a, y), (b, y + 0.024), (-b, y + 0.024))
            y += 0.062
    if person.pattern in ("stripes", "checks"):
        for share in (-0.72, -0.24, 0.24, 0.72):
            top, low = share * shoulder, share * hem
            width = 0.17 * waist
            brush.limb(second, (top, SHOULDER), (low, hem_y), width, width)
    if person.pattern == "yoke":
        a = half(0.275)
        brush.fill(
            second,
            (-0.04, 0.148),
            (0.04, 0.148),
            (shoulder, SHOULDER),
            (a, 0.275),
            (-a, 0.275),
            (-shoulder, SHOULDER),
        )
    if person.pattern == "open" and front > -0.2:
        x = 0.45 * shoulder * side
        brush.fill(
            second, (x - 0.028, 0.15), (x + 0.028, 0.15), (x + 0.036, hem_y), (x - 0.036, hem_y)
        )


@dataclass(frozen=True, slots=True)
class Pose:
    """How a person stands at one moment."""

    view: float
    """Angle in radians: 0 faces the camera, pi turns the back to it, pi/2 walks to the right."""
    phase: float
    """Of the step, in radians."""
    stride: float
    """0 stands, 1 strides."""
    lean: float
    """Sideways shift of the head for each unit of height."""


def draw_figure(brush: Brush, person: Person, pose: Pose) -> None:
    """Draw a person: legs, far arm, torso and what it wears, near arm, head, bag."""
    front, side = math.cos(pose.view), math.sin(pose.view)
    swing = pose.stride * math.sin(pose.phase)
    _draw_bag_behind(brush, person, front, side)
    _draw_legs(brush, person, front, side, swing)
    arms = _arms(person, front, side, swing)
    _draw_arm(brush.darker(0.78), person, -1, *arms[0])
    draw_clothes(brush, person, _breadth(person, front, side), front, side)
    _draw_arm(brush.darker(0.9), person, 1, *arms[1])
    _draw_head(brush, person, front, side)
    _draw_bag_before(brush, person, front, side, arms[1][2])


def _breadth(person: Person, front: float, side: float) -> float:
    """Return how broad the body looks: a body is about 0.6 times as deep as broad."""
    return person.build * math.hypot(front, 0.6 * side)


def _draw_legs(brush: Brush, person: Person, front: float, side: float, swing: float) -> None:
    apart = 0.047 * person.build * abs(front) + 0.006
    reach = 0.15 * abs(side) + 0.02
    facing = math.copysign(1.0, side)
    covered = person.bottom == "trousers"
    thick = 0.078 * (0.7 + 0.3 * person.build)
    for turn, shade in ((-1, 0.8), (1, 1.0)):
        leg = brush.darker(shade)
        hip = (turn * apart, person.hip - 0.01)
        shift = turn * swing * reach * facing
        lift = 0.03 * max(0.0, -turn * swing) + 0.01 * max(0.0, -front * turn * swing)
        knee = (hip[0] + 0.55 * shift + 0.012 * side, KNEE - lift / 2)
        ankle = (hip[0] + shift, ANKLE - lift)
        upper, lower = leg.of("upper leg", turn), leg.of("lower leg", turn)
        upper.limb(person.bottom_colour, hip, knee, thick * 1.1, thick * 0.82)
        shin = person.bottom_colour if covered else person.skin
        lower.limb(shin, knee, ankle, thick * (0.82 if covered else 0.6), thick * 0.55)
        if person.seam and covered:
            edge = turn * thick * 0.34 * abs(front)
            high, middle = (hip[0] + edge, hip[1] + 0.02), (knee[0] + edge * 0.8, knee[1])
            leg.limb(person.seam, high, middle, 0.02, 0.02)
            leg.limb(person.seam, middle, (ankle[0] + edge * 0.6, ankle[1]), 0.02, 0.02)
        _draw_shoe(leg.of("foot", turn), person.shoes, ankle, side, front)


def _draw_shoe(brush: Brush, colour: Colour, ankle: Point, side: float, front: float) -> None:
    x, y = ankle
    toe, heel = 0.058 * side, 0.02 * side
    half = 0.027
    drop = 0.042 + 0.012 * max(front, 0.0)
    brush.fill(
        colour,
        (x - half, y - 0.012),
        (x + half, y - 0.012),
        (x + half + max(toe, -heel), y + drop),
        (x - half + min(toe, -heel), y + drop),
    )


def _arms(
    person: Person, front: float, side: float, swing: float
) -> tuple[tuple[Point, Point, Point], tuple[Point, Point, Point]]:
    """Return shoulder, elbow and hand of the far arm and of the near one."""
    half = 0.118 * person.build * abs(front) + 0.01
    reach = 0.11 * abs(side) + 0.015
    facing = math.copysign(1.0, side)

    def arm(turn: int) -> tuple[Point, Point, Point]:
        shoulder = (turn * half, SHOULDER + 0.015)
        shift = -turn * swing * reach * facing
        out = turn * 0.022 * abs(front)
        elbow = (shoulder[0] + out + 0.5 * shift - 0.01 * side, 0.345)
        hand = (shoulder[0] + out + shift + 0.02 * side, 0.49 - 0.03 * abs(swing * side))
        return shoulder, elbow, hand

    return arm(-1), arm(1)


def _draw_arm(
    brush: Brush, person: Person, turn: int, shoulder: Point, elbow: Point, hand: Point
) -> None:
    thick = 0.056 * (0.7 + 0.3 * person.build)
    sleeve = person.top if person.pattern != "yoke" else person.top_second
    upper = brush.of("upper arm", turn)
    upper.limb(sleeve, shoulder, elbow, thick * 1.15, thick)
    upper.oval(sleeve, shoulder, thick * 0.56, thick * 0.56)
    lower = sleeve if person.long_sleeves else person.skin
    brush.of("lower arm", turn).limb(lower, elbow, hand, thick * 0.95, thick * 0.62)
    brush.of("hand", turn).oval(person.skin, hand, 0.019, 0.022)


def _draw_head(brush: Brush, person: Person, front: float, side: float) -> None:
    rx, ry = 0.047 * person.head, 0.062 * person.head
    centre = (0.012 * side, 0.068)
    brush.fill(person.skin, (-0.024, 0.1), (0.024, 0.1), (0.028, 0.165), (-0.028, 0.165))
    if person.hair_style == "long":
        length = 0.19 if front > 0 else 0.21
        x = -0.016 * side
        half = rx * (1.12 if front > -0.3 else 1.0)
        brush.fill(
            person.hair, (x - half, 0.06), (x + half, 0.06), (x + half, length), (x - half, length)
        )
    brush.of("head").oval(person.skin, centre, rx, ry)
    if person.hair_style == "bun":
        brush.oval(person.hair, (centre[0] - 0.05 * side, 0.035), 0.026, 0.026)
    if person.hair_style != "bald":
        if front < -0.35:
            brush.oval(person.hair, (centre[0], centre[1] - 0.006), rx * 1.04, ry * 1.0)
        else:
            drop = centre[1] - 0.3 * ry
            brush.oval(person.hair, (centre[0] - 0.006 * side, 0.038), rx * 1.08, ry * 0.62)
            back = -0.55 * rx * side
            brush.oval(person.hair, (centre[0] + back, drop + 0.012), rx * 0.62, ry * 0.8)
            brush.oval(person.skin, (centre[0] + 0.3 * rx * side, 0.083), rx * 0.74, ry * 0.66)
    if person.hat:
        brush.oval(person.hat, (centre[0], 0.03), rx * 1.14, ry * 0.62)
        brim = 0.036 * side
        brush.fill(
            person.hat,
            (centre[0] - rx * 1.1 + min(brim, 0), 0.034),
            (centre[0] + rx * 1.1 + max(brim, 0), 0.034),
            (centre[0] + rx * 1.1 + max(brim, 0), 0.052),
            (centre[0] - rx * 1.1 + min(brim, 0), 0.052),
        )
    if person.scarf:
        brush.oval(person.scarf, (0.0, 0.155), 0.058 * person.build, 0.028)
        if front > -0.2:
            brush.limb(person.scarf, (0.02, 0.16), (0.026, 0.29), 0.032, 0.026)


def _draw_bag_behind(brush: Brush, person: Person, front: float, side: float) -> None:
    if person.bag == "backpack" and abs(side) > 0.3 and front > -0.6:
        x = -math.copysign(0.085, side) * person.build * abs(side)
        brush.limb(person.bag_colour, (x, 0.185), (x, 0.4), 0.1, 0.11)


def _draw_bag_before(brush: Brush, person: Person, front: float, side: float, hand: Point) -> None:
    colour, brush = person.bag_colour, brush.of("cover")
    if person.bag == "backpack":
        if front <= -0.35:
            x = -0.035 * side
            brush.limb(colour, (x, 0.18), (x, 0.41), 0.15 * abs(front), 0.165 * abs(front))
            brush.darker(0.7).limb(colour, (x, 0.3), (x, 0.315), 0.15, 0.15)
        else:
            for turn in (-1, 1):
                x = turn * 0.06 * person.build * max(front, 0.15)
                brush.limb(colour, (x, 0.17), (x * 1.15, 0.36), 0.024, 0.02)
    elif person.bag == "shoulder":
        across = 0.1 * person.build * (front if abs(front) > 0.3 else 0.3)
        brush.limb(colour, (-across, 0.19), (across, 0.44), 0.02, 0.02)
        brush.limb(colour, (across * 1.15, 0.42), (across * 1.15, 0.54), 0.115, 0.125)
    elif person.bag == "hand":
        x, y = hand
        brush.limb(colour, (x, y + 0.01), (x, y + 0.05), 0.035, 0.03)
        brush.limb(colour, (x, y + 0.045), (x, y + 0.15), 0.09, 0.115)
