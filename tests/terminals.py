"""Run a command on a terminal of 80 columns, and see what stays on its screen."""

import os
import re
import subprocess
import sys

WIDTH = 80


def run_on_terminal(*arguments, cwd, env=None):
    """Run the program with a pseudo-terminal as its output; return its exit code and bytes."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, WIDTH, 0, 0))
    environment = {**os.environ, "TERM": "xterm", **(env or {})}
    for name in ("COLUMNS", "LINES", "CI", "NO_COLOR"):
        environment.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-m", "unknot", *map(str, arguments)],
        stdout=theirs,
        stderr=theirs,
        stdin=theirs,
        cwd=cwd,
        env=environment,
    )
    os.close(theirs)
    read = bytearray()
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # Linux: nobody writes any more
            break
        if not chunk:
            break
        read += chunk
    os.close(ours)
    return process.wait(), bytes(read)


def screen(output):
    """Return the lines that a terminal shows after all of its output.

    It knows what Rich writes: carriage returns, line feeds, erased lines, the cursor moved up, and
    colors, which are left out. Lines are not wrapped.
    """
    lines, row, column = [""], 0, 0
    for token in re.findall(r"\x1b\[[?0-9;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", output.decode()):
        if token == "\r":
            column = 0
        elif token == "\n":
            row, column = row + 1, column
            lines += [""] * (row + 1 - len(lines))
        elif token.startswith("\x1b"):
            count = int(re.sub(r"\D", "", token) or 1)
            if token.endswith("A"):
                row = max(0, row - count)
            elif token.endswith("K"):
                lines[row] = "" if token == "\x1b[2K" else lines[row][:column]
        else:
            line = lines[row].ljust(column)
            lines[row] = line[:column] + token + line[column + len(token) :]
            column += len(token)
    return [line.rstrip() for line in lines]
