"""Jobs of a comparison: fitted and scored here, in worker processes or on a cluster."""
