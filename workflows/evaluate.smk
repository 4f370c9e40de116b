# Features to scores, plain and re-ranked. Features are ancient, since run.json, which is small enough
# to be compared by content, holds their digest.


rule evaluate:
    input:
        run=f"{RUN}/run.json",
        features=ancient(f"{RUN}/features.npz"),
    output:
        queries=f"{EVALUATION}/queries.parquet",
        top=f"{EVALUATION}/top.parquet",
        metrics=f"{EVALUATION}/metrics.json",
    log:
        f"logs/{PROFILE}/evaluate/{{dataset}}-{{method}}-{{seed}}-{{ranking}}.log",
    resources:
        mem_mb=memory("evaluate"),
        runtime=minutes("evaluate"),
    params:
        **PLAN["ranking"],
        source=PLAN["source"]["evaluate"],
        folder=folder,
    shell:
        "topdb evaluate {input.features:q} --ranking {wildcards.ranking} --out {params.folder:q} "
        "--ap-rule {params.ap_rule:q} --variant {params.variant:q} --k1 {params.k1} "
        "--k2 {params.k2} --lambda {params.original_weight} "
        "--single-gallery-shot {params.single_gallery_shot} --quiet >{log:q} 2>&1"
