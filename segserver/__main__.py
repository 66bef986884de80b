"""``python -m segserver``."""

from segserver.cli import main

main()
