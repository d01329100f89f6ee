"""Maps that are linear in weights and in inputs: contraction, its transposes, and moments of sums."""
