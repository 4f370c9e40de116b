# Features to scores, plain and re-ranked in one job, which halves the jobs of a large grid. Features
# are ancient, since run.json, which is small enough to be compared by content, holds their digest.


rule evaluate:
    input:
        run=f"{RUN}/run.json",
        features=ancient(f"{RUN}/features.npz"),
    output:
        expand(
            f"{EVALUATION}/{{file}}",
            ranking=PLAN["rankings"],
            file=["queries.parquet", "top.parquet", "metrics.json"],
            allow_missing=True,
        ),
    log:
        f"logs/{PROFILE}/evaluate/{{dataset}}-{{method}}-{{seed}}.log",
    resources:
        mem_mb=memory("evaluate"),
        runtime=minutes("evaluate"),
    params:
        **PLAN["ranking"],
        source=PLAN["source"]["evaluate"],
        folder=subpath(output[0], ancestor=2),
        rankings=expand("--ranking {ranking}", ranking=PLAN["rankings"]),
    shell:
        "topdb evaluate {input.features:q} {params.rankings} --out {params.folder:q} "
        "--ap-rule {params.ap_rule:q} --variant {params.variant:q} --k1 {params.k1} "
        "--k2 {params.k2} --lambda {params.original_weight} "
        "--single-gallery-shot {params.single_gallery_shot} --quiet >{log:q} 2>&1"
