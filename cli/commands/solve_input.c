/* See solve_input.h. */
#include "cli/commands/solve_input.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/run/model_data.h"
#include "cli/run/named_models.h"

bool solve_input_model(const char **model, const solve_source *source, char *name, size_t size) {
  const char *text = *model ? *model : source->puzzle;
  char names[240];
  trm_puzzle p;
  if (*model && access(*model, F_OK) == 0) return true;
  const bool is_puzzle = text && sudoku_input_is_puzzle(text, &p);
  const bool chosen = is_puzzle && named_model_for(&p, name, size);

  /* The most frequent slip: a puzzle where the model should be. */
  if (*model && is_puzzle)
    cli_usage_error(
        "'%.100s' is a puzzle: want MODEL first%s%s, and the puzzle by --puzzle; trm sudoku solves "
        "it without a model",
        *model, chosen ? ", such as " : "", chosen ? name : "");
  if (*model) return !is_puzzle;

  /* Without a model one that is for the puzzle, if it is known what that is. */
  if (chosen) {
    cli_note("by the model %s", name);
    *model = name;
  } else if (named_models_list(names, sizeof names, NULL) == TRM_OK && *names) {
    cli_usage_error("want MODEL: %s, or a file or folder; see trm solve --help", names);
  } else {
    cli_usage_error("want MODEL, a file or folder; see trm solve --help");
  }
  return chosen;
}

static trm_status open_data(solve_input *in, const solve_source *source,
                            const trm_model_config *model, trm_error *err) {
  CLI_TRY(trm_dataset_open(source->data, source->split, &in->data, err));
  const trm_dataset_info *info = trm_dataset_get_info(in->data);
  CLI_TRY(model_check_data(model, info, source->data, err));
  if (source->first >= info->examples)
    return cli_fail(err, TRM_E_ARGUMENT, -1,
                    "--index: %s/%s has examples 0 to %" PRId64 ", got %" PRId64, source->data,
                    source->split, info->examples - 1, source->first);
  if (in->puzzle.kind == TRM_PUZZLE_NONE) in->puzzle = info->puzzle;
  int64_t left = info->examples - source->first;
  in->blank_id = info->blank_identifier_id;
  in->next = source->first;
  in->end = source->first + (source->count < left ? source->count : left);
  return info->num_puzzle_identifiers > 1 ? puzzle_names_open(source->data, &in->names, err)
                                          : TRM_OK;
}

static trm_status open_sudokus(solve_input *in, const solve_source *source, trm_error *err) {
  const sudoku_source from = {source->puzzle, source->file, source->columns};
  return sudoku_input_open(&in->sudoku, &from, &in->puzzle, "the model", err);
}

/* A FILE that is a puzzle itself was meant for --puzzle. */
static trm_status check_file(const trm_puzzle *p, const char *file, trm_error *err) {
  if (!strcmp(file, "-") || access(file, F_OK) == 0) return TRM_OK;
  int32_t *tokens = calloc((size_t)(p->rows * p->cols), sizeof *tokens);
  const bool is_puzzle = tokens && trm_puzzle_parse(p, file, strlen(file), tokens, NULL) == TRM_OK;
  free(tokens);
  if (!is_puzzle) return TRM_OK;
  return cli_fail(err, TRM_E_ARGUMENT, -1,
                  "'%.100s' is a puzzle, and there is no file of that name: give it by --puzzle",
                  file);
}

trm_status solve_input_open(solve_input *in, const solve_source *source,
                            const trm_model_config *model, trm_error *err) {
  const trm_puzzle *p = &in->puzzle;
  in->puzzle = model->puzzle;
  if (source->data) CLI_TRY(open_data(in, source, model, err));
  if (p->kind == TRM_PUZZLE_NONE || p->rows * p->cols != model->seq_len ||
      trm_puzzle_first_symbol(p) + trm_puzzle_n_symbols(p) > model->vocab_size)
    return cli_fail(err, TRM_E_CONFIG, -1,
                    "the model's config.json does not say what its tokens mean (\"puzzle\"), so "
                    "puzzles have no text; trm eval works with every model");
  if (source->data) return TRM_OK;
  in->name = source->puzzle ? "--puzzle" : strcmp(source->file, "-") ? source->file : "stdin";
  if (trm_sudoku_known(p)) return open_sudokus(in, source, err);
  if (source->puzzle) return puzzle_lines_open_text(&in->lines, p, "--puzzle", source->puzzle, err);
  CLI_TRY(check_file(p, source->file, err));
  return puzzle_lines_open(&in->lines, p, source->file, err);
}

void solve_input_close(solve_input *in) {
  puzzle_lines_close(&in->lines);
  sudoku_input_close(&in->sudoku);
  puzzle_names_close(in->names);
  trm_dataset_free(in->data);
  in->names = NULL;
  in->data = NULL;
}

bool solve_input_typed(const solve_input *in) {
  return in->lines.in.asks || in->sudoku.in.asks;
}

bool solve_input_ready(solve_input *in) {
  if (in->data) return true;
  return in->sudoku.reader ? sudoku_input_ready(&in->sudoku) : puzzle_lines_ready(&in->lines);
}

static trm_status next_sudoku(solve_input *in, int32_t *question, bool *more, trm_error *err) {
  trm_sudoku_entry e;
  const trm_puzzle *p = &in->puzzle;
  CLI_TRY(sudoku_input_next(&in->sudoku, &e, more, err));
  if (!*more) return TRM_OK;
  for (int i = 0; i < p->rows * p->cols; i++) question[i] = e.givens[i] + 1;

  /* A Sudoku in the digits 0 to F is answered in 1 to G. */
  if (e.zero_is_digit && !in->told_zero)
    cli_note("%s:%lld: 0 is taken for the last digit, '%s', because '.' is the blank", in->name,
             (long long)e.line, trm_puzzle_symbol(p, p->rows + 1));
  in->told_zero |= e.zero_is_digit;
  return TRM_OK;
}

trm_status solve_input_next(solve_input *in, int32_t *question, int32_t *label, int32_t *id,
                            int64_t *index, bool *more, trm_error *err) {
  *id = 0;
  *index = -1;
  if (in->sudoku.reader) return next_sudoku(in, question, more, err);
  if (!in->data) return puzzle_lines_next(&in->lines, question, more, err);
  *more = in->next < in->end;
  if (!*more) return TRM_OK;
  *index = in->next++;
  trm_dataset_example(in->data, *index, question, label, id);
  return TRM_OK;
}
