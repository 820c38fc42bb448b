"""``python -m unknot`` is the command ``unknot``."""

import sys

if __name__ == "__main__":
    # As for the command: a module in the current folder, which may be anyone's, is not imported.
    if not sys.flags.safe_path:
        del sys.path[0]
    from .cli import main

    main()
