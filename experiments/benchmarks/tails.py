"""Candidate forms of the sign unit's gradient: nanoseconds an element and worst error over |x| <= 30.

    python -m experiments.benchmarks.tails

The label's field is infinite, so the gradient is ``GH(-x) = phi(x) / Phi(x)``, which SciPy knows in float64.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from jax import Array
from jax.scipy import special
from jax.scipy.stats import norm
from rich.console import Console
from rich.table import Table
from scipy.special import log_ndtr as exact_log_ndtr

from mpnn import numerics


@dataclass(frozen=True)
class Tails:
    """size: elements an evaluation, >= 1. repeats: evaluations, >= 1."""

    size: int = 1_000_000
    repeats: int = 15


def _by_log_ndtr(x: Array) -> Array:
    return jnp.exp(norm.logpdf(x) - special.log_ndtr(x))


def _by_erfc(x: Array) -> Array:
    return jnp.exp(norm.logpdf(x)) / (0.5 * special.erfc(-x / jnp.sqrt(2.0)))


def _by_rational(x: Array) -> Array:
    return numerics.hazard(-x)


def _fused(x: Array) -> Array:
    return numerics.sign_gradient(jnp.full((), jnp.inf), x)


FORMS: dict[str, Callable[[Array], Array]] = {
    "exp(log density - log_ndtr), as jax.scipy has it": _by_log_ndtr,
    "density / erfc (fails in the tail)": _by_erfc,
    "rational scaled tail (numerics.hazard)": _by_rational,
    "the same, for any field from above (numerics.sign_gradient)": _fused,
}


def _nanoseconds(form: Callable[[Array], Array], x: Array, repeats: int) -> float:
    compiled = jax.jit(form)
    compiled(x).block_until_ready()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        compiled(x).block_until_ready()
        seconds.append(time.perf_counter() - start)
    return 1e9 * median(seconds) / x.size


def main(options: Tails) -> None:
    """Time, compare, and print a table."""
    grid = np.linspace(-30.0, 30.0, 600_001, dtype=np.float32)
    wide = grid.astype(np.float64)
    truth = np.exp(-0.5 * wide**2 - 0.5 * np.log(2 * np.pi) - exact_log_ndtr(wide))
    normal = truth > np.finfo(np.float32).tiny
    x = 3.0 * jax.random.normal(jax.random.key(0), (options.size,))
    device = jax.devices()[0].device_kind
    title = f"phi(x) / Phi(x), float32, on {device} ({jax.default_backend()}), JAX {jax.__version__}"
    table = Table("form", "ns an element", "worst relative error", title=title)
    for name, form in FORMS.items():
        found = np.asarray(form(jnp.asarray(grid)), np.float64)
        error = np.max(np.abs(found[normal] / truth[normal] - 1.0))
        table.add_row(name, f"{_nanoseconds(form, x, options.repeats):.2f}", f"{error:.1e}")
    Console().print(table)


if __name__ == "__main__":
    main(tyro.cli(Tails))
