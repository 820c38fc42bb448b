"""Entry point of ``python -m unknot``, the same as the command ``unknot``."""

import sys

if __name__ == "__main__":
    # Do not import modules from the current folder, which may be untrusted.
    if not sys.flags.safe_path:
        del sys.path[0]
    from .cli import main

    main()
