/* See openapi.h. */
#include "cli/serve/openapi.h"

#include <string.h>

#include "cli/serve/examples.h"
#include "cli/serve/routes.h"
#include "io/json.h"

/* What of the server is in it. */
typedef struct described {
  const serve_model *models;
  int n_models, most;
} described;

/* ---- what answers have ---- */

#define NUMBERS "={\"type\":\"array\",\"items\":{\"type\":\"number\",\"nullable\":true}}"
/* Schemas by their names, member by member: each a type of JSON, or '=' and JSON. */
static const struct answer_member {
  const char *schema, *name, *type, *about;
} answers[] = {
    {"Answer", "model", "string", "Who answered."},
    {"Answer", "answer", "={\"$ref\":\"#/components/schemas/Grid\"}", "The grid."},
    {"Answer", "valid", "boolean?", "Whether it keeps the rules and what was given."},
    {"Answer", "steps", "integer", "Supervision steps that were taken."},
    {"Answer", "halted", "boolean", "Whether the bar of halt ended it."},
    {"Answer", "violations", "integer?", "Cells of a Sudoku that break a rule."},
    {"Answer", "q", "number", "How sure the model is, 0 to 1."},
    {"Answer", "seconds", "number", "Since the request was there."},
    {"Answer", "confidence", "={\"type\":\"array\",\"items\":{\"type\":\"number\"}}",
     "Of each cell, where it was asked for."},
    {"Answer", "latents",
     "={\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{\"name\":{\"type\":"
     "\"string\"},\"grid\":{\"$ref\":\"#/components/schemas/Grid\"}},\"required\":[\"name\","
     "\"grid\"]}}",
     "What each reads as, where it was asked for."},
    {"Model", "id", "string", "Its name."},
    {"Model", "object", "string", "model"},
    {"Model", "description", "string", "From its card."},
    {"Model", "puzzle", "string", "What it solves, for people."},
    {"Model", "kind", "={\"type\":\"string\",\"enum\":[\"sudoku\",\"maze\",\"arc\",\"grid\"]}",
     "Of its puzzles."},
    {"Model", "rows", "integer", "Of its canvas."},
    {"Model", "cols", "integer", "Of its canvas."},
    {"Model", "box_rows", "integer", "Of a Sudoku's box; else 0."},
    {"Model", "box_cols", "integer", "Of a Sudoku's box; else 0."},
    {"Model", "sized", "boolean", "Whether grids may be smaller than the canvas."},
    {"Model", "symbols", "={\"type\":\"array\",\"items\":{\"type\":\"string\"}}",
     "That cells may have."},
    {"Model", "steps", "integer", "Supervision steps in training."},
    {"Model", "puzzle_ids", "integer", "Ids that it knows."},
    {"Model", "latents", "={\"type\":\"array\",\"items\":{\"type\":\"string\"}}",
     "Names of its latents, that of the answer first."},
    {"Models", "object", "string", "list"},
    {"Models", "data", "={\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Model\"}}",
     "The models."},
    {"Example", "model", "string", "Who can answer it."},
    {"Example", "puzzle", "string", "A question."},
    {"Examples", "examples",
     "={\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Example\"}}", "Puzzles."},
    {"Run", "id", "integer", "Its number while the server runs."},
    {"Run", "name", "string", "Its folder, below that which is watched."},
    {"Run", "stage", "string", "new, running, stopped, diverged or done."},
    {"Run", "state", "string?", "Of its newest start, once that has ended: done, stopped, failed."},
    {"Run", "message", "string?", "Why it ended so."},
    {"Run", "problem", "string?", "Why it cannot be read."},
    {"Run", "updates", "integer", "That its log tells of."},
    {"Run", "end", "integer", "Where it ends; 0: nothing says so yet."},
    {"Run", "rate", "number?", "Updates in a second, while it is trained."},
    {"Run", "eta", "number?", "Seconds until its end."},
    {"Run", "seconds", "number", "Of training, without pauses."},
    {"Run", "read", "number", "The share of its log that was read, 0 to 1."},
    {"Run", "revision", "integer", "Another one when its curves have changed."},
    {"Run", "best_exact", "number?", "Exact accuracy of the best evaluation."},
    {"Run", "best_update", "integer", "When that was."},
    {"Run", "last_exact", "number?", "Exact accuracy of the last evaluation."},
    {"Run", "last_update", "integer", "When that was."},
    {"Run", "examples", "integer", "Of the last evaluation."},
    {"Run", "seed", "integer", "Of what it draws."},
    {"Run", "host", "string?", "The machine that trained it last."},
    {"Run", "device", "string?", "And on what."},
    {"Run", "started", "string?", "Since when."},
    {"Run", "checkpoint", "integer", "The update of the one that solves puzzles; 0: none yet."},
    {"Runs", "runs", "={\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Run\"}}",
     "In the order in which they were found."},
    {"Runs", "keys", "={\"type\":\"array\",\"items\":{\"type\":\"string\"}}",
     "Figures of their logs."},
    {"Runs", "beyond", "integer", "Runs that are in the folder, too, and are not watched."},
    {"Runs", "problem", "string?", "Why the folder cannot be looked into."},
    {"Curve", "run", "integer", "Its id."},
    {"Curve", "revision", "integer", "Of the run."},
    {"Curve", "updates", NUMBERS, "Of each point."},
    {"Curve", "seconds", NUMBERS, "Of training."},
    {"Curve", "samples", NUMBERS, "Rows of batches."},
    {"Curve", "values", NUMBERS, "Of the figure."},
    {"Curves", "key", "string", "What was asked for."},
    {"Curves", "curves",
     "={\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Curve\"}}",
     "Of each run that has the figure."},
    {"RunPuzzles", "run", "integer", "Its id."},
    {"RunPuzzles", "problem", "string?", "Why its newest checkpoint solves none."},
    {"RunPuzzles", "solved",
     "={\"type\":\"object\",\"nullable\":true,\"properties\":{\"update\":{\"type\":\"integer\"},"
     "\"split\":{\"type\":\"string\"},\"model\":{\"type\":\"object\"},\"puzzles\":{\"type\":"
     "\"array\",\"items\":{\"type\":\"object\"}}},\"required\":[\"update\",\"split\",\"model\","
     "\"puzzles\"]}",
     "Puzzles with question, solution and steps; null: no checkpoint yet."},
    {"Health", "status", "string", "ok"},
    {"Batch", "answers",
     "={\"type\":\"array\",\"items\":{\"oneOf\":[{\"$ref\":\"#/components/schemas/Answer\"},"
     "{\"$ref\":\"#/components/schemas/Error\"}]}}",
     "In the order of the puzzles; one that is none has an error."},
    {"Event", "event", "={\"type\":\"string\",\"enum\":[\"step\",\"answer\",\"error\"]}",
     "Its kind."},
    {"Event", "data", "string", "JSON: a step, an Answer or an Error."},
    {"Error", "error",
     "={\"type\":\"object\",\"properties\":{\"code\":{\"type\":\"integer\"},"
     "\"message\":{\"type\":\"string\"}},\"required\":[\"code\",\"message\"]}",
     "What was expected."},
};
enum { ANSWERS = sizeof answers / sizeof *answers };

/* Whether every answer of its schema has it. */
static bool is_always(const struct answer_member *m) {
  return strcmp(m->schema, "Answer") != 0 ||
         (strcmp(m->name, "confidence") != 0 && strcmp(m->name, "latents") != 0);
}

/* JSON as it stands in the program. */
static void put_json(trm__json_out *o, const char *key, const char *json) {
  trm__json *v;
  trm_error err;
  const trm_status st = trm__json_parse(json, strlen(json), "openapi", 1, &v, &err);
  if (st == TRM_OK)
    trm__json_put_value(o, key, v);
  else
    o->status = st;
  trm__json_free(v);
}

static void put_answer_member(trm__json_out *o, const struct answer_member *m) {
  if (*m->type == '=') {
    put_json(o, m->name, m->type + 1);
    return;
  }
  char type[16];
  const size_t n = strcspn(m->type, "?");
  snprintf(type, sizeof type, "%.*s", (int)n, m->type);
  trm__json_open(o, m->name, '{');
  trm__json_put_text(o, "type", type);
  if (m->type[n]) trm__json_put_bool(o, "nullable", true);
  trm__json_put_text(o, "description", m->about);
  trm__json_close(o);
}

/* Rows of the table that follow one another are one schema. */
static void put_answers(trm__json_out *o) {
  for (int first = 0, end; first < ANSWERS; first = end) {
    for (end = first; end < ANSWERS && !strcmp(answers[end].schema, answers[first].schema);) end++;
    trm__json_open(o, answers[first].schema, '{');
    trm__json_put_text(o, "type", "object");
    trm__json_open(o, "properties", '{');
    for (int i = first; i < end; i++) put_answer_member(o, &answers[i]);
    trm__json_close(o);
    trm__json_open(o, "required", '[');
    for (int i = first; i < end; i++)
      if (is_always(&answers[i])) trm__json_put_text(o, NULL, answers[i].name);
    trm__json_close(o);
    trm__json_put_bool(o, "additionalProperties", false);
    trm__json_close(o);
  }
}

/* ---- what requests have ---- */

static const char grid_schema[] =
    "{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":\"array\","
    "\"items\":{\"nullable\":true,\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"string\"}]}}}]}";
static const char grid_ref[] = "{\"$ref\":\"#/components/schemas/Grid\"}";

static void put_member(trm__json_out *o, const serve_member *m, const described *d) {
  static const char *const types[] = {
      [SERVE_PUZZLES] = "array", [SERVE_MODEL] = "string", [SERVE_WORD] = "string",
      [SERVE_WHOLE] = "integer", [SERVE_REAL] = "number",  [SERVE_BOOL] = "boolean"};
  if (m->kind == SERVE_PUZZLE) {
    put_json(o, m->name, grid_ref);
    return;
  }
  trm__json_open(o, m->name, '{');
  trm__json_put_text(o, "type", types[m->kind]);
  trm__json_put_text(o, "description", m->about);
  if (m->kind == SERVE_PUZZLES) {
    put_json(o, "items", "{}"); /* what is no grid fails alone */
    trm__json_put_int(o, "minItems", 1);
    trm__json_put_int(o, "maxItems", d->most);
  }
  if (m->kind == SERVE_WHOLE) {
    trm__json_put_int(o, "minimum", 0);
    trm__json_put_int(o, "maximum", m->most);
  }
  if (m->kind == SERVE_WORD || m->kind == SERVE_MODEL) trm__json_open(o, "enum", '[');
  for (int i = 0; m->kind == SERVE_WORD && m->words[i]; i++)
    trm__json_put_text(o, NULL, m->words[i]);
  for (int i = 0; m->kind == SERVE_MODEL && i < d->n_models; i++)
    trm__json_put_text(o, NULL, d->models[i].name);
  if (m->kind == SERVE_WORD || m->kind == SERVE_MODEL) trm__json_close(o);
  trm__json_close(o);
}

/* A request that the first model takes. */
static void put_example(trm__json_out *o, const serve_route *r, const described *d) {
  const char *puzzle = serve_example_of(&d->models[0]);
  if (!puzzle) return;
  trm__json_open(o, "example", '{');
  if (r->many) trm__json_open(o, "puzzles", '[');
  trm__json_put_text(o, r->many ? NULL : "puzzle", puzzle);
  if (r->many) trm__json_close(o);
  trm__json_close(o);
}

static void put_request(trm__json_out *o, const serve_route *r, const described *d) {
  const int of = r->many ? SERVE_OF_MANY : SERVE_OF_ONE;
  trm__json_open(o, "requestBody", '{');
  trm__json_put_bool(o, "required", true);
  trm__json_open(o, "content", '{');
  trm__json_open(o, "application/json", '{');
  trm__json_open(o, "schema", '{');
  trm__json_put_text(o, "type", "object");
  trm__json_open(o, "properties", '{');
  for (const serve_member *m = serve_members; m->name; m++)
    if (m->of & of) put_member(o, m, d);
  trm__json_close(o);
  trm__json_open(o, "required", '[');
  trm__json_put_text(o, NULL, r->many ? "puzzles" : "puzzle");
  trm__json_close(o);
  trm__json_put_bool(o, "additionalProperties", false);
  trm__json_close(o);
  put_example(o, r, d);
  for (int i = 0; i < 3; i++) trm__json_close(o);
}

/* ---- paths ---- */

/* Parameters of queries. */
static const struct parameter {
  const char *name, *type, *about;
} parameters[] = {
    {"key", "string", "A figure of the logs, one of the keys of /v1/runs."},
    {"run", "integer", "The id of a run of /v1/runs."},
};

static void put_parameter(trm__json_out *o, const char *name) {
  const struct parameter *p = parameters;
  while (strcmp(p->name, name) != 0) p++;
  trm__json_open(o, "parameters", '[');
  trm__json_open(o, NULL, '{');
  trm__json_put_text(o, "name", p->name);
  trm__json_put_text(o, "in", "query");
  trm__json_put_bool(o, "required", true);
  trm__json_put_text(o, "description", p->about);
  trm__json_open(o, "schema", '{');
  trm__json_put_text(o, "type", p->type);
  for (int i = 0; i < 3; i++) trm__json_close(o);
}

/* What a route answers with 200: a schema, or a type that has none. */
static const struct success {
  const char *path, *type, *schema;
} successes[] = {
    {"/", "text/html", NULL},
    {"/health", "application/json", "Health"},
    {"/metrics", "text/plain", NULL},
    {"/openapi.json", "application/json", NULL},
    {"/v1/examples", "application/json", "Examples"},
    {"/v1/models", "application/json", "Models"},
    {"/v1/runs", "application/json", "Runs"},
    {"/v1/runs/curve", "application/json", "Curves"},
    {"/v1/runs/puzzles", "application/json", "RunPuzzles"},
    {"/v1/solve", "application/json", "Answer"},
    {"/v1/solve", "text/event-stream", "Event"},
    {"/v1/batch", "application/json", "Batch"},
};
enum { SUCCESSES = sizeof successes / sizeof *successes };

/* And else. */
static const struct failure {
  int code;
  bool of_post, of_key; /* of these routes alone, 400 also of those with a parameter */
  const char *about;
} failures[] = {
    {400, true, false, "The request is not what was expected."},
    {401, false, true, "A key is wanted."},
    {403, false, false, "A page of another site asks."},
    {404, false, false, "There is no such thing here."},
    {405, false, false, "Not with this method."},
    {413, true, false, "The body is too large."},
    {421, false, false, "The server does not go by that name."},
    {429, false, false, "Too much waits; Retry-After says when to come again."},
    {503, false, false, "The server stops, or has no memory."},
};
enum { FAILURES = sizeof failures / sizeof *failures };

static void put_schema_ref(trm__json_out *o, const char *type, const char *schema) {
  char ref[64];
  trm__json_open(o, type, '{');
  trm__json_open(o, "schema", '{');
  snprintf(ref, sizeof ref, "#/components/schemas/%s", schema ? schema : "");
  if (schema)
    trm__json_put_text(o, "$ref", ref);
  else
    trm__json_put_text(o, "type", strstr(type, "json") ? "object" : "string");
  trm__json_close(o);
  trm__json_close(o);
}

static void put_responses(trm__json_out *o, const serve_route *r) {
  trm__json_open(o, "responses", '{');
  trm__json_open(o, "200", '{');
  trm__json_put_text(o, "description", r->about);
  trm__json_open(o, "content", '{');
  for (int i = 0; i < SUCCESSES; i++)
    if (!strcmp(successes[i].path, r->path))
      put_schema_ref(o, successes[i].type, successes[i].schema);
  trm__json_close(o);
  trm__json_close(o);
  for (int i = 0; i < FAILURES; i++) {
    char code[8];
    if ((failures[i].of_post && r->answer && !(r->parameter && failures[i].code == 400)) ||
        (failures[i].of_key && r->open))
      continue;
    snprintf(code, sizeof code, "%d", failures[i].code);
    trm__json_open(o, code, '{');
    trm__json_put_text(o, "description", failures[i].about);
    trm__json_open(o, "content", '{');
    put_schema_ref(o, "application/json", "Error");
    trm__json_close(o);
    trm__json_close(o);
  }
  trm__json_close(o);
}

static void put_path(trm__json_out *o, const serve_route *r, const described *d) {
  trm__json_open(o, r->path, '{');
  trm__json_open(o, r->answer ? "get" : "post", '{');
  trm__json_put_text(o, "summary", r->about);
  if (r->open) put_json(o, "security", "[]");
  if (r->parameter) put_parameter(o, r->parameter);
  if (!r->answer) put_request(o, r, d);
  put_responses(o, r);
  trm__json_close(o);
  trm__json_close(o);
}

char *serve_openapi_json(const serve_model *models, int n_models, int most) {
  const described d = {models, n_models, most};
  char *text;
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_open(&o, NULL, '{');
  trm__json_put_text(&o, "openapi", "3.0.3");
  put_json(&o, "info",
           "{\"title\":\"trm serve\",\"version\":\"" TRM_VERSION
           "\",\"license\":{\"name\":"
           "\"MIT\"},\"description\":\"Tiny Recursive Models answer puzzles.\"}");
  put_json(&o, "security", "[{\"key\":[]},{}]");
  trm__json_open(&o, "paths", '{');
  for (int i = 0; serve_route_at(i); i++) put_path(&o, serve_route_at(i), &d);
  trm__json_close(&o);
  trm__json_open(&o, "components", '{');
  put_json(&o, "securitySchemes", "{\"key\":{\"type\":\"http\",\"scheme\":\"bearer\"}}");
  trm__json_open(&o, "schemas", '{');
  put_json(&o, "Grid", grid_schema);
  put_answers(&o);
  for (int i = 0; i < 3; i++) trm__json_close(&o);
  return trm__json_finish(&o, "the description", &text, NULL) == TRM_OK ? text : NULL;
}
