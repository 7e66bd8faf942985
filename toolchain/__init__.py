"""What `make` calls: sets a machine up, and runs and mends stacks. Standard library only."""

import sys

if sys.version_info < (3, 11):  # here, in words that an old one reads: the other files aren't
    sys.exit(
        "✗ Python 3.11 or newer is needed (Debian 12 and Ubuntu 24.04 have it); python3 here is "
        + sys.version.split()[0]
    )
