"""``python -m tortie`` is the command ``tortie``."""

from tortie.cli.start import main

if __name__ == "__main__":
    main()
