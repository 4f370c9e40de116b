# Scores to comparisons, tables, metrics and plots; and the story of the runs to MLflow.


rule compare:
    input:
        grid(RUN + "/{ranking}/queries.parquet"),
    output:
        f"{RESULTS}/comparisons.parquet",
    params:
        settings=PLAN["statistics"],
        grid=[PLAN["methods"], PLAN["datasets"], PLAN["seeds"], PLAN["rankings"]],
    log:
        f"logs/{PROFILE}/compare.log",
    shell:
        "topdb compare --out {output:q} {OPTIONS} >{log:q} 2>&1"


rule table:
    input:
        comparisons=rules.compare.output,
        runs=grid(RUN + "/run.json"),
        metrics=grid(RUN + "/{ranking}/metrics.json"),
        published="reports/published/{table}.csv",
    output:
        "reports/{table}.md",
    wildcard_constraints:
        table="table[12]",
    params:
        profile=PROFILE,
        settings=PLAN["statistics"],
    log:
        "logs/{table}.log",
    shell:
        "topdb report {wildcards.table} --comparisons {input.comparisons:q} --out {output:q} "
        "{OPTIONS} >{log:q} 2>&1"


rule metrics:
    input:
        grid(RUN + "/{ranking}/metrics.json"),
    output:
        "reports/metrics.json",
    params:
        profile=PROFILE,
    log:
        "logs/metrics.log",
    shell:
        "topdb report metrics --out {output:q} {OPTIONS} >{log:q} 2>&1"


rule plots:
    input:
        grid(RUN + "/history.csv"),
        grid(RUN + "/{ranking}/metrics.json"),
    output:
        "reports/plots/training.csv",
        "reports/plots/seeds.csv",
    params:
        profile=PROFILE,
        folder="reports/plots",
    log:
        "logs/plots.log",
    shell:
        "topdb report plots --out {params.folder:q} {OPTIONS} >{log:q} 2>&1"


rule track:
    input:
        grid(RUN + "/run.json"),
        grid(RUN + "/{ranking}/metrics.json"),
    output:
        f"{RESULTS}/tracked.json",
    params:
        settings=PLAN["tracking"],
    log:
        f"logs/{PROFILE}/track.log",
    shell:
        "topdb track --out {output:q} {OPTIONS} >{log:q} 2>&1"


rule reference:
    input:
        grid(RUN + "/{ranking}/metrics.json"),
    output:
        "reports/reference/{reference}.json",
    params:
        profile=PROFILE,
    log:
        "logs/reference-{reference}.log",
    shell:
        "topdb reference --out {output:q} {OPTIONS} >{log:q} 2>&1"
