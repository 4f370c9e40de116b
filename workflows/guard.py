"""What stands beside the graph: one workflow at a time, its plan, clocks, and Snakemake's records.

Snakemake decides by its records (parameters and checksums of inputs, a JSON file an output in
`.snakemake/metadata`) whether a result still stands; without them only modification times count,
and those are arbitrary after `git clone`, `dvc pull` or `dvc checkout`. So the records are kept
beside the results, and travel along.
"""

import fcntl
import getpass
import gzip
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import time
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

HANDED_OVER = Path(".snakemake/topdb-plan.json")
METADATA = Path(".snakemake/metadata")
NOTES = Path(".snakemake/topdb-records")
"""Digest of each profile's bundle as this folder last wrote or read it."""
GONE = "topdb: a file was made, and is gone"
"""Stands among the parameters in the record of such a file: they are then not those of its job."""
MARKED = Path(".snakemake/topdb-gone")
"""The outputs whose records have it."""
_BEFORE = {"rendered.json", "index.parquet", "pixels.npy"}
_RUN = ("weights.safetensors", "features.npz", "history.csv", "snapshots.npz", "run.json")
SKEW = 60.0
"""Seconds by which the clocks of machines that share a disk may differ."""


def _say(sentence):
    print(f"topdb: {sentence}", file=sys.stderr)


def require_known(config, known):
    """End where `--config` names something else."""
    for name in sorted({*config} - known):
        _say(f"--config {name}=... is unknown; use {' or '.join(sorted(known, reverse=True))}.")
        sys.exit(2)


def require_place(folder):
    """End where results cannot be written, before anything trains; a link to another disk will do.

    A user whom the system knows by a number alone gets it for a name, since Snakemake asks for one.
    """
    folder = Path(folder)
    if folder.is_symlink() and not folder.is_dir():
        _say(f"{folder} is a link to {folder.readlink()}, which is no folder: mount or make it.")
        sys.exit(2)
    if not os.access(folder if folder.exists() else ".", os.W_OK | os.X_OK):
        _say(
            f"{folder} cannot be written: mend its permissions, or link it to where you may write."
        )
        sys.exit(2)
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["LOGNAME"] = str(os.getuid())


def hold(dryrun):
    """Take the lock of this folder until the process ends; return whether it is held.

    The kernel takes the lock back however its holder ends. Snakemake's own locks outlive a kill:
    whoever holds this one knows that they are stale.
    """
    locks = Path(".snakemake/locks")
    locks.mkdir(parents=True, exist_ok=True)
    lock = os.open(".snakemake/topdb.lock", os.O_WRONLY | os.O_CREAT, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if dryrun:
            return False
        _say("another snakemake works in this folder; wait for it.")
        sys.exit(2)
    for stale in locks.iterdir():
        stale.unlink()
    return True


def planned(main_process, command, profile):
    """Return the plan. A job on a node does what was planned when it was submitted."""
    if HANDED_OVER.exists() and not main_process:
        return json.loads(HANDED_OVER.read_text())
    wanted = ["--profile", profile] if profile else []
    done = subprocess.run([*command, *wanted], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    return json.loads(done.stdout)


def begin(plan, results, folders):
    """Hand the plan over to jobs on nodes, and bring files from the future to the present.

    The seeds that a grid was first planned with are written beside its runs, once.
    """
    HANDED_OVER.write_text(json.dumps(plan))
    first = results / "planned.json"
    if not first.exists():
        results.mkdir(parents=True, exist_ok=True)
        partial = results / f".planned.json.{os.getpid()}.partial"
        partial.write_text(json.dumps({"seeds": plan["planned_seeds"]}) + "\n")
        partial.replace(first)
    late = set_right(map(Path, folders))
    if late:
        _say(f"the clock was set back: {late} files from the future are of now.")


def follow(command, params, profile, fetched):
    """Start what tells MLflow of trainings while they run, and return it.

    It ends when its standard input does, whose other end the kernel closes with this process, and
    whoever stops the jobs of a terminal leaves it to that.
    """
    if fetched:
        _say(
            "tracking.mode is live, and these trainings' files lie in a storage until they end: "
            "MLflow is told of them afterwards."
        )
        return None
    log_file = Path("logs", profile, "follow.log")
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("a") as log:
        return subprocess.Popen(
            [*command, "--follow", "--params", params, "--profile", profile],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def set_right(folders: Iterable[Path]) -> int:
    """Give files from the future the present time, and return how many there were."""
    now = time.time()
    late = [path for folder in folders for path in _files(folder) if _written(path) > now + SKEW]
    for path in late:
        os.utime(path, (now, now))
    return len(late)


def _files(folder: Path) -> Iterable[str]:
    for below, _, names in os.walk(folder):
        for name in names:
            yield f"{below}/{name}"


def _written(path: str) -> float:
    try:
        return os.lstat(path).st_mtime
    except FileNotFoundError:  # an orphan of an earlier run may still be at work
        return 0.0


def restore(results: Path) -> None:
    """Take over the records that came with a profile's results, unless they are known."""
    bundle = results / "records.tar.gz"
    if not bundle.exists() or _noted(results) == (digest := _digest(bundle)):
        return
    METADATA.mkdir(parents=True, exist_ok=True)
    inside = METADATA.resolve()
    with tarfile.open(bundle) as archive:
        for member in archive:
            path = (METADATA / member.name).resolve()
            if member.isfile() and path.is_relative_to(inside):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.extractfile(member).read())
    _note(results, digest)


def miss(results: Path, batches: Iterable[Iterable[int]], dryrun: bool) -> None:
    """Have the jobs run again whose files were made and are gone: of runs and of what follows them.

    Snakemake takes a file that no report lacks for one that is not needed. A job makes all of its
    files anew, so the whole runs of its batch are put where `topdb train` finds them.
    """
    records = {_output(os.path.relpath(path, METADATA)): Path(path) for path in _files(METADATA)}
    gone = [
        output
        for output in records
        if _belongs(output, results) and not _is_before_runs(output) and not os.path.lexists(output)
    ]
    told = set(MARKED.read_text().splitlines()) if MARKED.exists() else set()
    for output in {*gone, *told} & records.keys():
        _mark(records[output], output in gone)
    MARKED.write_text("\n".join(gone))
    lost = sorted(each for each in gone if each.startswith(f"{results}/") and each not in told)
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        _say(f"{lost[0]}{more} was made and is gone: it is made again where it is needed.")
    for run in {Path(each).parent for each in gone} if not dryrun else ():
        for batch in ([f"seed-{seed}" for seed in each] for each in batches):
            for other in batch if run.name in batch else ():
                _spare(run.with_name(other))


def _is_before_runs(output: str) -> bool:
    """Whether a file comes before runs: a new one counts as changed, and would train them all."""
    path = Path(output)
    return path.name in _BEFORE or "pretraining" in path.parts


def _mark(record: Path, gone: bool) -> None:
    try:
        content = json.loads(record.read_text())
    except ValueError:  # Snakemake says what is wrong with its own record
        return
    params = [each for each in content.get("params") or [] if each != GONE]
    content["params"] = [*params, GONE] if gone else params
    # Not beside the record: whatever lies there is taken for one.
    partial = METADATA.with_name("topdb-record.partial")
    partial.write_text(json.dumps(content))
    partial.replace(record)


def _spare(run: Path) -> None:
    """Put a whole run below its checkpoints, too: its files under second names."""
    record = run / "run.json"
    try:
        identity = json.loads(record.read_text()).get("identity")
    except (OSError, ValueError, AttributeError):  # whoever reads the run says so
        return
    if not identity:
        return
    spare = run / "checkpoints" / f"{identity[:12]}-whole"
    spare.mkdir(parents=True, exist_ok=True)
    for name in _RUN:
        if (run / name).exists() and not (spare / name).exists():
            with suppress(OSError):  # no second names here: that run is trained again, too
                os.link(run / name, spare / name)


def save(results: Path) -> None:
    """Write the records of all that a profile made to its results."""
    results.mkdir(parents=True, exist_ok=True)
    bundle = results / "records.tar.gz"
    partial = results / f".records.{os.getpid()}.partial"
    with (
        partial.open("wb") as stream,
        gzip.GzipFile("", "wb", 6, stream, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for path in sorted(METADATA.rglob("*")):
            name = path.relative_to(METADATA).as_posix()
            if path.is_file() and _belongs(_output(name), results):
                archive.add(path, name, filter=_anonymous)
    partial.replace(bundle)
    _note(results, _digest(bundle))


def _output(name: str) -> str:
    """Return the output that a record is about: its name in base64, cut into folders if long."""
    return urlsafe_b64decode(name.replace("/@", "").removeprefix("@").replace("/", "")).decode()


def _belongs(output: str, results: Path) -> bool:
    """Return whether an output is the profile's; data and reports are those of any."""
    return output.startswith(f"{results}/") or not output.startswith(f"{results.parent}/")


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


def _digest(bundle: Path) -> str:
    return hashlib.sha256(bundle.read_bytes()).hexdigest()


def _noted(results: Path) -> str:
    note = NOTES / results.name
    return note.read_text() if note.exists() else ""


def _note(results: Path, digest: str) -> None:
    NOTES.mkdir(parents=True, exist_ok=True)
    (NOTES / results.name).write_text(digest)
