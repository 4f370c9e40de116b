# Scores to comparisons, tables, metrics and plots; and the story of the runs to MLflow. Comparisons
# stand for their scores: to name all of a grid's files everywhere costs memory. Tables name the runs,
# whose records their notes quote.


rule compare:
    input:
        grid(f"{EVALUATION}/queries.parquet"),
        published=expand("reports/published/{name}.csv", name=PUBLISHED),
    output:
        COMPARISONS,
    log:
        f"logs/{PROFILE}/compare.log",
    resources:
        mem_mb=memory("report"),
        runtime=minutes("report"),
    params:
        settings=PLAN["statistics"],
        source=PLAN["source"]["compare"],
        grid=[PLAN["methods"], PLAN["datasets"], PLAN["seeds"], PLAN["rankings"]],
        rendered=sorted(PLAN["render"]),
    shell:
        "topdb compare --out {output:q} >{log:q} 2>&1"


rule table:
    input:
        TRACKED,
        runs=grid(f"{RUN}/run.json"),
        comparisons=COMPARISONS,
        published="reports/published/{table}.csv",
        oddities="reports/published/oddities.csv",
    output:
        md="reports/{table}.md",
        csv="reports/{table}.csv",
        tex="reports/{table}.tex",
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
        "topdb report {wildcards.table} --comparisons {input.comparisons:q} "
        "--out {output.md:q} --out {output.csv:q} --out {output.tex:q} >{log:q} 2>&1"


rule verdict:
    input:
        comparisons=COMPARISONS,
    output:
        "reports/verdict.json",
    log:
        "logs/verdict.log",
    resources:
        mem_mb=memory("report"),
        runtime=minutes("report"),
    params:
        profile=PROFILE,
        source=PLAN["source"]["report"],
    shell:
        "topdb report verdict --comparisons {input.comparisons:q} --out {output:q} >{log:q} 2>&1"


rule bundle:
    input:
        grid(f"{RUN}/run.json"),
        grid(f"{EVALUATION}/metrics.json"),
        SNAPSHOTS,
        examples=EXAMPLES,
        published=expand("reports/published/{name}.csv", name=[*PUBLISHED, "oddities"]),
    output:
        "reports/bundle.tar.gz",
    log:
        "logs/bundle.log",
    resources:
        mem_mb=memory("report"),
        runtime=minutes("report"),
    params:
        profile=PROFILE,
        settings=PLAN["statistics"],
        source=PLAN["source"]["report"],
    shell:
        "topdb bundle --out {output:q} >{log:q} 2>&1"


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
        folder=subpath(output[0], parent=True),
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


rule keep:
    input:
        TRACKED,
        "reports/table1.md",
        "reports/table2.md",
        "reports/metrics.json",
        "reports/plots/training.csv",
        "reports/plots/seeds.csv",
    output:
        f"{RESULTS}/kept.json",
    log:
        f"logs/{PROFILE}/keep.log",
    params:
        settings=PLAN["tracking"],
    shell:
        "topdb track --reports reports --out {output:q} >{log:q} 2>&1"


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
