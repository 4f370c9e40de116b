# Scores to comparisons, tables, metrics and plots; and the story of the runs to MLflow. Scores stand
# for their runs, and comparisons for their scores: to name all of a grid's files costs memory.


rule compare:
    input:
        grid(f"{EVALUATION}/queries.parquet"),
    output:
        f"{RESULTS}/comparisons.parquet",
    log:
        f"logs/{PROFILE}/compare.log",
    resources:
        mem_mb=memory("report"),
        runtime=minutes("report"),
    params:
        settings=PLAN["statistics"],
        source=PLAN["source"]["compare"],
        grid=[PLAN["methods"], PLAN["datasets"], PLAN["seeds"], PLAN["rankings"]],
    shell:
        "topdb compare --out {output:q} >{log:q} 2>&1"


rule table:
    input:
        TRACKED,
        comparisons=f"{RESULTS}/comparisons.parquet",
        published="reports/published/{table}.csv",
        oddities="reports/published/oddities.csv",
    output:
        "reports/{table}.md",
    log:
        "logs/{table}.log",
    wildcard_constraints:
        table="table[12]",
    resources:
        mem_mb=memory("report"),
        runtime=minutes("report"),
    params:
        profile=PROFILE,
        titles=PLAN["titles"],
        settings=PLAN["statistics"],
        source=PLAN["source"]["report"],
    shell:
        "topdb report {wildcards.table} --comparisons {input.comparisons:q} --out {output:q} "
        ">{log:q} 2>&1"


rule metrics:
    input:
        grid(f"{EVALUATION}/metrics.json"),
    output:
        "reports/metrics.json",
    log:
        "logs/metrics.log",
    resources:
        mem_mb=memory("report"),
        runtime=minutes("report"),
    params:
        profile=PROFILE,
        source=PLAN["source"]["report"],
    shell:
        "topdb report metrics --out {output:q} >{log:q} 2>&1"


rule plots:
    input:
        grid(f"{EVALUATION}/metrics.json"),
    output:
        "reports/plots/training.csv",
        "reports/plots/seeds.csv",
    log:
        "logs/plots.log",
    resources:
        mem_mb=memory("report"),
        runtime=minutes("report"),
    params:
        profile=PROFILE,
        source=PLAN["source"]["report"],
        folder=folder,
    shell:
        "topdb report plots --out {params.folder:q} >{log:q} 2>&1"


# Not on a cluster's nodes, which may have no network.
rule track:
    input:
        grid(f"{EVALUATION}/metrics.json"),
    output:
        f"{RESULTS}/tracked.json",
    log:
        f"logs/{PROFILE}/track.log",
    localrule: True
    params:
        settings=PLAN["tracking"],
    shell:
        "topdb track --out {output:q} >{log:q} 2>&1"


rule reference:
    input:
        grid(f"{EVALUATION}/metrics.json"),
    output:
        "reports/reference/{reference}.json",
    log:
        "logs/reference-{reference}.log",
    resources:
        mem_mb=memory("report"),
        runtime=minutes("report"),
    params:
        profile=PROFILE,
    shell:
        "topdb reference --out {output:q} >{log:q} 2>&1"
