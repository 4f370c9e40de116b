"""Credentials: where they may stand, and how they are kept out of whatever is written."""

import json
import os
import re
import stat
import subprocess
from base64 import b64decode
from contextlib import suppress
from html import escape
from pathlib import Path
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from topdb.errors import UserError

HIDDEN = "***"

_SECRET_NAME = re.compile(
    r"passwd|password|passphrase|secret|token|access_?key|account_?key|api_?key|credential"
    r"|connection_string",
    re.IGNORECASE,
)
_PLACE = re.compile(r"(path|file)$", re.IGNORECASE)
"""Such a name tells where a secret lies."""
_NO_SECRET = re.compile(r"""["']*(?:$|[$<]|(?:true|false|none|null)\b)""", re.IGNORECASE)
"""A value that is empty, a variable's, a gap to be filled, or a switch."""
_SECRET_VALUE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\b(?:gh[opsur]_|github_pat_|glpat-|hf_|xox[abeprs]-)[\w-]{16}"
    r"|\bAccountKey=[\w+/]"
)
"""What is a secret by its form, whatever it is called."""
_ADDRESS = re.compile(r"[A-Za-z][\w+.-]*://[^\s\"'<>]+")
_LONGEST_USER = 20
"""A user of an HTTP address without a password who has a longer name is a token."""
_USERINFO = re.compile(r"(?<=://)[^\s/?#@]*@")
_ASSIGNED = re.compile(r"([\w.-]+)\s*=\s*(\S+)")
_ENCODED = re.compile(r"[\w+/-]{6,}={0,2}", re.ASCII)
_PROJECT_FILES = (".dvc/config.local", ".env", ".env.local", ".envrc")
_COMMITTED_FILES = (".dvc/config",)
_HOME_FILES = (".mlflow/credentials",)
_SHORTEST = 4
"""Replacing shorter secrets everywhere would tear ordinary words apart."""


def redacted(text: str) -> str:
    """Return a text without the credentials that this process knows.

    These are users and passwords in addresses, and the values of environment variables whose names
    speak of a password, secret, token, key or credential; as they are, escaped as in addresses,
    HTML and JSON, or within something in base64 or hexadecimal digits.
    """
    text = _USERINFO.sub("", text)
    known = _known_secrets()
    escapes = (quote, quote_plus, escape, lambda secret: json.dumps(secret)[1:-1])
    shown = known | {each(secret) for secret in known for each in escapes}
    for secret in sorted(shown, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    hidden = [secret.encode() for secret in known]
    return _ENCODED.sub(lambda found: HIDDEN if _within(found[0], hidden) else found[0], text)


def _within(text: str, secrets: list[bytes]) -> bool:
    """Whether base64 or hexadecimal digits, wherever they begin in a text, stand for a secret."""
    digits = text.rstrip("=").translate(str.maketrans("-_", "+/"))
    decoded = []
    for first in range(4):
        part = digits[first:]
        part = part[:-1] if len(part) % 4 == 1 else part
        decoded.append(b64decode(part + "=" * (-len(part) % 4)))
        with suppress(ValueError):
            decoded.append(bytes.fromhex(digits[first : len(digits) - (len(digits) - first) % 2]))
    return any(secret in each for secret in secrets for each in decoded)


def _known_secrets() -> set[str]:
    found = set()
    for name, value in os.environ.items():
        if _SECRET_NAME.search(name):
            found.add(value)
        if "://" in value:
            found.update(_secrets_of_address(value))
    return {secret for secret in found if len(secret) >= _SHORTEST}


def _secrets_of_address(address: str) -> set[str]:
    try:
        parts = urlsplit(address)
        password = parts.password
    except ValueError:
        return set()
    found = {password, unquote(password)} if password else set()
    if parts.scheme in ("http", "https") and len(parts.username or "") > _LONGEST_USER:
        found.add(str(parts.username))
    query = parse_qsl(parts.query)
    found.update(value for key, value in query if key == "sig" or _SECRET_NAME.search(key))
    return found


def check_credential_files(project: Path, home: Path | None = None) -> None:
    """Make sure that no file with credentials can be read by others, or gets into git.

    Looked at are DVC's configuration, `.env` and its like in the project's folder, and MLflow's
    credentials in the home folder: keys that name a secret, whatever precedes them, and values that
    are one, as an address with a password. A file without credentials may have any mode.

    Raises
    ------
    UserError
        A file holds a credential and is committed, not ignored by git, or open to others.
    """
    for name in _COMMITTED_FILES:
        key = _credential_in(project / name)
        if key:
            raise UserError(
                f"{name} is committed and holds the credential '{key}': remove it there, give it "
                "to DVC by `dvc remote modify --local` or the environment, and renew it."
            )
    for name in _PROJECT_FILES:
        key = _credential_in(project / name)
        if key:
            _require_private(project / name, key)
            _require_ignored(project, name, key)
    for name in _HOME_FILES:
        path = (home or Path.home()) / name
        key = _credential_in(path)
        if key:
            _require_private(path, key)


def _credential_in(path: Path) -> str | None:
    """Return what names the first credential of a file, a key or a line; None without any."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    # UTF-16 is ASCII with zeros between, as far as it matters here.
    lines = content.decode(errors="replace").replace("\0", "").splitlines()
    for number, line in enumerate(lines, start=1):
        assigned = _ASSIGNED.findall(line)
        for key, value in assigned:
            named = _SECRET_NAME.search(key) and not _PLACE.search(key)
            if named and not _NO_SECRET.match(value):
                return str(key)
        addresses = _ADDRESS.findall(line)
        secrets = [secret for each in addresses for secret in _secrets_of_address(each)]
        if _SECRET_VALUE.search(line) or not all(map(_NO_SECRET.match, secrets)):
            return str(assigned[0][0]) if assigned else f"line {number}"
    return None


def _require_private(path: Path, key: str) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise UserError(
            f"{path} holds the credential '{key}' and is open to others (mode {mode:03o}): run "
            f"`chmod 600 {path}`."
        )


def _require_ignored(project: Path, name: str, key: str) -> None:
    if _git(project, "ls-files", "--error-unmatch", name) == 0:
        raise UserError(
            f"{name} holds the credential '{key}' and is tracked by git: run "
            f"`git rm --cached {name}`, ignore it, and renew the credential."
        )
    if _git(project, "check-ignore", "--quiet", name) == 1:
        raise UserError(
            f"{name} holds the credential '{key}' and git does not ignore it: add it to .gitignore."
        )


def _git(project: Path, *command: str) -> int | None:
    """Return git's exit status; None without git."""
    try:
        done = subprocess.run(
            ["git", *command], cwd=project, capture_output=True, check=False, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.returncode
