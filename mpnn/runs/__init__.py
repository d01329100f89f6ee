"""Records of a run, for comparisons and experiments: a strict TOML file in, JSON lines out.

`toml` reads configs, `rows` keeps the rows of a folder, `environment` and `memory` record where and at what
cost they were computed.
"""
