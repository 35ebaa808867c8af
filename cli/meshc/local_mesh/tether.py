"""A child process that cannot outlive its parent, however that ends: `python -m meshc.local_mesh.tether PID COMMAND…`.

The kernel is asked to kill this process when its parent dies (prctl(2) PR_SET_PDEATHSIG, which execve keeps); then the
command takes the process over. Where there is no prctl the command runs untethered.
"""

from __future__ import annotations

import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PARENT_GONE = 1


def main() -> None:
    """Tether this process to its parent, whose id is the first argument, and become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel was asked
        sys.exit(_PARENT_GONE)
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
