"""``python -m scanreader``: the command line."""

from scanreader.cli import main

if __name__ == "__main__":
    main()
