# Features to scores, plain and re-ranked and all seeds of a batch in one job. Features are ancient,
# since run.json, which is small enough to be compared by content, holds their digest.

SCORE_FILES = expand(
    "{ranking}/{file}",
    ranking=PLAN["rankings"],
    file=["queries.parquet", "top.parquet", "metrics.json"],
)
# What is scored by the end of its rule's name: runs, and where `test_on` asks for it what they see
# of other data sets. Their files have the same names.
SCORED = {"": RUN} | ({"_on": ON} if TARGETS else {})

for (kind, scored), (name, seeds) in product(SCORED.items(), BATCHES.items()):

    rule:
        name:
            f"evaluate{kind}{name}"
        input:
            run=batch([f"{scored}/run.json"], seeds),
            features=ancient(batch([f"{scored}/features.npz"], seeds)),
        output:
            batch([f"{scored}/{file}" for file in SCORE_FILES], seeds),
        log:
            batch(
                [
                    f"logs/{PROFILE}/evaluate/{{dataset}}-{{method}}-{{seed}}"
                    f"{'-on-{target}' if kind else ''}.log"
                ],
                seeds[:1],
            ),
        resources:
            mem_mb=memory("evaluate"),
            runtime=minutes("evaluate"),
        params:
            **PLAN["ranking"],
            least_matched=PLAN["doubts"]["least_matched"],
            same_paths=(
                "--allow-same-paths" if PLAN["doubts"]["allow_same_paths"] else ""
            ),
            source=PLAN["source"]["evaluate"],
            folders=folders(seeds, len(SCORE_FILES), up=2),
            rankings=expand("--ranking {ranking}", ranking=PLAN["rankings"]),
        shell:
            "topdb evaluate {input.features:q} {params.rankings} {params.folders} "
            "--metric {params.metric:q} --ap-rule {params.ap_rule:q} --variant {params.variant:q} --k1 {params.k1} "
            "--k2 {params.k2} --lambda {params.original_weight} "
            "--single-gallery-shot {params.single_gallery_shot} "
            "--least-matched {params.least_matched} {params.same_paths} --quiet >{log:q} 2>&1"
