"""`python -m clapp_snn` is `clapp-snn`."""

import sys

from clapp_snn.cli import main

if __name__ == "__main__":
    sys.exit(main())
