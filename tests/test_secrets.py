import html
import json
import subprocess
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest

from topdb.errors import UserError
from topdb.secrets import HIDDEN, check_credential_files, redacted

REMOTE = "['remote \"lab\"']\n    url = s3://lab/topdb\n    secret_access_key = hunter2\n"
PLACE = "['remote \"lab\"']\n    url = s3://lab/topdb\n"


@pytest.fixture
def project(tmp_path):
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/.gitignore").write_text("/config.local\n")
    return tmp_path


def write(path, content, mode=0o600):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(mode)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://someone:hunter2@host:5000/x", "http://host:5000/x"),
        ("postgresql://a%40b:c%2Fd@host/db failed", "postgresql://host/db failed"),
        ("http://host/a@b", "http://host/a@b"),
        ("no address: a@b.c", "no address: a@b.c"),
        ("", ""),
    ],
)
def test_users_and_passwords_of_addresses_are_left_out(text, expected):
    assert redacted(text) == expected


@pytest.mark.parametrize(
    "name",
    [
        "MLFLOW_TRACKING_PASSWORD",
        "MLFLOW_TRACKING_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AZURE_STORAGE_CONNECTION_STRING",
        "PGPASSWORD",
        "LAB_API_KEY",
    ],
)
def test_values_of_variables_that_hold_secrets_are_left_out(name, monkeypatch):
    monkeypatch.setenv(name, "hunter2")
    assert redacted("login as hunter2 failed") == "login as *** failed"


@pytest.mark.parametrize("secret", ["hunter2", 's3cr&t/<ü>+"x"'])
def test_values_are_left_out_however_they_are_written(secret, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", secret)
    raw = secret.encode()
    basic = b64encode(b"someone:" + raw).decode()
    for told in (
        *(b64encode(b"x" * n + raw).decode() for n in range(4)),
        *(urlsafe_b64encode(b"??>" + raw + b"y" * n).decode() for n in range(4)),
        f"Basic_{basic}",
        b64encode(raw + b"yy").decode().rstrip("="),
        raw.hex(),
        f"a{raw.hex().upper()}f",
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        html.escape(secret),
        json.dumps(secret)[1:-1],
    ):
        found = redacted(f"500 no: {told} (login)")
        assert found.startswith("500 no: ")
        assert found.endswith(" (login)")
        assert told.strip("=") not in found
        assert HIDDEN in found


def test_what_stands_for_no_secret_stays(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2")
    text = "Internal-Server-Error deadbeefdeadbeef aGVsbG8gd29ybGQ= results/mini/market1501/x_y"
    assert redacted(text) == text


def test_the_parts_of_an_address_in_the_environment_are_left_out_alone_too(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:se%2Fcret@host/db?sslpassword=other")
    assert redacted("bad se/cret, se%2Fcret, other") == "bad ***, ***, ***"


def test_an_address_that_is_none_hides_nothing_and_breaks_nothing(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://[broken")
    assert redacted("text") == "text"


def test_private_and_ignored_credentials_are_fine(project):
    write(project / ".dvc/config.local", REMOTE)
    write(project / "home/.mlflow/credentials", "mlflow_tracking_password = x\n")
    check_credential_files(project, project / "home")


def test_a_file_without_credentials_may_be_open(project):
    write(project / ".dvc/config", PLACE, 0o644)
    write(project / ".dvc/config.local", PLACE, 0o644)
    check_credential_files(project, project)


SECRETS = {
    ".dvc/config": [
        "    url = https://someone:hunter2@host/x",
        "    url = ssh://someone:hunter2@host:22/x",
        "    url = https://glpat-hunter2hunter2hunter2@host/x",
        "    url = azure://box/x\n    connection = AccountKey=hunter2==",
        "    url = https://host/x?sig=hunter2",
        "; password = hunter2",
    ],
    ".env": [
        "export AWS_SECRET_ACCESS_KEY=hunter2",
        "  export  AWS_SECRET_ACCESS_KEY='hunter2'",
        "set -a; AWS_SECRET_ACCESS_KEY=hunter2 make",
        "#AWS_SECRET_ACCESS_KEY=hunter2",
        "MLFLOW_TRACKING_URI=postgresql://me:hunter2@host/db",
        "postgresql://me:hunter2@host/db",
        "GITHUB=ghp_hunter2hunter2hunter2hunter2",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "export AWS_SECRET_ACCESS_KEY=hunter2".encode("utf-16").decode("latin-1"),
    ],
}


@pytest.mark.parametrize(
    ("name", "content"), [(name, each) for name, lines in SECRETS.items() for each in lines]
)
def test_credentials_are_seen_in_values_and_behind_other_words(project, name, content):
    write(project / name, "", 0o644)
    (project / name).write_bytes(f"{content}\n".encode("latin-1"))
    with pytest.raises(UserError, match=rf"{name} (is committed and )?holds the cred") as said:
        check_credential_files(project, project)
    assert "hunter2" not in str(said.value)


@pytest.mark.parametrize(
    "content",
    [
        "url = ssh://someone@host/x",
        "url = https://host/a@b:c",
        "ask_password = true",
        "credentialpath = ~/.aws/credentials",
        "export AWS_SECRET_ACCESS_KEY=$OTHER",
        "#MLFLOW_TRACKING_PASSWORD=<yours>",
        "MLFLOW_TRACKING_PASSWORD=",
        'MLFLOW_TRACKING_PASSWORD=""',
        "MLFLOW_TRACKING_URI=https://me:${PASSWORD}@host",
        "# tokens are given by the environment",
    ],
)
def test_what_only_speaks_of_credentials_is_fine(project, content):
    write(project / ".dvc/config", content, 0o644)
    write(project / ".env", content, 0o644)
    check_credential_files(project, project)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_credentials_that_others_can_read_are_refused(project, mode):
    write(project / ".dvc/config.local", REMOTE, mode)
    with pytest.raises(UserError, match=rf"'secret_access_key' .*mode {mode:o}.*chmod 600") as said:
        check_credential_files(project, project)
    assert "hunter2" not in str(said.value)


def test_open_credentials_of_mlflow_are_refused(project):
    write(project / "home/.mlflow/credentials", "mlflow_tracking_password = x\n", 0o644)
    with pytest.raises(UserError, match="chmod 600"):
        check_credential_files(project, project / "home")


def test_credentials_that_git_does_not_ignore_are_refused(project):
    write(project / ".env", "AWS_SECRET_ACCESS_KEY=hunter2\n")
    with pytest.raises(UserError, match=r"git does not ignore it: add it to .gitignore"):
        check_credential_files(project, project)


def test_credentials_that_git_tracks_are_refused(project):
    write(project / ".dvc/config.local", REMOTE)
    subprocess.run(["git", "add", "--force", ".dvc/config.local"], cwd=project, check=True)
    with pytest.raises(UserError, match="tracked by git"):
        check_credential_files(project, project)


def test_credentials_in_the_committed_configuration_are_refused(project):
    write(project / ".dvc/config", REMOTE)
    with pytest.raises(UserError, match=r"\.dvc/config is committed .* renew it"):
        check_credential_files(project, project)


def test_outside_of_git_the_mode_alone_counts(tmp_path):
    write(tmp_path / ".dvc/config.local", REMOTE)
    check_credential_files(tmp_path, tmp_path)
