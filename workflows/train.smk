# Index to weights and features: one job, one process, a run.


rule pretrain:
    input:
        index=INDEX.format(dataset="pretraining"),
        pixels=PIXELS.format(dataset="pretraining"),
    output:
        BACKBONE,
        f"{RESULTS}/pretraining/history.csv",
    params:
        settings=PLAN["train"],
        folder=f"{RESULTS}/pretraining",
    log:
        f"logs/{PROFILE}/pretrain.log",
    threads: PLAN["threads"]
    shell:
        "topdb pretrain --index {input.index:q} --pixels {input.pixels:q} "
        "--out {params.folder:q} {OPTIONS} >{log:q} 2>&1"


rule train:
    input:
        index=INDEX,
        pixels=PIXELS,
        backbone=[BACKBONE] if PLAN["pretrain"] else [],
    output:
        multiext(
            RUN + "/",
            "run.json",
            "history.csv",
            "weights.safetensors",
            "features.npz",
        ),
    params:
        settings=PLAN["train"],
        folder=RUN,
        backbone=f"--backbone {shlex.quote(BACKBONE)}" if PLAN["pretrain"] else "",
    log:
        f"logs/{PROFILE}/train/{{dataset}}-{{method}}-{{seed}}.log",
    threads: PLAN["threads"]
    resources:
        gpu=1 if PLAN["device"] == "cuda" else 0,
    shell:
        "topdb train {wildcards.dataset:q} {wildcards.method:q} {wildcards.seed} "
        "--index {input.index:q} --pixels {input.pixels:q} {params.backbone} "
        "--out {params.folder:q} {OPTIONS} >{log:q} 2>&1"
