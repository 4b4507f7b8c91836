/* See pins.h. */
#include "nn/pins.h"

#include <math.h>
#include <string.h>

#include "nn/choose.h"
#include "puzzle/puzzle.h"

void trm__pins_apply(const trm__pins *pins, int32_t *inputs) {
  for (int i = 0; i < pins->n; i++) inputs[pins->cell[i]] = pins->token[i];
}

/* Of the probabilities of all tokens. */
static double entropy(int V, const real *logits) {
  double most = (double)logits[trm__argmax(V, logits)], sum = 0, mean = 0;
  for (int v = 0; v < V; v++) {
    const double x = (double)logits[v] - most, p = exp(x);
    sum += p;
    mean += p * x;
  }
  return log(sum) - mean / sum;
}

static bool is_among(int32_t token, const int32_t *list, int n) {
  for (int i = 0; i < n; i++)
    if (list[i] == token) return true;
  return false;
}

int trm__pins_grow(const trm_puzzle *p, int V, const int32_t *inputs, const trm__pins *from,
                   const real *logits, int room, trm__pins *out, int32_t *scratch) {
  const int S = p->rows * p->cols;
  int32_t blanks[TRM_PUZZLE_MAX_BLANKS], fills[TRM_PUZZLE_MAX_SYMBOLS];
  const int n_blanks = trm_puzzle_blanks(p, blanks), n_fills = trm__puzzle_fills(p, fills);
  const int width = from->n ? TRM__NEXT_PINS : TRM__FIRST_PINS;
  bool used[TRM_PUZZLE_MAX_SYMBOLS] = {false};
  int cell = -1, n = 0;
  double largest = 0;
  if (from->n == TRM__PINS) return 0;

  /* The cell. */
  memcpy(scratch, inputs, (size_t)S * sizeof *scratch);
  trm__pins_apply(from, scratch);
  for (int i = 0; i < S; i++) {
    if (!is_among(scratch[i], blanks, n_blanks)) continue;
    const double h = entropy(V, logits + (int64_t)i * V);
    if (cell >= 0 && !(h > largest)) continue;
    cell = i;
    largest = h;
  }

  /* Its symbols, the likeliest first. */
  for (int k = 0; k < width && cell >= 0 && n < room; k++) {
    const real *at = logits + (int64_t)cell * V;
    int best = -1;
    for (int v = 0; v < n_fills; v++)
      if (fills[v] < V && !used[v] && (best < 0 || at[fills[v]] > at[fills[best]])) best = v;
    if (best < 0) break;
    used[best] = true;
    scratch[cell] = fills[best];
    if (trm_puzzle_check(p, scratch, NULL) != TRM_OK) continue;
    out[n] = *from;
    out[n].cell[from->n] = cell;
    out[n].token[from->n] = fills[best];
    out[n++].n++;
  }
  return n;
}
