"""`python -m mpnn` is the `mpnn` command."""

import sys

from mpnn.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
