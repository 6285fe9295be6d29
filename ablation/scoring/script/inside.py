"""Inside a script's namespace, before anything of a candidate runs: place its module, set limits, become bash.

Started as a file, with only ``ablation.scoring.extract`` beside it. Stdin is JSON, see ``main``.
"""

import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from ablation.scoring.extract import Prompt, extract

READY = b"ready\n"  # printed before anything else: until then no candidate is to blame
REFUSED = {"no_code": 81, "syntax_error": 82}  # exit codes; a script that ends with one only harms itself
FILE_BYTES = 256 << 20
OPEN_FILES = 1024
PROCESSES = 512  # not enforced for root by the kernel


def main() -> None:
    """Run ``bash`` with ``job["argv"]`` for ``{"argv", "module", "memory_mb", "cpu_s", "source" or "answer"}``.

    ``module`` is the path that ``source``, or the code in ``answer`` ([prompt, entry_point, completion]), goes to;
    null: nothing is placed.
    """
    job = json.loads(sys.stdin.buffer.read())
    os.write(1, READY)
    if job["module"] is not None:
        _place(job)
    limits = {
        resource.RLIMIT_AS: job["memory_mb"] << 20,
        resource.RLIMIT_CPU: job["cpu_s"],
        resource.RLIMIT_FSIZE: FILE_BYTES,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_NPROC: PROCESSES,
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in limits.items():
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, which programs would inherit
        signal.signal(number, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.execv("/bin/bash", ["bash", *job["argv"]])


def _place(job: dict[str, Any]) -> None:
    path = Path(job["module"])
    if "answer" in job:
        prompt, entry_point, completion = job["answer"]
        candidate = extract(Prompt(prompt, entry_point), completion)
        if candidate.status is not None:
            print(candidate.detail)
            raise SystemExit(REFUSED[candidate.status])
        source = candidate.source
    else:
        source = job["source"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8", errors="surrogateescape")


if __name__ == "__main__":
    main()
