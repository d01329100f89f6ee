"""Everything that needs an accelerator: tests marked `gpu`, seconds of steps, their page.

    python -m experiments.benchmarks.accelerator

Without an accelerator it says so and does nothing.
"""

import subprocess
import sys
from datetime import date
from pathlib import Path

import jax

from mpnn.programs.devices import on_accelerator

PAGE = Path(__file__).parents[2] / "docs" / "experiments" / "accelerators.md"
SHAPES = (
    ("784", "101", "101", "10"),
    ("784", "501", "501", "10"),
    ("784", "1024", "1024", "1024", "10"),
)
BATCHES = (128, 1024)


def output_of(*arguments: str) -> str:
    """What a Python program prints; the run ends where it fails."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


def main() -> None:
    """Test, time and write."""
    if not on_accelerator():
        print("make gpu: JAX sees no accelerator here (jax.default_backend() is 'cpu'); nothing was run")
        return
    device = jax.devices()[0].device_kind
    tests = output_of("-m", "pytest", "-q", "-n", "0", "-m", "gpu", "tests/gpu").strip().splitlines()[-1]
    parts = [
        "# Accelerators",
        f"{date.today()}, {jax.device_count()} x {device}, JAX {jax.__version__}.",
        f"`make gpu` wrote this page. Tests marked `gpu`: {tests}.",
        "## Seconds of an epoch, beside straight-through training",
    ]
    for widths in SHAPES:
        for batch in BATCHES:
            how = ["--widths", *widths, "--batch-size", str(batch)]
            table = output_of("-m", "experiments.benchmarks.step", *how)
            parts += [
                f"`python -m experiments.benchmarks.step {' '.join(how)}`",
                f"```\n{table.strip()}\n```",
            ]
    PAGE.write_text("\n\n".join(parts) + "\n")
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
