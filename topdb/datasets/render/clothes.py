"""Drawing what a pedestrian wears on the torso."""

from topdb.datasets.render.brush import SHOULDER, WAIST, Brush
from topdb.datasets.render.people import Person


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
    brush.fill(
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
