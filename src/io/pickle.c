/* The instructions of pickles. No function calls itself: how deep a pickle nests does not matter.
 */
#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "io/pickle_machine.h"

enum { MAX_MEMO = 1 << 20, MAX_NAME = 80 };

typedef trm__pickle_machine machine;

/* --- operands --- */

static trm_status op_opaque(machine *m, int arg) {
  (void)arg;
  return trm__pickle_push(m, (trm__pickle_value){.kind = TRM__PICKLE_OPAQUE});
}

/* An object of the class, or the result of the function, that a value names. */
static trm_status push_result(machine *m, int32_t callee) {
  return trm__pickle_push(
      m, (trm__pickle_value){.kind = TRM__PICKLE_OPAQUE, .u.of = m->p->values[callee].u.of});
}

/* Bytes behind their number. */
static trm_status op_bytes(machine *m, int length_bytes) {
  uint64_t n;
  const unsigned char *p;
  TRM_TRY(trm__pickle_take_number(m, length_bytes, &n));
  TRM_TRY(trm__pickle_take(m, n, &p));
  return op_opaque(m, 0);
}

/* A text with a zero byte is bytes in disguise, as protocol 2 has them. */
static trm_status push_text(machine *m, int length_bytes) {
  uint64_t n;
  const unsigned char *p;
  TRM_TRY(trm__pickle_take_number(m, length_bytes, &n));
  TRM_TRY(trm__pickle_take(m, n, &p));
  if (memchr(p, 0, (size_t)n)) return op_opaque(m, 0);
  return trm__pickle_push(
      m, (trm__pickle_value){.kind = TRM__PICKLE_TEXT, .u.text = {(const char *)p, (size_t)n}});
}

static trm_status push_int(machine *m, int64_t v) {
  return trm__pickle_push(m, (trm__pickle_value){.kind = TRM__PICKLE_INT, .u.integer = v});
}

/* --- instructions --- */

static trm_status op_proto(machine *m, int arg) {
  (void)arg;
  uint64_t version;
  TRM_TRY(trm__pickle_take_number(m, 1, &version));
  if (version < 2 || version > 5)
    TRM__PICKLE_BROKEN(m, "%s: pickle protocol %d; want 2 to 5", m->file, (int)version);
  return TRM_OK;
}

/* A frame only says how much a reader may take at once. */
static trm_status op_frame(machine *m, int arg) {
  (void)arg;
  uint64_t n;
  return trm__pickle_take_number(m, 8, &n);
}

static trm_status op_stop(machine *m, int arg) {
  (void)arg;
  TRM_TRY(trm__pickle_pop(m, &m->p->root));
  if (m->n_stack != 0)
    TRM__PICKLE_BROKEN(m, "%s: byte %zu: the pickle ends with %zu values left over", m->file,
                       m->op_at, m->n_stack);
  m->stopped = true;
  return TRM_OK;
}

/* None, an empty list, an empty dictionary. */
static trm_status op_empty(machine *m, int kind) {
  return trm__pickle_push(m, (trm__pickle_value){.kind = (trm__pickle_kind)kind});
}
static trm_status op_bool(machine *m, int v) {
  return trm__pickle_push(m, (trm__pickle_value){.kind = TRM__PICKLE_BOOL, .u.integer = v});
}

static trm_status op_mark(machine *m, int arg) {
  (void)arg;
  return trm__pickle_push_index(m, TRM__PICKLE_MARK);
}

static trm_status op_int4(machine *m, int arg) {
  (void)arg;
  uint64_t v;
  TRM_TRY(trm__pickle_take_number(m, 4, &v));
  return push_int(m, (int64_t)(v ^ 0x80000000) - 0x80000000); /* sign of 32 bits */
}
/* One of so many bytes, without sign. */
static trm_status op_uint(machine *m, int bytes) {
  uint64_t v;
  TRM_TRY(trm__pickle_take_number(m, bytes, &v));
  return push_int(m, (int64_t)v);
}

/* A signed number of as many bytes as it needs; one of more than 8 is not read. */
static trm_status op_long1(machine *m, int arg) {
  (void)arg;
  uint64_t n, v;
  TRM_TRY(trm__pickle_take_number(m, 1, &n));
  if (n > 8) {
    const unsigned char *p;
    TRM_TRY(trm__pickle_take(m, n, &p));
    return op_opaque(m, 0);
  }
  TRM_TRY(trm__pickle_take_number(m, (int)n, &v));
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
  TRM_TRY(trm__pickle_take(m, 8, &p));
  for (int i = 0; i < 8; i++) bits = bits << 8 | p[i];
  memcpy(&v.u.real, &bits, sizeof bits);
  return trm__pickle_push(m, v);
}

/* The values from stack place `first` on become the items of a tuple in their place. */
static trm_status make_tuple(machine *m, size_t first, size_t from) {
  const size_t n = m->n_stack - first;
  TRM_TRY(trm__pickle_push(m, (trm__pickle_value){.kind = TRM__PICKLE_TUPLE}));
  const int32_t tuple = m->stack[--m->n_stack];
  for (size_t i = 0; i < n; i++) {
    if (m->stack[first + i] == TRM__PICKLE_MARK)
      TRM__PICKLE_BROKEN(m, "%s: byte %zu: a mark inside a tuple", m->file, m->op_at);
    TRM_TRY(trm__pickle_add_item(m, tuple, -1, m->stack[first + i]));
  }
  m->n_stack = from;
  return trm__pickle_push_index(m, tuple);
}

static trm_status op_tuple_of(machine *m, int n) {
  if (m->n_stack < (size_t)n)
    TRM__PICKLE_BROKEN(m, "%s: byte %zu: an instruction finds too few values on the stack", m->file,
                       m->op_at);
  return make_tuple(m, m->n_stack - (size_t)n, m->n_stack - (size_t)n);
}
static trm_status op_tuple(machine *m, int arg) {
  (void)arg;
  size_t first;
  TRM_TRY(trm__pickle_find_mark(m, &first));
  return make_tuple(m, first, first - 1);
}
static trm_status op_append(machine *m, int arg) {
  (void)arg;
  int32_t value, list;
  TRM_TRY(trm__pickle_pop(m, &value));
  TRM_TRY(trm__pickle_top_or_opaque(m, 0, TRM__PICKLE_LIST, &list));
  return trm__pickle_is_opaque(m, list) ? TRM_OK : trm__pickle_add_item(m, list, -1, value);
}
static trm_status op_appends(machine *m, int arg) {
  (void)arg;
  size_t first;
  int32_t list;
  TRM_TRY(trm__pickle_find_mark(m, &first));
  TRM_TRY(trm__pickle_top_or_opaque(m, m->n_stack - first + 1, TRM__PICKLE_LIST, &list));
  for (size_t i = first; i < m->n_stack && !trm__pickle_is_opaque(m, list); i++)
    TRM_TRY(trm__pickle_add_item(m, list, -1, m->stack[i]));
  m->n_stack = first - 1;
  return TRM_OK;
}

static trm_status op_setitem(machine *m, int arg) {
  (void)arg;
  int32_t key, value, dict;
  TRM_TRY(trm__pickle_pop(m, &value));
  TRM_TRY(trm__pickle_pop(m, &key));
  TRM_TRY(trm__pickle_top_or_opaque(m, 0, TRM__PICKLE_DICT, &dict));
  return trm__pickle_is_opaque(m, dict) ? TRM_OK : trm__pickle_add_item(m, dict, key, value);
}
static trm_status op_setitems(machine *m, int arg) {
  (void)arg;
  size_t first;
  int32_t dict;
  TRM_TRY(trm__pickle_find_mark(m, &first));
  TRM_TRY(trm__pickle_top_or_opaque(m, m->n_stack - first + 1, TRM__PICKLE_DICT, &dict));
  if ((m->n_stack - first) % 2)
    TRM__PICKLE_BROKEN(m, "%s: byte %zu: a key without a value", m->file, m->op_at);
  for (size_t i = first; i < m->n_stack && !trm__pickle_is_opaque(m, dict); i += 2)
    TRM_TRY(trm__pickle_add_item(m, dict, m->stack[i], m->stack[i + 1]));
  m->n_stack = first - 1;
  return TRM_OK;
}

static trm_status op_pop(machine *m, int arg) {
  (void)arg;
  int32_t gone;
  return trm__pickle_pop(m, &gone);
}
static trm_status op_pop_mark(machine *m, int arg) {
  (void)arg;
  size_t first;
  TRM_TRY(trm__pickle_find_mark(m, &first));
  m->n_stack = first - 1;
  return TRM_OK;
}
static trm_status op_frozenset(machine *m, int arg) {
  TRM_TRY(op_pop_mark(m, arg));
  return op_opaque(m, 0);
}

/* Names: "module name" out of texts that are not terminated. */
static bool is_text(const char *want, const char *bytes, size_t n) {
  return strlen(want) == n && !memcmp(want, bytes, n);
}

static trm__pickle_name name_at(const machine *m, const char *module, size_t n_module,
                                const char *name, size_t n_name) {
  const char *bytes = (const char *)m->bytes;
  return (trm__pickle_name){.module = (uint32_t)(module - bytes),
                            .name = (uint32_t)(name - bytes),
                            .n_module = (uint16_t)(n_module < MAX_NAME ? n_module : MAX_NAME),
                            .n_name = (uint16_t)(n_name < MAX_NAME ? n_name : MAX_NAME)};
}

/* One that the caller did not list is an object that is not read. */
static trm_status push_global(machine *m, const char *module, size_t n_module, const char *name,
                              size_t n_name) {
  trm__pickle_value v = {.kind = TRM__PICKLE_OPAQUE,
                         .u.of = name_at(m, module, n_module, name, n_name)};
  for (int i = 0; m->globals[i].module; i++)
    if (is_text(m->globals[i].module, module, n_module) &&
        is_text(m->globals[i].name, name, n_name)) {
      v.kind = TRM__PICKLE_GLOBAL;
      v.global = i;
    }
  return trm__pickle_push(m, v);
}

static trm_status take_line(machine *m, const char **line, size_t *n) {
  const unsigned char *begin = m->bytes + m->at;
  const unsigned char *end = memchr(begin, '\n', m->end - m->at);
  if (!end)
    TRM__PICKLE_BROKEN(m, "%s: byte %zu: the pickle is truncated in a name", m->file, m->op_at);
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
  TRM_TRY(trm__pickle_top(m, 0, TRM__PICKLE_TEXT, &name));
  TRM_TRY(trm__pickle_top(m, 1, TRM__PICKLE_TEXT, &module));
  m->n_stack -= 2;
  const trm__pickle_value *a = &m->p->values[module], *b = &m->p->values[name];
  return push_global(m, a->u.text.bytes, a->u.text.n, b->u.text.bytes, b->u.text.n);
}

/* A call: nobody is called. One that the caller has no use for gives an object that is not read. */
static trm_status op_reduce(machine *m, int arg) {
  (void)arg;
  int32_t args, callee;
  TRM_TRY(trm__pickle_top(m, 0, TRM__PICKLE_TUPLE, &args));
  TRM_TRY(trm__pickle_top_or_opaque(m, 1, TRM__PICKLE_GLOBAL, &callee));
  m->n_stack -= 2;
  trm__pickle_value v = m->p->values[args];
  const int global = m->p->values[callee].global;
  const trm__pickle_use use =
      trm__pickle_is_opaque(m, callee) ? TRM__PICKLE_NAME : m->globals[global].use;
  if (use == TRM__PICKLE_NAME || (use == TRM__PICKLE_MAKE_DICT && v.u.items.n > 0))
    return push_result(m, callee);
  v.kind = use == TRM__PICKLE_MAKE_DICT ? TRM__PICKLE_DICT : TRM__PICKLE_CALL;
  v.global = global;
  return trm__pickle_push(m, v);
}

/* An object of a class made of so many values: its arguments, and those with names. */
static trm_status op_object(machine *m, int values) {
  int32_t value, class;
  for (int i = 0; i < values; i++) TRM_TRY(trm__pickle_pop(m, &value));
  TRM_TRY(trm__pickle_top_or_opaque(m, 0, TRM__PICKLE_GLOBAL, &class));
  m->n_stack--;
  return push_result(m, class);
}

/* Attributes of a dictionary (a state_dict's _metadata) or the state of an object: built and
 * forgotten. */
static trm_status op_build(machine *m, int arg) {
  (void)arg;
  int32_t state, object;
  TRM_TRY(trm__pickle_top_or_opaque(m, 1, TRM__PICKLE_DICT, &object));
  if (!trm__pickle_is_opaque(m, object)) TRM_TRY(trm__pickle_top(m, 0, TRM__PICKLE_DICT, &state));
  return op_pop(m, 0);
}

static trm_status op_persistent(machine *m, int arg) {
  (void)arg;
  int32_t id;
  TRM_TRY(trm__pickle_top(m, 0, TRM__PICKLE_TUPLE, &id));
  m->n_stack--;
  trm__pickle_value v = m->p->values[id];
  v.kind = TRM__PICKLE_PERSISTENT;
  return trm__pickle_push(m, v);
}

/* --- the memo --- */

static trm_status put(machine *m, uint64_t index) {
  if (m->n_stack == 0 || m->stack[m->n_stack - 1] == TRM__PICKLE_MARK)
    TRM__PICKLE_BROKEN(m, "%s: byte %zu: nothing to remember on the stack", m->file, m->op_at);
  /* Each place costs the pickle an instruction, so honest places are below its length. */
  if (index >= MAX_MEMO || index >= m->end)
    TRM__PICKLE_BROKEN(m, "%s: byte %zu: memo place %" PRIu64 " in a pickle of %zu bytes", m->file,
                       m->op_at, index, m->end);
  m->n_memo += m->memo[index] == 0; /* MEMOIZE counts places */
  m->memo[index] = m->stack[m->n_stack - 1] + 1;
  return TRM_OK;
}

static trm_status op_get(machine *m, int bytes) {
  uint64_t index;
  TRM_TRY(trm__pickle_take_number(m, bytes, &index));
  if (index >= MAX_MEMO || index >= m->end || m->memo[index] == 0)
    TRM__PICKLE_BROKEN(m, "%s: byte %zu: memo place %" PRIu64 " holds nothing", m->file, m->op_at,
                       index);
  return trm__pickle_push_index(m, m->memo[index] - 1);
}

static trm_status op_put(machine *m, int bytes) {
  uint64_t index;
  TRM_TRY(trm__pickle_take_number(m, bytes, &index));
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
    ['0'] = {"POP", op_pop, 0},
    ['1'] = {"POP_MARK", op_pop_mark, 0},
    ['2'] = {"DUP", NULL, 0},
    ['B'] = {"BINBYTES", op_bytes, 4},
    ['C'] = {"SHORT_BINBYTES", op_bytes, 1},
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
    [0x81] = {"NEWOBJ", op_object, 1},
    [0x82] = {"EXT1", NULL, 0},
    [0x83] = {"EXT2", NULL, 0},
    [0x84] = {"EXT4", NULL, 0},
    [0x85] = {"TUPLE1", op_tuple_of, 1},
    [0x86] = {"TUPLE2", op_tuple_of, 2},
    [0x87] = {"TUPLE3", op_tuple_of, 3},
    [0x88] = {"NEWTRUE", op_bool, 1},
    [0x89] = {"NEWFALSE", op_bool, 0},
    [0x8a] = {"LONG1", op_long1, 0},
    [0x8b] = {"LONG4", op_bytes, 4},
    [0x8c] = {"SHORT_BINUNICODE", push_text, 1},
    [0x8d] = {"BINUNICODE8", push_text, 8},
    [0x8e] = {"BINBYTES8", op_bytes, 8},
    [0x8f] = {"EMPTY_SET", op_opaque, 0},
    [0x90] = {"ADDITEMS", op_pop_mark, 0},
    [0x91] = {"FROZENSET", op_frozenset, 0},
    [0x92] = {"NEWOBJ_EX", op_object, 2},
    [0x93] = {"STACK_GLOBAL", op_stack_global, 0},
    [0x94] = {"MEMOIZE", op_memoize, 0},
    [0x95] = {"FRAME", op_frame, 0},
    [0x96] = {"BYTEARRAY8", op_bytes, 8},
    [0x97] = {"NEXT_BUFFER", NULL, 0},
    [0x98] = {"READONLY_BUFFER", NULL, 0},
};

static trm_status run_machine(machine *m) {
  while (!m->stopped) {
    m->op_at = m->at;
    if (m->at == m->end)
      TRM__PICKLE_BROKEN(m, "%s: the pickle is truncated at byte %zu", m->file, m->at);
    const unsigned op = m->bytes[m->at++];
    const struct instruction *i = &instructions[op];
    if (!i->run)
      TRM__PICKLE_BROKEN(
          m,
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
  m->p->bytes = (const char *)m->bytes;
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
