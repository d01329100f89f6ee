"""The `mpnn` command."""
