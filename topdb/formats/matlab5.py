"""MATLAB's files of version 5 to 7.2, which `scipy.io.savemat` writes, too.

Numbers, texts and cells of them are read; the rest is passed over. scipy's own reader is not used
here: damaged bytes can end its process. The format is described in MathWorks' "MAT-File Format".
"""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from topdb.formats._start import check_unfolded

NAME = "matlab5"
TITLE = "a MATLAB 5 file (.mat)"

_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8"} | {
    12: "i8",
    13: "u8",
}
"""How numbers are stored, by the type of an element."""
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MATRIX, _COMPRESSED = 14, 15
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4"} | {
    14: "i8",
    15: "u8",
}
"""What the numbers of a matrix are, by its class; small ones are stored in fewer bytes."""
_CELL, _CHAR = 1, 4
_COMPLEX, _LOGICAL = 0x800, 0x200


def recognises(path: Path, start: bytes) -> bool:
    """Version 1.0 and the mark of the byte order, 124 bytes in."""
    return start[124:128] in (b"\x00\x01IM", b"\x01\x00MI")


def read(path: Path, wanted: Callable[[str], bool]) -> dict[str, Any]:
    """Read the numbers, texts and cells that are wanted.

    Raises
    ------
    UserError
        The file claims to hold far more than its size allows.
    ValueError, zlib.error
        It is damaged.
    """
    found: dict[str, Any] = {}
    with path.open("rb") as stream:
        order = "<" if stream.read(128)[126:128] == b"IM" else ">"
        while tag := stream.read(8):
            kind, length = np.frombuffer(tag, f"{order}u4").tolist()
            if kind == _COMPRESSED:
                content = memoryview(_unpack(path, stream, length))
                kind, length = np.frombuffer(content[:8], f"{order}u4").tolist()
                content = content[8 : 8 + length]
            else:
                content = memoryview(_exactly(stream, length))
            if kind != _MATRIX:
                raise ValueError(f"an element of type {kind} where a variable should stand")
            name, value = _Elements(content, order).variable(wanted)
            found[name] = value
    return found


def _exactly(stream: IO[bytes], length: int) -> bytes:
    """Read so many bytes, in steps: what a damaged file claims is not believed."""
    parts = []
    while length > 0:
        parts.append(stream.read(min(length, 2**24)))
        if not parts[-1]:
            raise ValueError(f"{length} more bytes announced than are there")
        length -= len(parts[-1])
    return b"".join(parts)


def _unpack(path: Path, stream: IO[bytes], length: int) -> bytearray:
    unpacker, found = zlib.decompressobj(), bytearray()
    while length > 0:
        block = stream.read(min(length, 2**16))
        if not block:
            raise ValueError(f"{length} more bytes announced than are there")
        length -= len(block)
        while block:
            found += unpacker.decompress(block, 2**22)
            block = unpacker.unconsumed_tail
            check_unfolded(path, [len(found)])
    return found


@dataclass
class _Elements:
    """The elements of a matrix, one after another."""

    content: memoryview
    order: str
    at: int = 0

    def next(self) -> tuple[int, memoryview]:
        """Return type and content; small elements have both in eight bytes."""
        tag = self.content[self.at : self.at + 8]
        if len(tag) < 8:
            raise ValueError("cut short within a variable")
        kind, length = np.frombuffer(tag, f"{self.order}u4").tolist()
        if kind >> 16:
            kind, length = kind & 0xFFFF, kind >> 16
            start, step = self.at + 4, 8
        else:
            start, step = self.at + 8, 8 + length + (-length % 8)
        found = self.content[start : start + length]
        if len(found) < length or (step == 8 and length > 4):
            raise ValueError(f"{length} bytes announced and {len(found)} there")
        self.at += step
        return kind, found

    def numbers(self) -> NDArray[Any]:
        kind, content = self.next()
        if kind not in _NUMBERS:
            raise ValueError(f"an element of type {kind} where numbers should stand")
        return np.frombuffer(content, np.dtype(self.order + _NUMBERS[kind]))

    def variable(self, wanted: Callable[[str], bool]) -> tuple[str, Any]:
        """Return its name and its value; None where it is not wanted, or of another class."""
        flags = self.numbers()
        if flags.size < 1 or flags.dtype.kind != "u":
            raise ValueError("a variable without flags")
        shape = tuple(self.numbers().tolist())
        name = bytes(self.next()[1]).decode("ascii", "replace")
        kind, marks = int(flags[0]) & 0xFF, int(flags[0])
        if not wanted(name) or kind not in (_CELL, _CHAR, *_CLASSES):
            return name, None
        if len(shape) < 2 or min(shape) < 0:
            raise ValueError(f"a shape of {shape}")
        if kind == _CELL:
            return name, self._cells(math.prod(shape))
        if kind == _CHAR:
            return name, self._texts(shape)
        if marks & _COMPLEX:
            raise ValueError(f"{name} holds complex numbers")
        values = self.numbers()
        if marks & _LOGICAL:
            return name, values.reshape(shape, order="F").astype(bool)
        # Whole numbers that fit are stored in fewer bytes than their class has.
        return name, values.astype(_CLASSES[kind], copy=False).reshape(shape, order="F")

    def _cells(self, count: int) -> list[Any]:
        found: list[Any] = []
        for _ in range(count):
            kind, content = self.next()
            if kind != _MATRIX:
                raise ValueError(f"an element of type {kind} in a cell")
            inner = _Elements(content, self.order)
            flags = inner.numbers()
            if flags.size and int(flags[0]) & 0xFF == _CELL:
                raise ValueError("a cell in a cell")
            _, value = _Elements(content, self.order).variable(lambda _: True)
            if value is None:
                raise ValueError("a cell that holds neither a text nor numbers")
            found.append(value[0] if isinstance(value, list) and len(value) == 1 else value)
        return found

    def _texts(self, shape: tuple[int, ...]) -> list[str]:
        """Return the rows of a matrix of letters; they are stored column by column."""
        kind, content = self.next()
        if kind not in _TEXTS:
            raise ValueError(f"an element of type {kind} where a text should stand")
        low = "-le" if self.order == "<" else "-be"
        code = _TEXTS[kind] + (low if _TEXTS[kind] in ("utf-16", "utf-32") else "")
        letters = list(bytes(content).decode(code))
        if len(letters) != math.prod(shape) or not letters:
            raise ValueError(f"{len(letters)} letters for a shape of {shape}")
        return ["".join(letters[row :: shape[0]]) for row in range(shape[0])]
