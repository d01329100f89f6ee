"""Few-bit layers inside flax models: trained ones, and such as messages train there."""

from mpnn.flax_layers.beliefs import Belief, BeliefLayers, counting_once
from mpnn.flax_layers.published import FewBitLayer, Published

__all__ = ["Belief", "BeliefLayers", "FewBitLayer", "Published", "counting_once"]
