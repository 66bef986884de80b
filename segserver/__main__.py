"""``python -m segserver``: the command line."""

from segserver.cli import main

if __name__ == "__main__":
    main(prog_name="segserver")
