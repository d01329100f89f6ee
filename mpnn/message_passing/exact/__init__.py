"""Networks of few hidden units: exact messages above the first layer, and annealing."""
