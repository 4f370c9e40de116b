# From data to tables: `snakemake --cores all reports/table2.md`.


include: "workflows/common.smk"
include: "workflows/data.smk"
include: "workflows/train.smk"
include: "workflows/evaluate.smk"
include: "workflows/report.smk"


rule all:
    default_target: True
    input:
        KEPT,
        "reports/table1.md",
        "reports/table2.md",
        "reports/metrics.json",
        "reports/plots/training.csv",
