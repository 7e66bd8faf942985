"""Gets what the tests' own cluster needs, where it is needed and can be."""

from __future__ import annotations

import os

from . import VARIABLE, missing, node

if __name__ == "__main__" and not (os.environ.get(VARIABLE) or missing()):
    node.programs()
