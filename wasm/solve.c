/* The solver as a page sees it: a model in memory, a queue of puzzles before it, and answers to be
 * read where they lie. trm.js is the one caller; what it gives is checked as by any other.
 *
 * One instance of the module holds one model, so there are no handles: another model is
 * another instance's, and all memory goes when the instance does. Functions that can fail return
 * false, 0 or -1, and web_message says why. Texts end with a 0; pointers are valid until the next
 * call, those of an answer until the next one that changes the queue. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "trm/queue.h"
#include "trm/sudoku.h"

/* Nobody else in C calls them, so nobody needs to see them declared. */
#pragma clang diagnostic ignored "-Wmissing-prototypes"
#define WEB(name) __attribute__((export_name(#name))) name

static struct {
  trm_model *model;
  trm_queue *queue;
  const trm_puzzle *puzzle;
  int32_t *tokens; /* [seq_len] of the puzzle that web_parse read */
  char *text;      /* of web_format, as long as any of the puzzle */
  size_t text_size;
  trm_error error;
} web;

/* --- what C's library would ask a page for, and there is none to ask --- */

char *getenv(const char *name) {
  (void)name;
  return NULL;
}

/* The library's clock is for threads that wait for each other; pages have their own. */
int timespec_get(struct timespec *t, int base) {
  (void)t;
  (void)base;
  return 0;
}

/* --- a model --- */

const char *WEB(web_message)(void) {
  return web.error.msg;
}

/* Room for n bytes that a page wants to hand over, to be given back by web_free; 0: no memory. */
void *WEB(web_alloc)(size_t n) {
  return malloc(n ? n : 1);
}
void WEB(web_free)(void *p) {
  free(p);
}

static bool said(trm_status code, const char *message) {
  web.error = (trm_error){.code = code};
  strncpy(web.error.msg, message, sizeof web.error.msg - 1);
  return code == TRM_OK;
}

static trm_status make_queue(int rows) {
  const trm_queue_config config = {.rows = rows, .logits = true, .latents = true};
  const trm_model_config *c = trm_model_get_config(web.model);
  const trm_status st = trm_queue_create(web.model, &config, &web.queue, &web.error);
  if (st != TRM_OK) return st;
  web.puzzle = &c->puzzle;
  web.text_size = trm_puzzle_text_size(web.puzzle);
  web.tokens = calloc((size_t)c->seq_len, sizeof *web.tokens);
  web.text = malloc(web.text_size);
  if (!web.tokens || !web.text) {
    (void)said(TRM_E_MEMORY, "no memory for a puzzle");
    return TRM_E_MEMORY;
  }
  return TRM_OK;
}

/* The bytes of a .safetensors file, as it ships or as trm_model_export wrote it; `rows` as of
 * trm_queue_config. False: this instance is of no further use. */
bool WEB(web_load)(const void *bytes, size_t n, int rows) {
  if (web.model) return said(TRM_E_ARGUMENT, "this instance has a model already");
  if (trm_model_load_memory(bytes, n, "the model", &web.model, &web.error) != TRM_OK) return false;
  return make_queue(rows) == TRM_OK;
}

/* The i-th field of the model's configuration, "name=value"; 0 after the last. */
const char *WEB(web_config)(int i) {
  static char text[160];
  const trm_field *field = trm_model_config_field(i);
  if (!field) return NULL;
  const char *name = trm_field_bounds(field).name;
  const size_t n = strlen(name);
  memcpy(text, name, n);
  text[n] = '=';
  const trm_status st = trm_model_config_get(trm_model_get_config(web.model), name, text + n + 1,
                                             sizeof text - n - 1, &web.error);
  return st == TRM_OK ? text : "";
}

/* The name of the i-th latent; 0 after the last. */
const char *WEB(web_latent)(int i) {
  return trm_model_latent(trm_model_get_config(web.model), i);
}

/* --- what its tokens mean --- */

const char *WEB(web_kind)(void) {
  return trm_puzzle_kind_name(web.puzzle->kind);
}
/* rows, cols, box_rows, box_cols; whether grids may be smaller; the number of symbols and the first
 * token that has one. */
const int32_t *WEB(web_puzzle)(void) {
  static int32_t out[7];
  const trm_puzzle *p = web.puzzle;
  memcpy(out,
         (int32_t[7]){p->rows, p->cols, p->box_rows, p->box_cols, trm_puzzle_is_sized(p),
                      trm_puzzle_n_symbols(p), trm_puzzle_first_symbol(p)},
         sizeof out);
  return out;
}
/* 0: it has none. */
const char *WEB(web_symbol)(int token) {
  return trm_puzzle_symbol(web.puzzle, token);
}

/* A puzzle's text [n] as tokens [seq_len]; 0: it is none, or one that no answer can be right to. */
const int32_t *WEB(web_parse)(const char *text, size_t n) {
  const bool is = trm_puzzle_parse(web.puzzle, text, n, web.tokens, &web.error) == TRM_OK &&
                  trm_puzzle_check(web.puzzle, web.tokens, &web.error) == TRM_OK;
  return is ? web.tokens : NULL;
}

/* Where the grid of an answer lies on its canvas: row, col, rows, cols. Beyond it a model may
 * answer anything: it begins where the question's does. */
const trm_puzzle_box *WEB(web_box)(const int32_t *inputs, const int32_t *answer) {
  static trm_puzzle_box box;
  const trm_puzzle_box asked = trm_puzzle_locate(web.puzzle, inputs);
  box = trm_puzzle_crop(web.puzzle, answer, asked.row, asked.col);
  return &box;
}
const char *WEB(web_format)(const int32_t *tokens, const trm_puzzle_box *box) {
  trm_puzzle_format_box(web.puzzle, tokens, *box, web.text, web.text_size);
  return web.text;
}

/* --- rules --- */

/* 1: right, 0: wrong, -1: no rules are known. */
int WEB(web_solves)(const int32_t *inputs, const int32_t *answer) {
  return trm_puzzle_has_rules(web.puzzle) ? trm_puzzle_solves(web.puzzle, inputs, answer) : -1;
}

int WEB(web_violations)(const int32_t *inputs, const int32_t *answer) {
  return trm_sudoku_violations(web.puzzle, inputs, answer);
}

/* --- the queue --- */

int WEB(web_room)(void) {
  return trm_queue_room(web.queue);
}
int WEB(web_busy)(void) {
  return trm_queue_busy(web.queue);
}
/* As trm_queue_puzzle says; `halt` is a trm_halt. The puzzle's place, or -1. */
int WEB(web_submit)(const int32_t *inputs, int32_t puzzle_id, int steps, int halt, double margin) {
  const trm_queue_puzzle puzzle = {.inputs = inputs,
                                   .puzzle_id = puzzle_id,
                                   .steps = steps,
                                   .halt = (trm_halt)halt,
                                   .halt_margin = margin};
  int place;
  return trm_queue_submit(web.queue, &puzzle, &place, &web.error) == TRM_OK ? place : -1;
}
bool WEB(web_step)(void) {
  return trm_queue_step(web.queue, &web.error) == TRM_OK;
}
bool WEB(web_cancel)(int place) {
  return trm_queue_cancel(web.queue, place, &web.error) == TRM_OK;
}

/* A trm_queue_answer in 32-bit words: place, steps, halted, inputs, answer, logits, latents, and
 * q_halt. */
static const int32_t *told(bool there, const trm_queue_answer *a) {
  static int32_t out[8];
  if (!there) return NULL;
  memcpy(out,
         (int32_t[7]){a->place, a->steps, a->halted, (int32_t)(uintptr_t)a->inputs,
                      (int32_t)(uintptr_t)a->answer, (int32_t)(uintptr_t)a->logits,
                      (int32_t)(uintptr_t)a->latents},
         7 * sizeof *out);
  memcpy(&out[7], &a->q_halt, sizeof *out);
  return out;
}
/* The i-th of those that took the last step and are not done; 0: no more. */
const int32_t *WEB(web_look)(int i) {
  trm_queue_answer a;
  return told(trm_queue_look(web.queue, i, &a), &a);
}
/* One that is done, which leaves the queue; 0: there is none. */
const int32_t *WEB(web_take)(void) {
  trm_queue_answer a;
  return told(trm_queue_take(web.queue, &a), &a);
}
