# Figures, each a target of its own: a file for the eye and one for the page of a paper.


rule figure2:
    input:
        SNAPSHOTS,
        beside(RECORD),
        PRINTED,
    output:
        png=report(
            "reports/figure2.png",
            caption="report/figure2.rst",
            category="Figures of the paper",
        ),
        pdf="reports/figure2.pdf",
    log:
        "logs/figures/figure2.log",
    params:
        profile=PROFILE,
        titles=PLAN["titles"],
        source=PLAN["source"]["report"],
        snapshots=PLAN["snapshots"],
        results=subpath(input[0], ancestor=4),
    shell:
        "topdb figure figure2 --results {params.results:q} "
        "--out {output.png:q} --out {output.pdf:q} >{log:q} 2>&1"


rule figure3:
    input:
        SNAPSHOTS,
        beside(RECORD),
        PRINTED,
    output:
        png=report(
            "reports/figure3.png",
            caption="report/figure3.rst",
            category="Figures of the paper",
        ),
        pdf="reports/figure3.pdf",
    log:
        "logs/figures/figure3.log",
    params:
        profile=PROFILE,
        titles=PLAN["titles"],
        source=PLAN["source"]["report"],
        snapshots=PLAN["snapshots"],
        results=subpath(input[0], ancestor=4),
    shell:
        "topdb figure figure3 --results {params.results:q} "
        "--out {output.png:q} --out {output.pdf:q} >{log:q} 2>&1"


rule figure_differences:
    input:
        beside(RECORD),
        PRINTED,
        comparisons=COMPARISONS,
    output:
        svg=report(
            "reports/plots/differences.svg",
            caption="report/differences.rst",
            category="Evidence",
        ),
        png="reports/plots/differences.png",
    log:
        "logs/figures/differences.log",
    params:
        profile=PROFILE,
        titles=PLAN["titles"],
        settings=PLAN["statistics"],
        source=PLAN["source"]["report"],
        comparisons=repeated("--comparisons", "comparisons"),
        results=lambda wildcards, input: below_results(wildcards, input.comparisons[0]),
    shell:
        "topdb figure differences --results {params.results:q} {params.comparisons} "
        "--out {output.svg:q} --out {output.png:q} >{log:q} 2>&1"


rule figure_variance:
    input:
        beside(RECORD),
        PRINTED,
        comparisons=COMPARISONS,
    output:
        svg=report(
            "reports/plots/variance.svg",
            caption="report/variance.rst",
            category="Evidence",
        ),
        png="reports/plots/variance.png",
    log:
        "logs/figures/variance.log",
    params:
        profile=PROFILE,
        titles=PLAN["titles"],
        settings=PLAN["statistics"],
        source=PLAN["source"]["report"],
        comparisons=repeated("--comparisons", "comparisons"),
        results=lambda wildcards, input: below_results(wildcards, input.comparisons[0]),
    shell:
        "topdb figure variance --results {params.results:q} {params.comparisons} "
        "--out {output.svg:q} --out {output.png:q} >{log:q} 2>&1"


rule figure_published:
    input:
        beside(RECORD),
        PRINTED,
        comparisons=COMPARISONS,
    output:
        svg=report(
            "reports/plots/published.svg",
            caption="report/published.rst",
            category="Evidence",
        ),
        png="reports/plots/published.png",
    log:
        "logs/figures/published.log",
    params:
        profile=PROFILE,
        titles=PLAN["titles"],
        settings=PLAN["statistics"],
        source=PLAN["source"]["report"],
        comparisons=repeated("--comparisons", "comparisons"),
        results=lambda wildcards, input: below_results(wildcards, input.comparisons[0]),
    shell:
        "topdb figure published --results {params.results:q} {params.comparisons} "
        "--out {output.svg:q} --out {output.png:q} >{log:q} 2>&1"


rule figure_seeds:
    input:
        COMPARISONS,
        beside(RECORD, QUERIES, METRICS),
        PRINTED,
    output:
        svg=report(
            "reports/plots/seeds.svg",
            caption="report/seeds.rst",
            category="Scores",
        ),
        png="reports/plots/seeds.png",
    log:
        "logs/figures/seeds.log",
    params:
        profile=PROFILE,
        titles=PLAN["titles"],
        settings=PLAN["statistics"],
        source=PLAN["source"]["report"],
        results=subpath(input[0], ancestor=2),
    shell:
        "topdb figure seeds --results {params.results:q} "
        "--out {output.svg:q} --out {output.png:q} >{log:q} 2>&1"


rule figure_cmc:
    input:
        COMPARISONS,
        beside(RECORD, QUERIES, METRICS),
        PRINTED,
    output:
        svg=report(
            "reports/plots/cmc.svg",
            caption="report/cmc.rst",
            category="Scores",
        ),
        png="reports/plots/cmc.png",
    log:
        "logs/figures/cmc.log",
    params:
        profile=PROFILE,
        titles=PLAN["titles"],
        settings=PLAN["statistics"],
        source=PLAN["source"]["report"],
        results=subpath(input[0], ancestor=2),
    shell:
        "topdb figure cmc --results {params.results:q} "
        "--out {output.svg:q} --out {output.png:q} >{log:q} 2>&1"


rule figure_training:
    input:
        grid(HISTORY),
        beside(RECORD),
        PRINTED,
    output:
        svg=report(
            "reports/plots/training.svg",
            caption="report/training.rst",
            category="Training",
        ),
        png="reports/plots/training.png",
    log:
        "logs/figures/training.log",
    params:
        profile=PROFILE,
        titles=PLAN["titles"],
        settings=PLAN["statistics"],
        source=PLAN["source"]["report"],
        results=subpath(input[0], ancestor=4),
    shell:
        "topdb figure training --results {params.results:q} "
        "--out {output.svg:q} --out {output.png:q} >{log:q} 2>&1"
