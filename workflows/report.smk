# Scores to comparisons, tables, metrics and plots; and the story of the runs to MLflow. Comparisons
# stand for their scores: to name all of a grid's files everywhere costs memory. Tables name the runs,
# whose records their notes quote.


rule compare:
    input:
        of_table(QUERIES),
        beside_table(METRICS),
        published=PUBLISHED,
    output:
        COMPARED,
    log:
        f"logs/{PROFILE}/compare-{{table}}.log",
    wildcard_constraints:
        table="table[12]",
    resources:
        mem_mb=memory("report"),
        runtime=minutes("report"),
    params:
        settings=PLAN["statistics"],
        source=PLAN["source"]["compare"],
        grid=lambda wildcards: [
            PLAN["tables"][wildcards.table],
            PLAN["datasets"],
            PLAN["seeds"],
            PLAN["rankings"],
        ],
        rendered=sorted(PLAN["render"]),
        results=subpath(output[0], ancestor=2),
    shell:
        "topdb compare --table {wildcards.table} --results {params.results:q} --out {output:q} "
        ">{log:q} 2>&1"


rule table:
    input:
        told,
        beside_table(METRICS),
        runs=of_table(RECORD),
        comparisons=COMPARED,
        published=local("reports/published/{table}.csv"),
        others=[ROWS, ODDITIES],
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
        results=subpath(input.comparisons, ancestor=2),
    shell:
        "topdb report {wildcards.table} --results {params.results:q} "
        "--comparisons {input.comparisons:q} --out {output.md:q} --out {output.csv:q} "
        "--out {output.tex:q} >{log:q} 2>&1"


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
        grid(RECORD),
        grid(METRICS),
        SNAPSHOTS,
        beside(HISTORY, QUERIES),
        examples=EXAMPLES,
        published=[*PUBLISHED, ODDITIES],
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
        results=subpath(input.examples, parent=True),
    shell:
        "topdb bundle --results {params.results:q} --out {output:q} >{log:q} 2>&1"


rule metrics:
    input:
        grid(METRICS),
        beside(QUERIES),
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
        results=subpath(input[0], ancestor=5),
    shell:
        "topdb report metrics --results {params.results:q} --out {output:q} >{log:q} 2>&1"


rule plots:
    input:
        grid(METRICS),
        beside(HISTORY),
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
        results=subpath(input[0], ancestor=5),
        folder=subpath(output[0], parent=True),
    shell:
        "topdb report plots --results {params.results:q} --out {params.folder:q} >{log:q} 2>&1"


# Not on a cluster's nodes, which may have no network.
rule track:
    input:
        grid(METRICS),
        beside(RECORD, HISTORY),
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
        beside(RECORD, HISTORY, METRICS),
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
        beside(QUERIES),
    output:
        "reports/reference/{reference}.json",
    log:
        "logs/reference-{reference}.log",
    resources:
        mem_mb=memory("report"),
        runtime=minutes("report"),
    params:
        profile=PROFILE,
        results=subpath(input[0], ancestor=5),
    shell:
        "topdb reference --results {params.results:q} --out {output:q} >{log:q} 2>&1"
