/* OpenSudoku's XML: <opensudoku><folder><game data="0504..."/>. libexpat parses it; a build without
 * it says so. The lines of the document go to the parser, and the games that they complete wait in
 * a list until they are asked for. */
#include <string.h>

#include "base/memory.h"
#include "data/sudoku/sudoku_reader.h"

bool trm__sudoku_is_xml(trm_sudoku_reader *r) {
  return r->xml || (r->length && r->text[0] == '<');
}

#ifdef TRM_EXPAT
#include <expat.h>

enum {
  GAME = 81,
  PIECE = 1 << 24 /* bytes that the parser is given at once; it takes an int */
};

typedef struct game {
  char cells[GAME]; /* of the givens */
  const char *why;  /* NULL, or what is wrong with it */
  int64_t line;
} game;

struct trm__sudoku_xml {
  XML_Parser parser;
  game *games; /* [next, n) wait */
  size_t next, n, room;
  trm_status st; /* of the handlers */
  bool strange;  /* the root is not OpenSudoku's */
  bool failed;   /* was said */
  int depth;
};

void trm__sudoku_free_xml(trm__sudoku_xml *x) {
  if (!x) return;
  if (x->parser) XML_ParserFree(x->parser);
  trm__free(x->games);
  trm__free(x);
}

/* --- a game --- */

/* "version: 3\n" and then, a cell: its value, its notes, and whether its player may change it. What
 * a player placed is no given. */
static const char *read_versioned(const char *data, char cells[GAME]) {
  data += strcspn(data, " ");
  data += strspn(data, " ");
  data += strspn(data, "0123456789");
  data += strspn(data, " \n");
  for (int i = 0; i < GAME; i++) {
    const char value = *data;
    if (value < '0' || value > '9' || data[1] != '|') return "its data break off";
    data += 2;
    data += strspn(data, "0123456789,-");
    data += strspn(data, "|");
    if ((*data != '0' && *data != '1') || data[1] != '|') return "its data break off";
    cells[i] = *data == '0' ? value : '0';
    data += 2;
  }
  return *data ? "its data have more than 81 cells" : NULL;
}

static const char *read_game(const char *data, char cells[GAME]) {
  if (!data) return "a game without data";
  if (!strncmp(data, "version:", 8)) return read_versioned(data, cells);
  if (strlen(data) != GAME || strspn(data, "0123456789.") != GAME)
    return "its data are not 81 digits";
  memcpy(cells, data, GAME);
  return NULL;
}

static trm_status add_game(trm__sudoku_xml *x, const char *data) {
  if (x->n == x->room) {
    game *larger = trm__alloc(2 * x->room + 16, sizeof *larger);
    if (!larger) return TRM_E_MEMORY;
    if (x->n) memcpy(larger, x->games, x->n * sizeof *larger);
    trm__free(x->games);
    x->games = larger;
    x->room = 2 * x->room + 16;
  }
  game *g = &x->games[x->n++];
  g->line = (int64_t)XML_GetCurrentLineNumber(x->parser);
  g->why = read_game(data, g->cells);
  return TRM_OK;
}

/* --- the parser --- */

static void XMLCALL begin_element(void *arg, const XML_Char *name, const XML_Char **attributes) {
  trm__sudoku_xml *x = arg;
  if (x->depth++ == 0) x->strange |= strcmp(name, "opensudoku") != 0;
  if (strcmp(name, "game") != 0 || x->st != TRM_OK || x->strange) return;
  const char *data = NULL;
  for (int i = 0; attributes[i]; i += 2)
    if (!strcmp(attributes[i], "data")) data = attributes[i + 1];
  x->st = add_game(x, data);
}

static void XMLCALL end_element(void *arg, const XML_Char *name) {
  trm__sudoku_xml *x = arg;
  (void)name;
  x->depth--;
}

/* No game needs a document type, whose entities may grow without bound. */
static void XMLCALL begin_doctype(void *arg, const XML_Char *name, const XML_Char *system,
                                  const XML_Char *public_id, int has_subset) {
  trm__sudoku_xml *x = arg;
  (void)name, (void)system, (void)public_id, (void)has_subset;
  XML_StopParser(x->parser, XML_FALSE);
}

static trm_status begin_xml(trm_sudoku_reader *r, trm_error *err) {
  trm__sudoku_xml *x;
  TRM_ALLOC(&x, 1, "a reader of XML", err);
  r->xml = x;
  x->parser = XML_ParserCreate(NULL);
  if (!x->parser) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a reader of XML");
  XML_SetUserData(x->parser, x);
  XML_SetElementHandler(x->parser, begin_element, end_element);
  XML_SetStartDoctypeDeclHandler(x->parser, begin_doctype);
  return TRM_OK;
}

/* Gives the parser text; after an error nothing of the document is read. */
static trm_status parse(trm_sudoku_reader *r, const char *text, size_t n, bool last,
                        trm_error *err) {
  trm__sudoku_xml *x = r->xml;
  const enum XML_Status done = XML_Parse(x->parser, text, (int)n, last);
  if (x->st == TRM_E_MEMORY) TRM_FAIL(err, TRM_E_MEMORY, "no memory for the games of the XML");
  const enum XML_Error why = XML_GetErrorCode(x->parser);
  if (done == XML_STATUS_OK && !x->strange) return TRM_OK;
  x->failed = true;
  r->ended = true;
  r->at = r->n;
  if (why == XML_ERROR_NO_MEMORY) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a reader of XML");
  return trm__sudoku_refuse(r, TRM_E_FORMAT, (int64_t)XML_GetCurrentLineNumber(x->parser),
                            (size_t)XML_GetCurrentColumnNumber(x->parser) + 1, err, "%s: %s",
                            x->strange ? "not a document of OpenSudoku" : "no XML that can be read",
                            x->strange ? "want <opensudoku> with <game data=\"...\"/>"
                            : why == XML_ERROR_ABORTED ? "a document type is not taken"
                                                       : XML_ErrorString(why));
}

trm_status trm__sudoku_read_xml(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                                trm_error *err) {
  (void)e, (void)found; /* trm__sudoku_next_xml gives what was read */
  if (!r->xml) {
    TRM_TRY(begin_xml(r, err));
    for (int64_t line = 1; line < r->line; line++) TRM_TRY(parse(r, "\n", 1, false, err));
  }
  const char *text = r->whole;
  size_t left = r->whole_length;
  if (r->xml->failed) return TRM_OK;
  while (left > 0) {
    const size_t n = left < PIECE ? left : PIECE;
    TRM_TRY(parse(r, text, n, false, err));
    text += n;
    left -= n;
  }
  return parse(r, "\n", 1, false, err);
}

trm_status trm__sudoku_end_xml(trm_sudoku_reader *r, trm_error *err) {
  if (r->xml->failed) return TRM_OK;
  r->xml->failed = true; /* it is said once */
  return parse(r, "", 0, true, err);
}

bool trm__sudoku_next_xml(trm_sudoku_reader *r, trm_sudoku_entry *e, trm_status *st,
                          trm_error *err) {
  trm__sudoku_xml *x = r->xml;
  if (x->next == x->n) {
    x->next = x->n = 0;
    return false;
  }
  const game *g = &x->games[x->next++];
  e->form = "XML of OpenSudoku";
  if (g->why) {
    *st = trm__sudoku_refuse(r, TRM_E_FORMAT, g->line, 1, err, "a game of OpenSudoku: %s", g->why);
    return true;
  }
  *st = trm__sudoku_begin(r, e, 9, g->line, 1, err);
  if (*st == TRM_OK) *st = trm__sudoku_read_givens(r, e, (trm__span){g->cells, GAME}, err);
  return true;
}

#else /* without libexpat */

void trm__sudoku_free_xml(trm__sudoku_xml *x) {
  (void)x;
}

trm_status trm__sudoku_read_xml(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                                trm_error *err) {
  (void)e, (void)found;
  r->ended = true;
  r->at = r->n;
  return trm__sudoku_refuse(r, TRM_E_FORMAT, r->line, r->column, err,
                            "XML, as OpenSudoku writes it: this trm was built without libexpat "
                            "(Debian: libexpat1-dev); build it anew with it");
}

trm_status trm__sudoku_end_xml(trm_sudoku_reader *r, trm_error *err) {
  (void)r, (void)err;
  return TRM_OK;
}

bool trm__sudoku_next_xml(trm_sudoku_reader *r, trm_sudoku_entry *e, trm_status *st,
                          trm_error *err) {
  (void)r, (void)e, (void)st, (void)err;
  return false;
}

#endif
