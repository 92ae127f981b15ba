"""Where services begin at once: a process that has imported all they need, and forks for each `netlet serve`.

It reads the name of a log from each line of its input, and answers with the number of the process that was begun.
"""

import os
import signal
import sys
from importlib import import_module


def main() -> None:
    """Begin a service for each line."""
    cli = import_module("app.cli")
    import_module("app.server")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for line in sys.stdin:
        born = os.fork()
        if born == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(os.open(line.strip(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), sys.stderr.fileno())
            os.dup2(os.open(os.devnull, os.O_RDWR), sys.stdin.fileno())
            sys.argv = ["netlet", "serve", "--port", "0"]
            cli.main()
        print(born, flush=True)  # noqa: T201 - whoever asked waits for it


if __name__ == "__main__":
    main()
