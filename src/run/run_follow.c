/* A run that is read while it grows: its log from where the last read ended, by plain reads, for a
 * mapping would fault where the log is cut when the run goes on. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "run/run_folder.h"
#include "run/run_record.h"

enum {
  CHUNK = 64 << 10,  /* bytes that are read at once, */
  LONGEST = 1 << 20, /* and of a line at most */
  TAIL = 512         /* by so many before its place a log is known again */
};

struct trm_run_follower {
  trm_run_record *record;
  trm__run_clock clock;
  trm__run_sum sum;
  int64_t place; /* in the log: all lines before it were read */
  char tail[TAIL];
  size_t n_tail;
  bool skipping; /* `place` is within a line that is too long */
  size_t n_record;
  char *text; /* [room] */
  size_t room;
};

void trm_run_follower_free(trm_run_follower *f) {
  if (!f) return;
  trm_run_record_free(f->record);
  trm__free(f->text);
  trm__free(f);
}

const trm_run_record *trm_run_follower_record(const trm_run_follower *f) {
  return f->record;
}

static void start_over(trm_run_follower *f) {
  f->clock = trm__run_clock_new;
  f->place = 0;
  f->n_tail = 0;
  f->skipping = false;
  trm__run_sum_begin(&f->sum, f->record);
}

static trm_status open_follower(trm_run_follower *f, const char *folder, trm_error *err) {
  TRM_ALLOC(&f->record, 1, "a run", err);
  TRM_TRY(trm__run_record_begin(f->record, folder, err));
  TRM_ALLOC(&f->text, CHUNK, "a run", err);
  f->room = CHUNK;
  f->n_record = SIZE_MAX; /* read again: it may have grown since */
  start_over(f);
  return trm__run_sum_end(&f->sum, f->record, &f->clock, err);
}

trm_status trm_run_follow(const char *folder, trm_run_follower **out, trm_error *err) {
  trm_run_follower *f;
  *out = NULL;
  TRM_ALLOC(&f, 1, "a run", err);
  const trm_status st = open_follower(f, folder, err);
  if (st == TRM_OK)
    *out = f;
  else
    trm_run_follower_free(f);
  return st;
}

/* ---- lines ---- */

typedef struct listening {
  trm_run_figure_fn *figure;
  void *arg;
} listening;

/* Every number but those that say where. */
static void tell_figures(const trm_run_follower *f, const trm__json *line, double step,
                         double seconds, const listening *to) {
  static const char *const places[] = {"step", "epoch", "time"};
  trm_run_point point = {.update = step, .seconds = seconds};
  point.samples = step * (double)f->record->config->now.trainer.batch_size;
  for (size_t i = 0; i < trm__json_n_members(line); i++) {
    const char *key = trm__json_key(line, i);
    bool is_place = false;
    for (size_t k = 0; k < sizeof places / sizeof *places; k++) is_place |= !strcmp(places[k], key);
    if (is_place || !trm__json_is_number(trm__json_member(line, i))) continue;
    point.value = trm__json_number(trm__json_member(line, i));
    to->figure(to->arg, key, &point);
  }
}

static trm_status take_line(trm_run_follower *f, const char *text, size_t n, const listening *to,
                            trm_error *err) {
  trm__json *line = NULL;
  const double seconds =
      trm__run_seconds_at(&f->clock, &f->record->record, trm__run_time_of(text, n));
  const trm_status st = trm__json_decode(text, n, NULL, &line, NULL);
  if (st == TRM_E_MEMORY) TRM_FAIL(err, st, "no memory for a line of a log");
  if (st != TRM_OK) return TRM_OK;
  const trm__json *at = trm__json_get(line, "step");
  const double step = trm__json_number(at);
  if (trm__json_is_number(at)) trm__run_sum_line(&f->sum, line);
  if (trm__json_is_number(at) && step >= 0 && step < 9e15) tell_figures(f, line, step, seconds, to);
  trm__json_free(line);
  return TRM_OK;
}

/* ---- the file ---- */

static trm_status read_at(FILE *f, int64_t at, char *to, size_t n, size_t *got, const char *path,
                          trm_error *err) {
  if (trm__os_seek(f, at, SEEK_SET) != 0) TRM_FAIL(err, TRM_E_IO, "%s cannot be read", path);
  *got = fread(to, 1, n, f);
  if (ferror(f)) TRM_FAIL(err, TRM_E_IO, "%s cannot be read", path);
  return TRM_OK;
}

/* Whether what was read is what still stands before the place. */
static trm_status is_same_log(const trm_run_follower *f, FILE *file, bool *same, const char *path,
                              trm_error *err) {
  char tail[TAIL];
  size_t got;
  TRM_TRY(read_at(file, f->place - (int64_t)f->n_tail, tail, f->n_tail, &got, path, err));
  *same = got == f->n_tail && !memcmp(tail, f->tail, got);
  return TRM_OK;
}

/* n bytes were read at the place, which moves behind them. */
static void move_on(trm_run_follower *f, const char *text, size_t n) {
  const size_t kept = n >= TAIL ? 0 : f->n_tail + n > TAIL ? TAIL - n : f->n_tail;
  const size_t added = n < TAIL ? n : TAIL;
  memmove(f->tail, f->tail + f->n_tail - kept, kept);
  memcpy(f->tail + kept, text + n - added, added);
  f->n_tail = kept + added;
  f->place += (int64_t)n;
}

/* The complete lines of n bytes at the place; *used: their bytes. */
static trm_status take_lines(trm_run_follower *f, size_t n, size_t *used, const listening *to,
                             trm_error *err) {
  const char *text = f->text, *end = f->text + n;
  for (const char *stop; text < end && (stop = memchr(text, '\n', (size_t)(end - text)));
       text = stop + 1) {
    if (!f->skipping) TRM_TRY(take_line(f, text, (size_t)(stop - text), to, err));
    f->skipping = false;
  }
  *used = (size_t)(text - f->text);
  return TRM_OK;
}

/* Room for a line that is longer; false: it is too long, and not kept. */
static trm_status make_room(trm_run_follower *f, bool *made, trm_error *err) {
  char *grown;
  *made = f->room < LONGEST;
  if (!*made) return TRM_OK;
  TRM_ALLOC(&grown, 2 * f->room, "a line of a log", err);
  trm__free(f->text);
  f->text = grown;
  f->room *= 2;
  return TRM_OK;
}

/* What follows the place, until `most` bytes were taken or, *at_end, no line is complete. */
static trm_status read_on(trm_run_follower *f, FILE *file, const char *path, int64_t most,
                          const listening *to, bool *at_end, trm_error *err) {
  *at_end = false;
  for (int64_t taken = 0; taken < most || !taken;) {
    size_t got, used;
    bool more = false;
    TRM_TRY(read_at(file, f->place, f->text, f->room, &got, path, err));
    TRM_TRY(take_lines(f, got, &used, to, err));
    if (!used && got == f->room) {
      TRM_TRY(make_room(f, &more, err));
      if (more) continue;
      f->skipping = true;
      used = got;
    }
    if (!used && f->skipping) used = got;
    if (!used) {
      *at_end = true;
      break;
    }
    move_on(f, f->text, used);
    taken += (int64_t)used;
  }
  return TRM_OK;
}

/* ---- a read ---- */

/* The record is small and only grows, and what config.yaml says changes only with it. */
static trm_status renew(trm_run_follower *f, trm_error *err) {
  size_t n;
  TRM_TRY(trm__record_size(f->record->folder, &n, err));
  if (n == f->n_record) return TRM_OK;
  TRM_TRY(trm__run_record_renew(f->record, err));
  f->n_record = n;
  return TRM_OK;
}

static trm_status read_log(trm_run_follower *f, FILE *file, const char *path, int64_t most,
                           const listening *to, int64_t *left, trm_error *err) {
  bool same, at_end;
  TRM_TRY(is_same_log(f, file, &same, path, err));
  if (!same) {
    f->n_record = SIZE_MAX;
    TRM_TRY(renew(f, err));
    start_over(f);
    to->figure(to->arg, NULL, NULL);
  }
  TRM_TRY(read_on(f, file, path, most, to, &at_end, err));
  if (at_end) return TRM_OK;
  if (trm__os_seek(file, 0, SEEK_END) != 0) TRM_FAIL(err, TRM_E_IO, "%s cannot be read", path);
  const int64_t size = trm__os_tell(file);
  *left = size > f->place ? size - f->place : 0;
  return TRM_OK;
}

/* A log that is no more is one of which nothing stands before the place. */
static trm_status open_log(const char *path, bool there, FILE **out, trm_error *err) {
  bool is_file;
  *out = NULL;
  const int cause = there ? trm__os_open_stream(path, out, &is_file) : 0;
  if (cause && trm__os_reason(cause) != TRM__OS_ABSENT)
    TRM_FAIL(err, TRM_E_IO, "%s cannot be opened: %s", path, trm__os_text(cause));
  if (!*out || is_file) return TRM_OK;
  (void)fclose(*out);
  *out = NULL;
  return TRM_OK;
}

trm_status trm_run_follower_read(trm_run_follower *f, int64_t most, trm_run_figure_fn *figure,
                                 void *arg, int64_t *left, trm_error *err) {
  char path[TRM__PATH_MAX];
  bool there;
  FILE *file;
  const listening to = {figure, arg};
  trm_status st = TRM_OK;
  *left = 0;
  TRM_TRY(renew(f, err));
  TRM_TRY(trm__run_log_path(f->record->folder, path, &there, err));
  TRM_TRY(open_log(path, there, &file, err));
  if (file) {
    st = read_log(f, file, path, most, &to, left, err);
    (void)fclose(file);
  } else if (f->place) {
    start_over(f);
    figure(arg, NULL, NULL);
  }
  TRM_TRY(st);
  return trm__run_sum_end(&f->sum, f->record, &f->clock, err);
}
