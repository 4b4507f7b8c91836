/* See sudoku_input.h. */
#include "cli/commands/sudoku_input.h"

#include <string.h>
#include <unistd.h>

#include "cli/run/named_models.h"

bool sudoku_input_is_puzzle(const char *text, trm_puzzle *p) {
  const trm_sudoku_reader_config config = {.name = ""};
  trm_sudoku_reader *r;
  trm_sudoku_entry e;
  trm_sudoku_state state = TRM_SUDOKU_END;
  if (trm_sudoku_reader_create(&config, &r, NULL) != TRM_OK) return false;
  trm_sudoku_reader_feed(r, text, strlen(text));
  trm_sudoku_reader_end(r);
  const trm_status st = trm_sudoku_reader_next(r, &e, &state, NULL);
  trm_sudoku_reader_free(r);
  if (st != TRM_OK || state != TRM_SUDOKU_FOUND) return false;
  if (p) *p = e.puzzle;
  return true;
}

/* What may be typed. */
static void tell_forms(const trm_puzzle *p) {
  static const char ends[] = "blanks are . or 0; Ctrl-D ends";
  if (p)
    cli_note("type a %dx%d Sudoku: its %d cells in a line, or %d rows, one a line; %s", p->rows,
             p->cols, p->rows * p->cols, p->rows, ends);
  else
    cli_note("type a Sudoku: its cells in a line, or its rows, one a line; %s", ends);
}

trm_status sudoku_input_open(sudoku_input *in, const sudoku_source *source, const trm_puzzle *p,
                             const char *owner, trm_error *err) {
  *in = (sudoku_input){.known = false};
  if (source->text) byte_input_open_text(&in->in, "--puzzle", source->text);
  if (!source->text && strcmp(source->file, "-") != 0 && access(source->file, F_OK) != 0 &&
      sudoku_input_is_puzzle(source->file, NULL))
    return cli_fail(err, TRM_E_ARGUMENT, -1,
                    "'%.100s' is a puzzle, and there is no file of that name: give it by --puzzle",
                    source->file);
  if (!source->text) CLI_TRY(byte_input_open(&in->in, source->file, err));

  /* The reader gets what is there already; the rest comes as it is asked for. */
  trm_sudoku_reader_config config = {
      .name = in->in.name, .columns = source->columns, .owner = owner, .typed = in->in.asks};
  if (p) config.puzzle = *p;
  if (in->in.asks) tell_forms(p);
  CLI_TRY(trm_sudoku_reader_create(&config, &in->reader, err));
  trm_sudoku_reader_feed(in->reader, in->in.bytes, in->in.n);
  if (in->in.ended) trm_sudoku_reader_end(in->reader);
  return TRM_OK;
}

void sudoku_input_close(sudoku_input *in) {
  trm_sudoku_reader_free(in->reader);
  byte_input_close(&in->in);
  in->reader = NULL;
}

/* A puzzle of another size than the model's: names one that is for it, the first time. */
static void advise(sudoku_input *in, trm_error *err) {
  const trm_puzzle other = trm_sudoku_of_size(trm_sudoku_reader_other_size(in->reader));
  char name[80];
  if (!err || in->advised || other.kind == TRM_PUZZLE_NONE) return;
  in->advised = true;
  if (!named_model_for(&other, name, sizeof name)) return;
  const size_t used = strlen(err->msg);
  snprintf(err->msg + used, sizeof err->msg - used, "; the model %s is for %dx%d", name, other.rows,
           other.cols);
}

/* Whoever counts lines misses an answer. */
static void tell_title(sudoku_input *in) {
  const int64_t line = trm_sudoku_reader_title(in->reader);
  if (in->told || !line) return;
  in->told = true;
  cli_note("%s:%lld: a line of words is passed over as a title; so are others like it", in->in.name,
           (long long)line);
}

/* The next puzzle, as far as the bytes that are there allow without `wait`; *known. */
static trm_status look(sudoku_input *in, bool wait, bool *known, trm_error *err) {
  trm_sudoku_state state;
  *known = true;
  for (;;) {
    const trm_status st = trm_sudoku_reader_next(in->reader, &in->entry, &state, err);
    tell_title(in);
    if (st != TRM_OK) advise(in, err);
    CLI_TRY(st);
    if (state != TRM_SUDOKU_WANTS_MORE) break;

    /* More bytes, as far as they have come; who types is told which row is next. */
    const int rows = trm_sudoku_reader_rows(in->reader);
    snprintf(in->in.prompt, sizeof in->in.prompt, rows ? "row %d: " : "> ", rows + 1);
    CLI_TRY(byte_input_fill(&in->in, wait, in->line + 1, err));
    *known = in->in.n > 0 || in->in.ended;
    if (!*known) return TRM_OK;
    trm_sudoku_reader_feed(in->reader, in->in.bytes, in->in.n);
    if (in->in.ended) trm_sudoku_reader_end(in->reader);
  }
  in->more = state == TRM_SUDOKU_FOUND;
  return TRM_OK;
}

/* Givens that contradict each other. */
static trm_status check_givens(const sudoku_input *in, trm_error *err) {
  const trm_sudoku_entry *e = &in->entry;
  char text[TRM_SUDOKU_MAX_CELLS + 1];
  int cell;
  if (trm_sudoku_consistent(&e->puzzle, e->givens, &cell)) return TRM_OK;
  trm_sudoku_format(&e->puzzle, e->givens, text);
  return cli_fail(err, TRM_E_PUZZLE, e->line,
                  "%s:%lld:%d: '%c' in row %d, column %d stands twice in its row, column or box: "
                  "no answer can be valid",
                  in->in.name, (long long)e->line, e->column + (e->in_line ? cell : 0), text[cell],
                  cell / e->puzzle.cols + 1, cell % e->puzzle.cols + 1);
}

static void find_next(sudoku_input *in, bool wait) {
  if (in->known) return;
  in->error = (trm_error){.code = TRM_OK};
  in->more = true;
  in->st = look(in, wait, &in->known, &in->error);
  if (in->st == TRM_OK && in->known && in->more) in->st = check_givens(in, &in->error);
}

bool sudoku_input_ready(sudoku_input *in) {
  find_next(in, false);
  return in->known;
}

trm_status sudoku_input_next(sudoku_input *in, trm_sudoku_entry *e, bool *more, trm_error *err) {
  find_next(in, true);
  in->known = false;
  *more = in->more;
  if (in->st != TRM_OK) {
    if (err) *err = in->error;
    return in->st;
  }
  *e = in->entry;
  if (in->more) in->line = e->line;
  return TRM_OK;
}
