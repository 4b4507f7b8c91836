/* The program as ranks: processes with a socket between each two of them, in place of a process
 * manager. Their part for MPI is plugins/rank_sockets.c. */
#ifndef TRM_TESTS_RANK_PROCESSES_H
#define TRM_TESTS_RANK_PROCESSES_H

#include <sys/socket.h>
#include <sys/stat.h>

#include "launch.h"

enum { MOST_RANKS = 8 };

/* What one rank has otherwise than the others. */
typedef struct rank_way {
  int rank;          /* -1: none */
  const char *more;  /* an argument behind the others' */
  const char *isa;   /* TRM_ISA */
  bool version;      /* that of trm, as far as the others see */
  rlim_t file_limit; /* as in launch.h */
} rank_way;
static const rank_way all_alike = {.rank = -1};

typedef struct ranks {
  int n;
  pid_t pid[MOST_RANKS];
  int code[MOST_RANKS];          /* as finish() has it */
  char err[MOST_RANKS][1 << 13]; /* what each said */
} ranks;

/* The folder for what a rank prints. */
static inline scratch rank_scratch(const scratch *s, int rank) {
  scratch r = {{0}, {0}};
  snprintf(r.dir, sizeof r.dir, "%.40s/rank%d", s->dir, rank);
  (void)mkdir(r.dir, 0777);
  return r;
}

static inline void become_rank(const scratch *s, int rank, int n, int (*fd)[MOST_RANKS],
                               const char *const *args, const rank_way *way) {
  /* The sockets of this rank stay open, those of others are closed. */
  char sockets[128] = "", number[16], size[16];
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++)
      if (i != rank && i != j) close(fd[i][j]);
  for (int j = 0; j < n; j++)
    snprintf(sockets + strlen(sockets), sizeof sockets - strlen(sockets), "%d,",
             j == rank ? -1 : fd[rank][j]);
  snprintf(number, sizeof number, "%d", rank);
  snprintf(size, sizeof size, "%d", n);
  setenv("TEST_SOCKETS", sockets, 1);
  setenv("TEST_RANK", number, 1);
  setenv("PMI_SIZE", size, 1);

  /* Its own ways. */
  const char *own[MAX_ARGS + 1] = {0};
  int k = 0;
  for (; args[k]; k++) own[k] = args[k];
  const bool other = way->rank == rank;
  if (other && way->more) own[k] = way->more;
  if (other && way->isa) setenv("TRM_ISA", way->isa, 1);
  if (other && way->version) setenv("TEST_OTHER_VERSION", "1", 1);
  scratch mine = rank_scratch(s, rank);
  become(&mine, own, &(launch){.file_limit = other ? way->file_limit : 0}, -1);
}

static inline ranks start_ranks(const scratch *s, int n, const rank_way *way,
                                const char *const *args) {
  int fd[MOST_RANKS][MOST_RANKS];
  ranks r = {.n = n};
  for (int i = 0; i < n; i++)
    for (int j = i + 1; j < n; j++) {
      int ends[2];
      assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
      fd[i][j] = ends[0];
      fd[j][i] = ends[1];
    }
  for (int i = 0; i < n; i++) {
    r.pid[i] = fork();
    assert_true(r.pid[i] >= 0);
    if (r.pid[i] == 0) become_rank(s, i, n, fd, args, way);
  }
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++)
      if (i != j) close(fd[i][j]);
  return r;
}

/* Waits for all; out_text is what rank 0 printed. */
static inline void finish_ranks(const scratch *s, ranks *r) {
  for (int i = r->n - 1; i >= 0; i--) {
    scratch mine = rank_scratch(s, i);
    r->code[i] = finish(&mine, r->pid[i]);
    snprintf(r->err[i], sizeof r->err[i], "%.8000s", err_text);
    if (i > 0) assert_string_equal(out_text, "");
  }
}

static inline ranks run_ranks(const scratch *s, int n, const rank_way *way,
                              const char *const *args) {
  ranks r = start_ranks(s, n, way, args);
  finish_ranks(s, &r);
  return r;
}
#define RANKS(n, ...) run_ranks(s, n, &all_alike, ARGS(__VA_ARGS__))

/* All ended so. */
static inline void want_ranks(const ranks *r, int code) {
  for (int i = 0; i < r->n; i++)
    if (r->code[i] != code)
      fail_msg("rank %d: exit %d, want %d\n%s", i, r->code[i], code, r->err[i]);
}

#endif
