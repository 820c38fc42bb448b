"""``python -m unknot`` is the command ``unknot``."""

from .cli import main

if __name__ == "__main__":
    main()
