"""Numbers of the system calls that the policy names, on the two architectures that the filter is written for.

From the kernel's ``asm/unistd_64.h`` and, for aarch64, ``asm-generic/unistd.h`` with that architecture's switches
(Linux 6.1). The aarch64 column, like the filter made from it, has not been run.
"""

import platform
from dataclasses import dataclass

UNKNOWN_FROM = 451  # the first number that the table's kernel does not have, on both architectures

# name, x86-64, aarch64 ("-": the architecture has no such call)
_TABLE = """
read 0 63, write 1 64, open 2 -, close 3 57, stat 4 -, fstat 5 80, lstat 6 -, poll 7 -, lseek 8 62, mmap 9 222,
mprotect 10 226, munmap 11 215, brk 12 214, rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139,
ioctl 16 29, pread64 17 67, pwrite64 18 68, readv 19 65, writev 20 66, access 21 -, pipe 22 -, select 23 -,
sched_yield 24 124, mremap 25 216, madvise 28 233, dup 32 23, dup2 33 -, pause 34 -, nanosleep 35 101,
getitimer 36 102, alarm 37 -, setitimer 38 103, getpid 39 172, sendto 44 206, recvfrom 45 207, shutdown 48 210,
getsockname 51 204, getpeername 52 205, socketpair 53 199, getsockopt 55 209, clone 56 220, exit 60 93,
wait4 61 260, kill 62 129, uname 63 160, fcntl 72 25, flock 73 32, fsync 74 82, fdatasync 75 83,
ftruncate 77 46, getcwd 79 17, chdir 80 49, fchdir 81 50, rename 82 -, mkdir 83 -, rmdir 84 -, link 86 -,
unlink 87 -, symlink 88 -, readlink 89 -, umask 95 166, gettimeofday 96 169, getrlimit 97 163,
getrusage 98 165, sysinfo 99 179, times 100 153, ptrace 101 117, getuid 102 174, getgid 104 176,
geteuid 107 175, getegid 108 177, getppid 110 173, getpgrp 111 -, getgroups 115 158, getresuid 118 148,
getresgid 120 150, getpgid 121 155, getsid 124 156, rt_sigpending 127 136, rt_sigtimedwait 128 137,
rt_sigqueueinfo 129 138, rt_sigsuspend 130 133, sigaltstack 131 132, statfs 137 43, fstatfs 138 44,
getpriority 140 141, pivot_root 155 41, prctl 157 167, chroot 161 51, acct 163 89, mount 165 40,
umount2 166 39, swapon 167 224, swapoff 168 225, reboot 169 142, iopl 172 -, ioperm 173 -, init_module 175 105,
delete_module 176 106, gettid 186 178, tkill 200 130, time 201 -, futex 202 98, sched_getaffinity 204 123,
getdents64 217 61, set_tid_address 218 96, restart_syscall 219 128, fadvise64 221 223, clock_gettime 228 113,
clock_getres 229 114, clock_nanosleep 230 115, exit_group 231 94, epoll_wait 232 -, epoll_ctl 233 21,
tgkill 234 131, kexec_load 246 104, waitid 247 95, add_key 248 217, request_key 249 218, keyctl 250 219,
openat 257 56, mkdirat 258 34, newfstatat 262 79, unlinkat 263 35, renameat 264 38, linkat 265 37,
symlinkat 266 36, readlinkat 267 78, faccessat 269 48, pselect6 270 72, ppoll 271 73, unshare 272 97,
set_robust_list 273 99, epoll_pwait 281 22, fallocate 285 47, eventfd2 290 19, epoll_create1 291 20,
dup3 292 24, pipe2 293 59, preadv 295 69, pwritev 296 70, rt_tgsigqueueinfo 297 240, perf_event_open 298 241,
prlimit64 302 261, open_by_handle_at 304 265, setns 308 268, getcpu 309 168, process_vm_readv 310 270,
process_vm_writev 311 271, kcmp 312 272, finit_module 313 273, renameat2 316 276, getrandom 318 278,
memfd_create 319 279, kexec_file_load 320 294, bpf 321 280, userfaultfd 323 282, membarrier 324 283,
statx 332 291, rseq 334 293, pidfd_send_signal 424 424, io_uring_setup 425 425, io_uring_enter 426 426,
io_uring_register 427 427, open_tree 428 428, move_mount 429 429, fsopen 430 430, fsconfig 431 431,
fsmount 432 432, fspick 433 433, pidfd_open 434 434, clone3 435 435, close_range 436 436, openat2 437 437,
pidfd_getfd 438 438, faccessat2 439 439, process_madvise 440 440, epoll_pwait2 441 441, mount_setattr 442 442,
memfd_secret 447 447, process_mrelease 448 448,
socket 41 198, connect 42 203, accept 43 202, bind 49 200, listen 50 201, accept4 288 242, execve 59 221,
execveat 322 281, settimeofday 164 170, clock_settime 227 112, sethostname 170 161, setdomainname 171 162,
setpriority 141 140, sched_setparam 142 118, sched_setscheduler 144 119, sched_setaffinity 203 122,
sched_setattr 314 274, ioprio_set 251 30, migrate_pages 256 238, move_pages 279 239,
shmget 29 194, shmat 30 196, shmctl 31 195, semget 64 190, semop 65 193, semctl 66 191, semtimedop 220 192,
msgget 68 186, msgsnd 69 189, msgrcv 70 188, msgctl 71 187, mq_open 240 180, mq_unlink 241 181,
chown 92 -, fchown 93 55, lchown 94 -, fchownat 260 54, setxattr 188 5, lsetxattr 189 6, fsetxattr 190 7,
removexattr 197 14, lremovexattr 198 15, fremovexattr 199 16
"""


@dataclass(frozen=True)
class Architecture:
    """A system-call interface as the kernel names it to a filter (``linux/audit.h``)."""

    name: str
    audit: int
    numbers: dict[str, int]


def _column(index: int) -> dict[str, int]:
    rows = [row.split() for row in _TABLE.replace("\n", " ").split(",")]
    return {row[0]: int(row[index]) for row in rows if row[index] != "-"}


X86_64 = Architecture("x86_64", 0xC000003E, _column(1))
AARCH64 = Architecture("aarch64", 0xC00000B7, _column(2))


def native() -> Architecture | None:
    """The interface of this machine's kernel; None when there is no table for it."""
    return {"x86_64": X86_64, "amd64": X86_64, "aarch64": AARCH64, "arm64": AARCH64}.get(platform.machine().lower())
