"""How large input may be that somebody else wrote, and files read within these bounds.

A bundle of 713 KB may hold 300 million rows, a parameter file of a kilobyte a billion values, and a
server may answer without end. Each bound is far above what the paper's grid needs.
"""

import io
from pathlib import Path

from topdb.errors import UserError

MIB = 1024**2
UNPACKED_BYTES = 2048 * MIB
"""Of an archive, or of one Parquet file in memory; the paper's bundle has about 100 MiB."""
ARCHIVE_FILES = 100_000
"""In an archive; the paper's grid has about a thousand."""
SNAPSHOT_BYTES = 1024 * MIB
"""Of one run's snapshots in memory; the paper's have about 5 MiB."""
TEXT_BYTES = 16 * MIB
"""Of one JSON, CSV or YAML file; a history of 400 epochs has 40 KiB."""
TABLE_ROWS = 5_000_000
"""Of one Parquet file; Market-1501 with its 500,000 distractors has 533,000."""
YAML_VALUES = 500_000
"""In a parameter file whose anchors are followed; the shipped one has about 800."""
DRAWS = 1_000_000
"""Of a bootstrap or a permutation test; the tables take 10,000."""
SEEDS = 1_000
"""Of a profile; no power computation looks further."""
ANSWER_BYTES = 64 * MIB
"""Of one answer of a tracking server; a page of 1,000 runs has about 10 MiB."""


def read_bytes(path: Path, most: int = TEXT_BYTES) -> bytes:
    """Return a file's content; never more of it is read than `most` bytes.

    Raises
    ------
    UserError
        It is larger.
    OSError
        As `Path.read_bytes`.
    """
    with path.open("rb") as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise UserError(
            f"{path} is larger than {most / MIB:g} MiB, and no file of its kind is: it is refused."
        )
    return content


def read_text(path: Path) -> str:
    """Return a text file, UTF-8; errors as `read_bytes`, and UnicodeDecodeError."""
    return read_bytes(path).decode("utf-8")


def lines_of(path: Path) -> io.StringIO:
    """Return a text file as `csv` reads it, held to `TEXT_BYTES`; errors as `read_text`."""
    return io.StringIO(read_text(path), newline="")
