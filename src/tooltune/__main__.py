"""`python -m tooltune`."""

from tooltune.cli import main

main()
