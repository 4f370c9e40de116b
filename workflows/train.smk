# Index to weights and features: one job, one process, a run. Pixels are ancient, since the index
# that is written with them, and compared by content, tells whether they changed.


rule pretrain:
    input:
        index=INDEX.format(dataset="pretraining"),
        pixels=ancient(PIXELS.format(dataset="pretraining")),
    output:
        BACKBONE,
        f"{RESULTS}/pretraining/history.csv",
    log:
        f"logs/{PROFILE}/pretrain.log",
    threads: PLAN["threads"]
    resources:
        gpu=1 if PLAN["device"] == "cuda" else 0,
        mem_mb=memory("pretrain"),
        runtime=minutes("pretrain"),
    params:
        settings=PLAN["train"],
        source=PLAN["source"]["train"],
        folder=subpath(output[0], parent=True),
    shell:
        "topdb pretrain --index {input.index:q} --pixels {input.pixels:q} "
        "--out {params.folder:q} >{log:q} 2>&1"


rule train:
    input:
        index=INDEX,
        pixels=ancient(PIXELS),
        backbone=[BACKBONE] if PLAN["pretrain"] else [],
    output:
        f"{RUN}/run.json",
        f"{RUN}/history.csv",
        f"{RUN}/weights.safetensors",
        f"{RUN}/features.npz",
    log:
        f"logs/{PROFILE}/train/{{dataset}}-{{method}}-{{seed}}.log",
    threads: PLAN["threads"]
    resources:
        gpu=1 if PLAN["device"] == "cuda" else 0,
        mem_mb=memory("train"),
        runtime=minutes("train"),
    params:
        settings=PLAN["train"],
        source=PLAN["source"]["train"],
        folder=subpath(output[0], parent=True),
        backbone=["--backbone"] if PLAN["pretrain"] else [],
    shell:
        "topdb train {wildcards.dataset:q} {wildcards.method:q} {wildcards.seed} "
        "--index {input.index:q} --pixels {input.pixels:q} {params.backbone} "
        "{input.backbone:q} --out {params.folder:q} >{log:q} 2>&1"


# The same for the runs that the figures look at: they keep snapshots too.
use rule train as train_watched with:
    output:
        f"{RUN}/run.json",
        f"{RUN}/history.csv",
        f"{RUN}/weights.safetensors",
        f"{RUN}/features.npz",
        f"{RUN}/snapshots.npz",
    wildcard_constraints:
        dataset=re.escape(PLAN["snapshots"]["dataset"]),
        method="|".join(map(re.escape, PLAN["snapshots"]["methods"])) or "nothing",
        seed=PLAN["snapshots"]["seed"],
    params:
        snapshots=PLAN["snapshots"],


ruleorder: train_watched > train
