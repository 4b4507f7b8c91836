/* Types of fields that own memory: a text, and a list of them; and how YAML keeps them. */
#include <string.h>

#include "base/field.h"
#include "base/memory.h"
#include "base/text.h"

/* --- what a source says --- */

void trm__texts_free(trm__texts *l) {
  for (int i = 0; i < l->n; i++) trm__free(l->v[i]);
  trm__free(l->v);
  *l = (trm__texts){0};
}

/* Room for n texts is that for the next power of two. */
static bool grow(trm__texts *l) {
  const size_t n = (size_t)l->n;
  if (n & (n - 1)) return true;
  char **grown = trm__alloc(n ? 2 * n : 1, sizeof *grown);
  if (!grown) return false;
  if (n) memcpy(grown, l->v, n * sizeof *grown);
  trm__free(l->v);
  l->v = grown;
  return true;
}

trm_status trm__texts_add(trm__texts *l, const char *text, size_t n, trm_error *err) {
  char *copy = grow(l) ? trm__text_copy(text, n) : NULL;
  if (!copy) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a list of the configuration");
  l->v[l->n++] = copy;
  return TRM_OK;
}

void trm__value_free(trm__value *v) {
  trm__free(v->text);
  trm__texts_free(&v->list);
  *v = (trm__value){0};
}

bool trm__value_is_null(const trm__value *v) {
  return !v->is_list && !v->quoted &&
         (!v->text[0] || trm__text_alike(v->text, "null", SIZE_MAX) || !strcmp(v->text, "~"));
}

/* --- set --- */

static trm_status set_text(const trm_field *f, void *at, const trm__value *v) {
  char *copy = NULL, **text = at;
  const bool is_null = trm__value_is_null(v);
  (void)f;
  if (v->is_list || (!is_null && !v->text[0])) return TRM_E_CONFIG;
  if (!is_null && !(copy = trm__text_copy(v->text, SIZE_MAX))) return TRM_E_MEMORY;
  trm__free(*text);
  *text = copy;
  return TRM_OK;
}

static trm_status set_texts(const trm_field *f, void *at, const trm__value *v) {
  trm__texts copy = {0};
  (void)f;
  if (!v->is_list && !trm__value_is_null(v)) return TRM_E_CONFIG;
  for (int i = 0; v->is_list && i < v->list.n; i++)
    if (trm__texts_add(&copy, v->list.v[i], strlen(v->list.v[i]), NULL) != TRM_OK) {
      trm__texts_free(&copy);
      return TRM_E_MEMORY;
    }
  trm__texts_free(at);
  *(trm__texts *)at = copy;
  return TRM_OK;
}

void trm__field_free(const trm_field *f, void *base) {
  void *at = (char *)base + f->offset;
  if (f->type == &trm__field_text) trm__free(*(char **)at);
  if (f->type == &trm__field_texts) trm__texts_free(at);
}

/* --- print --- */

/* What YAML does not let stand in double quotes, or takes for the end of a line or file: control
 * characters, ends of lines, marks of byte order and what is no character. */
static bool must_escape(const char *character, size_t n) {
  const uint32_t code = n <= 3 ? trm__text_code(character, n) : 0x10000;
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 ||
         code == 0xfeff || code == 0xfffe || code == 0xffff;
}

/* In double quotes unless the text can be taken for nothing but itself. */
static void print_quoted(const char *s, trm__sink *to) {
  static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
  bool simple = *s &&
                strspn(s,
                       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                       "0123456789_./@-") == strlen(s) &&
                strspn(s, "0123456789.-@") == 0;
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (trm__text_alike(s, words[i], SIZE_MAX)) simple = false;

  if (simple) {
    trm__sink_put(to, "%s", s);
    return;
  }

  trm__sink_put(to, "\"");
  for (size_t n; *s && (n = trm__text_character(s, strlen(s))) > 0; s += n) {
    if (must_escape(s, n))
      trm__sink_put(to, "\\u%04x", (unsigned)trm__text_code(s, n));
    else
      trm__sink_put(to, "%s%.*s", *s == '"' || *s == '\\' ? "\\" : "", (int)n, s);
  }
  trm__sink_put(to, "\"");
}

static void print_text(const trm_field *f, const void *at, trm__sink *s) {
  const char *text = *(char *const *)at;
  (void)f;
  if (text)
    print_quoted(text, s);
  else
    trm__sink_put(s, "null");
}

static void print_texts(const trm_field *f, const void *at, trm__sink *s) {
  const trm__texts *l = at;
  (void)f;
  trm__sink_put(s, "[");
  for (int i = 0; i < l->n; i++) {
    if (i) trm__sink_put(s, ", ");
    print_quoted(l->v[i], s);
  }
  trm__sink_put(s, "]");
}

const trm__field_type trm__field_text = {"text|null", "null or text", TRM__FORM_OTHER, set_text,
                                         print_text};
const trm__field_type trm__field_texts = {"list", "a list such as \"[a,b]\"", TRM__FORM_OTHER,
                                          set_texts, print_texts};
