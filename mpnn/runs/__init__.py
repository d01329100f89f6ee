"""Records of a run: a strict TOML file in, JSON lines out."""
