/* See results.h. */
#include "cli/reproduce/results.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/date.h"
#include "base/memory.h"
#include "base/os_machine.h"
#include "cli/reproduce/stats.h"
#include "io/json.h"

#define FILE_NAME "results.jsonl"

static void free_result(repro_result *r) {
  free(r->bits);
  free(r->settings);
  free(r->line);
  *r = (repro_result){0};
}

void repro_results_free(repro_results *r) {
  for (int i = 0; i < r->n; i++) free_result(&r->v[i]);
  free(r->v);
  trm__free(r->path);
  *r = (repro_results){0};
}

const repro_result *repro_results_find(const repro_results *r, const char *name, int seed) {
  for (int i = 0; i < r->n; i++)
    if (r->v[i].seed == seed && !strcmp(r->v[i].name, name)) return &r->v[i];
  return NULL;
}

static void print_hash(uint64_t hash, char text[REPRO_HASH]) {
  snprintf(text, REPRO_HASH, "%016llx", (unsigned long long)hash);
}

static bool is_other(const char *text, uint64_t hash) {
  char expected[REPRO_HASH];
  print_hash(hash, expected);
  return *text && strcmp(text, expected) != 0;
}

const repro_result *repro_results_of_other_data(const repro_results *r, const char *task, int seed,
                                                uint64_t training, uint64_t tests) {
  const size_t n = strlen(task);
  for (int i = 0; i < r->n; i++) {
    const repro_result *one = &r->v[i];
    const bool mine = !strncmp(one->name, task, n) && one->name[n] == '-';
    if (mine && (seed < 0 || one->seed == seed) &&
        (is_other(one->training, training) || is_other(one->tests, tests)))
      return one;
  }
  return NULL;
}

/* A place at the end; NULL without memory. */
static repro_result *add_place(repro_results *r, trm_error *err) {
  if (r->n == r->room) {
    const int room = r->room ? 2 * r->room : 32;
    repro_result *more = realloc(r->v, (size_t)room * sizeof *more);
    if (!more) {
      cli_fail(err, TRM_E_MEMORY, -1, "no memory for the results");
      return NULL;
    }
    r->v = more;
    r->room = room;
  }
  r->v[r->n] = (repro_result){0};
  return &r->v[r->n++];
}

/* --- bits as text --- */

static const char digits[] = "0123456789abcdef";

/* Two digits a byte, the high one first; NULL without memory. */
static char *bits_text(const uint8_t *bits, int64_t n) {
  const int64_t bytes = repro_bytes_of(n);
  char *text = malloc((size_t)(2 * bytes + 1));
  if (!text) return NULL;
  for (int64_t i = 0; i < bytes; i++) {
    text[2 * i] = digits[bits[i] >> 4];
    text[2 * i + 1] = digits[bits[i] & 15];
  }
  text[2 * bytes] = 0;
  return text;
}

/* False for what are no digits of n bits of which `right` are set; bits [repro_bytes_of(n)] are 0.
 */
static bool read_bits(const char *text, int64_t n, int64_t right, uint8_t *bits) {
  for (int64_t i = 0; text[i]; i++) {
    const char *digit = strchr(digits, text[i]);
    if (!digit) return false;
    bits[i / 2] |= (uint8_t)((digit - digits) << (i % 2 ? 0 : 4));
  }
  for (int64_t i = 0; i < 8 * repro_bytes_of(n); i++) {
    if (i >= n && repro_bit(bits, i)) return false;
    right -= repro_bit(bits, i);
  }
  return right == 0;
}

char *repro_settings_text(const char *const *settings, int n) {
  size_t size = 1;
  for (int i = 0; i < n; i++) size += strlen(settings[i]) + 1;
  char *text = calloc(size, 1), *end = text;
  for (int i = 0; text && i < n; i++) end += sprintf(end, "%s%s", i ? " " : "", settings[i]);
  return text;
}

/* --- reading --- */

static char *copy_settings(const trm__json *list) {
  const char *all[REPRO_MAX_SETTINGS];
  const size_t n = trm__json_n_items(list);
  for (size_t i = 0; i < n && i < REPRO_MAX_SETTINGS; i++) {
    all[i] = trm__json_text(trm__json_item(list, i));
    if (!all[i]) all[i] = "";
  }
  return repro_settings_text(all, n < REPRO_MAX_SETTINGS ? (int)n : REPRO_MAX_SETTINGS);
}

static const char training_key[] = "training_data", tests_key[] = "test_data";

static void read_hash(const trm__json *o, const char *key, char text[REPRO_HASH]) {
  const char *hash = trm__json_text(trm__json_get(o, key));
  snprintf(text, REPRO_HASH, "%s", hash ? hash : "");
}

static trm_status read_line(const trm__json *o, const char *file, repro_result *r, trm_error *err) {
  const int64_t most = INT32_MAX;
  const char *name, *bits;
  int64_t seed;

  /* What every line has ... */
  CLI_TRY(trm__json_string(o, file, "run", &name, err));
  CLI_TRY(trm__json_int(o, file, "seed", 0, most, &seed, err));
  CLI_TRY(trm__json_int(o, file, "updates", 0, INT64_MAX, &r->updates, err));
  snprintf(r->name, sizeof r->name, "%s", name);
  r->seed = (int)seed;
  r->settings = copy_settings(trm__json_get(o, "settings"));
  if (!r->settings) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for the results");
  read_hash(o, training_key, r->training);
  read_hash(o, tests_key, r->tests);
  r->seconds = trm__json_is_number(trm__json_get(o, "seconds"))
                   ? trm__json_number(trm__json_get(o, "seconds"))
                   : -1;

  /* ... and what it came to: an update that failed, or answers. */
  if (trm__json_is(trm__json_get(o, "diverged_at_update"), TRM__JSON_INTEGER))
    return trm__json_int(o, file, "diverged_at_update", 1, INT64_MAX, &r->diverged, err);
  CLI_TRY(trm__json_int(o, file, "examples", 1, most, &r->n, err));
  CLI_TRY(trm__json_int(o, file, "exact", 0, r->n, &r->right, err));
  CLI_TRY(trm__json_string(o, file, "exact_bits", &bits, err));

  /* A count costs memory only where the text is as long. */
  const size_t bytes = (size_t)repro_bytes_of(r->n);
  const bool sized = strlen(bits) == 2 * bytes;
  r->bits = sized ? calloc(bytes, 1) : NULL;
  if (sized && !r->bits) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for the results");
  if (sized && read_bits(bits, r->n, r->right, r->bits)) return TRM_OK;
  return cli_fail(err, TRM_E_FORMAT, -1, "%s: \"exact_bits\" are not those of %lld of %lld", file,
                  (long long)r->right, (long long)r->n);
}

static trm_status read_text(repro_results *r, const char *text, size_t size, trm_error *err) {
  int64_t number = 0;
  for (const char *at = text, *end = text + size; at < end;) {
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    const size_t n = (size_t)((stop ? stop : end) - at);
    char where[TRM__PATH_MAX + 32];
    trm__json *o;
    number++;
    snprintf(where, sizeof where, "%s, line %lld", r->path, (long long)number);
    if (n) {
      CLI_TRY(trm__json_parse(at, n, r->path, number, &o, err));
      repro_result *place = add_place(r, err);
      trm_status st = place ? read_line(o, where, place, err) : TRM_E_MEMORY;
      if (st == TRM_OK && !(place->line = strndup(at, n)))
        st = cli_fail(err, TRM_E_MEMORY, -1, "no memory for the results");
      trm__json_free(o);
      CLI_TRY(st);
    }
    at += n + 1;
  }
  return TRM_OK;
}

trm_status repro_results_load(repro_results *r, const char *folder, trm_error *err) {
  trm__map map;
  trm__kind kind;
  *r = (repro_results){.path = trm__path_join(folder, FILE_NAME)};
  if (!r->path) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for a path");
  CLI_TRY(trm__path_look(r->path, &kind, err));
  if (kind == TRM__ABSENT) return TRM_OK;
  CLI_TRY(trm__map_open(r->path, &map, err));
  const trm_status st = read_text(r, (const char *)map.data, map.size, err);
  trm__map_close(&map);
  return st;
}

/* --- writing --- */

static void put_outcome(trm__json_out *o, const repro_result *r, const char *bits) {
  if (r->diverged) {
    trm__json_put_int(o, "diverged_at_update", r->diverged);
    return;
  }
  trm__json_put_int(o, "examples", r->n);
  trm__json_put_int(o, "exact", r->right);
  trm__json_put_text(o, "exact_bits", bits);
}

static void put_origin(trm__json_out *o, const repro_result *r, const repro_record *c) {
  char host[256], date[TRM__DATE_SIZE];
  trm__os_host(host, sizeof host);
  trm__date_print((int64_t)time(NULL), date);
  trm__json_put_text(o, "version", trm_version());
  trm__json_put_text(o, "commit", trm_commit());
  trm__json_put_text(o, "kernels", trm_isa());
  trm__json_put_text(o, "device", c->device);
  trm__json_put_text(o, "host", host);
  trm__json_put_text(o, "date", date);
  trm__json_put_text(o, training_key, r->training);
  trm__json_put_text(o, tests_key, r->tests);
}

static trm_status make_line(repro_result *r, const repro_record *c, trm_error *err) {
  char *bits = r->diverged ? NULL : bits_text(r->bits, r->n), *text;
  if (!r->diverged && !bits) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for a result");
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);

  /* Which run it was, and what came of it ... */
  trm__json_open(&o, NULL, '{');
  trm__json_put_text(&o, "run", r->name);
  trm__json_put_int(&o, "seed", r->seed);
  put_outcome(&o, r, bits);
  trm__json_put_int(&o, "updates", r->updates);
  if (r->seconds >= 0) trm__json_put_real(&o, "seconds", r->seconds);

  /* ... what it took, and where it comes from. */
  trm__json_put_int(&o, "parameters", c->cost->n_params);
  trm__json_put_int(&o, "depth", c->cost->depth);
  trm__json_put_real(&o, "flop_per_row_and_update", c->cost->flops_train);
  print_hash(c->training, r->training);
  print_hash(c->tests, r->tests);
  put_origin(&o, r, c);
  trm__json_open(&o, "settings", '[');
  for (int i = 0; i < c->n_settings; i++) trm__json_put_text(&o, NULL, c->settings[i]);
  trm__json_close(&o);
  trm__json_close(&o);
  free(bits);
  CLI_TRY(trm__json_finish(&o, "a result", &text, err));
  r->line = strdup(text);
  trm__free(text);
  return r->line ? TRM_OK : cli_fail(err, TRM_E_MEMORY, -1, "no memory for a result");
}

static trm_status save(const repro_results *r, trm_error *err) {
  trm__writer w;
  CLI_TRY(trm__writer_open(&w, r->path, err));
  for (int i = 0; i < r->n; i++) {
    trm__write(&w, r->v[i].line, strlen(r->v[i].line));
    trm__write(&w, "\n", 1);
  }
  return trm__writer_commit(&w, err);
}

trm_status repro_results_add(repro_results *r, repro_result *result, const repro_record *record,
                             trm_error *err) {
  trm_status st = TRM_OK;
  result->settings = repro_settings_text(record->settings, record->n_settings);
  if (!result->settings) st = cli_fail(err, TRM_E_MEMORY, -1, "no memory for a result");
  if (st == TRM_OK) st = make_line(result, record, err);
  repro_result *place = st == TRM_OK ? add_place(r, err) : NULL;
  if (!place) {
    free_result(result);
    return st == TRM_OK ? TRM_E_MEMORY : st;
  }
  *place = *result;
  return save(r, err);
}
