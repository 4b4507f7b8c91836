/* Charts and tables: what is written is well-formed, has what it was given, and nothing that a
 * name of a user's could add to it. */
#include <math.h>

#include "cli/commands/eval_scaling.h"
#include "cli/pictures/chart_svg.h"
#include "cli/text_table.h"
#include "scratch.h"

static char text[1 << 16];

static const char *read_svg(scratch *s) {
  size_t n;
  unsigned char *bytes = read_bytes(scratch_path(s, "c.svg"), &n);
  assert_true(n < sizeof text);
  memcpy(text, bytes, n + 1);
  free(bytes);
  return text;
}

static void has(const char *part) {
  if (!strstr(text, part)) fail_msg("no %s in:\n%s", part, text);
}

static int count(const char *part) {
  int n = 0;
  for (const char *at = text; (at = strstr(at, part)); at += strlen(part)) n++;
  return n;
}

/* --- curves --- */

static void a_line_lies_where_its_numbers_are(void **state) {
  scratch *s = *state;
  static const double x[] = {0, 50, 100, 150, 200}, y[] = {0, 25, NAN, 75, 100},
                      low[] = {0, 15, NAN, 65, 90}, high[] = {5, 35, NAN, 85, 100};
  const chart_line lines[] = {{"a & <b>", 0, 5, x, y, low, high}, {NULL, 1, 5, x, x, NULL, NULL}};
  const chart_axis ax = {.label = "updates"}, ay = {.label = "right", .high = 100};
  trm_error err;
  assert_int_equal(chart_svg_lines(scratch_path(s, "c.svg"), "Title", &ax, &ay, lines, 2, &err),
                   TRM_OK);
  read_svg(s);

  /* From corner to corner of a plot of 560 by 320; the number that is none breaks the line. */
  const char *curve = strstr(text, "<path class=\"line s0\" d=\"M");
  assert_non_null(curve);
  double at[8];
  assert_int_equal(sscanf(curve, "<path class=\"line s0\" d=\"M%lf %lfL%lf %lfM%lf %lfL%lf %lf\"",
                          &at[0], &at[1], &at[2], &at[3], &at[4], &at[5], &at[6], &at[7]),
                   8);
  assert_true(fabs(at[6] - at[0] - 560) < 0.11 && fabs(at[1] - at[7] - 320) < 0.11);
  assert_true(fabs(at[2] - at[0] - 140) < 0.11 && fabs(at[1] - at[3] - 80) < 0.11);

  /* A band on either side of the gap, one legend, ticks, and the schemes of colours. */
  assert_int_equal(count("class=\"band f0\""), 2);
  has("a &amp; &lt;b&gt;</text>");
  assert_int_equal(count("<path class=\"line s1\""), 1);
  has(">updates</text>");
  has(">100</text>");
  has("class=\"title\">Title</text>");
  has("prefers-color-scheme:dark");
  assert_int_equal(count("<svg"), 1);
  assert_int_equal(count("</svg>"), 1);
}

/* Whatever the data: a single point, none, the same value everywhere, large and negative ones. */
static void odd_data_is_drawn(void **state) {
  scratch *s = *state;
  static const double one[] = {3}, same[] = {5, 5}, x[] = {0, 1}, big[] = {-4e12, 9e12};
  /* As of a log that somebody wrote: no range, hardly one, and none that a double could have. */
  static const double tiny[] = {0, 5e-324}, near_same[] = {1e15, 1e15 + 0.125},
                      huge[] = {-1.7e308, 1.7e308};
  const struct {
    const double *x, *y;
    int n;
    const char *part;
  } cases[] = {{one, one, 1, "<circle"},
               {x, same, 2, "<path class=\"line s0\" d=\"M"},
               {x, big, 2, ">10,000,000,000,000</text>"},
               {x, tiny, 2, "<path class=\"line s0\" d=\"M"},
               {tiny, x, 2, "<path class=\"line s0\" d=\"M"},
               {x, near_same, 2, "<path class=\"line s0\" d=\"M"},
               {x, huge, 2, "class=\"axis\""},
               {huge, x, 2, "class=\"axis\""},
               {x, x, 0, "class=\"axis\""}};
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    const chart_line line = {"a", 0, cases[c].n, cases[c].x, cases[c].y, NULL, NULL};
    trm_error err;
    assert_int_equal(chart_svg_lines(scratch_path(s, "c.svg"), NULL, &(chart_axis){0},
                                     &(chart_axis){0}, &line, 1, &err),
                     TRM_OK);
    read_svg(s);
    has(cases[c].part);
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
  }
}

/* --- bars --- */

static void bars_have_their_lengths_and_whiskers(void **state) {
  scratch *s = *state;
  static const char *const rows[] = {"base", "no EMA"}, *const kinds[] = {"paper", "ours"};
  static const double value[] = {50, 100, NAN, 25}, low[] = {NAN, 90, NAN, 20},
                      high[] = {NAN, 100, NAN, 30};
  static const char *const notes[] = {"not seen", NULL, "out of memory", NULL};
  const chart_bars bars = {2, 2, rows, kinds, value, low, high, notes};
  trm_error err;
  assert_int_equal(chart_svg_bars(scratch_path(s, "c.svg"), NULL,
                                  &(chart_axis){.label = "%", .high = 100}, &bars, &err),
                   TRM_OK);
  read_svg(s);

  /* One bar is not known, and two have no whisker, which is three lines. */
  assert_int_equal(count("<rect class=\"f0\""), 1 + 1); /* and its place in the legend */
  assert_int_equal(count("<rect class=\"f1\""), 2 + 1);
  assert_int_equal(count("class=\"whisker\""), 2 * 3);
  has("width=\"280.0\" height=\"14.0\"");
  has("width=\"560.0\" height=\"14.0\"");
  has("width=\"140.0\" height=\"14.0\"");
  has(">no EMA</text>");
  assert_int_equal(count("class=\"note\""), 1); /* only in a bar's place */
  has(">out of memory</text>");
}

/* --- tables --- */

static const char *printed(const table *t, table_format format) {
  char *out = NULL;
  size_t n = 0;
  FILE *f = open_memstream(&out, &n);
  trm_error err;
  assert_non_null(f);
  assert_int_equal(table_print(t, format, f, &err), TRM_OK);
  fclose(f);
  snprintf(text, sizeof text, "%s", out);
  free(out);
  return text;
}

static void tables_are_for_people_and_programs(void **state) {
  (void)state;
  table t = {0};
  table_column(&t, "name", TABLE_ALL);
  table_column(&t, "share", TABLE_PEOPLE);
  table_column(&t, "best", TABLE_PROGRAMS);
  table_column_keyed(&t, "how many", "n", TABLE_ALL);
  table_text(&t, "a|b, \"c\"");
  table_text(&t, "50.0 ± 1.0 %");
  table_number(&t, 0.1 + 0.2, "%.1f", 0.3);
  table_number(&t, 12345, "12,345");
  table_text(&t, "d\033[2J");
  table_text(&t, NULL);
  table_text(&t, NULL);
  table_number(&t, 7, "7");

  /* Numbers to the right, widths in characters, nothing that a terminal obeys. */
  assert_string_equal(printed(&t, TABLE_PLAIN),
                      "name      share         how many\n"
                      "a|b, \"c\"  50.0 ± 1.0 %    12,345\n"
                      "d?[2J                          7\n");
  assert_string_equal(printed(&t, TABLE_MARKDOWN),
                      "| name | share | how many |\n| --- | --- | ---: |\n"
                      "| a\\|b, \"c\" | 50.0 ± 1.0 % | 12,345 |\n| d?[2J |  | 7 |\n");
  assert_string_equal(printed(&t, TABLE_CSV),
                      "name,best,n\n\"a|b, \"\"c\"\"\",0.30000000000000004,12345\nd?[2J,,7\n");

  /* Numbers are numbers, and what is not known is null. */
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  char *json;
  trm__json_open(&o, NULL, '{');
  table_put_json(&t, "rows", &o);
  trm__json_close(&o);
  assert_int_equal(trm__json_finish(&o, "a table", &json, NULL), TRM_OK);
  assert_string_equal(json,
                      "{\"rows\":[{\"name\":\"a|b, \\\"c\\\"\",\"best\":0.30000000000000004,"
                      "\"n\":12345},{\"name\":\"d?[2J\",\"best\":null,\"n\":7}]}");
  trm__free(json);
  table_free(&t);
}

/* --- what a table of trm eval --scaling counts --- */

/* Pairs by hand: of 2 right and 3 wrong answers 5 of 6 are in order, one of them with equal q. */
static void auc_is_the_share_of_pairs_in_order(void **state) {
  (void)state;
  eval_judged some[] = {{1, false}, {3, true}, {2, true}, {2, false}, {-1, false}};
  eval_judged all[] = {{1, true}, {3, true}};
  assert_true(fabs(eval_auc(5, some) - 5.5 / 6) < 1e-12);
  assert_true(isnan(eval_auc(2, all)));
  assert_true(isnan(eval_auc(0, all)));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_line_lies_where_its_numbers_are),
                                     cmocka_unit_test(odd_data_is_drawn),
                                     cmocka_unit_test(bars_have_their_lengths_and_whiskers),
                                     cmocka_unit_test(tables_are_for_people_and_programs),
                                     cmocka_unit_test(auc_is_the_share_of_pairs_in_order)};
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
