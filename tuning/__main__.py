"""`python -m tuning`: the same as the command `tuning`."""

import sys
from pathlib import Path

# -m puts the working folder first on the path, where a person's own yaml.py would hide the library.
if not sys.flags.safe_path and sys.path and Path(sys.path[0]) == Path.cwd():
    del sys.path[0]

from tuning.cli import main

main()
