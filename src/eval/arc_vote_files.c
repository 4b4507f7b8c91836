/* Votes from predictions saved in .npy files. */
#include "base/memory.h"
#include "eval/arc_votes.h"
#include "io/npy.h"

enum { PROGRESS_ROWS = 1024 };

typedef struct saved {
  trm__npy preds, q, ids; /* ids zeroed: not given */
  int32_t *row;           /* [2, seq_len]: inputs, answer */
} saved;

static trm_status check_vector(const trm__npy *a, const char *path, int64_t rows, trm_error *err) {
  if (a->count != rows || (a->ndim == 2 && a->shape[1] != 1) || a->ndim > 2)
    TRM_FAIL(err, TRM_E_SHAPE, "%s: %lld values in %d dimensions; the predictions have %lld rows",
             path, (long long)a->count, a->ndim, (long long)rows);
  return TRM_OK;
}

static trm_status open_all(saved *s, const trm_dataset *data, const char *preds, const char *q,
                           const char *ids, trm_error *err) {
  const trm_dataset_info *info = trm_dataset_get_info(data);
  if (!trm_puzzle_facts_of(&info->puzzle)->tasks)
    TRM_FAIL(err, TRM_E_SHAPE, "the data are no ARC tasks: seq_len %d, vocab_size %d",
             info->seq_len, info->vocab_size);

  TRM_TRY(trm__npy_open(preds, &s->preds, err));
  TRM_TRY(trm__npy_open(q, &s->q, err));
  if (ids) TRM_TRY(trm__npy_open(ids, &s->ids, err));

  /* One row of tokens for each example, one value for each row. */
  int64_t rows = s->preds.shape[0];
  if (s->preds.ndim < 2 || s->preds.row_count != info->seq_len || rows > info->examples)
    TRM_FAIL(err, TRM_E_SHAPE,
             "%s: %lld rows of %lld values; want a row of %d tokens for each of the data's %lld "
             "examples, or for the first of them",
             preds, (long long)rows, (long long)s->preds.row_count, info->seq_len,
             (long long)info->examples);
  TRM_TRY(trm__npy_check_whole(&s->preds, preds, err));
  if (ids) TRM_TRY(trm__npy_check_whole(&s->ids, ids, err));
  TRM_TRY(check_vector(&s->q, q, rows, err));
  if (ids) TRM_TRY(check_vector(&s->ids, ids, rows, err));
  TRM_ALLOC(&s->row, 2 * (int64_t)info->seq_len, "a prediction", err);
  return TRM_OK;
}

static int32_t token(const trm__npy *a, int64_t i) {
  int64_t t = trm__npy_int(a, i);
  return t < 0 || t > INT32_MAX ? 0 : (int32_t)t;
}

static trm_status add_row(trm_arc_votes *v, const saved *s, const trm_dataset *data, int64_t i,
                          int64_t order, trm_error *err) {
  const trm_dataset_info *info = trm_dataset_get_info(data);
  const int S = info->seq_len;
  int32_t id, *answer = s->row + S;
  trm_dataset_example(data, i, s->row, NULL, &id);
  if (s->ids.data && trm__npy_int(&s->ids, i) != id)
    TRM_FAIL_AT(err, TRM_E_RANGE, i,
                "row %lld: puzzle id %lld, but example %lld of the data has %d: the predictions "
                "were made for another data set",
                (long long)i, (long long)trm__npy_int(&s->ids, i), (long long)i, id);
  for (int c = 0; c < S; c++) answer[c] = token(&s->preds, i * S + c);
  return trm_arc_votes_add(v, order, id, info->puzzle.rows, s->row, answer,
                           trm__npy_double(&s->q, i), err);
}

static trm_status add_rows(trm_arc_votes *v, const saved *s, const trm_dataset *data,
                           trm_progress_fn *progress, void *progress_arg, trm_error *err) {
  int64_t rows = s->preds.shape[0], before = trm__arc_votes_next(v);
  for (int64_t i = 0; i < rows; i++) {
    TRM_TRY(add_row(v, s, data, i, before + i, err));
    bool tell = progress && ((i + 1) % PROGRESS_ROWS == 0 || i + 1 == rows);
    if (tell && !progress(progress_arg, i + 1, rows))
      TRM_FAIL(err, TRM_E_INTERRUPTED, "stopped after %lld of %lld predictions", (long long)i + 1,
               (long long)rows);
  }
  return TRM_OK;
}

trm_status trm_arc_votes_add_files(trm_arc_votes *v, const trm_dataset *data, const char *preds,
                                   const char *q, const char *ids, trm_progress_fn *progress,
                                   void *progress_arg, trm_error *err) {
  saved s = {.row = NULL};
  trm_status st;
  TRM_TRY(trm__arc_votes_fit(v, trm_dataset_get_info(data), err));
  TRM_GOTO(open_all(&s, data, preds, q, ids, err));
  TRM_GOTO(add_rows(v, &s, data, progress, progress_arg, err));
done:
  trm__npy_close(&s.preds);
  trm__npy_close(&s.q);
  trm__npy_close(&s.ids);
  trm__free(s.row);
  return st;
}
