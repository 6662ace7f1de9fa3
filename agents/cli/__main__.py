"""`python -m active_matting.agents.cli` is the command `active-matting`."""

import sys

from active_matting.agents.cli import main

if __name__ == "__main__":
    sys.exit(main())
