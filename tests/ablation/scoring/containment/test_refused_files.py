"""What a candidate tries with files and with what the system shows as files."""

import errno
import os
from pathlib import Path

import pytest
from confined import Sandbox

from ablation.scoring.containment.paths import PACKAGE

REFUSALS = {f"PermissionError {errno.EPERM}", f"PermissionError {errno.EACCES}"}
# With an own root there is nothing to refuse, or it is on a read-only disk.
OWN_ROOT = {f"FileNotFoundError {errno.ENOENT}", f"OSError {errno.EROFS}", f"OSError {errno.EXDEV}"}

OUTSIDE = {
    "reading": "say(open(target).read())",
    "writing": "open(target, 'w').write('gotcha')",
    "appending": "open(target, 'a').write('gotcha')",
    "cutting by opening for reading": "os.open(target, os.O_RDONLY | os.O_TRUNC)",
    "cutting": "os.truncate(target, 0)",
    "removing": "os.unlink(target)",
    "moving away": "os.rename(target, 'mine')",
    "moving onto": "open('mine', 'w').write('gotcha'); os.rename('mine', target)",
    "mode": "os.chmod(target, 0)",
    "owner": "os.chown(target, 1, 1)",
    "times": "os.utime(target, (0, 0))",
    "an attribute": "os.setxattr(target, 'user.x', b'x')",
    "a hard link": "os.link(target, 'link'); say(open('link').read())",
    "a symbolic link": "os.symlink(target, f'soft-{os.getpid()}'); say(open(f'soft-{os.getpid()}').read())",
    "a way up": "say(open(os.path.join('..', *[os.pardir] * 40, target.lstrip('/'))).read())",
    "a new file beside it": "open(target + '.new', 'w')",
    "listing its folder": "say(os.listdir(os.path.dirname(target)))",
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_file_outside_is_out_of_reach(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    target = tmp_path / "target"
    target.write_text("secret")
    before = target.stat()

    ended = sandbox.run(f"target = {str(target)!r}\n{OUTSIDE[name]}\nsay('did it')")

    assert ended.said in (REFUSALS | OWN_ROOT if sandbox.tier.bubblewrap else REFUSALS | {f"OSError {errno.EXDEV}"})
    after = target.stat()
    assert (after.st_mode, after.st_uid, after.st_mtime, after.st_nlink) == (
        before.st_mode,
        before.st_uid,
        before.st_mtime,
        before.st_nlink,
    )
    assert target.read_text() == "secret"
    assert list(tmp_path.iterdir()) == [target]


SYSTEM = {
    "memory of the server": "open(f'/proc/{os.getppid()}/mem', 'rb').read(1)",
    "environment of the server": "say(open(f'/proc/{os.getppid()}/environ').read())",
    "descriptors of the server": "say(os.listdir(f'/proc/{os.getppid()}/fd'))",
    "maps of the server": "say(open(f'/proc/{os.getppid()}/maps').read())",
    "processes": "say(os.listdir('/proc'))",
    "its own memory as a file": "open('/proc/self/mem', 'r+b')",
    "its own environment": "say(open('/proc/self/environ').read())",
    "shared memory": "open('/dev/shm/ablation-test', 'w')",
    "semaphores": "_multiprocessing.SemLock(0, 1, 1, '/ablation-test', False)",
    "the terminal": "open('/dev/tty', 'w')",
    "the temporary folder": "open('/tmp/ablation-test', 'w')",
    "user names": "say(open('/etc/passwd').read())",
    "the home folder": "say(os.listdir('/root'))",
    "Python's library": "open(os.__file__, 'a')",
    "a module beside Python's": "open(os.path.join(os.path.dirname(os.__file__), 'x.py'), 'w')",
    "a device": "os.mknod('device', 0o60600, os.makedev(8, 0))",
    "a named pipe": "os.mkfifo('pipe')",
}


@pytest.mark.parametrize("name", SYSTEM)
def test_what_the_system_shows_as_files_is_out_of_reach(sandbox: Sandbox, name: str) -> None:
    ended = sandbox.run(f"{SYSTEM[name]}\nsay('did it')")

    assert ended.said in (REFUSALS | OWN_ROOT if sandbox.tier.bubblewrap else REFUSALS)


@pytest.mark.parametrize("path", ["tasks/katas.py", "scoring/pool.py", "__init__.py"])
def test_the_projects_own_code_cannot_be_read(sandbox: Sandbox, path: str) -> None:
    ended = sandbox.run(f"say(open({str(PACKAGE / path)!r}).read())")

    assert ended.said in (REFUSALS | OWN_ROOT if sandbox.tier.bubblewrap else REFUSALS)


def test_installed_packages_cannot_be_imported(file_sandbox: Sandbox) -> None:
    folders = [str(Path(pytest.__file__).parents[1]), str(Path(os.__file__).parent / "site-packages")]

    ended = file_sandbox.run(f"sys.path += {folders}\nimport pytest")

    assert ended.said == "ModuleNotFoundError None"


def test_a_readable_file_that_the_candidate_owns_is_not_cut(file_sandbox: Sandbox) -> None:
    ended = file_sandbox.run("os.open(os.__file__, os.O_RDONLY | os.O_TRUNC)")

    assert ended.said in REFUSALS
    assert Path(os.__file__).stat().st_size
