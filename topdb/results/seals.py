"""A file's digest of itself, by which a reader notices that a byte of it changed.

It is the SHA-256 of the whole file with zeros in the place of its own 64 digits, and stands between
two marks: in JSON under the last key, `digest`, in Parquet under that name in its metadata. One
mark without the other is damage. Files of before there were digests have neither.
"""

import hashlib
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topdb.errors import UserError
from topdb.files import json_bytes, parsed_json, replacing
from topdb.limits import UNPACKED_BYTES, read_bytes

if TYPE_CHECKING:
    import pyarrow as pa

KEY = "digest"
_MARK, _END = b"topdb-seal:", b":topdb-seal"
_WHOLE = re.compile(_MARK + rb"([0-9a-f]{64})" + _END)
_ZEROS = b"0" * 64
_BLANK = _MARK + _ZEROS + _END


def sealed(content: bytes) -> bytes:
    """Return a file's bytes, which hold a blank place for the digest, with the digest in it."""
    before, _, after = content.rpartition(_BLANK)
    return before + _MARK + hashlib.sha256(content).hexdigest().encode() + _END + after


def is_sealed(path: Path, content: bytes, remedy: str) -> bool:
    """Return whether a file's bytes state a digest.

    Raises
    ------
    UserError
        It is not theirs; the sentence ends with `remedy`.
    """
    found = [match.span(1) for match in _WHOLE.finditer(content)]
    if not found and _MARK not in content and _END not in content:
        return False
    if found:
        start, end = found[-1]  # a text in the file may look like one
        blank = content[:start] + _ZEROS + content[end:]
        if hashlib.sha256(blank).hexdigest().encode() == content[start:end]:
            return True
    raise UserError(f"{path} was changed after it was written: {remedy}")


def require_stated(path: Path, found: str, expected: str | None, where: str, remedy: str) -> None:
    """Raise a UserError where a file's SHA-256 is not the one that another file states, if any."""
    if expected is not None and found != expected:
        raise UserError(f"{path} is not the file that {where} states the digest of: {remedy}")


def write_sealed_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON with its digest, atomically; NaN is refused, since JSON has none."""
    whole = {key: value for key, value in content.items() if key != KEY} | {KEY: _BLANK.decode()}
    text = json.dumps(whole, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    with replacing(path) as partial:
        partial.write_bytes(sealed(text.encode()))


def read_sealed_json(path: Path, since: str | None, remedy: str) -> dict[str, Any]:
    """Return a JSON object without its digest; `since` is a key that comes with one, if any does.

    Raises
    ------
    UserError
        The file is missing, is no JSON object, was changed, or lacks the digest.
    """
    content = json_bytes(path)
    stated = is_sealed(path, content, remedy)
    found = parsed_json(path, content)
    if since in found and not stated:
        raise UserError(f"{path} lacks its digest, so that it was changed: {remedy}")
    found.pop(KEY, None)
    return found


def write_sealed_table(path: Path, table: "pa.Table", **options: Any) -> None:
    """Write a table as Parquet with its digest, atomically; equal tables give equal bytes."""
    # pyarrow costs more to import than all the rest, and readers of JSON need not wait for it.
    import pyarrow as pa
    import pyarrow.parquet as pq

    metadata = {**(table.schema.metadata or {}), KEY: _BLANK.decode()}
    stream = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(metadata), stream, **options)
    with replacing(path) as partial:
        partial.write_bytes(sealed(stream.getvalue().to_pybytes()))


def read_sealed_table(path: Path, remedy: str) -> "tuple[pa.Table, str]":
    """Return a table of Parquet and the file's SHA-256.

    Raises
    ------
    UserError
        The file was changed.
    pyarrow.ArrowException, OSError
        It is missing, or cannot be read as Parquet.
    """
    from topdb.parquet import read_table

    content = read_bytes(path, UNPACKED_BYTES)
    is_sealed(path, content, remedy)
    return read_table(io.BytesIO(content), path=path), hashlib.sha256(content).hexdigest()
