/* Comma lists on the command line of `trm bench`. */
#include <string.h>

#include "cli/bench/bench_rows.h"

bool bench_parse_names(const char *option, const char *text, bench_names *out) {
  const char *all = text;
  out->n = 0;
  for (;; text++) {
    /* One entry, that has to fit. */
    size_t n = strcspn(text, ",");
    if (n == 0) {
      cli_usage_error("--%s: empty entry in '%s'", option, all);
      return false;
    }
    if (n >= sizeof out->v[0]) {
      cli_usage_error("--%s: want entries of at most %zu characters, got '%.60s'", option,
                      sizeof out->v[0] - 1, text);
      return false;
    }
    if (out->n == BENCH_LIST_MAX) {
      cli_usage_error("--%s: more than %d values", option, BENCH_LIST_MAX);
      return false;
    }

    /* The next one begins behind its comma. */
    memcpy(out->v[out->n], text, n);
    out->v[out->n++][n] = 0;
    text += n;
    if (!*text) return true;
  }
}

bool bench_parse_ints(const char *option, const char *text, int most, bench_ints *out) {
  bench_names names;
  out->n = 0;
  if (!bench_parse_names(option, text, &names)) return false;
  for (int i = 0; i < names.n; i++) {
    int64_t v;
    if (!trm__number_int64(names.v[i], &v) || v < 1 || v > most) {
      cli_usage_error("--%s: want whole numbers from 1 to %d, got '%s'", option, most, names.v[i]);
      return false;
    }
    out->v[out->n++] = (int)v;
  }
  return true;
}

bool bench_parse_dtypes(const char *option, const char *text, bench_ints *out) {
  bench_names names;
  out->n = 0;
  if (!bench_parse_names(option, text, &names)) return false;
  for (int i = 0; i < names.n; i++) {
    trm_dtype t;
    if (!trm_dtype_from_name(names.v[i], &t)) {
      cli_usage_error("--%s: want float32, bfloat16 or int8, got '%s'", option, names.v[i]);
      return false;
    }
    out->v[out->n++] = (int)t;
  }
  return true;
}

static bool parse_product(const char *text, trm_bench_shape *out) {
  int *const side[] = {&out->m, &out->n, &out->k};
  char part[16];
  for (int i = 0; i < 3; i++) {
    size_t n = strcspn(text, "x");
    int64_t v;
    if (n >= sizeof part || (text[n] == 'x') != (i < 2)) return false;
    memcpy(part, text, n);
    part[n] = 0;
    if (!trm__number_int64(part, &v) || v < 1 || v > 16384) return false;
    *side[i] = (int)v;
    text += n + 1;
  }
  return true;
}

bool bench_parse_products(const char *option, const char *text, bench_products *out) {
  bench_names names;
  out->n = 0;
  if (!bench_parse_names(option, text, &names)) return false;
  for (int i = 0; i < names.n; i++, out->n++) {
    out->v[i].name = "product";
    if (parse_product(names.v[i], &out->v[i])) continue;
    cli_usage_error("--%s: want MxNxK, each from 1 to 16384, e.g. 112x512x256; got '%s'", option,
                    names.v[i]);
    return false;
  }
  return true;
}
