/* The inner loops of the gateway in C: cutting messages, walking rows, looking at values, writing what changed.
 *
 * Everything here exists in Python as well (`proxy/postgres/frames.py`, `kept.py`, `masking/rows.py`, `copyout.py`) and
 * gives the same bytes; `tests/proxy/test_native.py` compares them. About a value this code only says what is certain:
 * CLEAN (no detector of the policy can find anything), or a whole e-mail address or phone number. Of everything else it
 * says UNSURE, and the Python cell of the column decides. So a detector is never reimplemented here, only ruled out;
 * `masking/swift.py` says for which detectors the rules below were written.
 *
 * Reading never goes past the end of a buffer: every function takes (pointer, length) and checks before it looks.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

typedef const unsigned char *Bytes;
typedef Py_ssize_t Size;

/* How a column is treated. The numbers are those of masking/swift.py. */
enum { PASS, CALL, CONSTANT, EMAIL_SHAPE, PHONE_SHAPE, WORDS_SHAPE, SCAN };

/* What a policy looks for in a column with SCAN. */
enum {
    HAS_EMAIL = 1, HAS_URL = 2, HAS_SECRET = 4, HAS_IBAN = 8, HAS_LETTERED = 16, HAS_IP = 32, HAS_MAC = 64,
    HAS_NUMBERS = 128, BARE_NUMBERS = 256, NAMED_NUMBERS = 512,
    EMAIL_CONSTANT = 1024, EMAIL_SHAPED = 2048, PHONE_CONSTANT = 4096, PHONE_SHAPED = 8192, HAS_BIRTH = 16384,
};

enum { CLEAN, UNSURE, AN_EMAIL, A_PHONE };

/* Classes of bytes. */
enum { DIGIT = 1, ALPHA = 2, SIGN = 4, HIGH = 8, TOKEN = 16, AT = 32, ASSIGN = 64 };
static unsigned char class_of[256];

/* Set by `configure`: words that name a number (a Bloom filter), countries of IBANs, endings of files. */
static uint64_t named_words[64], file_endings[64];
static unsigned char countries[26 * 26];
static const char REDACTED[] = "\xc2\xabmasked\xc2\xbb";
#define REDACTED_SIZE ((Size)sizeof(REDACTED) - 1)

#define IS(c, what) (class_of[(unsigned char)(c)] & (what))
#define LOWER(c) ((unsigned char)((c) | 0x20))
#define IS_ALNUM(c) IS(c, DIGIT | ALPHA)

static uint32_t read32(Bytes p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }

static void write32(unsigned char *p, uint32_t value) {
    p[0] = value >> 24, p[1] = value >> 16, p[2] = value >> 8, p[3] = value;
}

/* ---------------------------------------------------------------------------------------------- a growing output */

typedef struct {
    unsigned char *data;
    Size size, room;
} Out;

static int put(Out *out, const void *data, Size size) {
    if (!size) return 0;
    if (size > out->room - out->size) {
        Size room = out->room * 2 + size + 256;
        unsigned char *grown = PyMem_Realloc(out->data, (size_t)room);
        if (!grown) { PyErr_NoMemory(); return -1; }
        out->data = grown, out->room = room;
    }
    memcpy(out->data + out->size, data, (size_t)size);
    out->size += size;
    return 0;
}

static int put32(Out *out, uint32_t value) {
    unsigned char four[4];
    write32(four, value);
    return put(out, four, 4);
}

static PyObject *finished(Out *out) {
    PyObject *bytes = PyBytes_FromStringAndSize((char *)out->data, out->size);
    PyMem_Free(out->data);
    return bytes;
}

/* ---------------------------------------------------------------------------------------------- words and hashes */

static uint32_t hash_step(uint32_t hash, unsigned char c) { return (hash ^ c) * 16777619u; }
#define HASH_START 2166136261u
static int in_filter(const uint64_t *filter, uint32_t hash) {
    hash ^= hash >> 15;
    return filter[hash >> 6 & 63] >> (hash & 63) & 1;
}
static void to_filter(uint64_t *filter, uint32_t hash) {
    hash ^= hash >> 15;
    filter[hash >> 6 & 63] |= (uint64_t)1 << (hash & 63);
}
static uint32_t hash_of(Bytes p, Size n, uint32_t hash) {
    for (Size i = 0; i < n; i++) hash = hash_step(hash, IS(p[i], ALPHA) ? LOWER(p[i]) : p[i]);
    return hash;
}

static int equal(Bytes p, Size n, const char *word) { return n == (Size)strlen(word) && !memcmp(p, word, (size_t)n); }

/* Whether `word` (lower case) stands at p, in any case. */
static int here(Bytes p, Bytes end, const char *word) {
    for (; *word; word++, p++)
        if (p >= end || LOWER(*p) != (unsigned char)*word) return 0;
    return 1;
}
static int exactly(Bytes p, Bytes end, const char *word) {
    Size n = (Size)strlen(word);
    return end - p >= n && !memcmp(p, word, (size_t)n);
}

static int is_filler(Bytes p, Size n) {
    static const char *const fillers[] = {"number", "no", "nr", "num", "is", "was", "n", "my", "his", "her", "at", "on", "under", "me"};
    unsigned char lower[8];
    if (n > 6) return 0;
    for (Size i = 0; i < n; i++) lower[i] = LOWER(p[i]);
    for (size_t i = 0; i < sizeof fillers / sizeof *fillers; i++)
        if (equal(lower, n, fillers[i])) return 1;
    return 0;
}

/* Whether the words right before `at` may name the number that starts there (detectors_numbers._named_before).
 * `end` is where its digits end: a match may begin later, and then see less of the words. */
static int named_before(Bytes text, Size at, Size end, int moves) {
    Size from = at > 40 ? at - 40 : 0, word_end = 0, i = at;
    for (Size j = at > 80 ? at - 80 : 0; j < at; j++)
        if (IS(text[j], HIGH)) return 1;
    Size last = -1, last_end = 0;
    while (i > from) {
        while (i > from && !IS(text[i - 1], ALPHA)) i--;
        word_end = i;
        while (i > from && IS(text[i - 1], ALPHA)) i--;
        if (i == word_end) break;
        if (moves && end - i > 40) return 1;
        if (is_filler(text + i, word_end - i)) continue;
        if (last < 0) {
            if (in_filter(named_words, hash_of(text + i, word_end - i, HASH_START))) return 1;
            last = i, last_end = word_end;
            continue;
        }
        uint32_t pair = hash_step(hash_of(text + i, word_end - i, HASH_START), '_');
        return in_filter(named_words, hash_of(text + last, last_end - last, pair));
    }
    return 0;
}

/* ---------------------------------------------------------------------------------------------- looking at a value */

static int valid_utf8(Bytes p, Bytes end) {
    while (p < end) {
        unsigned char c = *p;
        int more = c < 0x80 ? 0 : c >= 0xc2 && c <= 0xdf ? 1 : c >= 0xe0 && c <= 0xef ? 2 : c >= 0xf0 && c <= 0xf4 ? 3 : -1;
        if (more < 0 || end - p <= more) return 0;
        if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) || (c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f)) return 0;
        for (int i = 1; i <= more; i++)
            if ((p[i] & 0xc0) != 0x80) return 0;
        p += more + 1;
    }
    return 1;
}

/* A whole value that is one plain address: what `_EMAIL` finds in it is all of it. */
static int is_email(Bytes v, Size n) {
    Bytes at = memchr(v, '@', (size_t)n);
    if (!at || at == v || at - v > 64 || !IS_ALNUM(v[0])) return 0;
    for (Bytes p = v; p < at; p++)
        if (!IS_ALNUM(*p) && *p != '.' && *p != '_' && *p != '-' && *p != '+') return 0;
    Bytes end = v + n, label = at + 1;
    int labels = 0;
    for (Bytes p = label;; p++) {
        if (p == end || *p == '.') {
            if (p == label || p - label > 63) return 0;
            if (p == end) break;
            labels++, label = p + 1;
        } else if (!IS_ALNUM(*p) && *p != '-' && *p != '_') return 0;
    }
    Size last = end - label;
    if (labels < 1 || labels > 8 || last < 2 || !IS(*label, ALPHA)) return 0;
    return !in_filter(file_endings, hash_of(label, last, HASH_START));
}

/* A whole value `+` and 8 to 14 digits, single spaces or dashes between. */
static int is_phone(Bytes v, Size n) {
    if (n < 9 || n > 28 || v[0] != '+' || v[1] < '1' || v[1] > '9') return 0;
    int digits = 0;
    for (Size i = 1; i < n; i++) {
        if (IS(v[i], DIGIT)) digits++;
        else if ((v[i] != ' ' && v[i] != '-') || i + 1 == n || !IS(v[i + 1], DIGIT)) return 0;
    }
    return digits >= 8 && digits <= 14;
}

static int luhn(Bytes v, int n) {
    int total = 0;
    for (int i = 0; i < n; i++) {
        int d = v[n - 1 - i] - '0';
        total += i & 1 ? (d > 4 ? d * 2 - 9 : d * 2) : d;
    }
    return total % 10 == 0;
}

static int separator(unsigned char c) { return c == ' ' || c == '.' || c == '-' || c == '/' || c == '(' || c == ')'; }

/* `2026-11-20 10`: what is left of a date with a time once the colon ended it. */
static int is_date_and_hour(Bytes v, Size n) {
    return n == 13 && ((v[0] == '1' && v[1] == '9') || (v[0] == '2' && v[1] == '0')) && v[4] == '-' && v[7] == '-' && v[10] == ' '
        && IS(v[2], DIGIT) && IS(v[3], DIGIT) && IS(v[5], DIGIT) && IS(v[6], DIGIT) && IS(v[8], DIGIT) && IS(v[9], DIGIT)
        && ((v[5] == '0' && v[6] != '0') || (v[5] == '1' && v[6] <= '2')) && v[8] <= '3' && !(v[8] == '3' && v[9] > '1');
}

/* Whether the numbers of a text may be personal (detectors_numbers.find_numbers). */
static int numbers(Bytes text, Size n, Size first_digit, Size last_digit, int looks_for) {
    for (Size i = first_digit; i <= last_digit; i++) {
        if (!IS(text[i], DIGIT)) continue;
        Size start = i, digits = 1, gaps = 0;
        for (;;) {
            Size next = i + 1;
            while (next < n && next - i <= 2 && separator(text[next])) next++;
            if (next >= n || next - i > 3 || !IS(text[next], DIGIT)) break;
            gaps += next - i - 1, digits++, i = next;
        }
        if (digits < 5) continue;
        Size before = start;
        if (before && text[before - 1] == '(') before--;
        if (before && text[before - 1] == ' ') before--;
        int plus = before && text[before - 1] == '+';
        if (looks_for & NAMED_NUMBERS) return UNSURE;
        if (named_before(text, start, i + 1, gaps > 0)) return UNSURE;
        if (gaps || plus) {
            if (digits >= (plus ? 8 : 9) && !(!plus && is_date_and_hour(text + start, i + 1 - start))) return UNSURE;
        } else if (looks_for & BARE_NUMBERS && (digits == 15 || (digits == 16 && luhn(text + start, 16)))) return UNSURE;
    }
    return CLEAN;
}

/* Whether 16 characters of tokens stand together; looks at every 16th byte and back from it. */
static int long_run(Bytes text, Size n) {
    for (Size i = 0; i + 16 <= n;) {
        Size j = i + 15;
        while (j >= i && IS(text[j], TOKEN)) j--;
        if (j < i) return 1;
        i = j + 1;
    }
    return 0;
}

/* Whether a word of these begins with `first`, in either case. */
static int any_word(Bytes text, Bytes end, char first, const char *one, const char *other) {
    for (int upper = 0; upper < 2; upper++)
        for (Bytes p = text; (p = memchr(p, upper ? first - 32 : first, (size_t)(end - p))) != NULL; p++)
            if (here(p, end, one) || (other && here(p, end, other))) return 1;
    return 0;
}

/* Words that a secret stands behind or begins with. */
static int secrets(Bytes text, Bytes end, int classes) {
    static const char *const tokens[] = {
        "AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "sk_", "rk_", "pk_", "sk-",
        "AIza", "ya29.", "npm_", "pypi-", "SG.", "dop_v1_", "hvs.", "shpat_", "shpca_", "shppa_", "shpss_", "eyJ",
    };
    if (any_word(text, end, 'b', "bearer", "basic")) return UNSURE;
    for (Bytes p = text; (p = memchr(p, '-', (size_t)(end - p))) != NULL; p++)
        if (exactly(p, end, "-----BEGIN")) return UNSURE;
    if (classes & ASSIGN
        && (any_word(text, end, 'p', "pass", "pwd") || any_word(text, end, 't', "token", NULL) || any_word(text, end, 's', "secret", NULL)
            || any_word(text, end, 'k', "key", NULL) || any_word(text, end, 'a', "authorization", NULL))) return UNSURE;
    if (!long_run(text, end - text)) return CLEAN;
    if (memchr(text, '$', (size_t)(end - text))) return UNSURE;
    for (Bytes p = text; p < end; p++) {
        if (!IS(*p, ALPHA)) continue;
        for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
            if (*p == (unsigned char)tokens[i][0] && exactly(p, end, tokens[i])) return UNSURE;
        while (p + 1 < end && IS_ALNUM(p[1])) p++;
    }
    return CLEAN;
}

/* Words that a date of birth stands behind (detectors_words._BIRTH). */
static int births(Bytes text, Bytes end) {
    static const char *const begun_by_n[] = {"naiss", "naci", "nati", "nasci", "nato", "nata", "ne le", "nee le"};
    if (any_word(text, end, 'b', "born", "birth") || any_word(text, end, 'b', "bday", "b-day") || any_word(text, end, 'g', "geb", NULL))
        return UNSURE;
    for (int upper = 0; upper < 2; upper++) {
        for (Bytes p = text; (p = memchr(p, upper ? 'D' : 'd', (size_t)(end - p))) != NULL; p++) {
            Bytes next = p + 1;
            if (next < end && *next == '.') next++;
            if (next < end && LOWER(*next) == 'o') {
                next++;
                if (next < end && *next == '.') next++;
                if (next < end && LOWER(*next) == 'b') return UNSURE;
            }
        }
        for (Bytes p = text; (p = memchr(p, upper ? 'N' : 'n', (size_t)(end - p))) != NULL; p++) {
            if (p + 1 < end && p[1] == 0xc3) return UNSURE;
            for (size_t i = 0; i < sizeof begun_by_n / sizeof *begun_by_n; i++)
                if (here(p, end, begun_by_n[i])) return UNSURE;
        }
    }
    return CLEAN;
}

/* IBANs and ids with letters: both are runs of letters and digits. All have digits. */
static int lettered(Bytes text, Size n, Size first_digit, Size last_digit, int looks_for) {
    while (first_digit > 0 && IS_ALNUM(text[first_digit - 1])) first_digit--;
    for (Size i = first_digit; i <= last_digit;) {
        if (!IS_ALNUM(text[i])) { i++; continue; }
        Size start = i;
        while (i < n && IS_ALNUM(text[i])) i++;
        Size size = i - start;
        Bytes p = text + start;
        if (looks_for & HAS_IBAN && size >= 4 && IS(p[0], ALPHA) && IS(p[1], ALPHA) && IS(p[2], DIGIT) && IS(p[3], DIGIT)
            && countries[(LOWER(p[0]) - 'a') * 26 + LOWER(p[1]) - 'a']) {
            Size letters = size;
            for (Size j = i; j < n && letters < 15; j++) {
                if (IS_ALNUM(text[j])) letters++;
                else if (text[j] != ' ') break;
            }
            if (letters >= 15) return UNSURE;
        }
        if (!(looks_for & HAS_LETTERED)) continue;
        if (size == 16 && IS(p[0], ALPHA) && IS(p[5], ALPHA) && IS(p[8], ALPHA) && IS(p[11], ALPHA) && IS(p[15], ALPHA)) return UNSURE;
        for (Size j = 0; j < size; j++) {
            if (!IS(p[j], DIGIT)) continue;
            Size first = j;
            while (j + 1 < size && IS(p[j + 1], DIGIT)) j++;
            Size digits = j - first + 1, next = start + j + 1;
            if (digits == 7 || digits == 8) {
                if (next < n && text[next] == '-') next++;
                if (next < n && IS(text[next], ALPHA)) return UNSURE;
            }
        }
        /* 2A and 2B, the departments of Corsica, inside a run or as a group of their own */
        for (Size j = start; j + 1 < i; j++)
            if (text[j] == '2' && (LOWER(text[j + 1]) == 'a' || LOWER(text[j + 1]) == 'b')) {
                int digit_before = j > 0 && (IS(text[j - 1], DIGIT) || (text[j - 1] == ' ' && j > 1 && IS(text[j - 2], DIGIT)));
                if (digit_before) return UNSURE;
            }
    }
    return CLEAN;
}

static Size count_of(Bytes text, Size n, unsigned char c) {
    Size found = 0;
    for (Size i = 0; i < n; i++) found += text[i] == c;
    return found;
}

/* Whether a detector could find something in a value: CLEAN is certain, so are AN_EMAIL and A_PHONE. */
static int look(Bytes v, Size n, int looks_for) {
    int classes = 0;
    Size first = n, last = 0;
    if (n > 100000) return UNSURE;
    for (Size i = 0; i < n; i++) {
        int class = class_of[v[i]];
        classes |= class;
        if (class & DIGIT) {
            if (first == n) first = i;
            last = i;
        }
    }
    if (!(classes & SIGN)) {
        for (Size i = 0; i + 4 <= n; i++)
            if (v[i] == 'A' && v[i + 2] == 'I' && v[i + 3] == 'A' && (v[i + 1] == 'K' || v[i + 1] == 'S')) return UNSURE;
        return classes & HIGH && !valid_utf8(v, v + n) ? UNSURE : CLEAN;
    }
    if (classes & HIGH) /* only À to ÿ, which are letters like others to every detector */
        for (Size i = 0; i < n; i++)
            if (v[i] >= 0x80) {
                if (v[i] != 0xc3 || i + 1 >= n || (v[i + 1] & 0xc0) != 0x80) return UNSURE;
                i++;
            }
    if (classes & AT && looks_for & (HAS_EMAIL | HAS_URL)) {
        if (looks_for & (EMAIL_CONSTANT | EMAIL_SHAPED) && !(classes & HIGH) && is_email(v, n)) return AN_EMAIL;
        return UNSURE;
    }
    if (looks_for & HAS_SECRET && secrets(v, v + n, classes)) return UNSURE;
    if (looks_for & HAS_IP && (count_of(v, n, '.') >= 3 || count_of(v, n, ':') >= 2)) return UNSURE;
    if (looks_for & HAS_MAC && (count_of(v, n, ':') >= 5 || count_of(v, n, '-') >= 5 || count_of(v, n, '.') >= 2)) return UNSURE;
    if (!(classes & DIGIT)) return CLEAN;
    if (looks_for & HAS_BIRTH && classes & ALPHA && births(v, v + n)) return UNSURE;
    if (looks_for & (HAS_IBAN | HAS_LETTERED) && classes & ALPHA && lettered(v, n, first, last, looks_for)) return UNSURE;
    if (!(looks_for & HAS_NUMBERS)) return CLEAN;
    if (looks_for & (PHONE_CONSTANT | PHONE_SHAPED) && is_phone(v, n)) return A_PHONE;
    return numbers(v, n, first, last, looks_for);
}

/* ---------------------------------------------------------------------------------------------- shapes (strategies.py) */

static int plain(Bytes v, Size n) {
    for (Size i = 0; i < n; i++)
        if (v[i] < 0x20 || v[i] >= 0x7f) return 0;
    return n > 0 && v[0] != ' ' && v[n - 1] != ' ';
}

/* Each writes at most 40 bytes; returns how many, 0 = not for here. */
static Size email_shape(Bytes v, Size n, unsigned char *to) {
    if (!plain(v, n)) return 0;
    Size at = n;
    while (at > 0 && v[at - 1] != '@') at--;
    if (at < 2) { memcpy(to, REDACTED, REDACTED_SIZE); return REDACTED_SIZE; }
    Size size = 0, dot = n;
    if (IS_ALNUM(v[0]) && at - 1 > 2) to[size++] = v[0];
    memcpy(to + size, "****@*****", 10);
    size += 10;
    while (dot > at && v[dot - 1] != '.') dot--;
    int top = dot > at && n - dot >= 2 && n - dot <= 24;
    for (Size i = dot; top && i < n; i++) top = IS(v[i], ALPHA);
    if (!top) return size;
    to[size++] = '.';
    memcpy(to + size, v + dot, (size_t)(n - dot));
    return size + n - dot;
}

static Size country_code(Bytes v, Size n) {
    if (n < 1 || !IS(v[0], DIGIT)) return 0;
    if (v[0] == '1' || v[0] == '7') return 1;
    if (n < 2 || !IS(v[1], DIGIT)) return 0;
    static const char *const second[10] = {"", "", "07", "0123469", "013456789", "12345678", "0123456", "", "1246", "0123458"};
    if (strchr(second[v[0] - '0'], v[1])) return 2;
    return n >= 3 && IS(v[2], DIGIT) ? 3 : 0;
}

static Size phone_shape(Bytes v, Size n, unsigned char *to) {
    if (!plain(v, n)) return 0;
    unsigned char last[2] = {0, 0};
    Size digits = 0, size = 0, at = 0, code = 0;
    for (Size i = 0; i < n; i++)
        if (IS(v[i], DIGIT)) last[0] = last[1], last[1] = v[i], digits++;
    if (digits < 6) { memcpy(to, REDACTED, REDACTED_SIZE); return REDACTED_SIZE; }
    if (v[0] == '+') at = 1;
    else if (v[0] == '0' && v[1] == '0') at = 2;
    if (at) {
        while (at < n && v[at] == ' ') at++;
        code = country_code(v + at, n - at);
    }
    if (code) {
        to[size++] = '+';
        memcpy(to + size, v + at, (size_t)code);
        size += code;
        to[size++] = ' ';
    }
    memcpy(to + size, "*** ***", 7);
    size += 7;
    memcpy(to + size, last, 2);
    return size + 2;
}

static Size words_shape(Bytes v, Size n, unsigned char *to) {
    if (!plain(v, n) || n > 200) return 0;
    Size size = 0;
    int words = 0;
    for (Size i = 0; i < n;) {
        if (!IS_ALNUM(v[i]) && v[i] != '_') { i++; continue; }
        if (++words > 4) break;
        if (words <= 3 && !IS(v[i], DIGIT)) {
            if (size) to[size++] = ' ';
            to[size++] = v[i];
            memcpy(to + size, "****", 4);
            size += 4;
        }
        while (i < n && (IS_ALNUM(v[i]) || v[i] == '_' || v[i] == '\'' || v[i] == '-')) i++;
    }
    if (!size || words > 4) { memcpy(to, REDACTED, REDACTED_SIZE); return REDACTED_SIZE; }
    return size;
}

/* ---------------------------------------------------------------------------------------------- one value */

/* A plan: for each column how it is treated, what a SCAN looks for, and the cell or constant. */
typedef struct {
    Size columns;
    Bytes how;
    PyObject *looks_for, *cells;
} Plan;

/* What becomes of a value. `held` owns the bytes behind `data` when a cell made them. */
typedef struct {
    int changed; /* 0 as it was, 1 other bytes, 2 NULL */
    const void *data;
    Size size;
    PyObject *held;
    unsigned char shape[64];
} Value;

static int from_object(Value *value, PyObject *object, PyObject *before) {
    if (object == before) { value->changed = 0; Py_DECREF(object); return 0; }
    if (object == Py_None) { value->changed = 2; Py_DECREF(object); return 0; }
    char *data;
    if (PyBytes_AsStringAndSize(object, &data, &value->size) < 0) { Py_DECREF(object); return -1; }
    value->changed = 1, value->data = data, value->held = object;
    return 0;
}

static int call(Value *value, PyObject *cell, Bytes v, Size n) {
    PyObject *before = PyBytes_FromStringAndSize((const char *)v, n);
    if (!before) return -1;
    PyObject *after = PyObject_CallOneArg(cell, before);
    int failed = after ? from_object(value, after, before) : -1;
    Py_DECREF(before);
    return failed;
}

static int shaped(Value *value, Size size) {
    value->changed = size > 0, value->data = value->shape, value->size = size;
    return size > 0;
}

/* Decide about one value. A cell is the last to be asked, and always asked when nothing here is certain. */
static int decide(const Plan *plan, Size column, Bytes v, Size n, Value *value) {
    PyObject *cell = PyTuple_GET_ITEM(plan->cells, column);
    value->changed = 0, value->held = NULL;
    switch (plan->how[column]) {
    case PASS: return 0;
    case CONSTANT: Py_INCREF(cell); return from_object(value, cell, NULL);
    case EMAIL_SHAPE: if (shaped(value, email_shape(v, n, value->shape))) return 0; break;
    case PHONE_SHAPE: if (shaped(value, phone_shape(v, n, value->shape))) return 0; break;
    case WORDS_SHAPE: if (shaped(value, words_shape(v, n, value->shape))) return 0; break;
    case SCAN: {
        int looks_for = (int)PyLong_AsLong(PyTuple_GET_ITEM(plan->looks_for, column));
        int found = look(v, n, looks_for);
        if (found == CLEAN) return 0;
        if (found == AN_EMAIL && looks_for & EMAIL_SHAPED && shaped(value, email_shape(v, n, value->shape))) return 0;
        if (found == A_PHONE && looks_for & PHONE_SHAPED && shaped(value, phone_shape(v, n, value->shape))) return 0;
        if ((found == AN_EMAIL && looks_for & EMAIL_CONSTANT) || (found == A_PHONE && looks_for & PHONE_CONSTANT)) {
            memcpy(value->shape, REDACTED, REDACTED_SIZE);
            shaped(value, REDACTED_SIZE);
            return 0;
        }
        break;
    }
    default: break;
    }
    return call(value, cell, v, n);
}

static int make_plan(Plan *plan, PyObject *how, PyObject *looks_for, PyObject *cells) {
    if (!PyBytes_Check(how) || !PyTuple_Check(looks_for) || !PyTuple_Check(cells)
        || PyTuple_GET_SIZE(cells) != PyBytes_GET_SIZE(how) || PyTuple_GET_SIZE(looks_for) != PyBytes_GET_SIZE(how)) {
        PyErr_SetString(PyExc_TypeError, "a plan is bytes and two tuples of one size");
        return -1;
    }
    plan->columns = PyBytes_GET_SIZE(how), plan->how = (Bytes)PyBytes_AS_STRING(how);
    plan->looks_for = looks_for, plan->cells = cells;
    return 0;
}

/* ---------------------------------------------------------------------------------------------- rows */

/* What stays as it is waits to be copied in one piece: `data[copied:at]`, before anything else is written. */
typedef struct {
    Bytes data;
    Size copied;
    Out out;
} Rewrite;

static int catch_up(Rewrite *to, Size at) {
    int failed = put(&to->out, to->data + to->copied, at - to->copied);
    to->copied = at;
    return failed;
}

/* One DataRow at `start` (its whole message, `size` bytes): 0 as it is, 1 written, 2 not a row of this result. */
static int row(const Plan *plan, Size count, Size start, Size size, Rewrite *to, Size *masked) {
    Bytes p = to->data + start;
    Out *out = &to->out;
    Size at = 7, copied = 5, begun = -1, changes = 0;
    if (size < 7 || p[0] != 'D' || (p[5] << 8 | p[6]) != count) return 2;
    Value value;
    for (Size column = 0; column < count; column++) {
        if (at > size - 4) goto not_a_row;
        int32_t length = (int32_t)read32(p + at);
        at += 4;
        if (length < 0) continue;
        if (length > size - at) goto not_a_row;
        if (column < plan->columns && plan->how[column] != PASS) {
            if (decide(plan, column, p + at, length, &value) < 0) return -1;
            if (value.changed) {
                int failed = 0;
                if (begun < 0) failed = catch_up(to, start), begun = out->size, failed = failed || put(out, p, 5);
                failed = failed || put(out, p + copied, at - 4 - copied)
                    || (value.changed == 2 ? put32(out, 0xffffffffu) : put32(out, (uint32_t)value.size) || put(out, value.data, value.size));
                Py_XDECREF(value.held);
                if (failed) return -1;
                copied = at + length, changes++;
            }
        }
        at += length;
    }
    if (at != size) goto not_a_row;
    if (begun < 0) return 0;
    if (put(out, p + copied, size - copied) < 0) return -1;
    write32(out->data + begun + 1, (uint32_t)(out->size - begun - 1));
    *masked += changes;
    return 1;
not_a_row:
    if (begun >= 0) out->size = begun;
    return 2;
}

PyDoc_STRVAR(mask_rows_doc,
"mask_rows(rows, count, how, looks_for, cells, nulls) -> (bytes, masked)\n\n"
"Whole DataRow messages in, as many out. What cannot be read as a row of `count` columns leaves as `nulls`; bytes behind\n"
"the last whole message are dropped.");
static PyObject *mask_rows(PyObject *self, PyObject *args) {
    Py_buffer rows, nulls;
    Py_ssize_t count;
    PyObject *how, *looks_for, *cells;
    Plan plan;
    Rewrite to = {NULL, 0, {NULL, 0, 0}};
    Size masked = 0, at = 0;
    if (!PyArg_ParseTuple(args, "y*nOOOy*", &rows, &count, &how, &looks_for, &cells, &nulls)) return NULL;
    to.data = rows.buf;
    if (make_plan(&plan, how, looks_for, cells) < 0) goto failed;
    while (rows.len - at >= 5) {
        int64_t size = (int64_t)(int32_t)read32(to.data + at + 1) + 1;
        if (size < 5 || size > rows.len - at) break;
        int done = row(&plan, count, at, (Size)size, &to, &masked);
        if (done < 0) goto failed;
        if (done == 2 && (catch_up(&to, at) < 0 || put(&to.out, nulls.buf, nulls.len) < 0)) goto failed;
        at += (Size)size;
        if (done) to.copied = at;
    }
    if (catch_up(&to, at) < 0) goto failed;
    PyBuffer_Release(&rows);
    PyBuffer_Release(&nulls);
    PyObject *bytes = finished(&to.out);
    return bytes ? Py_BuildValue("Nn", bytes, masked) : NULL;
failed:
    PyMem_Free(to.out.data);
    PyBuffer_Release(&rows);
    PyBuffer_Release(&nulls);
    return NULL;
}

/* ---------------------------------------------------------------------------------------------- COPY, text format */

/* One line (with its newline) whose fields are `plan->columns`; as `row`. 2 = Python looks at it. */
static int line(const Plan *plan, Bytes p, Size size, Out *out, Size *masked) {
    Size begun = out->size, column = 0, at = 0, copied = 0, changes = 0;
    if (size < 1 || p[size - 1] != '\n' || memchr(p, '\r', (size_t)size) || memchr(p, '\n', (size_t)size - 1)) return 2;
    Value value;
    for (;; column++) {
        Bytes tab = memchr(p + at, '\t', (size_t)(size - 1 - at));
        Size stop = tab ? tab - p : size - 1;
        if (column >= plan->columns) goto otherwise;
        if (stop - at == 2 && p[at] == '\\' && p[at + 1] == 'N') {
            /* NULL */
        } else if (memchr(p + at, '\\', (size_t)(stop - at))) goto otherwise;
        else if (plan->how[column] != PASS) {
            if (decide(plan, column, p + at, stop - at, &value) < 0) return -1;
            if (value.changed) {
                const void *data = value.changed == 2 ? "\\N" : value.data;
                Size length = value.changed == 2 ? 2 : value.size;
                int escaped = 0;
                for (Size i = 0; value.changed == 1 && i < length; i++) {
                    unsigned char c = ((Bytes)data)[i];
                    escaped |= c == '\\' || (c >= '\b' && c <= '\r');
                }
                int failed = escaped || put(out, p + copied, at - copied) || put(out, data, length);
                Py_XDECREF(value.held);
                if (escaped) goto otherwise;
                if (failed) return -1;
                copied = stop, changes++;
            }
        }
        if (!tab) break;
        at = stop + 1;
    }
    if (column + 1 != plan->columns) goto otherwise;
    if (put(out, p + copied, size - copied) < 0) return -1;
    *masked += changes;
    return 1;
otherwise:
    out->size = begun;
    return 2;
}

PyDoc_STRVAR(mask_copy_doc,
"mask_copy(data, at, after, how, looks_for, cells) -> (stop, frames, payload, masked)\n\n"
"CopyData messages of `data[at:after]`, each one line of the text format with tabs and \\N. Stops at the first that is\n"
"anything else. `frames` is what the client gets, `payload` the same without headers.");
static PyObject *mask_copy(PyObject *self, PyObject *args) {
    Py_buffer data;
    Py_ssize_t at, after;
    PyObject *how, *looks_for, *cells;
    Plan plan;
    Out frames = {NULL, 0, 0}, payload = {NULL, 0, 0};
    Size masked = 0;
    static const unsigned char header[5] = {'d', 0, 0, 0, 0};
    if (!PyArg_ParseTuple(args, "y*nnOOO", &data, &at, &after, &how, &looks_for, &cells)) return NULL;
    Bytes p = data.buf;
    if (after > data.len) after = data.len;
    if (at < 0 || make_plan(&plan, how, looks_for, cells) < 0) goto failed;
    while (after - at >= 5 && p[at] == 'd') {
        int64_t size = (int64_t)read32(p + at + 1) + 1;
        if (size < 5 || size > after - at) break;
        Size mark = frames.size;
        if (put(&frames, header, 5) < 0) goto failed;
        int done = line(&plan, p + at + 5, (Size)size - 5, &frames, &masked);
        if (done < 0) goto failed;
        if (done == 2) { frames.size = mark; break; }
        write32(frames.data + mark + 1, (uint32_t)(frames.size - mark - 1));
        if (put(&payload, frames.data + mark + 5, frames.size - mark - 5) < 0) goto failed;
        at += (Size)size;
    }
    PyBuffer_Release(&data);
    PyObject *one = finished(&frames), *two = finished(&payload);
    if (one && two) return Py_BuildValue("nNNn", at, one, two, masked);
    Py_XDECREF(one);
    Py_XDECREF(two);
    return NULL;
failed:
    PyMem_Free(frames.data);
    PyMem_Free(payload.data);
    PyBuffer_Release(&data);
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "an offset lies outside of the data");
    return NULL;
}

/* ---------------------------------------------------------------------------------------------- messages */

PyDoc_STRVAR(run_of_doc,
"run_of(data, at, kind) -> (after, number)\n\nWhere the run of whole messages of this kind that starts at `at` ends, and how many they are.");
static PyObject *run_of(PyObject *self, PyObject *args) {
    Py_buffer data;
    Py_ssize_t at, number = 0;
    int kind;
    if (!PyArg_ParseTuple(args, "y*ni", &data, &at, &kind)) return NULL;
    Bytes p = data.buf;
    while (at >= 0 && data.len - at >= 5 && p[at] == kind) {
        int64_t size = (int64_t)read32(p + at + 1) + 1;
        if (size < 5 || size > data.len - at) break;
        at += (Size)size, number++;
    }
    PyBuffer_Release(&data);
    return Py_BuildValue("nn", at, number);
}

PyDoc_STRVAR(payloads_doc, "payloads(data, at, after) -> bytes\n\nWhat a run of whole messages carries, without their headers.");
static PyObject *payloads(PyObject *self, PyObject *args) {
    Py_buffer data;
    Py_ssize_t at, after;
    Out out = {NULL, 0, 0};
    if (!PyArg_ParseTuple(args, "y*nn", &data, &at, &after)) return NULL;
    Bytes p = data.buf;
    int failed = 0;
    if (after > data.len) after = data.len;
    while (!failed && at >= 0 && after - at >= 5) {
        int64_t size = (int64_t)read32(p + at + 1) + 1;
        if (size < 5 || size > after - at) break;
        failed = put(&out, p + at + 5, (Size)size - 5);
        at += (Size)size;
    }
    PyBuffer_Release(&data);
    if (!failed) return finished(&out);
    PyMem_Free(out.data);
    return NULL;
}

/* A text as MessagePack. Longer ones than `longest` bytes, and what is not UTF-8, are not for here. */
static int pack_text(Out *out, Bytes v, Size n, Size longest) {
    if (n > longest || n > 0xffff || !valid_utf8(v, v + n)) return 1;
    unsigned char head[3] = {(unsigned char)(0xa0 | n), 0, 0};
    Size size = 1;
    if (n > 255) head[0] = 0xda, head[1] = n >> 8, head[2] = (unsigned char)n, size = 3;
    else if (n > 31) head[0] = 0xd9, head[1] = (unsigned char)n, size = 2;
    return put(out, head, size) < 0 || put(out, v, n) < 0 ? -1 : 0;
}

PyDoc_STRVAR(pack_texts_doc,
"pack_texts(rows, longest) -> bytes | None\n\n"
"Whole DataRow messages as MessagePack arrays of texts, one behind the other; None when a value is longer than `longest`\n"
"bytes or not UTF-8, or a message is no row.");
static PyObject *pack_texts(PyObject *self, PyObject *args) {
    Py_buffer rows;
    Py_ssize_t longest, at = 0;
    Out out = {NULL, 0, 0};
    if (!PyArg_ParseTuple(args, "y*n", &rows, &longest)) return NULL;
    Bytes p = rows.buf;
    int odd = 0;
    while (!odd && at < rows.len) {
        if (rows.len - at < 7) { odd = 1; break; }
        int64_t size = (int64_t)read32(p + at + 1) + 1;
        if (p[at] != 'D' || size < 7 || size > rows.len - at) { odd = 1; break; }
        Size count = p[at + 5] << 8 | p[at + 6], field = at + 7, end = at + (Size)size;
        unsigned char head[3] = {(unsigned char)(0x90 | count), 0, 0};
        if (count > 15) head[0] = 0xdc, head[1] = count >> 8, head[2] = (unsigned char)count;
        odd = put(&out, head, count > 15 ? 3 : 1);
        for (; !odd && count > 0; count--) {
            if (end - field < 4) { odd = 1; break; }
            int32_t length = (int32_t)read32(p + field);
            field += 4;
            if (length < 0) { odd = put(&out, "\xc0", 1); continue; }
            if (length > end - field) { odd = 1; break; }
            odd = pack_text(&out, p + field, length, longest);
            field += length;
        }
        odd = odd ? odd : field != end;
        at = end;
    }
    PyBuffer_Release(&rows);
    if (!odd) return finished(&out);
    PyMem_Free(out.data);
    if (PyErr_Occurred()) return NULL;
    Py_RETURN_NONE;
}

/* ---------------------------------------------------------------------------------------------- the module */

PyDoc_STRVAR(look_doc, "look(value, looks_for) -> int\n\n0 clean, 1 unsure, 2 a whole e-mail address, 3 a whole phone number.");
static PyObject *look_at(PyObject *self, PyObject *args) {
    Py_buffer value;
    int looks_for;
    if (!PyArg_ParseTuple(args, "y*i", &value, &looks_for)) return NULL;
    int found = look(value.buf, value.len, looks_for);
    PyBuffer_Release(&value);
    return PyLong_FromLong(found);
}

static int each(PyObject *list, int (*take)(Bytes, Size)) {
    PyObject *items = PySequence_Fast(list, "a list of bytes is expected");
    for (Size i = 0; items && i < PySequence_Fast_GET_SIZE(items); i++) {
        char *word;
        Size size;
        if (PyBytes_AsStringAndSize(PySequence_Fast_GET_ITEM(items, i), &word, &size) < 0) { Py_CLEAR(items); break; }
        if (take((Bytes)word, size) < 0) { Py_CLEAR(items); PyErr_SetString(PyExc_ValueError, "not a country"); break; }
    }
    Py_XDECREF(items);
    return items ? 0 : -1;
}

static int take_word(Bytes p, Size n) { to_filter(named_words, hash_of(p, n, HASH_START)); return 0; }
static int take_ending(Bytes p, Size n) { to_filter(file_endings, hash_of(p, n, HASH_START)); return 0; }
static int take_country(Bytes p, Size n) {
    if (n != 2 || !IS(p[0], ALPHA) || !IS(p[1], ALPHA)) return -1;
    countries[(LOWER(p[0]) - 'a') * 26 + LOWER(p[1]) - 'a'] = 1;
    return 0;
}

PyDoc_STRVAR(configure_doc,
"configure(words, countries, endings)\n\nWhat the detectors know: words that name a number (`tax_id` for two), countries of IBANs, endings of files.");
static PyObject *configure(PyObject *self, PyObject *args) {
    PyObject *words, *lands, *endings;
    if (!PyArg_ParseTuple(args, "OOO", &words, &lands, &endings)) return NULL;
    if (each(words, take_word) < 0 || each(lands, take_country) < 0 || each(endings, take_ending) < 0) return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"mask_rows", mask_rows, METH_VARARGS, mask_rows_doc}, {"mask_copy", mask_copy, METH_VARARGS, mask_copy_doc},
    {"run_of", run_of, METH_VARARGS, run_of_doc}, {"payloads", payloads, METH_VARARGS, payloads_doc},
    {"pack_texts", pack_texts, METH_VARARGS, pack_texts_doc}, {"look", look_at, METH_VARARGS, look_doc},
    {"configure", configure, METH_VARARGS, configure_doc}, {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "proxy._native", .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC PyInit__native(void) {
    for (int c = 0; c < 256; c++) {
        int digit = c >= '0' && c <= '9', alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        class_of[c] = (unsigned char)((digit ? DIGIT | SIGN | TOKEN : 0) | (alpha ? ALPHA | TOKEN : 0) | (c >= 0x80 ? HIGH : 0)
            | (c == '@' ? AT | SIGN : 0) | (c == ':' || c == '=' ? ASSIGN | SIGN : 0) | (c == '_' ? TOKEN | SIGN : 0)
            | (c == '$' || c == '+' || c == '/' || c == '-' ? TOKEN : 0));
    }
    return PyModule_Create(&module);
}
