# Features to scores, plain and re-ranked.


rule evaluate:
    input:
        f"{RUN}/features.npz",
    output:
        queries=f"{EVALUATION}/queries.parquet",
        top=f"{EVALUATION}/top.parquet",
        metrics=f"{EVALUATION}/metrics.json",
    log:
        f"logs/{PROFILE}/evaluate/{{dataset}}-{{method}}-{{seed}}-{{ranking}}.log",
    params:
        **PLAN["ranking"],
        source=PLAN["source"]["evaluate"],
        folder=folder,
    shell:
        "topdb evaluate {input:q} --ranking {wildcards.ranking} --out {params.folder:q} "
        "--ap-rule {params.ap_rule:q} --variant {params.variant:q} --k1 {params.k1} "
        "--k2 {params.k2} --lambda {params.original_weight} "
        "--single-gallery-shot {params.single_gallery_shot} --quiet >{log:q} 2>&1"
