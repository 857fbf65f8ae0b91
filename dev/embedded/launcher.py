"""Runs a program that ends with its parent: `python -I -S launcher.py PARENT SIGNAL UID GID PROGRAM ARGUMENTS…`.

It is a program of its own for two reasons. `preexec_fn` runs Python between fork and exec, which is not safe in a
process with threads; and changing the user clears the death signal, so the signal must be set afterwards.
"""

import os
import signal
import sys

try:
    import ctypes
except ImportError:  # a Python built without libffi; the program then ends only if its parent stops it
    ctypes = None

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    parent, death_signal, uid, gid = (int(argument) for argument in arguments[:4])
    # The library is loaded while Python's own files can be read, which the server's user may not be allowed to do.
    library = ctypes.CDLL(None) if ctypes and sys.platform == "linux" else None
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if library:
        library.prctl(PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:
        sys.exit("the parent ended before its child began")
    # Python ignores SIGPIPE and our parent may ignore other signals, which the program would inherit.
    for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.execv(arguments[4], arguments[4:])  # noqa: S606 - this module runs programs


if __name__ == "__main__":
    main(sys.argv[1:])
