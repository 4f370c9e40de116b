# What the rules share. The package is known here by its command line alone; guard.py keeps what
# Snakemake keeps beside the graph.

import json
import os
import re
import shlex
import subprocess
import sys
from itertools import product
from pathlib import Path

import guard

guard.require_known(config, {"profile", "params"})
guard.require_place("results")
held = workflow.is_main_process and guard.hold(workflow.dryrun)

# So that `.venv/bin/snakemake` works in a shell that did not activate the environment.
PROGRAMS = os.path.dirname(sys.executable)
PARAMS = config.get("params", "params.yaml")
PLAN = guard.planned(
    workflow.is_main_process,
    [f"{PROGRAMS}/topdb", "plan", "--params", PARAMS],
    config.get("profile"),
)

PROFILE = PLAN["profile"]
RESULTS = f"results/{PROFILE}"
INDEX = f"{RESULTS}/{{dataset}}/index.parquet"
PIXELS = f"{RESULTS}/{{dataset}}/pixels.npy"
RUN = f"{RESULTS}/{{dataset}}/{{method}}/seed-{{seed}}"
RECORD = f"{RUN}/run.json"
HISTORY = f"{RUN}/history.csv"
ON = f"{RUN}/on/{{target}}"
EVALUATION = f"{RUN}/{{ranking}}"
QUERIES = f"{EVALUATION}/queries.parquet"
METRICS = f"{EVALUATION}/metrics.json"
RECIPES = f"{RESULTS}/recipes.json"
BACKBONE = f"{RESULTS}/pretraining/{{backbone}}/backbone.safetensors"
RUN_FILES = [
    f"{RUN}/{file}"
    for file in ["run.json", "history.csv", "weights.safetensors", "features.npz"]
]
# Reports of the first paper lie on top, those of each other one in a folder of its name: `paper` is
# nothing, or that folder with its slash.
PAPERS = {
    f"{paper['name']}/" if number else "": paper
    for number, paper in enumerate(PLAN["papers"])
}
COMPARED = f"{RESULTS}/comparisons/{{paper}}{{table}}.parquet"
COMPARISONS = [
    COMPARED.format(paper="", table=table)
    for table in PAPERS.get("", {"tables": []})["tables"]
]
EXAMPLES = f"{RESULTS}/examples.parquet"
# By data set, the others that its runs are tested on.
TARGETS = PLAN["test_on"]["targets"] if "test_on" in PLAN else {}
SNAPSHOTS = expand(
    f"{RUN}/snapshots.npz",
    dataset=PLAN["snapshots"]["dataset"],
    method=PLAN["snapshots"]["methods"],
    seed=PLAN["snapshots"]["seed"],
)
# Those of images, which the page shows; its plots it draws itself.
FIGURES = [
    f"reports/{drawn['files'][0]}"
    for drawn in PLAN["figures"].values()
    if drawn["needs"] == "snapshots"
]
MEANS = expand(
    "reports/metrics/{ranking}/{dataset}/{method}.json",
    dataset=PLAN["datasets"],
    method=PLAN["methods"],
    ranking=PLAN["rankings"],
)
REPORTS = [
    "reports/index.html",
    *(
        f"reports/{paper}{table}.{kind}"
        for paper, printed in PAPERS.items()
        for table in printed["tables"]
        for kind in ["md", "csv", "tex"]
    ),
    *(f"reports/{paper}verdict.json" for paper in PAPERS),
    *MEANS,
    *expand("reports/plots/{data}.csv", data=["training", "seeds"]),
    *(f"reports/{drawn['files'][0]}" for drawn in PLAN["figures"].values()),
    *(
        f"reports/cross_domain.{kind}"
        for kind in (["md", "csv", "tex"] if TARGETS else [])
    ),
]
# What the repository holds is at hand everywhere.
PRINTED = local([file for paper in PAPERS.values() for file in paper["files"]])
# A storage (`--default-storage-provider`) gives a job the files that its rule names, and no others.
FETCHED = workflow.storage_settings.default_storage_provider is not None
TELLS = PLAN["tracking"]["mode"] != "off"
TRACKED = [f"{RESULTS}/tracked.json"] if TELLS else []
KEPT = [f"{RESULTS}/kept.json"] if TELLS else []

if held:
    guard.restore(Path(RESULTS))
    if not FETCHED:  # a storage's files are not looked for here
        guard.miss(Path(RESULTS), PLAN["batches"], workflow.dryrun)
if held and not workflow.dryrun:
    drawn = [each["root"] for each in PLAN["render"].values()]
    guard.begin(PLAN, Path(RESULTS), [RESULTS, "reports", *drawn])

following = []  # holds what it names until the end


onstart:
    if held and PLAN["tracking"]["mode"] == "live":
        following.append(
            guard.follow([f"{PROGRAMS}/topdb", "track"], PARAMS, PROFILE, FETCHED)
        )


onsuccess:
    guard.save(Path(RESULTS))


onerror:
    guard.save(Path(RESULTS))


# By the environment, not as parameters of jobs: how a profile is named reruns nothing. Snakemake
# takes braces for names of its own, and a project may lie in a folder that has some.
ENVIRONMENT = (
    f'export PATH={shlex.quote(PROGRAMS)}:"$PATH" TOPDB_PARAMS={shlex.quote(PARAMS)} '
    f"TOPDB_PROFILE={shlex.quote(PROFILE)}; "
)
shell.prefix(ENVIRONMENT.replace("{", "{{").replace("}", "}}"))


wildcard_constraints:
    dataset="[^/]+",
    target="[^/]+",
    method="[^/]+",
    seed=r"\d+",
    ranking="plain|rk",
    # In brackets, since the main paper's name is empty, and an empty constraint is none.
    paper=f"(?:{'|'.join(map(re.escape, PAPERS))})",
    table="|".join(
        sorted(
            {re.escape(name) for paper in PAPERS.values() for name in paper["tables"]}
        )
    ),


def batches():
    """Return the seeds of each kind of training job by the end of its rule's name.

    Where a job is one run, one rule serves every seed. Otherwise each batch of the profile's seeds,
    in their order, has a rule: a seed more leaves full batches as they are, and fills or adds one.
    The batch that figures look at comes first, under the plain name.
    """
    listed = [[str(seed) for seed in each] for each in PLAN["batches"]]
    if all(len(each) == 1 for each in listed):
        return {"": ["{seed}"]}
    listed.sort(key=lambda each: PLAN["snapshots"]["seed"] not in each)
    return {f"_{number}" if number else "": each for number, each in enumerate(listed)}


BATCHES = batches()


def batch(patterns, seeds):
    """Return the patterns for each seed of a batch; all other wildcards stay."""
    return [pattern.replace("{seed}", seed) for seed in seeds for pattern in patterns]


def folders(seeds, files, up=1):
    """Return a parameter: `--out` with the folder of each seed's files, which are so many for each.

    Read off the outputs, since a storage has them elsewhere; it lies `up` folders above them.
    """
    return lambda wildcards, output: [
        f"--out {shlex.quote(str(Path(output[place * files]).parents[up - 1]))}"
        for place in range(len(seeds))
    ]


def grid(pattern):
    """Return the pattern's files for every run of the profile."""
    return expand(
        pattern,
        dataset=PLAN["datasets"],
        method=PLAN["methods"],
        seed=PLAN["seeds"],
        ranking=PLAN["rankings"],
    )


def beside(*patterns):
    """Return more files that a rule reads of each run, where they have to be fetched.

    Elsewhere one file of a job stands for all of them: to name all of a grid's files in each rule
    that reads them is most of Snakemake's memory.
    """
    return [file for pattern in patterns for file in grid(pattern)] if FETCHED else []


def across(*patterns):
    """Return the patterns' files for every run on every other data set that it is tested on."""
    return [
        file
        for pattern in patterns
        for source, targets in TARGETS.items()
        for file in expand(
            pattern,
            dataset=source,
            target=targets,
            method=PLAN["methods"],
            seed=PLAN["seeds"],
            ranking=PLAN["rankings"],
        )
    ]


def repeated(option, name):
    """Return a parameter: the option before each file of a named input."""
    return lambda wildcards, input: [
        f"{option} {shlex.quote(file)}" for file in input[name]
    ]


def memory(step):
    """Return the MB that a job of a step asks for: each attempt adds as much again."""
    return lambda wildcards, attempt: attempt * PLAN["resources"][step]["memory_mb"]


def minutes(step):
    """Return the run time that a job of a step asks for: each attempt adds as much again."""
    return lambda wildcards, attempt: attempt * PLAN["resources"][step]["minutes"]


def images(wildcards):
    """Return the file that stands for drawn images; real ones have a fingerprint in the plan."""
    if wildcards.dataset in PLAN["render"]:
        return f"{PLAN['render'][wildcards.dataset]['root']}/rendered.json"
    return []


def measured(wildcards):
    """Return the methods that a table of a paper measures; none where the paper lacks it."""
    return PAPERS[wildcards.paper]["tables"].get(wildcards.table, [])


def of_table(pattern):
    """Return an input: the pattern's files for every run that a table measures."""
    return lambda wildcards: expand(
        pattern,
        dataset=PLAN["datasets"],
        method=measured(wildcards),
        seed=PLAN["seeds"],
        ranking=PLAN["rankings"],
    )


def beside_table(*patterns):
    """Return an input: what `beside` names, of the runs that a table measures."""
    return lambda wildcards: [
        file for pattern in patterns for file in of_table(pattern)(wildcards) if FETCHED
    ]


def told(wildcards):
    """Return what tells of the runs of a table that has all; they are told together."""
    return TRACKED if list(measured(wildcards)) == PLAN["methods"] else []


def named(wildcards):
    """Return the name of the paper that a job is about."""
    return PAPERS[wildcards.paper]["name"]


def below_results(wildcards, comparisons):
    """Return the folder of the results that a file of comparisons lies in, wherever that is."""
    return str(Path(comparisons).parents[2 if wildcards.get("paper") else 1])


def compared(wildcards):
    """Return the comparisons of all tables of a paper."""
    return [
        COMPARED.format(paper=wildcards.paper, table=table)
        for table in PAPERS[wildcards.paper]["tables"]
    ]


def check_recipes():
    """Check that every method can be trained, before anything is, unless that stands already.

    This is no rule: Snakemake does not look at what changed in jobs that come after one that runs,
    and this would run on each of those changes.
    """
    decides = ("train", "recipes", "code", "snapshots", "render")
    asked = json.dumps([PLAN[key] for key in decides], sort_keys=True)
    note = Path(".snakemake/topdb-recipes") / PROFILE
    if Path(RECIPES).exists() and note.exists() and note.read_text() == asked:
        return
    command = [f"{PROGRAMS}/topdb", "recipes", "--params", PARAMS, "--profile", PROFILE]
    done = subprocess.run([*command, "--out", RECIPES])
    if done.returncode:
        sys.exit(done.returncode)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(asked)
