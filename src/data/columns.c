/* See columns.h. */
#include "data/columns.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static bool is_called(const trm__csv_field *f, const char *name, size_t n) {
  const trm__csv_field s = trm__csv_trimmed(*f);
  return s.n == n && trm__text_alike(s.text, name, n);
}

/* The column that has a name of the role, the likeliest first; -1: none. *other is a second one. */
static int find_column(const trm__csv *csv, int role, int *other) {
  int column = -1;
  *other = -1;
  const char *name;
  for (int k = 0; (name = trm__roles[role].names[k]); k++) {
    for (int i = 0; i < csv->n_fields; i++) {
      if (!is_called(&csv->field[i], name, strlen(name))) continue;
      if (column < 0)
        column = i;
      else if (*other < 0)
        *other = i;
    }
    if (k == 0 && column >= 0) break;
  }
  return column;
}

bool trm__columns_are_named(const trm__csv *csv) {
  int other;
  return find_column(csv, TRM__QUESTION, &other) >= 0;
}

static trm_status find_by_names(const trm__csv *csv, trm__columns *c, trm_error *err) {
  c->named = true;
  for (int role = 0; role < TRM__ROLES; role++) {
    int other;
    c->at[role] = find_column(csv, role, &other);
    if (other >= 0 && role != TRM__RATING)
      return trm__csv_refuse(csv, TRM_E_FORMAT, csv->field[other].line, csv->field[other].column,
                             err, "the header has two columns for the %s; say which with --columns",
                             trm__roles[role].role);
  }
  return TRM_OK;
}

/* A part of what is wanted: a name of the header, or a number from 1. */
static trm_status choose_column(const trm__csv *csv, const char *part, size_t n, int role,
                                trm__columns *c, trm_error *err) {
  int number = 0;
  bool digits = n > 0 && n < 3;
  for (size_t i = 0; digits && i < n; i++) {
    digits = isdigit((unsigned char)part[i]);
    number = 10 * number + part[i] - '0';
  }
  for (int i = 0; i < csv->n_fields; i++)
    if (is_called(&csv->field[i], part, n)) {
      c->at[role] = i;
      c->named = true;
      return TRM_OK;
    }
  c->at[role] = number - 1;
  if (digits && number > 0 && number <= csv->n_fields) return TRM_OK;
  return trm__csv_refuse(csv, TRM_E_FORMAT, csv->field[0].line, 1, err,
                         "--columns: there is no column '%.*s' in the first line, which has %d",
                         (int)(n < 60 ? n : 60), part, csv->n_fields);
}

static trm_status choose(const trm__csv *csv, const char *wanted, trm__columns *c, trm_error *err) {
  for (int role = 0; *wanted; role++) {
    const size_t n = strcspn(wanted, ",");
    if (role == TRM__ROLES)
      return trm__csv_refuse(csv, TRM_E_ARGUMENT, csv->field[0].line, 1, err,
                             "--columns: want at most three: of the question, the answer and the "
                             "rating");
    TRM_TRY(choose_column(csv, wanted, n, role, c, err));
    wanted += n + (wanted[n] == ',');
  }
  return TRM_OK;
}

/* "'question', 'questions' ...", the first of a role's names. */
static const char *some_names(int role, char *text, size_t size) {
  size_t used = 0;
  for (int k = 0; k < 6 && trm__roles[role].names[k]; k++)
    used += (size_t)snprintf(text + used, size - used, "%s'%s'", k ? ", " : "",
                             trm__roles[role].names[k]);
  return text;
}

trm_status trm__columns_find(const trm__csv *csv, const char *wanted, unsigned needed,
                             trm__columns *c, trm_error *err) {
  char text[120];
  *c = (trm__columns){.at = {-1, -1, -1}, .n = csv->n_fields};
  TRM_TRY(wanted ? choose(csv, wanted, c, err) : find_by_names(csv, c, err));
  for (int role = 0; role < TRM__ROLES; role++) {
    if (!(needed >> role & 1) || c->at[role] >= 0) continue;
    if (wanted)
      return trm__csv_refuse(csv, TRM_E_ARGUMENT, csv->field[0].line, 1, err,
                             "--columns: the %s is needed, too: QUESTION,ANSWER%s",
                             trm__roles[role].role, role == TRM__RATING ? ",RATING" : "");
    return trm__csv_refuse(csv, TRM_E_FORMAT, csv->field[0].line, 1, err,
                           "the header has no column for the %s (%s); say which with --columns "
                           "QUESTION,ANSWER%s, names or numbers from 1",
                           trm__roles[role].role, some_names(role, text, sizeof text),
                           role == TRM__RATING ? ",RATING" : "");
  }
  return TRM_OK;
}

trm_status trm__columns_check(const trm__columns *c, const trm__csv *csv, trm_error *err) {
  for (int i = c->n; i < csv->n_fields; i++)
    if (csv->field[i].n)
      return trm__csv_refuse(csv, TRM_E_FORMAT, csv->field[i].line, csv->field[i].column, err,
                             "the row has %d columns, the header %d: name this one there, or take "
                             "it out",
                             csv->n_fields, c->n);
  return TRM_OK;
}

trm_status trm__columns_field(const trm__columns *c, const trm__csv *csv, int role,
                              const trm__csv_field **out, trm_error *err) {
  const int at = c->at[role];
  *out = at < csv->n_fields ? &csv->field[at] : NULL;
  if (*out) return TRM_OK;
  const trm__csv_field *last = &csv->field[csv->n_fields - 1];
  return trm__csv_refuse(csv, TRM_E_FORMAT, last->line, last->column + (long long)last->n, err,
                         "the row has %d column%s, the %s is column %d of the header",
                         csv->n_fields, TRM__S(csv->n_fields), trm__roles[role].role, at + 1);
}
