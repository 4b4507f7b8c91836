/* Hashes of results, held in tests/same_bits.txt: a line for each set of kernels, number format and
 * case, "ISA FORMAT CASE NAME=HASH ...". A test says what it found; a line that is missing, differs
 * or that no case claims fails it. Lines are only written by the test's argument --write, those of
 * the sets of kernels that it ran. */
#ifndef TRM_TESTS_SAME_BITS_H
#define TRM_TESTS_SAME_BITS_H

#include "kernels/kernels.h"
#include "scratch.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { BITS_MAX = 1024, BITS_KEY = 96, BITS_TEXT = 400 };

/* FNV-1a, of the test's own: the library's may become another one. */
#define BITS_START UINT64_C(0xcbf29ce484222325)
static inline uint64_t bits_add(uint64_t hash, const void *data, size_t n) {
  const unsigned char *bytes = data;
  for (size_t i = 0; i < n; i++) hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
  return hash;
}
static inline uint64_t bits_of_file(const char *path) {
  size_t n;
  unsigned char *bytes = read_bytes(path, &n);
  const uint64_t hash = bits_add(BITS_START, bytes, n);
  free(bytes);
  return hash;
}

typedef struct bits_line {
  char key[BITS_KEY], hashes[BITS_TEXT];
  bool claimed; /* by a case of this run */
} bits_line;

typedef struct bits_table {
  bits_line line[BITS_MAX];
  int n, faults;
  bool writes;
  char head[2048]; /* comments */
} bits_table;

static const char bits_path[] = TRM_SOURCE_DIR "/tests/same_bits.txt";

static inline void bits_open(bits_table *t, bool writes) {
  char text[512];
  FILE *f = fopen(bits_path, "r");
  memset(t, 0, sizeof *t);
  t->writes = writes;
  assert_non_null(f);
  while (fgets(text, sizeof text, f)) {
    bits_line *l = &t->line[t->n];
    char isa[24], format[24], name[40];
    if (*text == '#') {
      assert_true(strlen(t->head) + strlen(text) < sizeof t->head);
      strcat(t->head, text);
    } else if (sscanf(text, "%23s %23s %39s %399[^\n]", isa, format, name, l->hashes) == 4) {
      assert_true(++t->n < BITS_MAX);
      snprintf(l->key, sizeof l->key, "%s %s %s", isa, format, name);
    }
  }
  fclose(f);
}

static inline bits_line *bits_find(bits_table *t, const char *key) {
  for (int i = 0; i < t->n; i++)
    if (!strcmp(t->line[i].key, key)) return &t->line[i];
  return NULL;
}

/* Two lists of NAME=HASH: the names whose hashes differ. */
static inline void bits_tell(const char *key, const char *held, const char *found) {
  char text[BITS_TEXT], differ[BITS_TEXT] = "", *rest;
  snprintf(text, sizeof text, "%s", found);
  for (const char *p = strtok_r(text, " ", &rest); p; p = strtok_r(NULL, " ", &rest))
    if (!strstr(held, p)) sprintf(differ + strlen(differ), " %.*s", (int)strcspn(p, "="), p);
  print_message("%s: differs in%s\n  held  %s\n  found %s\n", key, differ, held, found);
}

/* What a case found. */
static inline void bits_check(bits_table *t, const char *key, const char *found) {
  bits_line *l = bits_find(t, key);
  if (!l && t->writes) {
    assert_true(t->n < BITS_MAX);
    l = &t->line[t->n++];
    snprintf(l->key, sizeof l->key, "%s", key);
  }
  if (l && t->writes) snprintf(l->hashes, sizeof l->hashes, "%s", found);
  if (l) l->claimed = true;
  if (l && !strcmp(l->hashes, found)) return;

  /* Every machine can write the lines of plain C; those of another set come when one has it. */
  t->faults += l || !strncmp(key, "portable ", 9);
  if (l)
    bits_tell(key, l->hashes, found);
  else
    print_message("%s: not in the table, to which the argument --write adds it; found\n  %s\n", key,
                  found);
}

/* Lines of a set of kernels that are of this test and that nobody claimed: a case that is no more.
 */
static inline void bits_unclaimed(bits_table *t, const char *isa, bool (*mine)(const char *name)) {
  for (int i = t->n - 1; i >= 0; i--) {
    char of[24], name[40];
    assert_int_equal(sscanf(t->line[i].key, "%23s %*s %39s", of, name), 2);
    if (t->line[i].claimed || strcmp(of, isa) || !mine(name)) continue;
    if (t->writes) {
      memmove(&t->line[i], &t->line[i + 1], (size_t)(--t->n - i) * sizeof *t->line);
      continue;
    }
    t->faults++;
    print_message("%s: in the table, but no case is called so\n", t->line[i].key);
  }
}

static inline int bits_order(const void *a, const void *b) {
  return strcmp(((const bits_line *)a)->key, ((const bits_line *)b)->key);
}

static inline void bits_close(bits_table *t) {
  if (t->writes) {
    FILE *f = fopen(bits_path, "w");
    assert_non_null(f);
    qsort(t->line, (size_t)t->n, sizeof *t->line, bits_order);
    fputs(t->head, f);
    for (int i = 0; i < t->n; i++) fprintf(f, "%s %s\n", t->line[i].key, t->line[i].hashes);
    assert_int_equal(fclose(f), 0);
  }
  if (t->faults)
    fail_msg(
        "%d lines of %s do not hold; if results were meant to change, say so in CHANGELOG.md "
        "and run this test with --write",
        t->faults, bits_path);
}

/* vrcp14ps, which the SwiGLU of bfloat16 divides by, is exact to 14 bits, and makers of processors
 * fill the rest differently: the lines of AVX-512 hold where it gives the bits that it gave where
 * they were written. */
#if defined(__x86_64__)
__attribute__((target("avx512f"))) static inline uint64_t bits_of_reciprocals(void) {
  uint64_t hash = BITS_START;
  for (int i = 0; i < 1 << 16; i += 16) {
    float x[16];
    for (int k = 0; k < 16; k++) x[k] = 1 + (float)(i + k) / (1 << 16);
    _mm512_storeu_ps(x, _mm512_rcp14_ps(_mm512_loadu_ps(x)));
    hash = bits_add(hash, x, sizeof x);
  }
  return hash;
}
#endif
static inline bool bits_belong_to(const char *isa) {
#if defined(__x86_64__)
  const uint64_t written_with = UINT64_C(0x02254318c295bf17);
  if (strncmp(isa, "avx512", 6) != 0) return true;
  const uint64_t here = bits_of_reciprocals();
  if (here == written_with) return true;
  print_message("%s: left out: reciprocals of this processor are others (%016llx)\n", isa,
                (unsigned long long)here);
  return false;
#else
  return *isa != 0;
#endif
}

/* A processor that nobody has run this test's --write on yet is told, and has nothing to hold. */
static inline bool bits_knows(const bits_table *t, const char *isa,
                              bool (*mine)(const char *name)) {
  for (int i = 0; i < t->n; i++) {
    char of[24], name[40];
    assert_int_equal(sscanf(t->line[i].key, "%23s %*s %39s", of, name), 2);
    if (!strcmp(of, isa) && mine(name)) return true;
  }
  if (!t->writes) print_message("%s: left out: no lines of it; --write adds them\n", isa);
  return t->writes;
}

/* A sanitizer sees as much in the best set of kernels as in all of them. */
#ifndef BITS_SETS
#define BITS_SETS 8
#endif

/* `check` for every set of kernels that this machine has, or the one that TRM_ISA names; `mine`
 * knows the test's cases. */
static inline void bits_on_every_isa(bits_table *t, bool (*mine)(const char *name),
                                     void (*check)(bits_table *t, const char *isa, void *arg),
                                     void *arg) {
  const trm__kernels *k[8];
  const int n = trm__kernels_runnable(k, 8);
  int done = 0, known = 0;
  char *before = getenv("TRM_ISA") ? strdup(getenv("TRM_ISA")) : NULL;
  for (int i = 0; i < n && done < BITS_SETS; i++) {
    if (before && *before && strcmp(before, k[i]->name) != 0) continue;
    known++;
    if (!bits_belong_to(k[i]->name) || !bits_knows(t, k[i]->name, mine)) continue;
    assert_int_equal(setenv("TRM_ISA", k[i]->name, 1), 0);
    check(t, k[i]->name, arg);
    done++;
  }
  assert_true(known > 0);
  if (before)
    setenv("TRM_ISA", before, 1);
  else
    unsetenv("TRM_ISA");
  free(before);
}

#endif
