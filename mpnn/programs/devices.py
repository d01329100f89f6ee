"""How much is done at a time, as a core's cache holds or as fills an accelerator; how exact products are."""

import sys

__all__ = ["at_once", "on_accelerator", "rounds_operands"]

# Products whose operands keep all bits of float32, by the names of JAX's matmul precisions.
WHOLE_OPERANDS = ("highest", "float32", "F32_F32_F32")


def on_accelerator() -> bool:
    """Whether JAX computes on something else than the processor; False where it is not loaded."""
    jax = sys.modules.get("jax")
    return jax is not None and jax.default_backend() != "cpu"


def at_once(processor: int, accelerator: int) -> int:
    """Things done at a time: few enough for a core's cache, or enough to fill an accelerator.

    Parameters
    ----------
    processor, accelerator : int >= 1
        On either kind of device.
    """
    return accelerator if on_accelerator() else processor


def rounds_operands() -> bool:
    """Whether matrix products round their float32 operands, to TF32 or bfloat16, as accelerators do."""
    jax = sys.modules.get("jax")
    return (
        on_accelerator() and jax is not None and jax.config.jax_default_matmul_precision not in WHOLE_OPERANDS
    )
