"""The page of models of one's own: one HTML file, with the queries won and lost."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from topdb.errors import UserError
from topdb.evidence.matching import Scores
from topdb.evidence.own_models import Compared, QueryLine
from topdb.files import write_text
from topdb.metrics import metric
from topdb.reporting.own_models import facts, tables
from topdb.reporting.page.embedding import Shelf, data_block, environment, minus, policy, source
from topdb.reporting.page.lists import Tile
from topdb.reporting.rendering import DASH

EXAMPLES = 8
"""Queries of a kind, each of another person."""
MANY = 3
"""Models that the heading names."""
HEIGHT, QUALITY = 128, 80
"""Pixels of a small image, and of its WebP."""


@dataclass(frozen=True)
class Ranked:
    """A model's list of a query."""

    title: str
    mean: float
    own: float
    runs: int
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Example:
    """A query with each model's list."""

    query: Tile
    person: int
    matches: int
    lists: tuple[Ranked, ...]


def write_models_page(found: Compared, out: Path, images: Path | None = None) -> None:
    """Write the page; with a folder of images it shows them, else their names.

    Of one model the page shows the queries of the highest and of the lowest score.

    Raises
    ------
    UserError
        An image is missing, is none, or lies outside the folder; or ranked lists are broken.
    """
    title = metric(found.quantities[0]).title
    shown = found.matched.models
    names = [each.name for each in found.of(found.quantities[0])[:2]]
    models = [next(each for each in shown if each.name == name) for name in names]
    nearest = [each.model.checkpoints[0].nearest() for each in models]
    shelf = Shelf()
    album = _Album(images, shelf)

    def examples(queries: Sequence[QueryLine]) -> tuple[Example, ...]:
        return tuple(
            _example(found, line, models, nearest, album) for line in _of_different_people(queries)
        )

    if len(models) == 2:
        first, second = names
        won = [each for each in found.queries if each.difference > 0]
        lost = [each for each in reversed(found.queries) if each.difference < 0]
        kinds = [
            (f"Queries that {first} wins", f"{len(won)} queries; those won by most.", won),
            (f"Queries that {second} wins", f"{len(lost)} queries; those lost by most.", lost),
        ]
    else:
        worst = [*reversed(found.queries)]
        kinds = [
            (f"Highest {title}", "One query a person.", [*found.queries]),
            (f"Lowest {title}", "One query a person.", worst),
        ]
    program = source("page.js")
    shown_kinds = [(name, explained, examples(lines)) for name, explained, lines in kinds]
    text = (
        environment()
        .get_template("models.html.jinja")
        .render(
            heading=" and ".join(each.name for each in shown)
            if len(shown) < 4
            else "Models compared",
            sentence=found.sentence,
            policy=policy([program]),
            style=source("page.css", "parts.css"),
            program=program,
            images=data_block(shelf.images()),
            shows_images=images is not None,
            tables=[_slim(*each) for each in tables(found)],
            kinds=shown_kinds,
            quantity=title.removeprefix("m"),
            facts=list(facts(found)),
        )
    )
    write_text(out, text)


def _heading(names: Sequence[str]) -> str:
    *most, last = names
    if len(names) > MANY:
        return f"{len(names)} models compared"
    return f"{', '.join(most)} and {last}" if most else last


@dataclass(frozen=True)
class Slim:
    """A table whose columns all say something; the first names the row, and stays in sight."""

    title: str
    explained: str
    header: tuple[tuple[str, bool], ...]
    """What heads each column, and whether it is one of numbers."""
    rows: tuple[tuple[str, ...], ...]


def _slim(title: str, explained: str, header: list[str], rows: list[list[str]]) -> Slim:
    """Return a table without its columns of dashes, numbers with their wide minus."""
    names = header.index("Model") if "Model" in header else 0
    kept = [names, *(turn for turn in range(len(header)) if turn != names)]
    kept = [turn for turn in kept if any(row[turn] != DASH for row in rows)]
    of_numbers = {turn for turn in kept if turn != names}
    return Slim(
        title=title,
        explained=explained,
        header=tuple((header[turn], turn in of_numbers) for turn in kept),
        rows=tuple(
            tuple(minus(row[turn]) if turn in of_numbers else row[turn] for turn in kept)
            for row in rows
        ),
    )


def _of_different_people(queries: Sequence[QueryLine]) -> Iterator[QueryLine]:
    people: set[int] = set()
    for each in queries:
        if len(people) == EXAMPLES:
            return
        if each.person not in people:
            people.add(each.person)
            yield each


def _example(
    found: Compared,
    line: QueryLine,
    models: Sequence[Scores],
    nearest: Sequence[dict[str, list[tuple[str, bool]]]],
    album: "_Album",
) -> Example:
    lists = []
    for model, kept in zip(models, nearest, strict=True):
        scores = model.by_query[found.quantities[0]][:, line.row]
        own = model.model.checkpoints[0].queries.paths[model.rows[0][line.row]]
        tiles = tuple(
            album.tile(path, rank, right)
            for rank, (path, right) in enumerate(kept.get(own, ()), start=1)
        )
        lists.append(Ranked(model.name, float(scores.mean()), float(scores[0]), len(scores), tiles))
    return Example(album.tile(line.path, 0, None), line.person, line.matches, tuple(lists))


class _Album:
    """Small images from a folder; without one, names alone."""

    def __init__(self, folder: Path | None, shelf: Shelf) -> None:
        if folder is not None and not folder.is_dir():
            raise UserError(
                f"--images names {folder}, which is no folder: name that of the images."
            )
        self._folder = folder
        self._shelf = shelf

    def tile(self, path: str, rank: int, right: bool | None) -> Tile:
        """Return an image that is no higher than a list needs."""
        if self._folder is None:
            return Tile(None, 0, 0, path.rpartition("/")[2], rank, right)
        file = self._folder / path
        if not file.resolve().is_relative_to(self._folder.resolve()):
            raise UserError(f"{path} leads out of {self._folder}: name the images' own folder.")
        try:
            with Image.open(file) as opened:
                image = opened.convert("RGB")
        except FileNotFoundError:
            raise UserError(
                f"{file} does not exist: name the folder that paths are relative to with --images."
            ) from None
        except OSError as error:
            raise UserError(f"{file} is no readable image ({error}): copy it again.") from None
        if image.height > HEIGHT:
            width = max(1, round(image.width * HEIGHT / image.height))
            image = image.resize((width, HEIGHT), Image.Resampling.LANCZOS)
        stream = io.BytesIO()
        image.save(stream, "WEBP", quality=QUALITY)
        number = self._shelf.image(stream.getvalue())
        return Tile(number, image.width, image.height, path, rank, right)
