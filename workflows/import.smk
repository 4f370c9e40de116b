# The authors' released checkpoints to weights and features, in place of training.


rule import_weights:
    input:
        index=INDEX,
        pixels=ancient(PIXELS),
        checkpoint=lambda wildcards: PLAN["weights"][wildcards.dataset][
            wildcards.method
        ],
    output:
        RUN_FILES,
    log:
        f"logs/{PROFILE}/import/{{dataset}}-{{method}}-{{seed}}.log",
    threads: PLAN["threads"]
    resources:
        gpu=1 if PLAN["device"] == "cuda" else 0,
        mem_mb=memory("train"),
        runtime=minutes("train"),
    params:
        settings=PLAN["train"],
        recipe=lambda wildcards: [
            PLAN["recipes"][wildcards.method]["side"],
            PLAN["recipes"][wildcards.method]["changes"][wildcards.dataset],
        ],
        code=lambda wildcards: PLAN["code"]["methods"][wildcards.method],
        source=PLAN["code"]["importing"],
        folder=subpath(output[0], parent=True),
    shell:
        "topdb import-weights {input.checkpoint:q} --dataset {wildcards.dataset:q} "
        "--method {wildcards.method:q} --seed {wildcards.seed} --index {input.index:q} "
        "--pixels {input.pixels:q} --out {params.folder:q} >{log:q} 2>&1"
