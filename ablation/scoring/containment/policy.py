"""Which system calls a candidate may make: an allow-list with conditions on arguments; and which an evaluator may not.

Whatever is not named here is refused with EPERM, or with ENOSYS when it is newer than the table of numbers, so that
a C library falls back to what it used before. Calls that no honest Python program makes end the process with SIGSYS.
"""

from dataclasses import dataclass

WHOLE = 0xFFFFFFFF


@dataclass(frozen=True)
class Among:
    """Holds when the 32-bit ``word`` of the arguments (2n: low half of argument n), masked, is one of ``values``."""

    word: int
    values: tuple[int, ...]
    mask: int = WHOLE


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Reading and writing what is open, memory, time, threads, the process's own signals, and what it may know of itself.
ALWAYS = _names(
    """
    read write readv writev pread64 pwrite64 preadv pwritev close close_range lseek ftruncate fsync fdatasync fallocate
    fadvise64 flock fstat dup dup2 dup3 pipe pipe2
    select pselect6 poll ppoll epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd2
    recvfrom shutdown getsockname getpeername getsockopt
    mmap mprotect munmap mremap madvise brk membarrier
    futex set_robust_list set_tid_address rseq sched_yield sched_getaffinity getcpu gettid restart_syscall
    exit exit_group wait4 waitid
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigsuspend rt_sigtimedwait sigaltstack pause
    alarm getitimer setitimer nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times
    getrusage getrlimit getpriority sysinfo uname getrandom
    getpid getppid getpgid getpgrp getsid getuid geteuid getgid getegid getgroups getresuid getresgid
    getcwd
    """
)

# Landlock decides about their paths, so they are refused where there is no Landlock. Calls that change the owner, mode,
# times or attributes of a path are missing on purpose: Landlock lets them pass.
FILES = _names(
    """
    access faccessat faccessat2 stat lstat readlink readlinkat statfs fstatfs getdents64 chdir fchdir
    rmdir unlink unlinkat rename renameat renameat2
    """
)

KILLED = _names(
    """
    ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp
    kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_open pidfd_send_signal pidfd_getfd
    bpf io_uring_setup io_uring_enter io_uring_register perf_event_open userfaultfd memfd_create memfd_secret
    mount umount2 pivot_root chroot move_mount open_tree fsopen fsconfig fsmount fspick mount_setattr
    unshare setns open_by_handle_at keyctl add_key request_key
    init_module finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff acct iopl ioperm
    """
)

# What an evaluator, which runs tests on what candidates answer, has no honest use for: starting programs, connections
# to anybody (it has its sockets, and makes pairs), other processes' memory and place in the queue, what outlives it in
# the kernel, owners and attributes of files, the machine's settings.
OUTWARD = _names(
    """
    execve execveat socket connect bind listen accept accept4
    ptrace process_vm_readv process_vm_writev process_madvise process_mrelease pidfd_getfd kcmp
    rt_sigqueueinfo rt_tgsigqueueinfo pidfd_open pidfd_send_signal
    setpriority sched_setparam sched_setscheduler sched_setaffinity sched_setattr ioprio_set migrate_pages move_pages
    shmget shmat shmctl semget semop semctl semtimedop msgget msgsnd msgrcv msgctl mq_open mq_unlink
    chown fchown lchown fchownat setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
    bpf io_uring_setup io_uring_enter io_uring_register perf_event_open userfaultfd
    mount umount2 pivot_root chroot move_mount open_tree fsopen fsconfig fsmount fspick mount_setattr
    unshare setns open_by_handle_at keyctl add_key request_key settimeofday clock_settime sethostname setdomainname
    init_module finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff acct iopl ioperm
    """
)

ABSENT = frozenset(("clone3", "openat2"))  # their conditions lie in memory; C libraries fall back to the older call

_ACCESS_MODE, _TRUNC = 0o3, 0o1000
_THREAD = 0x10000
_NOT_OF_A_THREAD = 0x7E020000 | 0x8000 | 0x2000 | 0x1000  # new namespaces, CLONE_PARENT, _PTRACE, _PIDFD
_EMPTY_PATH = 0x1000
_UNIX, _STREAM, _SEQUENCED, _SOCKET_FLAGS = 1, 1, 5, 0o2004000  # SOCK_CLOEXEC, SOCK_NONBLOCK


def _null(argument: int) -> tuple[Among, Among]:
    return Among(2 * argument, (0,)), Among(2 * argument + 1, (0,))


def _open_to_its_owner(mode: int) -> tuple[Among, ...]:
    """So that the evaluator sees what is in every folder, also as an ordinary user."""
    return (Among(2 * mode, (0o700,), 0o700),)


def _opening(flags: int) -> tuple[Among, ...]:
    """A file opened for reading is not cut: Landlock controls that from its third version on only."""
    allowed = (0, 1, 2, 3, _TRUNC | 1, _TRUNC | 2)
    return (Among(2 * flags, allowed, _ACCESS_MODE | _TRUNC),)


# TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
# F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW, F_DUPFD_CLOEXEC, F_GETPIPE_SZ; F_SETOWN and
# F_SETSIG would send any signal to any process of the user.
_FCNTLS = (0, 1, 2, 3, 4, 5, 6, 7, 1030, 1032)
# PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_SET_VMA (naming of memory by the C library)
_PRCTLS = (3, 15, 16, 0x53564D41)

CONDITIONS: dict[str, tuple[Among, ...]] = {
    "clone": (Among(0, (_THREAD,), _THREAD | _NOT_OF_A_THREAD),),
    "ioctl": (Among(2, _IOCTLS),),
    "fcntl": (Among(2, _FCNTLS),),
    "prctl": (Among(0, _PRCTLS),),
    "prlimit64": (Among(0, (0,)), *_null(2)),  # read one's own limits
    # asyncio's wake-up; a stream cannot be sent to another address
    "umask": (Among(0, (0,), 0o700),),
    "socketpair": (Among(0, (_UNIX,)), Among(2, (_STREAM,), WHOLE & ~_SOCKET_FLAGS)),
    "sendto": _null(4),
}
OUTWARD_UNLESS: dict[str, tuple[Among, ...]] = {
    "prlimit64": (Among(0, (0,)),),  # one's own limits
    # a datagram goes to whatever address it bears, and would be one to the user's session or the system's log
    "socketpair": (Among(2, (_STREAM, _SEQUENCED), WHOLE & ~_SOCKET_FLAGS),),
}
"""What an evaluator may do under conditions."""

WITHOUT_FILES: dict[str, tuple[Among, ...]] = {  # how some C libraries write fstat
    "newfstatat": (Among(6, (_EMPTY_PATH,), _EMPTY_PATH),),
    "statx": (Among(4, (_EMPTY_PATH,), _EMPTY_PATH),),
}
WITH_FILES: dict[str, tuple[Among, ...]] = {
    "open": _opening(1),
    "openat": _opening(2),
    "mkdir": _open_to_its_owner(1),
    "mkdirat": _open_to_its_owner(2),
    "newfstatat": (),
    "statx": (),
}


def allowed(files: bool) -> dict[str, tuple[Among, ...]]:
    """Allowed calls with their conditions, all of which must hold; with those on paths when ``files``."""
    names = ALWAYS | FILES if files else ALWAYS
    return {**dict.fromkeys(names, ()), **CONDITIONS, **(WITH_FILES if files else WITHOUT_FILES)}
