"""``python -m tortie`` is the command ``tortie``."""

from tortie.cli.main import main

if __name__ == "__main__":
    main()
