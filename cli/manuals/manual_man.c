/* Man pages in man(7), from the texts of --help: lines that begin with a space are kept as they
 * are, the others are filled; a line of notes that ends in ':' heads what follows. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/manuals/manuals.h"

/* How the parts of one command are headed: its page may be of several. */
static bool in_group;

/* ---- text ---- */

/* Prints n bytes so that they are shown as they are. */
static void put_text(const char *text, size_t n) {
  static const struct {
    char c;
    const char *escape;
  } escapes[] = {{'\\', "\\e"},  {'-', "\\-"},   {'\'', "\\(aq"},
                 {'`', "\\(ga"}, {'^', "\\(ha"}, {'~', "\\(ti"}};
  enum { N = sizeof escapes / sizeof *escapes };
  if (n > 0 && *text == '.') fputs("\\&", stdout); /* would be a request */
  for (size_t i = 0; i < n; i++) {
    int k = 0;
    while (k < N && escapes[k].c != text[i]) k++;
    if (k < N)
      fputs(escapes[k].escape, stdout);
    else
      putchar(text[i]);
  }
}

static void put_line(const char *text) {
  put_text(text, strlen(text));
  putchar('\n');
}

/* "Examples" and the like. */
static void put_heading(const char *text, size_t n) {
  printf("%s \"", in_group ? ".SS" : ".SH");
  for (size_t i = 0; i < n; i++)
    putchar(!in_group && text[i] >= 'a' && text[i] <= 'z' ? text[i] - 'a' + 'A' : text[i]);
  puts("\"");
}

/* Lines of --help, after a heading; those of notes may head others. */
static void put_paragraphs(const char *text, bool notes) {
  bool kept = false, open = !notes, headed = !notes;
  for (size_t n; *text; text += n + (text[n] == '\n')) {
    n = strcspn(text, "\n");

    /* Indented lines stand as they are, in a frame that ends with them. */
    const bool blank = n == 0, as_is = n > 0 && *text == ' ';
    if (kept && !as_is) puts(".fi\n.RE");
    if (as_is && !kept) puts(headed ? ".RS 4\n.nf" : ".PP\n.RS 4\n.nf");
    if ((kept && !as_is) || blank) open = false;
    kept = as_is;
    if (blank) continue;

    /* A line that ends in a colon before indented ones is their heading. */
    headed = notes && !as_is && text[n - 1] == ':' && text[n + 1] == ' ';
    if (headed) {
      put_heading(text, n - 1);
      open = true;
      continue;
    }

    /* Text, in a paragraph that is begun where none is open. */
    if (!as_is && !open) puts(".PP");
    open = true;
    const size_t skip = as_is && n > 2 ? 2 : 0;
    put_text(text + skip, n - skip);
    putchar('\n');
  }
  if (kept) puts(".fi\n.RE");
}

/* ---- parts of a page ---- */

/* The usage lines: the program's name in bold. */
static void put_synopsis(const cli_manual *manual, const cli_option *options) {
  (void)options;
  const char *at = manual->usage;
  for (size_t n; *at; at += n + (at[n] == '\n')) {
    at += strspn(at, " ");
    n = strcspn(at, "\n");
    const size_t name = strcspn(at, " ");
    printf("\\fB");
    put_text(at, name);
    printf("\\fR");
    put_text(at + name, n - name);
    putchar('\n');
  }
}

static void put_option(char letter, const char *name, const char *value, const char *help) {
  puts(".TP");
  if (letter) printf("\\fB\\-%c\\fR, ", letter);
  printf("\\fB\\-\\-");
  put_text(name, strlen(name));
  printf("\\fR");
  if (value) {
    printf(" \\fI");
    put_text(value, strlen(value));
    printf("\\fR");
  }
  putchar('\n');
  put_line(help);
}

static void put_manual(const cli_manual *manual, const cli_option *options) {
  char words[MANUALS_WORDS];
  manuals_words(manual, words);
  if (in_group)
    printf(".SH \"trm %s\"\n", words);
  else
    puts(".SH DESCRIPTION");
  put_paragraphs(manual->about, false);
  put_heading("Options", 7);
  for (const cli_option *o = options; o->name; o++) {
    const char *name = cli_option_name(o);
    put_option(name > o->name ? o->name[0] : 0, name, o->value, o->help);
  }
  put_option('h', "help", NULL, "print what this page says");
  if (manual->notes) put_paragraphs(manual->notes, true);
}

static void see_group(const cli_group *g) {
  (void)g;
  in_group = true;
}

/* ---- pages ---- */

/* The day of the release for whoever packs it, else today. */
static void put_title(const char *name) {
  const char *epoch = getenv("SOURCE_DATE_EPOCH");
  int64_t seconds;
  time_t now = epoch && trm__number_int64(epoch, &seconds) ? (time_t)seconds : time(NULL);
  struct tm utc;
  char day[16] = "";
  if (gmtime_r(&now, &utc)) strftime(day, sizeof day, "%Y-%m-%d", &utc);
  printf(".TH \"");
  for (; *name; name++) putchar(*name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name);
  printf("\" 1 \"%s\" \"trm %s\" \"trm\"\n", day, trm_version());
}

static void put_program(const cli_program *p) {
  put_title("trm");
  printf(".SH NAME\ntrm \\- ");
  put_line(p->summary);
  puts(".SH SYNOPSIS\n.nf");
  put_synopsis(&p->manual, NULL);
  puts(".fi");
  puts(".SH DESCRIPTION");
  put_paragraphs(p->manual.about, false);

  /* Each command has a page of its own. */
  puts(".SH COMMANDS");
  for (int i = 0; i < p->n; i++) {
    printf(".TP\n\\fBtrm\\-%s\\fR(1)\n", p->commands[i].name);
    put_line(p->commands[i].about);
  }
  put_paragraphs(p->manual.notes, true);
  puts(".SH SEE ALSO");
  for (int i = 0; i < p->n; i++)
    printf(".BR trm\\-%s (1)%s\n", p->commands[i].name, i + 1 < p->n ? "," : "");
}

static void put_command(const cli_program *p, const cli_command *c) {
  const cli_tellers synopsis = {put_synopsis, see_group}, whole = {put_manual, see_group};
  char name[64];
  snprintf(name, sizeof name, "trm-%s", c->name);
  put_title(name);
  printf(".SH NAME\ntrm\\-%s \\- ", c->name);
  put_line(c->about);
  puts(".SH SYNOPSIS\n.nf");
  manuals_walk(p, c->name, &synopsis);
  puts(".fi");
  if (in_group) puts(".SH DESCRIPTION\nThe actions are described one after the other.");
  manuals_walk(p, c->name, &whole);
  puts(".SH EXIT STATUS\nThose of\n.BR trm (1).\n.SH SEE ALSO\n.BR trm (1)");
}

void manuals_man(const cli_program *p, const cli_command *c) {
  in_group = false;
  if (c)
    put_command(p, c);
  else
    put_program(p);
}
