# Figures, each a target of its own: a file for the eye and one for the page of a paper.


rule figure2:
    input:
        SNAPSHOTS,
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
    shell:
        "topdb figure figure2 --out {output.png:q} --out {output.pdf:q} >{log:q} 2>&1"


rule figure3:
    input:
        SNAPSHOTS,
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
    shell:
        "topdb figure figure3 --out {output.png:q} --out {output.pdf:q} >{log:q} 2>&1"


rule figure_differences:
    input:
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
    shell:
        "topdb figure differences --comparisons {input.comparisons:q} "
        "--out {output.svg:q} --out {output.png:q} >{log:q} 2>&1"


rule figure_variance:
    input:
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
    shell:
        "topdb figure variance --comparisons {input.comparisons:q} "
        "--out {output.svg:q} --out {output.png:q} >{log:q} 2>&1"


rule figure_published:
    input:
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
    shell:
        "topdb figure published --comparisons {input.comparisons:q} "
        "--out {output.svg:q} --out {output.png:q} >{log:q} 2>&1"


rule figure_seeds:
    input:
        COMPARISONS,
        "reports/published/table1.csv",
        "reports/published/table2.csv",
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
    shell:
        "topdb figure seeds --out {output.svg:q} --out {output.png:q} >{log:q} 2>&1"


rule figure_cmc:
    input:
        COMPARISONS,
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
    shell:
        "topdb figure cmc --out {output.svg:q} --out {output.png:q} >{log:q} 2>&1"


rule figure_training:
    input:
        grid(f"{RUN}/history.csv"),
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
    shell:
        "topdb figure training --out {output.svg:q} --out {output.png:q} >{log:q} 2>&1"
