# Runs of one data set to features of another, and their scores to the cross-domain table. The rules
# of evaluate.smk score them.


for name, seeds in BATCHES.items():

    rule:
        name:
            f"cross{name}"
        input:
            run=batch([RECORD], seeds),
            weights=ancient(batch([f"{RUN}/weights.safetensors"], seeds)),
            trained_on=INDEX,
            index=INDEX.format(dataset="{target}"),
            pixels=ancient(PIXELS.format(dataset="{target}")),
        output:
            batch([f"{ON}/run.json", f"{ON}/features.npz"], seeds),
        log:
            batch(
                [
                    f"logs/{PROFILE}/cross/{{dataset}}-{{method}}-{{seed}}-on-{{target}}.log"
                ],
                seeds[:1],
            ),
        threads: PLAN["threads"]
        resources:
            gpu=1 if PLAN["device"] == "cuda" else 0,
            mem_mb=memory("train"),
            runtime=minutes("train"),
        params:
            code=lambda wildcards: PLAN["code"]["methods"][wildcards.method],
            source=PLAN["test_on"]["source"],
            runs=lambda wildcards, input: [
                shlex.quote(str(Path(record).parent)) for record in input.run
            ],
            folders=folders(seeds, 2),
        shell:
            "topdb cross {params.runs} --index {input.index:q} --pixels {input.pixels:q} "
            "--trained-on {input.trained_on:q} {params.folders} >{log:q} 2>&1"


rule cross_domain:
    input:
        across(f"{ON}/{{ranking}}/queries.parquet"),
        grid(QUERIES),
        across(f"{ON}/run.json", f"{ON}/{{ranking}}/metrics.json") if FETCHED else [],
        beside(METRICS, HISTORY),
        runs=grid(RECORD),
        printed=PRINTED,
    output:
        md="reports/cross_domain.md",
        csv="reports/cross_domain.csv",
        tex="reports/cross_domain.tex",
    log:
        "logs/cross_domain.log",
    resources:
        mem_mb=memory("report"),
        runtime=minutes("report"),
    params:
        profile=PROFILE,
        titles=PLAN["titles"],
        targets=TARGETS,
        settings=PLAN["statistics"],
        source=PLAN["source"]["report"],
        metrics=PLAN["metrics"],
        results=subpath(input[0], ancestor=7),
    shell:
        "topdb report cross_domain --results {params.results:q} --out {output.md:q} "
        "--out {output.csv:q} --out {output.tex:q} >{log:q} 2>&1"
