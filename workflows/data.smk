# Images to index: drawn where the profile says so, real ones taken as they are.


rule render:
    output:
        "{root}/rendered.json",
    wildcard_constraints:
        root="|".join(each["root"] for each in PLAN["render"].values()) or "nothing",
    params:
        dataset=lambda wildcards: next(
            name
            for name, each in PLAN["render"].items()
            if each["root"] == wildcards.root
        ),
        settings=lambda wildcards: next(
            each for each in PLAN["render"].values() if each["root"] == wildcards.root
        ),
    log:
        "logs/render/{root}.log",
    shell:
        "topdb render {params.dataset:q} {OPTIONS} >{log:q} 2>&1"


def images(wildcards):
    """Return the file that stands for a data set's images, whatever their modification times."""
    if wildcards.dataset in PLAN["render"]:
        return ancient(f"{PLAN['render'][wildcards.dataset]['root']}/rendered.json")
    tracked = f"{PLAN['index'][wildcards.dataset]['root']}.dvc"
    return tracked if os.path.exists(tracked) else []


rule index:
    input:
        images,
    output:
        index=INDEX,
        pixels=PIXELS,
    params:
        source=lambda wildcards: PLAN["index"][wildcards.dataset],
        settings=lambda wildcards: PLAN["render"].get(wildcards.dataset),
    log:
        f"logs/{PROFILE}/index/{{dataset}}.log",
    shell:
        "topdb index {wildcards.dataset:q} --index {output.index:q} --pixels {output.pixels:q} "
        "{OPTIONS} >{log:q} 2>&1"
