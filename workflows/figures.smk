# Figures, each a target of its own: a file for the eye and one for print. The plan says which there
# are, what each is drawn from and which files it makes.

# What a figure is drawn from, in the input, and how many folders below the results it lies.
DRAWN_FROM = {
    "comparisons": (COMPARISONS, beside(RECORD), 2),
    "scores": (COMPARISONS, beside(RECORD, QUERIES, METRICS), 2),
    "histories": (grid(HISTORY), beside(RECORD), 4),
    "snapshots": (SNAPSHOTS, beside(RECORD), 4),
}

for figure, told_of in PLAN["figures"].items():
    seen, fetched, depth = DRAWN_FROM[told_of["needs"]]
    first, second = [f"reports/{file}" for file in told_of["files"]]

    rule:
        name:
            f"figure_{figure.removeprefix('figure')}".replace("-", "_")
        input:
            seen=seen,
            fetched=fetched,
            printed=PRINTED,
        output:
            first=report(
                first,
                caption=f"report/{figure}.rst",
                category=told_of["category"],
            ),
            second=second,
        log:
            f"logs/figures/{figure}.log",
        localrule: FETCHED
        params:
            figure=figure,
            profile=PROFILE,
            titles=PLAN["titles"],
            settings=PLAN[
                "snapshots" if told_of["needs"] == "snapshots" else "statistics"
            ],
            metrics=PLAN["metrics"],
            source=PLAN["source"]["report"],
            results=subpath(input[0], ancestor=depth),
            comparisons=(
                repeated("--comparisons", "seen")
                if told_of["needs"] == "comparisons"
                else ""
            ),
        shell:
            "topdb figure {params.figure} --results {params.results:q} {params.comparisons} "
            "--out {output.first:q} --out {output.second:q} >{log:q} 2>&1"
