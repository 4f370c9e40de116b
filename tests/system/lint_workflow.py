"""Run `snakemake --lint`; fail on anything but its wish for an environment in every rule."""

import subprocess
import sys

NOT_WANTED = "* Specify a conda environment or container for each rule.:"


def main() -> int:
    """Print what is left of the lints, and return the exit status."""
    run = subprocess.run(["snakemake", "--lint"], capture_output=True, text=True, check=False)
    lines = (run.stdout + run.stderr).splitlines()
    place, left = "", []
    for line in map(str.strip, lines):
        if line.startswith("Lints for "):
            place = line
        elif line.startswith("* ") and line != NOT_WANTED:
            left.append(f"{place} {line}")
    if not any(line.strip() == NOT_WANTED for line in lines):
        left = ["snakemake --lint looked at no rule:", *lines]
    print("\n".join(left) or "snakemake --lint: nothing left to say")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
