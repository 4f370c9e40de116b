import subprocess

import pytest

from topdb.errors import UserError
from topdb.secrets import check_credential_files, redacted

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
