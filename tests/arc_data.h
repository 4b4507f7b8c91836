/* A small ARC data set: tasks with random grids, copies with random transforms, and predictions
 * that are sometimes right, sometimes one of a few wrong grids. */
#ifndef TRM_TESTS_ARC_DATA_H
#define TRM_TESTS_ARC_DATA_H

#include "base/rng.h"
#include "puzzle/arc/arc_grid.h"
#include "small_data.h"

enum {
  ARC_TASKS = 4,
  ARC_TESTS = 3,  /* of a task at most */
  ARC_COPIES = 6, /* the original included */
  ARC_MAX = ARC_TASKS * ARC_TESTS * ARC_COPIES,
  ARC_IDS = 1 + ARC_TASKS * ARC_COPIES
};

/* Ids with what JSON has to escape; tests of each. The second test of task 2 has the input of its
 * first one. */
static const char *const arc_ids[ARC_TASKS] = {"00ab", "q\"\\\xc3\xa9\xf0\x9f\x8c\x8d", "dup",
                                               "last"};
static const int arc_tests[ARC_TASKS] = {1, 3, 2, 1};

typedef struct arc_example {
  int task, test, copy; /* where it comes from */
  int32_t id;
  int32_t inputs[TRM__ARC_CELLS], labels[TRM__ARC_CELLS], answer[TRM__ARC_CELLS];
  trm__arc_grid predicted; /* the answer, as a grid of the original */
  double q;
} arc_example;

typedef struct arc_set {
  trm__arc_grid input[ARC_TASKS][ARC_TESTS], output[ARC_TASKS][ARC_TESTS];
  trm__arc_copy copy[ARC_TASKS][ARC_COPIES];
  arc_example example[ARC_MAX];
  int n;
} arc_set;

static inline trm__arc_grid arc_random(trm__rng *r, int least) {
  trm__arc_grid g = {0};
  g.rows = (uint8_t)(least + (int)trm__rng_below(r, 4));
  g.cols = (uint8_t)(least + (int)trm__rng_below(r, 4));
  for (int i = 0; i < g.rows * g.cols; i++) g.cell[i] = (uint8_t)trm__rng_below(r, 10);
  return g;
}

static inline void arc_tokens(const trm__arc_copy *c, const trm__arc_grid *g, int32_t *tokens) {
  trm__arc_grid turned;
  uint8_t bytes[TRM__ARC_CELLS];
  trm__arc_copy_apply(c, g, &turned);
  trm__arc_place(&turned, TRM__ARC_SIDE, 0, 0, bytes);
  for (int i = 0; i < TRM__ARC_CELLS; i++) tokens[i] = bytes[i];
}

/* Right, one of two wrong ones, or something else; sometimes nothing at all. */
static inline trm__arc_grid arc_guess(const trm__arc_grid *right, trm__rng *r) {
  uint32_t kind = trm__rng_below(r, 8);
  trm__arc_grid g = *right;
  if (kind >= 1 && kind <= 3) g.cell[0] = (uint8_t)((g.cell[0] + kind / 2 + 1) % 10);
  if (kind == 4) g = arc_random(r, 1);
  if (kind == 5) g = (trm__arc_grid){0};
  return g;
}

static inline void arc_make(arc_set *s, uint64_t seed) {
  trm__rng r = trm__rng_at(seed, TRM__RNG_TEST, 7, 0);
  memset(s, 0, sizeof *s);

  /* Tasks, of which one has the same input twice, and their copies. */
  for (int t = 0; t < ARC_TASKS; t++) {
    for (int i = 0; i < arc_tests[t]; i++) {
      s->input[t][i] = t == 2 && i == 1 ? s->input[t][0] : arc_random(&r, 2);
      s->output[t][i] = arc_random(&r, 2);
    }
    for (int c = 0; c < ARC_COPIES; c++) {
      int32_t colours[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
      trm__arc_copy *copy = &s->copy[t][c];
      *copy = trm__arc_identity;
      if (c == 0) continue;
      copy->transform = (uint8_t)trm__rng_below(&r, 8);
      trm__rng_shuffle(&r, colours, 9);
      for (int v = 1; v < 10; v++) copy->colour[v] = (uint8_t)colours[v - 1];
    }
  }

  /* Each copy of each test input, with a prediction that is right now and then. */
  for (int t = 0; t < ARC_TASKS; t++)
    for (int c = 0; c < ARC_COPIES; c++)
      for (int i = 0; i < arc_tests[t]; i++) {
        arc_example *e = &s->example[s->n++];
        *e = (arc_example){.task = t, .test = i, .copy = c, .id = 1 + t * ARC_COPIES + c};
        arc_tokens(&s->copy[t][c], &s->input[t][i], e->inputs);
        arc_tokens(&s->copy[t][c], &s->output[t][i], e->labels);
        e->predicted = arc_guess(&s->output[t][i], &r);
        arc_tokens(&s->copy[t][c], &e->predicted, e->answer);
        /* Few values, so that means are equal now and then. */
        e->q = (double)((int)trm__rng_below(&r, 3) - 1);
      }
}

/* As Python's json.dump writes a grid; returns the end. */
static inline char *arc_grid_text(char *out, const trm__arc_grid *g) {
  out += sprintf(out, "[");
  for (int i = 0; i < g->rows; i++) {
    out += sprintf(out, i ? ", [" : "[");
    for (int j = 0; j < g->cols; j++)
      out += sprintf(out, j ? ", %d" : "%d", g->cell[i * g->cols + j]);
    out += sprintf(out, "]");
  }
  return out + sprintf(out, "]");
}

static inline char *arc_escape(char *out, const char *id) {
  *out++ = '"';
  for (; *id; id++) {
    if (*id == '"' || *id == '\\') *out++ = '\\';
    *out++ = *id;
  }
  *out++ = '"';
  *out = 0;
  return out;
}

/* DIR/test_puzzles.json and DIR/identifiers.json. */
static inline void arc_write_tasks(const arc_set *s, const char *dir) {
  /* Tasks with one demonstration, and their own test pairs. */
  char path[300], *text = calloc(1, 1 << 16), *end = text;
  assert_non_null(text);
  end += sprintf(end, "{");
  for (int t = 0; t < ARC_TASKS; t++) {
    end = arc_escape(end + sprintf(end, t ? ", " : ""), arc_ids[t]);
    end += sprintf(end, ": {\"train\": [{\"input\": [[1]], \"output\": [[2]]}], \"test\": [");
    for (int i = 0; i < arc_tests[t]; i++) {
      end =
          arc_grid_text(end + sprintf(end, i ? ", {\"input\": " : "{\"input\": "), &s->input[t][i]);
      end = arc_grid_text(end + sprintf(end, ", \"output\": "), &s->output[t][i]);
      end += sprintf(end, "}");
    }
    end += sprintf(end, "]}");
  }
  end += sprintf(end, "}");

  /* The file of tasks. */
  snprintf(path, sizeof path, "%s/test_puzzles.json", dir);
  write_bytes(path, text, (size_t)(end - text));

  /* Names of the ids: the blank one, then each task with its copies. */
  end = text + sprintf(text, "[\"<blank>\"");
  for (int t = 0; t < ARC_TASKS; t++)
    for (int c = 0; c < ARC_COPIES; c++) {
      char tail[TRM__ARC_NAME_TAIL + 1] = "";
      if (c) trm__arc_copy_tail(&s->copy[t][c], tail);
      end = arc_escape(end + sprintf(end, ", "), arc_ids[t]) - 1;
      end += sprintf(end, "%s\"", tail);
    }
  end += sprintf(end, "]");
  snprintf(path, sizeof path, "%s/identifiers.json", dir);
  write_bytes(path, text, (size_t)(end - text));
  free(text);
}

/* The whole data set. */
static inline void arc_write(const arc_set *s, const char *dir) {
  int32_t *rows = calloc((size_t)s->n * 2 * TRM__ARC_CELLS, sizeof *rows), ids[ARC_MAX];
  int32_t *labels = rows + (size_t)s->n * TRM__ARC_CELLS;
  assert_non_null(rows);
  for (int i = 0; i < s->n; i++) {
    memcpy(rows + i * TRM__ARC_CELLS, s->example[i].inputs, sizeof s->example[i].inputs);
    memcpy(labels + i * TRM__ARC_CELLS, s->example[i].labels, sizeof s->example[i].labels);
    ids[i] = s->example[i].id;
  }
  write_small_data(dir, s->n, TRM__ARC_CELLS, 12, ARC_IDS, rows, labels, ids);
  free(rows);
  arc_write_tasks(s, dir);
}

#endif
