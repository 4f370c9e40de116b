# Index to weights and features. A job trains the seeds of a batch one after the other, each into a
# folder of its own; a kill loses none that is finished (`topdb train`). Pixels are ancient, since the
# index that is written with them, and compared by content, tells whether they changed.


if held and not workflow.dryrun:
    check_recipes()


rule pretrain:
    input:
        index=INDEX.format(dataset="pretraining"),
        pixels=ancient(PIXELS.format(dataset="pretraining")),
    output:
        BACKBONE,
        f"{RESULTS}/pretraining/{{backbone}}/history.csv",
    log:
        f"logs/{PROFILE}/pretrain-{{backbone}}.log",
    threads: PLAN["threads"]
    resources:
        gpu=1 if PLAN["device"] == "cuda" else 0,
        mem_mb=memory("pretrain"),
        runtime=minutes("pretrain"),
    params:
        settings=PLAN["train"],
        code=lambda wildcards: PLAN["code"]["pretraining"][wildcards.backbone],
        kept=lambda wildcards: PLAN["kept"][wildcards.backbone],
        folder=subpath(output[0], parent=True),
    shell:
        "topdb pretrain {wildcards.backbone:q} --index {input.index:q} --pixels {input.pixels:q} "
        "--out {params.folder:q} >{log:q} 2>&1"


for name, seeds in BATCHES.items():

    rule:
        name:
            f"train{name}"
        input:
            index=INDEX,
            pixels=ancient(PIXELS),
            backbone=lambda wildcards: (
                [BACKBONE.format(backbone=PLAN["backbones"][wildcards.method])]
                if PLAN["pretrain"]
                else []
            ),
        output:
            batch(RUN_FILES, seeds),
        log:
            batch([f"logs/{PROFILE}/train/{{dataset}}-{{method}}-{{seed}}.log"], seeds),
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
            backbone=["--backbone"] if PLAN["pretrain"] else [],
            seeds=batch(["{seed}"], seeds),
            folders=folders(seeds, len(RUN_FILES)),
        shell:
            "logs=({log:q}); "
            "topdb train {wildcards.dataset:q} {wildcards.method:q} {params.seeds} "
            "--index {input.index:q} --pixels {input.pixels:q} {params.backbone} "
            '{input.backbone:q} {params.folders} "${{logs[@]/#/--log=}}" >>{log[0]:q} 2>&1'


# The same for the batch that the figures look at: one of its runs keeps snapshots too.
use rule train as train_watched with:
    output:
        batch(RUN_FILES, BATCHES[""]),
        batch(
            [f"{RUN}/snapshots.npz"],
            [
                each
                for each in BATCHES[""]
                if each in ("{seed}", PLAN["snapshots"]["seed"])
            ],
        ),
    wildcard_constraints:
        dataset=re.escape(PLAN["snapshots"]["dataset"]),
        method="|".join(map(re.escape, PLAN["snapshots"]["methods"])) or "nothing",
        seed=PLAN["snapshots"]["seed"],
    params:
        snapshots=PLAN["snapshots"],


ruleorder: train_watched > train
