"""``python -m ablation.training.guarded COMMAND…``: a command whose process group ends with the process that holds
this one's standard input, however that ends."""

import os
import signal
import subprocess
import sys
import threading


def main() -> int:
    """Runs the command in this process's group, which must be a new one, and returns its exit code."""
    signal.signal(signal.SIGTERM, lambda *_: None)  # the command has got it too, and is waited for
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)

    def watch() -> None:
        while os.read(0, 1):
            pass
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
    return process.wait()


if __name__ == "__main__":
    raise SystemExit(main())
