/* The stack machine. Values live in one growing array and name each other by index; items of
 * containers are chained through a second one, so that a dictionary can grow after it was put on
 * the stack. No function calls itself: how deep a pickle nests does not matter. */
#include "io/pickle.h"

#include <inttypes.h>
#include <string.h>

#include "base/memory.h"

enum {
  MAX_STACK = 1 << 16,
  MAX_MEMO = 1 << 20,
  MAX_NAME = 80,
  MARK = -1 /* on the stack */
};

typedef struct item {
  int32_t key, value, next; /* value -1: none; next 0: the last. Item 0 is nobody's */
} item;

struct trm__pickle {
  trm__pickle_value *values;
  item *items;
  int32_t n_values, n_items, root;
};

typedef struct machine {
  const char *file;
  const unsigned char *bytes;
  size_t at, end, op_at; /* op_at: where the instruction that runs began */
  const trm__pickle_global *globals;
  trm__pickle *p;
  int32_t *stack, *memo; /* memo: value + 1, 0: nothing there */
  size_t n_stack, room_stack, n_memo, room_values, room_items;
  bool stopped;
  trm_error *err;
} machine;

#define BROKEN(m, ...) TRM_FAIL_AT((m)->err, TRM_E_FORMAT, (m)->op_at, __VA_ARGS__)

/* --- memory --- */

/* Room for one more than n elements, doubled when it is used up. */
static trm_status grow(void **block, size_t n, size_t *room, size_t size, trm_error *err) {
  if (n < *room) return TRM_OK;
  const size_t more = *room ? 2 * *room : 256;
  void *grown = trm__alloc(more, size);
  if (!grown) TRM_FAIL(err, TRM_E_MEMORY, "no memory for the %zu values of a pickle", more);
  if (n) memcpy(grown, *block, n * size);
  trm__free(*block);
  *block = grown;
  *room = more;
  return TRM_OK;
}

static trm_status push_index(machine *m, int32_t index) {
  void *stack = m->stack;
  if (m->n_stack == MAX_STACK)
    BROKEN(m, "%s: byte %zu: more than %d values on the stack", m->file, m->op_at, MAX_STACK);
  TRM_TRY(grow(&stack, m->n_stack, &m->room_stack, sizeof *m->stack, m->err));
  m->stack = stack;
  m->stack[m->n_stack++] = index;
  return TRM_OK;
}

static trm_status push(machine *m, trm__pickle_value v) {
  void *values = m->p->values;
  TRM_TRY(grow(&values, (size_t)m->p->n_values, &m->room_values, sizeof v, m->err));
  m->p->values = values;
  m->p->values[m->p->n_values] = v;
  return push_index(m, m->p->n_values++);
}

static trm_status add_item(machine *m, int32_t to, int32_t key, int32_t value) {
  void *items = m->p->items;
  TRM_TRY(grow(&items, (size_t)m->p->n_items, &m->room_items, sizeof(item), m->err));
  m->p->items = items;
  const int32_t at = m->p->n_items++;
  m->p->items[at] = (item){key, value, 0};
  trm__pickle_value *v = &m->p->values[to];
  if (v->u.items.n++ == 0)
    v->u.items.first = at;
  else
    m->p->items[v->u.items.last].next = at;
  v->u.items.last = at;
  return TRM_OK;
}

/* --- the stack --- */

static trm_status pop(machine *m, int32_t *index) {
  if (m->n_stack == 0 || m->stack[m->n_stack - 1] == MARK)
    BROKEN(m, "%s: byte %zu: an instruction finds too few values on the stack", m->file, m->op_at);
  *index = m->stack[--m->n_stack];
  return TRM_OK;
}

/* The same for one that must be of a kind, and stays. */
static trm_status top_of_kind(machine *m, size_t below, trm__pickle_kind kind, int32_t *index) {
  if (m->n_stack <= below || m->stack[m->n_stack - 1 - below] == MARK ||
      m->p->values[m->stack[m->n_stack - 1 - below]].kind != kind)
    BROKEN(m, "%s: byte %zu: want %s on the stack", m->file, m->op_at, trm__pickle_kind_name(kind));
  *index = m->stack[m->n_stack - 1 - below];
  return TRM_OK;
}

/* The place after the last mark. */
static trm_status find_mark(machine *m, size_t *first) {
  for (size_t i = m->n_stack; i > 0; i--)
    if (m->stack[i - 1] == MARK) {
      *first = i;
      return TRM_OK;
    }
  BROKEN(m, "%s: byte %zu: an instruction finds no mark on the stack", m->file, m->op_at);
}

/* --- operands --- */

static trm_status take(machine *m, uint64_t n, const unsigned char **p) {
  if (n > m->end - m->at)
    BROKEN(m, "%s: byte %zu: the pickle is truncated: want %" PRIu64 " bytes, found %zu", m->file,
           m->op_at, n, m->end - m->at);
  *p = m->bytes + m->at;
  m->at += (size_t)n;
  return TRM_OK;
}

static trm_status take_number(machine *m, int bytes, uint64_t *v) {
  const unsigned char *p;
  TRM_TRY(take(m, (uint64_t)bytes, &p));
  *v = 0;
  for (int i = 0; i < bytes; i++) *v |= (uint64_t)p[i] << 8 * i;
  return TRM_OK;
}

static trm_status push_text(machine *m, int length_bytes) {
  uint64_t n;
  const unsigned char *p;
  TRM_TRY(take_number(m, length_bytes, &n));
  TRM_TRY(take(m, n, &p));
  if (memchr(p, 0, (size_t)n))
    BROKEN(m, "%s: byte %zu: a text holds a zero byte", m->file, m->op_at);
  return push(
      m, (trm__pickle_value){.kind = TRM__PICKLE_TEXT, .u.text = {(const char *)p, (size_t)n}});
}

static trm_status push_int(machine *m, int64_t v) {
  return push(m, (trm__pickle_value){.kind = TRM__PICKLE_INT, .u.integer = v});
}

/* --- instructions --- */

static trm_status op_proto(machine *m, int arg) {
  (void)arg;
  uint64_t version;
  TRM_TRY(take_number(m, 1, &version));
  if (version < 2 || version > 5)
    BROKEN(m, "%s: pickle protocol %d; want 2 to 5", m->file, (int)version);
  return TRM_OK;
}

/* A frame only says how much a reader may take at once. */
static trm_status op_frame(machine *m, int arg) {
  (void)arg;
  uint64_t n;
  return take_number(m, 8, &n);
}

static trm_status op_stop(machine *m, int arg) {
  (void)arg;
  TRM_TRY(pop(m, &m->p->root));
  if (m->n_stack != 0)
    BROKEN(m, "%s: byte %zu: the pickle ends with %zu values left over", m->file, m->op_at,
           m->n_stack);
  m->stopped = true;
  return TRM_OK;
}

/* None, an empty list, an empty dictionary. */
static trm_status op_empty(machine *m, int kind) {
  return push(m, (trm__pickle_value){.kind = (trm__pickle_kind)kind});
}
static trm_status op_bool(machine *m, int v) {
  return push(m, (trm__pickle_value){.kind = TRM__PICKLE_BOOL, .u.integer = v});
}

static trm_status op_mark(machine *m, int arg) {
  (void)arg;
  return push_index(m, MARK);
}

static trm_status op_int4(machine *m, int arg) {
  (void)arg;
  uint64_t v;
  TRM_TRY(take_number(m, 4, &v));
  return push_int(m, (int64_t)(v ^ 0x80000000) - 0x80000000); /* sign of 32 bits */
}
/* One of so many bytes, without sign. */
static trm_status op_uint(machine *m, int bytes) {
  uint64_t v;
  TRM_TRY(take_number(m, bytes, &v));
  return push_int(m, (int64_t)v);
}

/* A signed number of as many bytes as it needs. */
static trm_status op_long1(machine *m, int arg) {
  (void)arg;
  uint64_t n, v;
  TRM_TRY(take_number(m, 1, &n));
  if (n > 8)
    BROKEN(m, "%s: byte %zu: a number of %d bytes; want 8 at most", m->file, m->op_at, (int)n);
  TRM_TRY(take_number(m, (int)n, &v));
  if (n > 0 && n < 8 && v >> (8 * n - 1)) v |= UINT64_MAX << 8 * n;
  int64_t out;
  memcpy(&out, &v, sizeof out);
  return push_int(m, out);
}

/* Eight bytes, the highest first. */
static trm_status op_float(machine *m, int arg) {
  (void)arg;
  const unsigned char *p;
  uint64_t bits = 0;
  trm__pickle_value v = {.kind = TRM__PICKLE_FLOAT};
  TRM_TRY(take(m, 8, &p));
  for (int i = 0; i < 8; i++) bits = bits << 8 | p[i];
  memcpy(&v.u.real, &bits, sizeof bits);
  return push(m, v);
}

/* The values from stack place `first` on become the items of a tuple in their place. */
static trm_status make_tuple(machine *m, size_t first, size_t from) {
  const size_t n = m->n_stack - first;
  TRM_TRY(push(m, (trm__pickle_value){.kind = TRM__PICKLE_TUPLE}));
  const int32_t tuple = m->stack[--m->n_stack];
  for (size_t i = 0; i < n; i++) {
    if (m->stack[first + i] == MARK)
      BROKEN(m, "%s: byte %zu: a mark inside a tuple", m->file, m->op_at);
    TRM_TRY(add_item(m, tuple, -1, m->stack[first + i]));
  }
  m->n_stack = from;
  return push_index(m, tuple);
}

static trm_status op_tuple_of(machine *m, int n) {
  if (m->n_stack < (size_t)n)
    BROKEN(m, "%s: byte %zu: an instruction finds too few values on the stack", m->file, m->op_at);
  return make_tuple(m, m->n_stack - (size_t)n, m->n_stack - (size_t)n);
}
static trm_status op_tuple(machine *m, int arg) {
  (void)arg;
  size_t first;
  TRM_TRY(find_mark(m, &first));
  return make_tuple(m, first, first - 1);
}
static trm_status op_append(machine *m, int arg) {
  (void)arg;
  int32_t value, list;
  TRM_TRY(pop(m, &value));
  TRM_TRY(top_of_kind(m, 0, TRM__PICKLE_LIST, &list));
  return add_item(m, list, -1, value);
}
static trm_status op_appends(machine *m, int arg) {
  (void)arg;
  size_t first;
  int32_t list;
  TRM_TRY(find_mark(m, &first));
  TRM_TRY(top_of_kind(m, m->n_stack - first + 1, TRM__PICKLE_LIST, &list));
  for (size_t i = first; i < m->n_stack; i++) TRM_TRY(add_item(m, list, -1, m->stack[i]));
  m->n_stack = first - 1;
  return TRM_OK;
}

static trm_status op_setitem(machine *m, int arg) {
  (void)arg;
  int32_t key, value, dict;
  TRM_TRY(pop(m, &value));
  TRM_TRY(pop(m, &key));
  TRM_TRY(top_of_kind(m, 0, TRM__PICKLE_DICT, &dict));
  return add_item(m, dict, key, value);
}
static trm_status op_setitems(machine *m, int arg) {
  (void)arg;
  size_t first;
  int32_t dict;
  TRM_TRY(find_mark(m, &first));
  TRM_TRY(top_of_kind(m, m->n_stack - first + 1, TRM__PICKLE_DICT, &dict));
  if ((m->n_stack - first) % 2) BROKEN(m, "%s: byte %zu: a key without a value", m->file, m->op_at);
  for (size_t i = first; i < m->n_stack; i += 2)
    TRM_TRY(add_item(m, dict, m->stack[i], m->stack[i + 1]));
  m->n_stack = first - 1;
  return TRM_OK;
}

/* Names: "module name" out of texts that are not terminated. */
static bool is_text(const char *want, const char *bytes, size_t n) {
  return strlen(want) == n && !memcmp(want, bytes, n);
}

static trm_status push_global(machine *m, const char *module, size_t n_module, const char *name,
                              size_t n_name) {
  for (int i = 0; m->globals[i].module; i++)
    if (is_text(m->globals[i].module, module, n_module) &&
        is_text(m->globals[i].name, name, n_name))
      return push(m, (trm__pickle_value){.kind = TRM__PICKLE_GLOBAL, .global = i});
  BROKEN(m,
         "%s: byte %zu: global %.*s.%.*s is not one that a checkpoint needs; nothing was executed",
         m->file, m->op_at, n_module < MAX_NAME ? (int)n_module : MAX_NAME, module,
         n_name < MAX_NAME ? (int)n_name : MAX_NAME, name);
}

static trm_status take_line(machine *m, const char **line, size_t *n) {
  const unsigned char *begin = m->bytes + m->at;
  const unsigned char *end = memchr(begin, '\n', m->end - m->at);
  if (!end) BROKEN(m, "%s: byte %zu: the pickle is truncated in a name", m->file, m->op_at);
  *line = (const char *)begin;
  *n = (size_t)(end - begin);
  m->at += *n + 1;
  return TRM_OK;
}

static trm_status op_global(machine *m, int arg) {
  (void)arg;
  const char *module, *name;
  size_t n_module, n_name;
  TRM_TRY(take_line(m, &module, &n_module));
  TRM_TRY(take_line(m, &name, &n_name));
  return push_global(m, module, n_module, name, n_name);
}

static trm_status op_stack_global(machine *m, int arg) {
  (void)arg;
  int32_t module, name;
  TRM_TRY(top_of_kind(m, 0, TRM__PICKLE_TEXT, &name));
  TRM_TRY(top_of_kind(m, 1, TRM__PICKLE_TEXT, &module));
  m->n_stack -= 2;
  const trm__pickle_value *a = &m->p->values[module], *b = &m->p->values[name];
  return push_global(m, a->u.text.bytes, a->u.text.n, b->u.text.bytes, b->u.text.n);
}

/* A call: nobody is called. */
static trm_status op_reduce(machine *m, int arg) {
  (void)arg;
  int32_t args, callee;
  TRM_TRY(top_of_kind(m, 0, TRM__PICKLE_TUPLE, &args));
  TRM_TRY(top_of_kind(m, 1, TRM__PICKLE_GLOBAL, &callee));
  m->n_stack -= 2;
  trm__pickle_value v = m->p->values[args];
  const int global = m->p->values[callee].global;
  const trm__pickle_global *g = &m->globals[global];
  if (g->use == TRM__PICKLE_NAME || (g->use == TRM__PICKLE_MAKE_DICT && v.u.items.n > 0))
    BROKEN(
        m,
        "%s: byte %zu: a call of %s.%s%s is not one that a checkpoint needs; nothing was executed",
        m->file, m->op_at, g->module, g->name,
        g->use == TRM__PICKLE_MAKE_DICT ? " with arguments" : "");
  v.kind = g->use == TRM__PICKLE_MAKE_DICT ? TRM__PICKLE_DICT : TRM__PICKLE_CALL;
  v.global = global;
  return push(m, v);
}

/* Attributes of a dictionary (a state_dict's _metadata): built and forgotten. */
static trm_status op_build(machine *m, int arg) {
  (void)arg;
  int32_t state, object;
  TRM_TRY(top_of_kind(m, 0, TRM__PICKLE_DICT, &state));
  TRM_TRY(top_of_kind(m, 1, TRM__PICKLE_DICT, &object));
  m->n_stack--;
  return TRM_OK;
}

static trm_status op_persistent(machine *m, int arg) {
  (void)arg;
  int32_t id;
  TRM_TRY(top_of_kind(m, 0, TRM__PICKLE_TUPLE, &id));
  m->n_stack--;
  trm__pickle_value v = m->p->values[id];
  v.kind = TRM__PICKLE_PERSISTENT;
  return push(m, v);
}

/* --- the memo --- */

static trm_status put(machine *m, uint64_t index) {
  if (m->n_stack == 0 || m->stack[m->n_stack - 1] == MARK)
    BROKEN(m, "%s: byte %zu: nothing to remember on the stack", m->file, m->op_at);
  /* Each place costs the pickle an instruction, so honest places are below its length. */
  if (index >= MAX_MEMO || index >= m->end)
    BROKEN(m, "%s: byte %zu: memo place %" PRIu64 " in a pickle of %zu bytes", m->file, m->op_at,
           index, m->end);
  m->memo[index] = m->stack[m->n_stack - 1] + 1;
  m->n_memo++;
  return TRM_OK;
}

static trm_status op_get(machine *m, int bytes) {
  uint64_t index;
  TRM_TRY(take_number(m, bytes, &index));
  if (index >= MAX_MEMO || index >= m->end || m->memo[index] == 0)
    BROKEN(m, "%s: byte %zu: memo place %" PRIu64 " holds nothing", m->file, m->op_at, index);
  return push_index(m, m->memo[index] - 1);
}

static trm_status op_put(machine *m, int bytes) {
  uint64_t index;
  TRM_TRY(take_number(m, bytes, &index));
  return put(m, index);
}
static trm_status op_memoize(machine *m, int arg) {
  (void)arg;
  return put(m, m->n_memo);
}
/* --- the table of instructions --- */

/* Those without a function are known by name, to be refused by it. */
static const struct instruction {
  const char *name;
  trm_status (*run)(machine *, int arg);
  int arg; /* bytes of an operand, items of a tuple, kind of a value */
} instructions[256] = {
    ['('] = {"MARK", op_mark, 0},
    [')'] = {"EMPTY_TUPLE", op_tuple_of, 0},
    ['.'] = {"STOP", op_stop, 0},
    ['0'] = {"POP", NULL, 0},
    ['1'] = {"POP_MARK", NULL, 0},
    ['2'] = {"DUP", NULL, 0},
    ['B'] = {"BINBYTES", NULL, 0},
    ['C'] = {"SHORT_BINBYTES", NULL, 0},
    ['F'] = {"FLOAT", NULL, 0},
    ['G'] = {"BINFLOAT", op_float, 0},
    ['I'] = {"INT", NULL, 0},
    ['J'] = {"BININT", op_int4, 0},
    ['K'] = {"BININT1", op_uint, 1},
    ['L'] = {"LONG", NULL, 0},
    ['M'] = {"BININT2", op_uint, 2},
    ['N'] = {"NONE", op_empty, TRM__PICKLE_NONE},
    ['P'] = {"PERSID", NULL, 0},
    ['Q'] = {"BINPERSID", op_persistent, 0},
    ['R'] = {"REDUCE", op_reduce, 0},
    ['S'] = {"STRING", NULL, 0},
    ['T'] = {"BINSTRING", NULL, 0},
    ['U'] = {"SHORT_BINSTRING", NULL, 0},
    ['V'] = {"UNICODE", NULL, 0},
    ['X'] = {"BINUNICODE", push_text, 4},
    [']'] = {"EMPTY_LIST", op_empty, TRM__PICKLE_LIST},
    ['a'] = {"APPEND", op_append, 0},
    ['b'] = {"BUILD", op_build, 0},
    ['c'] = {"GLOBAL", op_global, 0},
    ['d'] = {"DICT", NULL, 0},
    ['e'] = {"APPENDS", op_appends, 0},
    ['g'] = {"GET", NULL, 0},
    ['h'] = {"BINGET", op_get, 1},
    ['i'] = {"INST", NULL, 0},
    ['j'] = {"LONG_BINGET", op_get, 4},
    ['l'] = {"LIST", NULL, 0},
    ['o'] = {"OBJ", NULL, 0},
    ['p'] = {"PUT", NULL, 0},
    ['q'] = {"BINPUT", op_put, 1},
    ['r'] = {"LONG_BINPUT", op_put, 4},
    ['s'] = {"SETITEM", op_setitem, 0},
    ['t'] = {"TUPLE", op_tuple, 0},
    ['u'] = {"SETITEMS", op_setitems, 0},
    ['}'] = {"EMPTY_DICT", op_empty, TRM__PICKLE_DICT},
    [0x80] = {"PROTO", op_proto, 0},
    [0x81] = {"NEWOBJ", NULL, 0},
    [0x82] = {"EXT1", NULL, 0},
    [0x83] = {"EXT2", NULL, 0},
    [0x84] = {"EXT4", NULL, 0},
    [0x85] = {"TUPLE1", op_tuple_of, 1},
    [0x86] = {"TUPLE2", op_tuple_of, 2},
    [0x87] = {"TUPLE3", op_tuple_of, 3},
    [0x88] = {"NEWTRUE", op_bool, 1},
    [0x89] = {"NEWFALSE", op_bool, 0},
    [0x8a] = {"LONG1", op_long1, 0},
    [0x8b] = {"LONG4", NULL, 0},
    [0x8c] = {"SHORT_BINUNICODE", push_text, 1},
    [0x8d] = {"BINUNICODE8", push_text, 8},
    [0x8e] = {"BINBYTES8", NULL, 0},
    [0x8f] = {"EMPTY_SET", NULL, 0},
    [0x90] = {"ADDITEMS", NULL, 0},
    [0x91] = {"FROZENSET", NULL, 0},
    [0x92] = {"NEWOBJ_EX", NULL, 0},
    [0x93] = {"STACK_GLOBAL", op_stack_global, 0},
    [0x94] = {"MEMOIZE", op_memoize, 0},
    [0x95] = {"FRAME", op_frame, 0},
    [0x96] = {"BYTEARRAY8", NULL, 0},
    [0x97] = {"NEXT_BUFFER", NULL, 0},
    [0x98] = {"READONLY_BUFFER", NULL, 0},
};

static trm_status run_machine(machine *m) {
  while (!m->stopped) {
    m->op_at = m->at;
    if (m->at == m->end) BROKEN(m, "%s: the pickle is truncated at byte %zu", m->file, m->at);
    const unsigned op = m->bytes[m->at++];
    const struct instruction *i = &instructions[op];
    if (!i->run)
      BROKEN(m,
             "%s: byte %zu: pickle instruction %s (0x%02x) is not one that a checkpoint needs; "
             "nothing was executed",
             m->file, m->op_at, i->name ? i->name : "unknown", op);
    TRM_TRY(i->run(m, i->arg));
  }
  return TRM_OK;
}

/* --- the result --- */

static trm_status start_machine(machine *m) {
  const size_t places = m->end < MAX_MEMO ? m->end : MAX_MEMO;
  TRM_ALLOC(&m->memo, places, "the memo of a pickle", m->err);
  TRM_ALLOC(&m->p, 1, "a pickle", m->err);
  TRM_ALLOC(&m->p->items, 256, "the items of a pickle", m->err);
  m->room_items = 256;
  m->p->n_items = 1;
  return run_machine(m);
}

trm_status trm__pickle_read(const char *file, const unsigned char *bytes, size_t n,
                            const trm__pickle_global *globals, trm__pickle **out, trm_error *err) {
  *out = NULL;
  if (n > TRM__PICKLE_MAX_BYTES)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: a pickle of %zu bytes; want at most %d", file, n,
             TRM__PICKLE_MAX_BYTES);
  machine m = {.file = file, .bytes = bytes, .end = n, .globals = globals, .err = err};
  const trm_status st = start_machine(&m);
  trm__free(m.stack);
  trm__free(m.memo);
  if (st != TRM_OK) {
    trm__pickle_free(m.p);
    return st;
  }
  *out = m.p;
  return TRM_OK;
}

void trm__pickle_free(trm__pickle *p) {
  if (!p) return;
  trm__free(p->values);
  trm__free(p->items);
  trm__free(p);
}

const trm__pickle_value *trm__pickle_root(const trm__pickle *p) {
  return &p->values[p->root];
}

bool trm__pickle_next(const trm__pickle *p, const trm__pickle_value *of, int32_t *at,
                      const trm__pickle_value **key, const trm__pickle_value **value) {
  const bool holds_items = of->kind == TRM__PICKLE_TUPLE || of->kind == TRM__PICKLE_LIST ||
                           of->kind == TRM__PICKLE_DICT || of->kind == TRM__PICKLE_CALL ||
                           of->kind == TRM__PICKLE_PERSISTENT;
  if (!holds_items || of->u.items.n == 0) return false;
  if (*at == of->u.items.last) return false;
  *at = *at ? p->items[*at].next : of->u.items.first;
  const item *i = &p->items[*at];
  if (key) *key = i->key < 0 ? NULL : &p->values[i->key];
  *value = &p->values[i->value];
  return true;
}

const trm__pickle_value *trm__pickle_item(const trm__pickle *p, const trm__pickle_value *of,
                                          int i) {
  const trm__pickle_value *value = NULL;
  int32_t at = 0;
  for (int k = 0; k <= i; k++)
    if (!trm__pickle_next(p, of, &at, NULL, &value)) return NULL;
  return value;
}

const char *trm__pickle_kind_name(trm__pickle_kind kind) {
  static const char *const names[] = {[TRM__PICKLE_NONE] = "None",
                                      [TRM__PICKLE_BOOL] = "a boolean",
                                      [TRM__PICKLE_INT] = "a whole number",
                                      [TRM__PICKLE_FLOAT] = "a number",
                                      [TRM__PICKLE_TEXT] = "a text",
                                      [TRM__PICKLE_TUPLE] = "a tuple",
                                      [TRM__PICKLE_LIST] = "a list",
                                      [TRM__PICKLE_DICT] = "a dictionary",
                                      [TRM__PICKLE_GLOBAL] = "a name",
                                      [TRM__PICKLE_CALL] = "a call",
                                      [TRM__PICKLE_PERSISTENT] = "an object outside the pickle"};
  return names[kind];
}
