"""`python -m fraisier`."""

from fraisier.cli import main

main()
