# From data to tables: `snakemake --cores all reports/table2.md`.


include: "workflows/common.smk"
include: "workflows/data.smk"
include: "workflows/import.smk" if PLAN["weights"] else "workflows/train.smk"
include: "workflows/evaluate.smk"


if TARGETS:

    include: "workflows/cross.smk"


include: "workflows/report.smk"
include: "workflows/figures.smk"
include: "workflows/page.smk"


rule all:
    default_target: True
    input:
        KEPT,
        REPORTS,
