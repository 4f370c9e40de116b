# Scores and pixels to examples, and all of the evidence to one page. Of the files of one job a rule
# names one, which stands for the others: a grid's lists are most of Snakemake's memory.


rule examples:
    input:
        grid(f"{EVALUATION}/top.parquet"),
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
    shell:
        "topdb examples --out {output:q} >{log:q} 2>&1"


rule page:
    input:
        TRACKED,
        comparisons=COMPARISONS,
        examples=EXAMPLES,
        figures=FIGURES,
        runs=grid(f"{RUN}/run.json"),
        published=expand("reports/published/{name}.csv", name=[*PUBLISHED, "oddities"]),
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
        figures=[f"--figure {shlex.quote(path)}" for path in FIGURES],
    shell:
        "topdb report page --comparisons {input.comparisons:q} --examples {input.examples:q} "
        "{params.figures} --out {output:q} >{log:q} 2>&1"
