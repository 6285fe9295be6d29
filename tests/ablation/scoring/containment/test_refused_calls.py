"""Each system call that a candidate must not make is tried for real; how it ends is the same in every tier."""

import errno
import platform
import signal

import pytest
from confined import Sandbox

from ablation.scoring.containment.syscalls import native

NATIVE = native()
NUMBERS = NATIVE.numbers if NATIVE else {}
PERMISSION = f"PermissionError {errno.EPERM}"

REFUSED = {
    "fork": "os.fork()",
    "a fork bomb": "\nwhile True: os.fork()",
    "a daemon": "os.setsid() if os.fork() == 0 else None",
    "vfork and exec": "import _posixsubprocess, subprocess; subprocess.run(['/bin/true'])",
    "posix_spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "exec": "os.execv('/bin/true', ['true'])",
    "clone into a new user namespace": "call(NUMBERS['clone'], 0x10010000, 0, 0, 0, 0)",
    "socket": "socket.socket()",
    "udp": "socket.socket(type=socket.SOCK_DGRAM)",
    "unix socket": "socket.socket(socket.AF_UNIX)",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "a datagram pair, which could write to any socket": "socket.socketpair(type=socket.SOCK_DGRAM)",
    "an address in sendto": "socket.socketpair()[0].sendto(b'x', b'\\0name')",
    "sending descriptors": "socket.send_fds(socket.socketpair()[0], [b'x'], [keep])",
    "connect": "check(LIBC.connect(keep, b'x', 1))",
    "a limit raised": "check(LIBC.setrlimit(resource.RLIMIT_NOFILE, (ctypes.c_ulong * 2)(10**6, 10**6)))",
    "a limit lowered": "check(LIBC.setrlimit(resource.RLIMIT_CPU, (ctypes.c_ulong * 2)(1, 1)))",
    "a limit of the server": "resource.prlimit(os.getppid(), resource.RLIMIT_CPU)",
    "a session": "os.setsid()",
    "another group": "os.setpgid(0, os.getppid())",
    "priority": "os.nice(-5)",
    "scheduling of others": "os.sched_setaffinity(os.getppid(), {0})",
    "the owner of signals": "fcntl.fcntl(keep, fcntl.F_SETOWN, os.getppid())",
    "the signal of a descriptor": "fcntl.fcntl(keep, 10, int(signal.SIGKILL))",
    "typing into a terminal": "fcntl.ioctl(keep, 0x5412, b'x')",
    "user id": "os.setuid(0)",
    "the death signal": "check(LIBC.prctl(1, 0, 0, 0, 0))",
    "becoming readable": "check(LIBC.prctl(4, 1, 0, 0, 0))",
    "another filter": "check(LIBC.prctl(22, 2, 0, 0, 0))",
    "personality": "check(LIBC.personality(0x0040000))",
    "system v shared memory": "check(LIBC.shmget(0, 4096, 0o1600))",
    "message queues": "check(LIBC.mq_open(b'/x', 0o102, 0o600, None))",
    "inotify": "check(LIBC.inotify_init1(0))",
    "locked memory": "check(LIBC.mlockall(3))",
    "the clock": "time.clock_settime(time.CLOCK_REALTIME, 0)",
    "the host's name": "socket.sethostname('x')",
}


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused(sandbox: Sandbox, name: str) -> None:
    ended = sandbox.run(f"NUMBERS = {NUMBERS}\n{REFUSED[name]}\nsay('did it')")

    assert (ended.exit_code, ended.said) == (0, PERMISSION)


SIGNALS = {
    "the parent": "os.kill(os.getppid(), 9)",
    "everybody": "os.kill(-1, 9)",
    "its group": "os.kill(0, 9)",
    "the first process": "os.kill(1, 9)",
    "a group": "os.killpg(os.getppid(), 9)",
    "a thread of the parent": "call(NUMBERS['tgkill'], os.getppid(), os.getppid(), 9)",
    "itself": "signal.raise_signal(15)",
}


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_ends_its_sender(sandbox: Sandbox, name: str) -> None:
    ended = sandbox.run(f"NUMBERS = {NUMBERS}\n{SIGNALS[name]}\nsay('did it')")

    assert (ended.exit_code, ended.said) == (-signal.SIGSYS, "")
    assert sandbox.process.poll() is None


NEVER_HONEST = """
    ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp
    kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_open pidfd_send_signal pidfd_getfd
    bpf io_uring_setup io_uring_enter io_uring_register perf_event_open userfaultfd memfd_create memfd_secret
    mount umount2 pivot_root chroot move_mount open_tree fsopen fsconfig fsmount fspick mount_setattr
    unshare setns open_by_handle_at keyctl add_key request_key
    init_module finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff acct
"""


@pytest.mark.parametrize("name", NEVER_HONEST.split())
def test_ends_who_calls_it(sandbox: Sandbox, name: str) -> None:
    ended = sandbox.run(f"call({NUMBERS[name]}, -1, 0, 0, 0)\nsay('did it')")

    assert (ended.exit_code, ended.said) == (-signal.SIGSYS, "")


@pytest.mark.parametrize("name", ["clone3", "openat2"])
def test_is_absent_so_that_libraries_fall_back(sandbox: Sandbox, name: str) -> None:
    assert sandbox.run(f"call({NUMBERS[name]}, 0, 0, 0, 0)").said == f"OSError {errno.ENOSYS}"


def test_calls_of_newer_kernels_are_absent(sandbox: Sandbox) -> None:
    assert sandbox.run("call(10_000)").said == f"OSError {errno.ENOSYS}"


def test_memory_is_hidden_from_other_processes_of_the_user(sandbox: Sandbox) -> None:
    assert sandbox.run("say(LIBC.prctl(3, 0, 0, 0, 0))").said == "0"


X86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="x86-64 only")


@X86
def test_the_x32_interface_ends_who_calls_it(sandbox: Sandbox) -> None:
    assert sandbox.run(f"call({0x40000000 + NUMBERS['getpid']})\nsay('did it')").exit_code == -signal.SIGSYS


@X86
def test_the_32_bit_interface_ends_who_calls_it(sandbox: Sandbox) -> None:
    getpid_by_int80 = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"  # mov eax, 20; int 0x80; ret
    ended = sandbox.run(f"""
code = mmap.mmap(-1, 4096, prot=7)
code.write({getpid_by_int80!r})
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
say('did it')""")

    assert (ended.exit_code, ended.said) == (-signal.SIGSYS, "")
