# Scores and pixels to examples, and all of the evidence to one page. Of the files of one job a rule
# names one, which stands for the others: a grid's lists are most of Snakemake's memory.


rule examples:
    input:
        grid(f"{EVALUATION}/top.parquet"),
        beside(QUERIES, METRICS, RECORD),
        index=expand(INDEX, dataset=PLAN["datasets"]),
        pixels=ancient(expand(PIXELS, dataset=PLAN["datasets"])),
    output:
        EXAMPLES,
    log:
        f"logs/{PROFILE}/examples.log",
    params:
        settings=PLAN["examples"],
        reference=PLAN["statistics"]["reference_method"],
        source=PLAN["source"]["examples"],
        grid=[PLAN["methods"], PLAN["datasets"], PLAN["seeds"], PLAN["rankings"]],
        results=subpath(output[0], parent=True),
    shell:
        "topdb examples --results {params.results:q} --out {output:q} >{log:q} 2>&1"


rule page:
    input:
        TRACKED,
        beside(HISTORY, QUERIES, METRICS),
        comparisons=COMPARISONS,
        examples=EXAMPLES,
        figures=FIGURES,
        runs=grid(RECORD),
        printed=PRINTED,
    output:
        report(
            "reports/index.html",
            caption="report/page.rst",
            category="The page",
        ),
    log:
        "logs/page.log",
    params:
        profile=PROFILE,
        titles=PLAN["titles"],
        settings=PLAN["statistics"],
        recipe=PLAN["train"],
        source=PLAN["source"]["report"],
        comparisons=repeated("--comparisons", "comparisons"),
        figures=repeated("--figure", "figures"),
        results=subpath(input.examples, parent=True),
    shell:
        "topdb report page --results {params.results:q} {params.comparisons} "
        "--examples {input.examples:q} {params.figures} --out {output:q} >{log:q} 2>&1"


# Reports are small next to fetching a grid's files to another machine.
if FETCHED:

    localrules:
        verdict,
        metrics,
        plots,
