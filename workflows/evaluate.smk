# Features to scores, plain and re-ranked and all seeds of a batch in one job. Features are ancient,
# since run.json, which is small enough to be compared by content, holds their digest.

for name, seeds in BATCHES.items():

    rule:
        name:
            f"evaluate{name}"
        input:
            run=batch([RECORD], seeds),
            features=ancient(batch([f"{RUN}/features.npz"], seeds)),
        output:
            batch(
                expand(
                    f"{EVALUATION}/{{file}}",
                    ranking=PLAN["rankings"],
                    file=["queries.parquet", "top.parquet", "metrics.json"],
                    allow_missing=True,
                ),
                seeds,
            ),
        log:
            batch(
                [f"logs/{PROFILE}/evaluate/{{dataset}}-{{method}}-{{seed}}.log"],
                seeds[:1],
            ),
        resources:
            mem_mb=memory("evaluate"),
            runtime=minutes("evaluate"),
        params:
            **PLAN["ranking"],
            source=PLAN["source"]["evaluate"],
            folders=batch([f"--out {RUN}"], seeds),
            rankings=expand("--ranking {ranking}", ranking=PLAN["rankings"]),
        shell:
            "topdb evaluate {input.features:q} {params.rankings} {params.folders} "
            "--ap-rule {params.ap_rule:q} --variant {params.variant:q} --k1 {params.k1} "
            "--k2 {params.k2} --lambda {params.original_weight} "
            "--single-gallery-shot {params.single_gallery_shot} --quiet >{log:q} 2>&1"
