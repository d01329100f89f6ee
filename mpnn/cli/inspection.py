"""What a saved model is, as names and values."""

from pathlib import Path
from typing import Any

import numpy as np

from mpnn.cli.models import Saved
from mpnn.data.cells import counted

__all__ = ["describe"]

# Columns that are named, of more the first.
_SHOWN = 30


def describe(saved: Saved, path: Path) -> list[tuple[str, str]]:
    """Return lines about layers, weights, bytes, classes, columns, operations and origin of a model."""
    model, schema, provenance = saved
    members = getattr(model, "estimators_", [model])
    first = members[0]
    weights = [layer for member in members for layer in member.weights_]
    levels = sorted({level for layer in weights for level in np.unique(layer).tolist()})
    zeros, total = sum(int((layer == 0).sum()) for layer in weights), sum(layer.size for layer in weights)
    widths = " - ".join(map(str, (len(first.weights_[0]), *(layer.shape[1] for layer in first.weights_))))
    lines = [
        ("networks", f"{len(members)} of widths {widths}"),
        ("weights", f"{total}, {zeros} of them 0 ({zeros / total:.0%})"),
        ("levels", f"{', '.join(f'{level:g}' for level in levels[:16])}"),
        ("bits", f"{np.log2(max(len(levels), 2)):.2f} a weight"),
        ("links removed before training", f"{1.0 - float(first.density):.0%}"),
        ("classes", ", ".join(str(name) for name in model.classes_.tolist())),
    ]
    if schema is not None:
        columns = [f"{name} ({kind})" for name, kind in schema.kinds.items()]
        more = [f"{len(columns) - _SHOWN} more"] if len(columns) > _SHOWN else []
        lines.append(("columns", ", ".join([*columns[:_SHOWN], *more])))
        lines += [(role, name) for role in ("label", "id") if (name := getattr(schema, role)) is not None]
    encoder = getattr(first, "encoder_", None)
    if encoder is not None:
        bits = [code.num_bits for code in encoder.columns_]
        lines.append(("coded columns", f"{len(bits)}, {sum(bits)} bits"))
    lines.append(("bytes of this file", str(path.stat().st_size)))
    return [*lines, *_exported(model), *provenance.items()]


def _exported(model: Any) -> list[tuple[str, str]]:
    """Return bytes and operations of the exported network, or why there is none."""
    from mpnn.deploy import deployment_costs

    costs = deployment_costs(model)
    if costs.packed_bytes is None:
        return [("packed", f"not possible: {costs.reason}")]
    lines = [("bytes packed", str(costs.packed_bytes))]
    if costs.flash_bytes is not None:
        lines.append(("flash on a Cortex-M0", f"{costs.flash_bytes} bytes of tables and code"))
    if costs.ram_bytes is not None:
        lines.append(("RAM", f"{costs.ram_bytes} bytes of stack beside the inputs"))
    operations = ", ".join(_operations(name, count) for name, count in costs.operations.items())
    return [*lines, ("operations an inference, at most", operations)]


def _operations(name: str, count: int) -> str:
    return counted(count, name.removesuffix("s")) if count else f"no {name}"
