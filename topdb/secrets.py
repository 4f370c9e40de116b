"""Credentials: where they may stand, and how they are kept out of whatever is written."""

import os
import re
import stat
import subprocess
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from topdb.errors import UserError

HIDDEN = "***"

_SECRET_NAME = re.compile(
    r"passwd|password|passphrase|secret|token|access_?key|account_?key|api_?key|credential"
    r"|connection_string",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"(?<=://)[^\s/?#@]*@")
_CREDENTIAL_LINE = re.compile(r"^\s*([\w-]+)\s*=\s*\S", re.MULTILINE)
_PROJECT_FILES = (".dvc/config.local", ".env")
_COMMITTED_FILES = (".dvc/config",)
_HOME_FILES = (".mlflow/credentials",)
_SHORTEST = 4
"""Replacing shorter secrets everywhere would tear ordinary words apart."""


def redacted(text: str) -> str:
    """Return a text without the credentials that this process knows.

    These are users and passwords in addresses, and the values of environment variables whose names
    speak of a password, secret, token, key or credential.
    """
    text = _USERINFO.sub("", text)
    for secret in sorted(_known_secrets(), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


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
    found.update(value for key, value in parse_qsl(parts.query) if _SECRET_NAME.search(key))
    return found


def check_credential_files(project: Path, home: Path | None = None) -> None:
    """Make sure that no file with credentials can be read by others, or gets into git.

    Looked at are DVC's configuration and `.env` in the project's folder, and MLflow's credentials
    in the home folder. A file without credentials may have any mode.

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
    """Return the first key of a file that names a credential; None where there is none."""
    try:
        content = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    keys = _CREDENTIAL_LINE.findall(content)
    return next((key for key in keys if _SECRET_NAME.search(key)), None)


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
