"""`python -m livebeat`."""

import sys

from livebeat.cli import main

if __name__ == "__main__":
    sys.exit(main())
