"""Optimizers of discrete weights as optax gradient transformations."""

from mpnn.gradient.optimizers.adaste import adaste_weights, scale_by_adaste
from mpnn.gradient.optimizers.bayesbinn import (
    FISHER_FLOOR,
    PriorState,
    bayesbinn,
    divide_by_fisher,
    fisher_information,
    pull_to_prior,
    relaxed_sample,
    set_prior,
    sign_ema,
)
from mpnn.gradient.optimizers.bimu import BiMUState, bimu
from mpnn.gradient.optimizers.bop import BopState, bop
from mpnn.gradient.optimizers.box import keep_in_box
from mpnn.gradient.optimizers.proxquant import ProxQuantState, proxquant

__all__ = [
    "FISHER_FLOOR",
    "BiMUState",
    "BopState",
    "PriorState",
    "ProxQuantState",
    "adaste_weights",
    "bayesbinn",
    "bimu",
    "bop",
    "divide_by_fisher",
    "fisher_information",
    "keep_in_box",
    "proxquant",
    "pull_to_prior",
    "relaxed_sample",
    "scale_by_adaste",
    "set_prior",
    "sign_ema",
]
