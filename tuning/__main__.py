"""`python -m tuning`: the same as the command `tuning`."""

from tuning.cli import main

main()
