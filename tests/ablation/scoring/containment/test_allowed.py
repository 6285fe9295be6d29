"""What an honest candidate does works in every tier."""

from pathlib import Path

import numpy
import pytest
from confined import Sandbox, started

from ablation.scoring.containment.tiers import Tier

EVERYWHERE = {
    "threads": "t = threading.Thread(target=say, args=('yes',)); t.start(); t.join()",
    "a pool of threads": """
say('yes' if list(ThreadPoolExecutor(4).map(abs, [-1, 2])) == [1, 2] else 'no')""",
    "sleep and clocks": "time.sleep(0.001); time.time(); time.perf_counter(); time.process_time(); say('yes')",
    "random bytes": "say('yes' if len(os.urandom(8)) == 8 else 'no')",
    "printing": "print('x' * 100_000, flush=True); print('x', file=sys.stderr); say('yes')",
    "reading stdin": "say('yes' if sys.stdin.read() == '' else 'no')",
    "its own timer": """
signal.signal(signal.SIGALRM, lambda *_: say('yes')); signal.setitimer(signal.ITIMER_REAL, 0.001); signal.pause()""",
    "asyncio": """
async def answer():
    await asyncio.sleep(0.001)
    return await asyncio.to_thread(str, 'yes')
say(asyncio.run(answer()))""",
    "pipes": "r, w = os.pipe(); os.write(w, b'yes'); say(os.read(r, 3).decode())",
    "anonymous memory": "m = mmap.mmap(-1, 1 << 20); m[:3] = b'yes'; say(m[:3].decode())",
    "callbacks from C": """
compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
array = (ctypes.c_int * 3)(3, 1, 2)
LIBC.qsort(array, 3, 4, compare(lambda a, b: a[0] - b[0]))
say('yes' if list(array) == [1, 2, 3] else 'no')""",
    "processors and limits": "os.cpu_count(); resource.getrlimit(0); os.sched_getaffinity(0); say('yes')",
    "looking at a descriptor": "os.fstat(keep); say('no' if os.isatty(keep) else 'yes')",
}
WITH_FILES = {
    "a file in the work folder": "Path('f').write_text('yes'); say(Path('f').read_text()); os.unlink('f')",
    "folders in the work folder": """
os.makedirs('a/b'); Path('a/b/f').write_text('yes'); os.rename('a/b/f', 'g')
say(Path('g').read_text()); os.unlink('g'); os.removedirs('a/b')""",
    "temporary files": """
import tempfile
with tempfile.TemporaryDirectory() as folder, open(Path(folder, 'f'), 'w+') as file:
    file.write('yes'); file.seek(0); file.truncate(3); say(file.read())""",
    "an extension module": "import unicodedata; say('yes' if unicodedata.name('a') else 'no')",
    "modules that were not imported": "import sqlite3, xml.etree.ElementTree, decimal, statistics; say('yes')",
    "time zones": "import zoneinfo; say('yes' if zoneinfo.ZoneInfo('Europe/Berlin') else 'no')",
    "the null device": "open(os.devnull, 'w').write('x'); say('yes')",
    "a traceback": """
import traceback
try: 1 / 0
except ZeroDivisionError: say('yes' if 'ZeroDivisionError' in traceback.format_exc() else 'no')""",
}


@pytest.mark.parametrize("name", EVERYWHERE)
def test_works_in_every_tier(sandbox: Sandbox, name: str) -> None:
    ended = sandbox.run(EVERYWHERE[name])

    assert (ended.exit_code, ended.said) == (0, "yes")


@pytest.mark.parametrize("name", WITH_FILES)
def test_works_where_there_are_files(file_sandbox: Sandbox, name: str) -> None:
    ended = file_sandbox.run(WITH_FILES[name])

    assert (ended.exit_code, ended.said) == (0, "yes")


def test_numpy_works_when_it_is_readable(file_tier: Tier, tmp_path: Path) -> None:
    with started(file_tier, tmp_path, [Path(numpy.__file__).parents[1]]) as sandbox:
        ended = sandbox.run("import numpy; say('yes' if (numpy.eye(50) @ numpy.eye(50)).sum() == 50 else 'no')")

    assert (ended.exit_code, ended.said) == (0, "yes")
