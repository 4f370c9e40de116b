# Images to index: drawn where the profile says so, real ones taken as they are.


rule data:
    input:
        [f"{each['root']}/rendered.json" for each in PLAN["render"].values()],


rule render:
    output:
        "{root}/rendered.json",
    log:
        "logs/render/{root}.log",
    wildcard_constraints:
        root="|".join(
            map(re.escape, (each["root"] for each in PLAN["render"].values()))
        )
        or "nothing",
    resources:
        mem_mb=memory("render"),
        runtime=minutes("render"),
    params:
        source=PLAN["source"]["render"],
        dataset=lambda wildcards: next(
            name
            for name, each in PLAN["render"].items()
            if each["root"] == wildcards.root
        ),
        settings=lambda wildcards: next(
            each for each in PLAN["render"].values() if each["root"] == wildcards.root
        ),
    shell:
        "topdb render {params.dataset:q} --out {output:q} >{log:q} 2>&1"


rule index:
    input:
        images,
    output:
        index=INDEX,
        pixels=PIXELS,
    log:
        f"logs/{PROFILE}/index/{{dataset}}.log",
    resources:
        mem_mb=memory("index"),
        runtime=minutes("index"),
    params:
        images=lambda wildcards: PLAN["index"][wildcards.dataset],
        source=PLAN["source"]["index"],
        settings=lambda wildcards: PLAN["render"].get(wildcards.dataset),
    shell:
        "topdb index {wildcards.dataset:q} --index {output.index:q} --pixels {output.pixels:q} "
        ">{log:q} 2>&1"
