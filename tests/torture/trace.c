/* See trace.h. A filter (seccomp) stops the command at the calls of a table; the tracer lets each
 * go on, or gives it another result in place of the call. */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "marker.h"

enum {
  READS = 1,
  WRITES = 2,
  CHANGES = 4,
  REMOVES = 8,
  ROOM = 16,
  NO_FD = 32,
  AT = 64,
  PATH = 128,
  LOOKS = 256
};

/* Not among them: brk, whose failures the C library itself (glibc 2.36) does not always survive.
 *
 * READS and WRITES move bytes, whose number is the third argument; CHANGES: a file system is not
 * as before; ROOM: fails on a full disk. The first argument is a path (PATH), a folder whose second
 * one is (AT), a descriptor, or something else (NO_FD). LOOKS: asks what a path is. */
static const struct {
  int number, flags;
  const char *name;
  int errors[MAX_ERRORS + 1];
} table[] = {
    {SYS_read, READS, "read", {EIO, EINTR}},
    {SYS_pread64, READS, "pread", {EIO, EINTR}},
    {SYS_readv, 0, "readv", {EIO}},
    {SYS_write, WRITES | CHANGES | ROOM, "write", {EIO, ENOSPC, EINTR, EDQUOT}},
    {SYS_pwrite64, WRITES | CHANGES | ROOM, "pwrite", {EIO, ENOSPC, EINTR, EDQUOT}},
    {SYS_writev, CHANGES | ROOM, "writev", {EIO, ENOSPC}},
    {SYS_copy_file_range, CHANGES | ROOM, "copy_file_range", {EIO, ENOSPC}},
    {SYS_sendfile, CHANGES | ROOM, "sendfile", {EIO, ENOSPC}},
    {SYS_open, CHANGES | PATH, "open", {EIO, EACCES, ENOMEM, EMFILE}},
    {SYS_openat, CHANGES | AT, "openat", {EIO, EACCES, ENOMEM, EMFILE}},
    {SYS_openat2, CHANGES | AT, "openat2", {EIO, EACCES, ENOMEM, EMFILE}},
    {SYS_close, 0, "close", {EIO, EINTR}},
    {SYS_fsync, CHANGES, "fsync", {EIO, ENOSPC}},
    {SYS_fdatasync, CHANGES, "fdatasync", {EIO, ENOSPC}},
    {SYS_rename, CHANGES | REMOVES | PATH, "rename", {EIO, EACCES, ENOSPC}},
    {SYS_renameat, CHANGES | REMOVES | AT, "renameat", {EIO, EACCES, ENOSPC}},
    {SYS_renameat2, CHANGES | REMOVES | AT, "renameat2", {EIO, EACCES, ENOSPC}},
    {SYS_unlink, CHANGES | REMOVES | PATH, "unlink", {EIO, EACCES}},
    {SYS_unlinkat, CHANGES | REMOVES | AT, "unlinkat", {EIO, EACCES}},
    {SYS_rmdir, CHANGES | REMOVES | PATH, "rmdir", {EIO, EACCES}},
    {SYS_mkdir, CHANGES | ROOM | PATH, "mkdir", {EIO, EACCES, ENOSPC}},
    {SYS_mkdirat, CHANGES | ROOM | AT, "mkdirat", {EIO, EACCES, ENOSPC}},
    {SYS_symlink, CHANGES | ROOM | NO_FD, "symlink", {EIO, ENOSPC, EPERM}},
    {SYS_symlinkat, CHANGES | ROOM | NO_FD, "symlinkat", {EIO, ENOSPC, EPERM}},
    {SYS_link, CHANGES | ROOM | NO_FD, "link", {EIO, ENOSPC, EPERM}},
    {SYS_linkat, CHANGES | ROOM | NO_FD, "linkat", {EIO, ENOSPC, EPERM}},
    {SYS_ftruncate, CHANGES, "ftruncate", {EIO}},
    {SYS_truncate, CHANGES | PATH, "truncate", {EIO}},
    {SYS_fallocate, CHANGES | ROOM, "fallocate", {EIO, ENOSPC}},
    {SYS_chmod, CHANGES | PATH, "chmod", {EIO, EPERM}},
    {SYS_fchmod, CHANGES, "fchmod", {EIO, EPERM}},
    {SYS_flock, 0, "flock", {EIO, EINTR, ENOLCK}},
    {SYS_fcntl, 0, "fcntl", {EIO, ENOMEM}},
    {SYS_stat, PATH | LOOKS, "stat", {EIO, EACCES, ENOMEM}},
    {SYS_lstat, PATH | LOOKS, "lstat", {EIO, EACCES, ENOMEM}},
    {SYS_fstat, 0, "fstat", {EIO, ENOMEM}},
    {SYS_newfstatat, AT | LOOKS, "fstatat", {EIO, EACCES, ENOMEM}},
    {SYS_statx, AT | LOOKS, "statx", {EIO, EACCES, ENOMEM}},
    {SYS_access, PATH | LOOKS, "access", {EIO, EACCES}},
    {SYS_faccessat, AT | LOOKS, "faccessat", {EIO, EACCES}},
    {SYS_faccessat2, AT | LOOKS, "faccessat2", {EIO, EACCES}},
    {SYS_readlink, PATH | LOOKS, "readlink", {EIO, EACCES, ENOMEM}},
    {SYS_readlinkat, AT | LOOKS, "readlinkat", {EIO, EACCES, ENOMEM}},
    {SYS_getdents64, 0, "getdents", {EIO, ENOMEM}},
    {SYS_lseek, 0, "lseek", {EIO}},
    {SYS_getcwd, NO_FD, "getcwd", {EIO, ENOMEM}},
    {SYS_chdir, PATH, "chdir", {EIO, EACCES}},
    {SYS_fchdir, 0, "fchdir", {EIO, EACCES}},
    {SYS_statfs, PATH, "statfs", {EIO}},
    {SYS_fstatfs, 0, "fstatfs", {EIO}},
    {SYS_dup, 0, "dup", {EMFILE}},
    {SYS_mmap, NO_FD, "mmap", {ENOMEM, EAGAIN}},
    {SYS_mremap, NO_FD, "mremap", {ENOMEM}},
    {SYS_mprotect, NO_FD, "mprotect", {ENOMEM}},
    {SYS_madvise, NO_FD, "madvise", {ENOMEM}},
    {SYS_clone, NO_FD, "clone", {EAGAIN, ENOMEM}},
    {SYS_clone3, NO_FD, "clone3", {EAGAIN, ENOMEM}},
    {SYS_sched_getaffinity, NO_FD, "sched_getaffinity", {EPERM}},
    {SYS_sysinfo, NO_FD, "sysinfo", {EPERM}},
    {SYS_prlimit64, NO_FD, "prlimit", {EPERM}},
    {SYS_rt_sigaction, NO_FD, "sigaction", {ENOMEM}},
    {SYS_getrandom, NO_FD, "getrandom", {ENOSYS}},
};
enum { N_TABLE = sizeof table / sizeof *table };

const char *call_name(const call *c) {
  return table[c->row].name;
}
const int *call_errors(const call *c) {
  return table[c->row].errors;
}
bool call_writes(const call *c) {
  return table[c->row].flags & CHANGES && (c->fd < 0 || c->fd > 2);
}
bool call_moves(const call *c) {
  return table[c->row].flags & (READS | WRITES) && c->bytes > 1;
}
bool call_removes(const call *c) {
  return table[c->row].flags & (REMOVES | LOOKS);
}

/* ---- the command's side ---- */

static bool install_filter(void) {
  struct sock_filter f[N_TABLE + 6];
  int n = 0;
  f[n++] =
      (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
  f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
  f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  f[n++] =
      (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (int i = 0; i < N_TABLE; i++)
    f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)table[i].number,
                                          (unsigned char)(N_TABLE - i), 0);
  f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
  const struct sock_fprog program = {(unsigned short)n, f};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void put_on(int fd, const char *path, int flags) {
  const int opened = open(path, flags, 0666);
  if (opened < 0 || dup2(opened, fd) < 0) _exit(126);
  if (opened != fd) close(opened);
}

static void set_alloc(const strike *s) {
  char text[32];
  snprintf(text, sizeof text, "%ld%s", s->at, s->ever ? "+" : "");
  setenv("TORTURE_ALLOC", text, 1);
}

static void start_program(const char *dir, const char *words, const char *out, const char *err,
                          const strike *s, bool traced) {
  char *argv[64], *line = strdup(words);
  int n = 0;
  if (!line) _exit(126);
  for (char *word = strtok(line, " "); word && n < 63; word = strtok(NULL, " ")) argv[n++] = word;
  argv[n] = NULL;
  if (chdir(dir) != 0) _exit(126);
  put_on(0, "/dev/null", O_RDONLY);
  put_on(1, out, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND);
  put_on(2, err, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND);
  setenv("LD_PRELOAD", TORTURE_SHIM, 1);
  if (s->kind == STRIKE_ALLOC) set_alloc(s);
  if (traced && (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0 || raise(SIGSTOP) != 0 || !install_filter()))
    _exit(125);
  execv(argv[0], argv);
  _exit(127);
}

/* ---- the tracer's side ---- */

static volatile sig_atomic_t alarm_rang;
static void on_alarm(int number) {
  (void)number;
  alarm_rang = 1;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void ring_after(double seconds) {
  struct sigaction action = {.sa_handler = on_alarm}; /* interrupts waitpid */
  /* Again and again: one that rings before waitpid sleeps would be missed. */
  const struct itimerval when = {
      .it_interval = {0, 5000},
      .it_value = {(time_t)seconds, (suseconds_t)(1e6 * (seconds - (double)(time_t)seconds))}};
  sigaction(SIGALRM, &action, NULL);
  alarm_rang = 0;
  setitimer(ITIMER_REAL, &when, NULL);
}

typedef struct tracer {
  const strike *s;
  outcome *o;
  pid_t pid;
  bool begun;      /* the marker was seen */
  int64_t written; /* bytes, to files */
  long capacity;
  char lost[PATH_MAX]; /* a path that could not be looked at stays so; "": none */
  int lost_in;         /* the folder it was relative to */
} tracer;

static int find_row(long number) {
  for (int i = 0; i < N_TABLE; i++)
    if (table[i].number == number) return i;
  return -1;
}

static void record(tracer *t, const call *c) {
  outcome *o = t->o;
  if (o->n_calls > t->capacity) {
    t->capacity = 2 * t->capacity + 1024;
    o->calls = realloc(o->calls, (size_t)t->capacity * sizeof *o->calls);
    if (!o->calls) abort();
  }
  o->calls[o->n_calls - 1] = *c;
}

static void fail_call(struct user_regs_struct *r, int error) {
  r->orig_rax = (unsigned long long)-1;
  r->rax = (unsigned long long)-(long long)error;
}

/* The path of a call, "" when it has none; *folder: what it is relative to. */
static void path_of(pid_t thread, int flags, const struct user_regs_struct *r, char *path,
                    int *folder) {
  const unsigned long long at = flags & PATH ? r->rdi : flags & AT ? r->rsi : 0;
  const struct iovec here = {path, PATH_MAX - 1};
  const size_t in_page = 4096 - at % 4096; /* more may not be there */
  const struct iovec there = {(void *)(uintptr_t)at, in_page < 4096 ? in_page : PATH_MAX - 1};
  const ssize_t n = at ? process_vm_readv(thread, &here, 1, &there, 1, 0) : 0;
  path[n > 0 ? n : 0] = 0;
  *folder = flags & AT ? (int)r->rdi : AT_FDCWD;
}

/* What hides a path from a look hides it from all that follows. */
static void lose_path(tracer *t, pid_t thread, int flags, bool due, struct user_regs_struct *r) {
  char path[PATH_MAX];
  int folder;
  if (!(flags & (AT | PATH)) || (due ? !(flags & LOOKS) : !t->lost[0])) return;
  path_of(thread, flags, r, path, &folder);
  if (due) {
    memcpy(t->lost, path, sizeof path);
    t->lost_in = folder;
  } else if (folder == t->lost_in && !strcmp(path, t->lost)) {
    fail_call(r, t->s->error);
  }
}

/* A disk of a size: bytes beyond it, and whatever needs a new block then, are refused. */
static void fill_disk(tracer *t, const call *c, struct user_regs_struct *r) {
  if (c->fd >= 0 && c->fd <= 2) return;
  const int flags = table[c->row].flags;
  const int64_t room = t->s->bytes - t->written;
  const bool creates =
      r->orig_rax == SYS_openat ? r->rdx & O_CREAT : r->orig_rax == SYS_open && r->rsi & O_CREAT;
  if (room <= 0 && (flags & ROOM || creates)) {
    fail_call(r, ENOSPC);
    t->o->struck = true;
    t->o->hit = *c;
  } else if (flags & WRITES && c->bytes > room) {
    r->rdx = (unsigned long long)room;
  }
  if (flags & WRITES && room > 0) t->written += (int64_t)r->rdx;
}

/* The command stands before a call of the table; returns whether it may go on. */
static bool meet_call(tracer *t, pid_t thread) {
  /* The call, if it is one of the table. */
  const strike *s = t->s;
  outcome *o = t->o;
  struct user_regs_struct r;
  if (ptrace(PTRACE_GETREGS, thread, 0, &r) != 0) return true;
  const int row = find_row((long)r.orig_rax);
  if (row < 0) return true;

  /* Nothing counts before the command's marker. */
  if (!t->begun) {
    t->begun = r.orig_rax == SYS_close && (int)r.rdi == TORTURE_MARKER;
    return true;
  }

  /* What is known of it: its descriptor and its length. */
  const int flags = table[row].flags;
  const call c = {row, flags & (NO_FD | AT | PATH) ? -1 : (int)r.rdi,
                  flags & (READS | WRITES) ? (int64_t)r.rdx : 0};

  /* The strike, if it is this call's turn, changes what the kernel will see. */
  const struct user_regs_struct before = r;
  const bool due = ++o->n_calls == s->at;
  if (s->kind == STRIKE_RECORD) record(t, &c);
  if (due) o->hit = c;
  if (s->kind == STRIKE_ERROR) lose_path(t, thread, flags, due, &r);
  if (s->kind == STRIKE_ERROR && due) fail_call(&r, s->error);
  if (s->kind == STRIKE_SHORT && (due || !s->at) && call_moves(&c)) r.rdx = (r.rdx + 1) / 2;
  if (s->kind == STRIKE_FULL) fill_disk(t, &c, &r);

  /* Or a signal comes before it. */
  if (s->kind == STRIKE_SIGNAL && due) {
    kill(t->pid, s->signal);
    o->struck = true;
    return s->signal != SIGKILL;
  }

  /* Changed registers are what strikes. */
  if (memcmp(&before, &r, sizeof r) != 0) {
    if (s->kind != STRIKE_FULL) o->struck = true;
    ptrace(PTRACE_SETREGS, thread, 0, &r);
  }
  return true;
}

/* One stop of a thread of the command: it goes on. */
static void meet_stop(tracer *t, pid_t thread, int status) {
  const int number = WSTOPSIG(status), event = status >> 16;
  if (event == PTRACE_EVENT_SECCOMP) {
    if (!meet_call(t, thread)) return;
    ptrace(PTRACE_CONT, thread, 0, 0);
  } else {
    const bool own = event != 0 || number == SIGTRAP || (number == SIGSTOP && thread != t->pid);
    ptrace(PTRACE_CONT, thread, 0, own ? 0 : number);
  }
}

static bool begin_trace(pid_t pid) {
  int status;
  const long options =
      PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
  return waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status) &&
         ptrace(PTRACE_SETOPTIONS, pid, 0, options) == 0 && ptrace(PTRACE_CONT, pid, 0, 0) == 0;
}

/* The alarm has rung: the moment of the signal, or, the second time, of losing patience. */
static void meet_alarm(tracer *t, bool *sent) {
  alarm_rang = 0;
  if (t->s->kind == STRIKE_MOMENT && !*sent) {
    *sent = t->o->struck = true;
    kill(t->pid, t->s->signal);
    ring_after(TIMES_OUT);
    return;
  }
  t->o->hung = true;
  kill(t->pid, SIGKILL);
}

static void await(tracer *t) {
  bool sent = false;
  int status;
  for (;;) {
    const pid_t thread = waitpid(-1, &status, __WALL);
    if (thread < 0 && errno == EINTR) {
      if (alarm_rang) meet_alarm(t, &sent);
      continue;
    }
    if (thread < 0) break;
    if (WIFSTOPPED(status)) meet_stop(t, thread, status);
    if (thread != t->pid || WIFSTOPPED(status)) continue;
    t->o->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    t->o->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    break;
  }
  ring_after(0);
  while (waitpid(-1, &status, __WALL) > 0) {
  }
}

bool run_struck(const char *dir, const char *words, const char *out, const char *err,
                const strike *s, outcome *o) {
  const bool traced = s->kind != STRIKE_NONE && s->kind != STRIKE_MOMENT && s->kind != STRIKE_ALLOC;
  tracer t = {.s = s, .o = o};
  *o = (outcome){.code = -1};
  const double started = now();
  const pid_t pid = fork();
  if (pid < 0) return false;
  if (pid == 0) start_program(dir, words, out, err, s, traced);
  t.pid = pid;
  if (traced && !begin_trace(pid)) {
    kill(pid, SIGKILL);
    waitpid(pid, NULL, __WALL);
    return false;
  }
  ring_after(s->kind != STRIKE_MOMENT ? TIMES_OUT : s->seconds > 1e-5 ? s->seconds : 1e-5);
  await(&t);
  o->seconds = now() - started;
  return o->code < 125 || o->code > 127;
}
