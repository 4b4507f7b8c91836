/* See foreign.h. A row says how a kind of file begins; the text is looked at last, for several of
 * them are texts, too. */
#include "io/foreign.h"

#include <ctype.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

enum { HEAD = 512, SHOWN = 40 };

/* Who may find a kind strange: readers, by their bits, PAGE before a text is read, and BYTES where
 * what should be one is none. */
enum {
  MODEL = 1 << TRM__WANT_MODEL,
  ARRAY = 1 << TRM__WANT_ARRAY,
  TEXT = 1 << TRM__WANT_TEXT,
  ALL = MODEL | ARRAY | TEXT,
  PAGE = 1 << 7,
  BYTES = 1 << 8
};

static const char web_page[] =
    "a web page, not the file that it is about: download from the link of the file itself (on "
    "Hugging Face /resolve/ in place of /blob/)";
static const char answer[] =
    "what a server answered in place of the file: look at the address, and whether it asks for a "
    "login";

static const struct {
  int who;
  size_t at;
  const char *begin; /* letters of either case */
  const char *what;
} kinds[] = {
    {ALL | PAGE, 0, "version https://git-lfs.github.com/spec/",
     "a pointer of Git LFS, not the file that it stands for: fetch it with `git lfs pull`, or with "
     "`hf download`"},
    {ALL | PAGE, 0, "<!doctype html", web_page},
    {ALL | PAGE, 0, "<html", web_page},
    {ALL, 0, "<?xml", "an XML text"},
    {ALL, 0, "entry not found", answer},
    {ALL, 0, "repository not found", answer},
    {ALL, 0, "invalid username or password", answer},
    {ALL, 0, "access to model", answer},
    {MODEL | ARRAY | BYTES, 0, "\x1f\x8b", "packed by gzip: unpack it first (gunzip)"},
    {ALL | PAGE, 0, "\x28\xb5\x2f\xfd", "packed by zstd: unpack it first (unzstd)"},
    {ALL | PAGE, 0, "\xfd\x37zXZ", "packed by xz: unpack it first (unxz)"},
    {ALL | PAGE, 0, "7z\xbc\xaf", "a 7z archive: unpack it first"},
    {ALL | PAGE, 0, "Rar!", "a RAR archive: unpack it first"},
    {ALL | PAGE, 257, "ustar", "a tar archive: unpack it first"},
    {ARRAY, 0, "PK\3\4", "a zip archive, as .npz files are: unpack it first"},
    {TEXT | PAGE, 0, "PK\3\4",
     "a zip archive, a workbook (.xlsx, .ods) or a torch file: unpack it, or save the table "
      "as CSV"},
    {ARRAY, 0, "\x80", "a pickle of Python's: save the array itself by numpy.save"},
    {MODEL | TEXT | PAGE, 0, "\x93NUMPY", "an array of NumPy"},
    {ALL | PAGE, 0, "\x89HDF\r\n", "an HDF5 file (of Keras or h5py), which is not read"},
    {BYTES, 8, "{\"", "a model (.safetensors), no text"},
    {BYTES, 0, "\x80", "a pickle of Python's: write what is in it as JSON or CSV"},
    {BYTES, 0, "SQLite format 3", "a database of SQLite: export its table as CSV"},
    {BYTES, 0, "PAR1", "a Parquet file: write its table as CSV (pandas: read_parquet, to_csv)"},
    {BYTES, 0,
     "\x7f"
     "ELF",
     "a program"},
    {ALL | BYTES, 0, "GGUF", "a GGUF file (of llama.cpp), which is not read"},
    {ALL | PAGE, 0, "\x89PNG", "a picture (PNG)"},
    {ALL | PAGE, 0, "\xff\xd8\xff", "a picture (JPEG)"},
    {ALL | PAGE, 0, "GIF8", "a picture (GIF)"},
    {ALL | PAGE, 0, "%PDF-", "a PDF document"},
};

static bool begins(const unsigned char *p, size_t n, size_t at, const char *with) {
  const size_t length = strlen(with);
  return n >= at + length && trm__text_alike((const char *)p + at, with, length);
}

/* Nothing but the characters of a text, UTF-8's among them, of which no middle begins it. */
static bool is_text(const unsigned char *p, size_t n) {
  if (n && (p[0] & 0xC0) == 0x80) return false;
  for (size_t i = 0; i < n; i++)
    if (p[i] < 0x20 && !isspace(p[i])) return false;
  return true;
}

/* True of what nobody reads: a zero byte, or more than a few of the characters that no text has. */
static bool is_bytes(const unsigned char *p, size_t n) {
  size_t controls = 0;
  for (size_t i = 0; i < n; i++) {
    if (!p[i]) return true;
    controls += p[i] < 0x20 && !isspace(p[i]);
  }
  return controls > 2 + n / 32;
}

/* Behind a byte order mark and spaces. */
static void skip_to_begin(const unsigned char **p, size_t *n) {
  if (begins(*p, *n, 0, "\xef\xbb\xbf")) *p += 3, *n -= 3;
  while (*n && isspace(**p)) ++*p, --*n;
}

static trm_status look_up(int who, const char *path, const unsigned char *p, size_t n,
                          trm_error *err) {
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if ((kinds[i].who & who) && begins(p, n, kinds[i].at, kinds[i].begin))
      TRM_FAIL(err, TRM_E_FORMAT, "%s: %s", path, kinds[i].what);
  return TRM_OK;
}

trm_status trm__foreign_page(const char *path, const void *bytes, size_t n, trm_error *err) {
  const unsigned char *p = bytes;
  if (n > HEAD) n = HEAD;
  if (n == 0 || trm__text_is_wide(bytes, n))
    return TRM_OK; /* the reader says what of that it takes */
  TRM_TRY(is_bytes(p, n) ? look_up(BYTES, path, p, n, err) : TRM_OK);
  skip_to_begin(&p, &n);
  TRM_TRY(look_up(PAGE, path, p, n, err));
  if (is_bytes(p, n))
    TRM_FAIL(err, TRM_E_FORMAT, "%s: no text: its bytes are not characters", path);
  return TRM_OK;
}

trm_status trm__foreign_look(trm__wanted wanted, const char *path, const void *bytes, size_t n,
                             trm_error *err) {
  const unsigned char *p = bytes;
  if (n == 0) TRM_FAIL(err, TRM_E_FORMAT, "%s: an empty file: copy or download it again", path);
  if (n > HEAD) n = HEAD;
  skip_to_begin(&p, &n);
  TRM_TRY(look_up(1 << wanted, path, p, n, err));
  if (wanted == TRM__WANT_TEXT || !is_text(p, n)) return TRM_OK;
  size_t line = 0;
  while (line < n && line < SHOWN && p[line] != '\n' && p[line] != '\r') line++;
  TRM_FAIL(err, TRM_E_FORMAT, "%s: a text, not %s: it begins \"%.*s\"", path,
           wanted == TRM__WANT_MODEL ? "a model" : "an array of NumPy", (int)line, (const char *)p);
}

trm_status trm__foreign_check(trm__wanted wanted, const char *path, trm_error *err) {
  trm__map map;
  if (trm__map_open(path, &map, NULL) != TRM_OK) return TRM_OK;
  const trm_status st = trm__foreign_look(wanted, path, map.data, map.size, err);
  trm__map_close(&map);
  return st;
}
