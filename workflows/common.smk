# What the rules share. The package is known here by its command line alone.

import fcntl
import json
import os
import shlex
import subprocess
import sys

KNOWN = {"profile", "params"}
unknown = sorted(set(config) - KNOWN)
if unknown:
    print(f"topdb: --config {unknown[0]}=... is unknown; use profile or params.", file=sys.stderr)
    sys.exit(2)

if workflow.is_main_process and not workflow.dryrun:
    # The kernel gives this lock back however its holder ends, so that a killed run leaves none
    # behind; Snakemake's own, which outlive a kill, are then stale (profiles/default: nolock).
    os.makedirs(".snakemake", exist_ok=True)
    alone = open(".snakemake/topdb.lock", "w")
    try:
        fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("topdb: another snakemake works in this folder; wait for it.", file=sys.stderr)
        sys.exit(2)

PARAMS = config.get("params", "params.yaml")
WANTED = ["--profile", config["profile"]] if "profile" in config else []
planned = subprocess.run(
    ["topdb", "plan", "--params", PARAMS, *WANTED], stdout=subprocess.PIPE, text=True
)
if planned.returncode:
    sys.exit(planned.returncode)
PLAN = json.loads(planned.stdout)

PROFILE = PLAN["profile"]
RESULTS = f"results/{PROFILE}"
INDEX = RESULTS + "/{dataset}/index.parquet"
PIXELS = RESULTS + "/{dataset}/pixels.npy"
RUN = RESULTS + "/{dataset}/{method}/seed-{seed}"
BACKBONE = RESULTS + "/pretraining/backbone.safetensors"
TRACKED = [f"{RESULTS}/tracked.json"] if PLAN["tracking"]["mode"] != "off" else []
OPTIONS = f"--params {shlex.quote(PARAMS)} --profile {shlex.quote(PROFILE)}"


wildcard_constraints:
    dataset="[^/]+",
    method="[^/]+",
    seed=r"\d+",
    ranking="plain|rk",


def grid(pattern):
    """Return the pattern's files for every run of the profile."""
    return expand(
        pattern,
        dataset=PLAN["datasets"],
        method=PLAN["methods"],
        seed=PLAN["seeds"],
        ranking=PLAN["rankings"],
    )
