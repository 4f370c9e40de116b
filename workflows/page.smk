# Scores and pixels to examples, and all of the evidence to one page.


rule examples:
    input:
        queries=grid(f"{EVALUATION}/queries.parquet"),
        top=grid(f"{EVALUATION}/top.parquet"),
        index=expand(INDEX, dataset=PLAN["datasets"]),
        pixels=ancient(expand(PIXELS, dataset=PLAN["datasets"])),
    output:
        f"{RESULTS}/examples.parquet",
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
        comparisons=rules.compare.output,
        examples=rules.examples.output,
        figures=FIGURES,
        runs=grid(f"{RUN}/run.json"),
        histories=grid(f"{RUN}/history.csv"),
        metrics=grid(f"{EVALUATION}/metrics.json"),
        queries=grid(f"{EVALUATION}/queries.parquet"),
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
