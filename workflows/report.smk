# Scores to comparisons, tables, metrics and plots; and the story of the runs to MLflow. Comparisons
# stand for their scores: to name all of a grid's files everywhere costs memory. Tables name the runs,
# whose records their notes quote.


rule compare:
    input:
        of_table(QUERIES),
        beside_table(METRICS, RECORD),
        printed=PRINTED,
    output:
        COMPARED,
    log:
        f"logs/{PROFILE}/compare/{{paper}}{{table}}.log",
    resources:
        mem_mb=memory("report"),
        runtime=minutes("report"),
    params:
        settings=PLAN["statistics"],
        source=PLAN["source"]["compare"],
        metrics=PLAN["metrics"],
        paper=named,
        grid=lambda wildcards: [
            measured(wildcards),
            PLAN["datasets"],
            PLAN["seeds"],
            PLAN["rankings"],
        ],
        rendered=sorted(PLAN["render"]),
        planned=[f"--planned-seed {seed}" for seed in PLAN["planned_seeds"]],
        results=lambda wildcards, output: below_results(wildcards, output[0]),
    shell:
        "topdb judge --paper {params.paper:q} --table {wildcards.table:q} {params.planned} "
        "--results {params.results:q} --out {output:q} >{log:q} 2>&1"


rule table:
    input:
        told,
        beside_table(METRICS, QUERIES, HISTORY),
        runs=of_table(RECORD),
        comparisons=COMPARED,
        printed=PRINTED,
    output:
        md="reports/{paper}{table}.md",
        csv="reports/{paper}{table}.csv",
        tex="reports/{paper}{table}.tex",
    log:
        "logs/{paper}{table}.log",
    resources:
        mem_mb=memory("report"),
        runtime=minutes("report"),
    params:
        profile=PROFILE,
        titles=PLAN["titles"],
        settings=PLAN["statistics"],
        source=PLAN["source"]["report"],
        metrics=PLAN["metrics"],
        paper=named,
        results=lambda wildcards, input: below_results(wildcards, input.comparisons),
    shell:
        "topdb report {wildcards.table:q} --paper {params.paper:q} --results {params.results:q} "
        "--comparisons {input.comparisons:q} --out {output.md:q} --out {output.csv:q} "
        "--out {output.tex:q} >{log:q} 2>&1"


rule verdict:
    input:
        printed=PRINTED,
        comparisons=compared,
    output:
        "reports/{paper}verdict.json",
    log:
        "logs/{paper}verdict.log",
    resources:
        mem_mb=memory("report"),
        runtime=minutes("report"),
    params:
        profile=PROFILE,
        source=PLAN["source"]["report"],
        paper=named,
        comparisons=repeated("--comparisons", "comparisons"),
    shell:
        "topdb report verdict --paper {params.paper:q} {params.comparisons} --out {output:q} "
        ">{log:q} 2>&1"


rule bundle:
    input:
        grid(RECORD),
        grid(METRICS),
        SNAPSHOTS,
        across(f"{ON}/run.json", f"{ON}/{{ranking}}/metrics.json"),
        beside(HISTORY, QUERIES),
        across(f"{ON}/{{ranking}}/queries.parquet") if FETCHED else [],
        examples=EXAMPLES,
        printed=PRINTED,
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
        source=PLAN["source"]["bundle"],
        results=subpath(input.examples, parent=True),
    shell:
        "topdb bundle --results {params.results:q} --out {output:q} >{log:q} 2>&1"


rule metrics:
    input:
        grid(METRICS),
        beside(QUERIES, RECORD),
    output:
        MEANS,
    log:
        "logs/metrics.log",
    resources:
        mem_mb=memory("report"),
        runtime=minutes("report"),
    params:
        profile=PROFILE,
        source=PLAN["source"]["report"],
        metrics=PLAN["metrics"],
        results=subpath(input[0], ancestor=5),
        folder=subpath(output[0], ancestor=3),
    shell:
        "topdb report metrics --results {params.results:q} --out {params.folder:q} >{log:q} 2>&1"


rule plots:
    input:
        grid(METRICS),
        beside(HISTORY, QUERIES, RECORD),
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
        metrics=PLAN["metrics"],
        results=subpath(input[0], ancestor=5),
        folder=subpath(output[0], parent=True),
    shell:
        "topdb report plots --results {params.results:q} --out {params.folder:q} >{log:q} 2>&1"


# Not on a cluster's nodes, which may have no network.
rule track:
    input:
        grid(METRICS),
        beside(RECORD, HISTORY, QUERIES),
    output:
        f"{RESULTS}/tracked.json",
    log:
        f"logs/{PROFILE}/track.log",
    localrule: True
    params:
        settings=PLAN["tracking"],
        results=subpath(output[0], parent=True),
    shell:
        "topdb track --results {params.results:q} --out {output:q} >{log:q} 2>&1"


rule keep:
    input:
        REPORTS,
        TRACKED,
        beside(RECORD, HISTORY, METRICS, QUERIES),
    output:
        f"{RESULTS}/kept.json",
    log:
        f"logs/{PROFILE}/keep.log",
    localrule: True
    params:
        settings=PLAN["tracking"],
        results=subpath(output[0], parent=True),
        reports=subpath(input[0], parent=True),
    shell:
        "topdb track --results {params.results:q} --reports {params.reports:q} "
        "--out {output:q} >{log:q} 2>&1"


rule reference:
    input:
        grid(METRICS),
        beside(QUERIES, RECORD),
    output:
        "reports/reference/{reference}.json",
    log:
        "logs/reference-{reference}.log",
    resources:
        mem_mb=memory("report"),
        runtime=minutes("report"),
    params:
        profile=PROFILE,
        source=PLAN["source"]["reference"],
        results=subpath(input[0], ancestor=5),
    shell:
        "topdb reference --results {params.results:q} --out {output:q} >{log:q} 2>&1"
