/* What is in a value: nothing personal for certain, certain spans of five common kinds, or nobody knows (UNSURE).
 *
 * Pure C without Python, included by `_native.c`. What counts as personal is defined by the detectors in Python
 * (`masking/detectors*.py`); here they are only ruled out, or found where what they would find is beyond doubt. For what
 * this was written is told by `masking/swift.py`, and a value that is UNSURE is looked at by the detectors themselves.
 *
 * Reading never goes past the end of a value: everything takes (pointer, length) or (pointer, end) and checks first.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef const unsigned char *Bytes;
typedef ptrdiff_t Size;

/* What a policy looks for in a column. The numbers are those of masking/swift.py. */
enum {
    HAS_EMAIL = 1, HAS_URL = 2, HAS_SECRET = 4, HAS_IBAN = 8, HAS_LETTERED = 16, HAS_IP = 32, HAS_MAC = 64,
    HAS_NUMBERS = 128, BARE_NUMBERS = 256, NAMED_NUMBERS = 512, HAS_BIRTH = 1024, NEUTRAL = 2048,
};
/* Kinds of which spans are found here, and how each is replaced: two bits from bit 16 on. */
enum { EMAIL, PHONE, CARD, SSN, IBAN, KINDS };
enum { ASKED = 0, REDACT = 1, SHAPE = 2 };
#define HOW(looks_for, kind) ((looks_for) >> (16 + 2 * (kind)) & 3)

enum { CLEAN, UNSURE, FOUND };

/* Classes of bytes. */
enum { DIGIT = 1, ALPHA = 2, SIGN = 4, HIGH = 8, TOKEN = 16, AT = 32, ASSIGN = 64, DOLLAR = 128 };
static unsigned char class_of[256];

#define IS(c, what) (class_of[(unsigned char)(c)] & (what))
#define LOWER(c) ((unsigned char)((c) | 0x20))
#define IS_ALNUM(c) IS(c, DIGIT | ALPHA)

#define MOST_SPANS 16
typedef struct { Size start, end; int kind; } Span;
typedef struct {
    Bytes text;
    Size size;
    int looks_for, count;
    Span spans[MOST_SPANS];
} Look;

/* ---------------------------------------------------------------------------------------------- words */

/* A set of words, each with what it means. Filled by `configure` from what the detectors know. */
#define WORD_ROOM 32
typedef struct { unsigned char size, means, text[WORD_ROOM]; } Word;
typedef struct { Word words[512]; int count; } Words;
static Words number_names, file_endings, iban_countries;

static unsigned word_hash(Bytes p, Size n) {
    uint32_t hash = 2166136261u;
    for (Size i = 0; i < n; i++) hash = (hash ^ p[i]) * 16777619u;
    return (hash ^ hash >> 15) & 511;
}

/* What a word means that is given in any case; 0 = it is none of these. */
static int meaning(const Words *words, Bytes p, Size n) {
    unsigned char lower[WORD_ROOM];
    if (n <= 0 || n > WORD_ROOM) return 0;
    for (Size i = 0; i < n; i++) lower[i] = IS(p[i], ALPHA) ? LOWER(p[i]) : p[i];
    for (unsigned at = word_hash(lower, n);; at = (at + 1) & 511) {
        const Word *word = &words->words[at];
        if (!word->size) return 0;
        if (word->size == n && !memcmp(word->text, lower, (size_t)n)) return word->means;
    }
}

static int learn(Words *words, Bytes p, Size n, int means) {
    if (n <= 0 || n > WORD_ROOM || means <= 0 || means > 255) return -1;
    unsigned at = word_hash(p, n);
    while (words->words[at].size && !(words->words[at].size == n && !memcmp(words->words[at].text, p, (size_t)n))) at = (at + 1) & 511;
    if (!words->words[at].size && ++words->count > 256) return -1;
    words->words[at].size = (unsigned char)n, words->words[at].means = (unsigned char)means;
    memcpy(words->words[at].text, p, (size_t)n);
    return 0;
}

/* Words without one of which a search need not begin, wherever they stand and in any case. */
enum { W_URL = 1, W_PEM = 2, W_ASSIGNED = 4, W_SCHEME = 8, W_TOKEN = 16, W_BIRTH = 32 };
static const struct { const char *text; int means; } signs[] = {
    {"://", W_URL}, {"-----BEGIN", W_PEM}, {"bearer", W_SCHEME}, {"basic", W_SCHEME},
    {"pass", W_ASSIGNED}, {"token", W_ASSIGNED}, {"secret", W_ASSIGNED}, {"pwd", W_ASSIGNED}, {"key", W_ASSIGNED},
    {"authorization", W_ASSIGNED},
    {"AKIA", W_TOKEN}, {"ASIA", W_TOKEN}, {"ghp_", W_TOKEN}, {"gho_", W_TOKEN}, {"ghu_", W_TOKEN}, {"ghs_", W_TOKEN},
    {"ghr_", W_TOKEN}, {"github_pat_", W_TOKEN}, {"glpat-", W_TOKEN}, {"xox", W_TOKEN}, {"sk_", W_TOKEN}, {"rk_", W_TOKEN},
    {"pk_", W_TOKEN}, {"sk-", W_TOKEN}, {"AIza", W_TOKEN}, {"ya29.", W_TOKEN}, {"npm_", W_TOKEN}, {"pypi-", W_TOKEN},
    {"SG.", W_TOKEN}, {"dop_v1_", W_TOKEN}, {"hvs.", W_TOKEN}, {"shpat_", W_TOKEN}, {"shpca_", W_TOKEN},
    {"shppa_", W_TOKEN}, {"shpss_", W_TOKEN}, {"eyJ", W_TOKEN},
    {"dob", W_BIRTH}, {"d.ob", W_BIRTH}, {"do.b", W_BIRTH}, {"d.o.b", W_BIRTH}, {"born", W_BIRTH}, {"birth", W_BIRTH},
    {"bday", W_BIRTH}, {"b-day", W_BIRTH}, {"geb", W_BIRTH}, {"n\xc3\xa9", W_BIRTH}, {"ne le", W_BIRTH},
    {"nee le", W_BIRTH}, {"naiss", W_BIRTH}, {"naci", W_BIRTH}, {"nati", W_BIRTH}, {"nasci", W_BIRTH}, {"nato", W_BIRTH},
    {"nata", W_BIRTH},
};
#define SIGNS (sizeof signs / sizeof *signs)

/* 1 for each beginning of three bytes that a sign has, by a hash of the last three bytes of `recent`. */
static unsigned char beginnings[8192];
#define THREE_HASH(recent) ((uint32_t)((recent) << 8) * 0x9e3779b1u >> 19)
#define THREE(p) ((uint32_t)LOWER((p)[0]) << 16 | (uint32_t)LOWER((p)[1]) << 8 | LOWER((p)[2]))

/* Whether `word` stands at p, in any case. */
static int here(Bytes p, Bytes end, const char *word) {
    for (; *word; word++, p++)
        if (p >= end || LOWER(*p) != LOWER(*word)) return 0;
    return 1;
}

/* Which signs begin in text[from:to]. Tokens count only in their own case, and not inside of a word. */
static int signs_in(Bytes text, Size n, Size from, Size to) {
    int found = 0;
    for (Size i = from; i < to && i + 3 <= n; i++) {
        if (!beginnings[THREE_HASH(THREE(text + i))]) continue;
        for (size_t j = 0; j < SIGNS; j++) {
            if (LOWER(text[i]) != LOWER(signs[j].text[0]) || !here(text + i, text + n, signs[j].text)) continue;
            if (signs[j].means == W_TOKEN && ((i && IS_ALNUM(text[i - 1])) || memcmp(text + i, signs[j].text, strlen(signs[j].text)))) continue;
            found |= signs[j].means;
        }
    }
    return found;
}

/* One pass over a text: the classes of its bytes, and what signs it has. */
static int pass_over(Bytes text, Size n, int *classes) {
    unsigned all = 0, hit;
    int found = 0;
    uint32_t recent = 0;
    for (Size i = 0, from = 0; i < n; from = i) {
        Size to = n - i > 32 ? i + 32 : n;
        for (hit = 0; i < to; i++) {
            unsigned char c = text[i];
            recent = recent << 8 | LOWER(c);
            all |= class_of[c];
            hit |= beginnings[THREE_HASH(recent)];
        }
        if (hit) found |= signs_in(text, n, from > 2 ? from - 2 : 0, to);
    }
    *classes = (int)all;
    return found;
}

/* Where the next digit is, from `i` on; `end` when there is none before it. Eight bytes at once. */
static Size next_digit(Bytes text, Size i, Size end) {
    for (; end - i >= 8; i += 8) {
        uint64_t eight;
        memcpy(&eight, text + i, 8);
        eight ^= 0x3030303030303030u;
        if ((((eight & 0x7f7f7f7f7f7f7f7fu) + 0x7676767676767676u) & 0x8080808080808080u) != 0x8080808080808080u) break;
    }
    while (i < end && !IS(text[i], DIGIT)) i++;
    return i;
}

/* ---------------------------------------------------------------------------------------------- UTF-8 */

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

/* Whether all that is not ASCII is letters of Latin, Greek and Cyrillic, or dashes, quotes, dots and the euro: nothing that
 * counts as a digit or a space, or as an ASCII letter in another case. */
static int ordinary(Bytes p, Bytes end) {
    while (p < end) {
        unsigned char c = *p;
        if (c < 0x80) { p++; continue; }
        if (end - p >= 2 && (p[1] & 0xc0) == 0x80
            && (c == 0xc3 || (c == 0xc4 && p[1] != 0xb0 && p[1] != 0xb1) || (c == 0xc5 && p[1] != 0xbf) || c == 0xce || c == 0xd0 || c == 0xd1)) {
            p += 2;
            continue;
        }
        if (end - p >= 3 && c == 0xe2 && ((p[1] == 0x80 && p[2] >= 0x90 && p[2] <= 0xa7) || (p[1] == 0x82 && p[2] == 0xac))) { p += 3; continue; }
        return 0;
    }
    return 1;
}

/* ---------------------------------------------------------------------------------------------- spans */

static int span(Look *look, Size start, Size end, int kind) {
    if (look->count == MOST_SPANS || !HOW(look->looks_for, kind)) return UNSURE;
    look->spans[look->count].start = start, look->spans[look->count].end = end, look->spans[look->count++].kind = kind;
    return FOUND;
}

/* In the order of the text. UNSURE when two overlap. */
static int in_order(Look *look) {
    Span *s = look->spans;
    for (int i = 1; i < look->count; i++)
        for (int j = i; j > 0 && s[j].start < s[j - 1].start; j--) { Span moved = s[j]; s[j] = s[j - 1], s[j - 1] = moved; }
    for (int i = 1; i < look->count; i++)
        if (s[i].start < s[i - 1].end) return UNSURE;
    return look->count ? FOUND : CLEAN;
}

/* ---------------------------------------------------------------------------------------------- e-mail addresses */

static int is_local(unsigned char c) { return IS_ALNUM(c) || (c && strchr("_.!#$%&'*+/=?^`{|}~-", c) != NULL); }
static int is_label(unsigned char c) { return IS_ALNUM(c) || c == '_' || c == '-'; }

/* Where the name of a host that starts at `at` ends for `_EMAIL`; 0 = it is none. */
static Size host_end(Bytes text, Size n, Size at, Size *top) {
    Size starts[9];
    int labels = 0;
    starts[0] = at;
    while (labels < 8) {
        Size end = at;
        while (end < n && is_label(text[end])) end++;
        if (end == at || end - at > 63 || end == n || text[end] != '.') break;
        starts[++labels] = at = end + 1;
    }
    for (; labels > 0; labels--) {
        Size begin = starts[labels], end = begin;
        if (begin >= n || !IS(text[begin], ALPHA)) continue;
        while (end < n && end - begin < 63 && is_label(text[end])) end++;
        if (end - begin < 2) continue;
        *top = begin;
        return end;
    }
    return 0;
}

/* Addresses, exactly as `_EMAIL` and `_email` in detectors_words.py find them, next to ASCII only. */
static int emails(Look *look, int found) {
    Bytes text = look->text;
    Size n = look->size, from = 0;
    if (found & W_URL) return UNSURE;
    for (Bytes p = text; (p = memchr(p, '@', (size_t)(text + n - p))) != NULL; p++) {
        Size at = p - text, start = at, top = 0;
        if (at < from) continue;
        while (start > from && at - start < 64 && is_local(text[start - 1])) start--;
        if (start > from && at - start < 64 && IS(text[start - 1], HIGH)) return UNSURE;
        Size end = host_end(text, n, at + 1, &top);
        for (Size i = at + 1; i < n && (is_label(text[i]) || text[i] == '.' || IS(text[i], HIGH)); i++)
            if (IS(text[i], HIGH)) return UNSURE;
        if (start == at || !end) continue;
        from = end;
        while (start < at && strchr("'`*/=?{|}!#$%&^~.-", text[start])) start++;
        if (start == at || meaning(&file_endings, text + top, end - top)) continue;
        if (span(look, start, end, EMAIL) == UNSURE) return UNSURE;
    }
    return CLEAN;
}

/* ---------------------------------------------------------------------------------------------- checks of numbers */

static int luhn(const unsigned char *digits, int n) {
    int total = 0;
    for (int i = 0; i < n; i++) {
        int d = digits[n - 1 - i] - '0';
        total += i & 1 ? (d > 4 ? d * 2 - 9 : d * 2) : d;
    }
    return total % 10 == 0;
}

static int all_same(const unsigned char *digits, int n) {
    for (int i = 1; i < n; i++)
        if (digits[i] != digits[0]) return 0;
    return 1;
}

/* checksums.card */
static int is_card(const unsigned char *d, int n) {
    if (n < 13 || n > 19 || all_same(d, n)) return 0;
    int two = (d[0] - '0') * 10 + d[1] - '0', four = two * 100 + (d[2] - '0') * 10 + d[3] - '0';
    int known = (d[0] == '4' && (n == 13 || n == 16 || n == 19)) || (((two >= 51 && two <= 55) || (four >= 2221 && four <= 2720)) && n == 16)
        || ((two == 34 || two == 37) && n == 15)
        || ((two == 36 || two == 38 || two == 39 || (four / 10 >= 300 && four / 10 <= 305)) && (n == 14 || n == 16 || n == 19))
        || ((four == 6011 || two == 65 || (four / 10 >= 644 && four / 10 <= 649)) && (n == 16 || n == 19))
        || (four >= 3528 && four <= 3589 && (n == 16 || n == 19)) || (two == 62 && n >= 16)
        || ((two == 50 || (two >= 56 && two <= 69)) && two != 60 && two != 62 && two != 65);
    return known && luhn(d, n);
}

/* checksums.ssn */
static int is_ssn(const unsigned char *d) {
    int seen = 0, different = 0;
    for (int i = 0; i < 9; i++) different += !(seen >> (d[i] - '0') & 1), seen |= 1 << (d[i] - '0');
    return memcmp(d, "000", 3) && memcmp(d, "666", 3) && d[0] != '9' && memcmp(d + 3, "00", 2) && memcmp(d + 5, "0000", 4)
        && memcmp(d, "123456789", 9) && memcmp(d, "078051120", 9) && memcmp(d, "219099999", 9) && different > 2;
}

/* checksums.iban, of letters and digits in any case */
static int is_iban(const unsigned char *text, int n) {
    int rest = 0;
    for (int i = 0; i < n; i++) {
        unsigned char c = text[(i + 4) % n];
        rest = IS(c, DIGIT) ? (rest * 10 + c - '0') % 97 : (rest * 100 + LOWER(c) - 'a' + 10) % 97;
    }
    return rest == 1;
}

/* ---------------------------------------------------------------------------------------------- words before a number */

/* What `number_names` mean. A number that anything else names is asked about; a filler does not count as a word. */
enum { NO_NAME, NAMES_PHONE, NAMES_CARD, NAMES_OTHER, FILLER };

/* What the words right before `at` name (detectors_numbers._named_before); text is ASCII there. */
static int named_before(Bytes text, Size at) {
    Size from = at > 40 ? at - 40 : 0, i = at, last = 0, last_size = 0;
    int named = NO_NAME;
    while (i > from) {
        while (i > from && !IS(text[i - 1], ALPHA)) i--;
        Size end = i;
        while (i > from && IS(text[i - 1], ALPHA)) i--;
        Size size = end - i;
        if (!size) break;
        int one = meaning(&number_names, text + i, size);
        if (one == FILLER) continue;
        if (!last_size) { last = i, last_size = size, named = one; continue; }
        unsigned char pair[WORD_ROOM];
        if (size + 1 + last_size > WORD_ROOM) break;
        memcpy(pair, text + i, (size_t)size);
        pair[size] = '_';
        memcpy(pair + size + 1, text + last, (size_t)last_size);
        int both = meaning(&number_names, pair, size + 1 + last_size);
        return both ? both : named;
    }
    return named;
}

/* Whether they may name the number that starts at `at`. `end` is where its digits end: a match may begin later inside of
 * it, and then see less of the words; or up to three bytes earlier, and then see more. */
static int may_be_named(Bytes text, Size at, Size end, int moves) {
    Size from = at > 43 ? at - 43 : 0, i = at;
    int before = 0;
    for (Size j = at > 80 ? at - 80 : 0; j < at; j++)
        if (IS(text[j], HIGH)) return 1;
    while (i > from) {
        while (i > from && !IS(text[i - 1], ALPHA)) i--;
        Size word_end = i;
        while (i > from && IS(text[i - 1], ALPHA)) i--;
        Size size = word_end - i;
        if (!size) break;
        if ((moves ? end : at) - i > 40) return 1;
        int means = meaning(&number_names, text + i, size);
        if (means == FILLER) continue;
        if (before) return named_before(text, at) != NO_NAME;
        if (means) return 1;
        before = 1;
    }
    return 0;
}

/* ---------------------------------------------------------------------------------------------- numbers */

static int separator(unsigned char c) { return c == ' ' || c == '.' || c == '-' || c == '/' || c == '(' || c == ')'; }

/* `2026-11-20 10`: what is left of a date with a time once the colon ended it. */
static int is_date_and_hour(Bytes v, Size n) {
    return n == 13 && ((v[0] == '1' && v[1] == '9') || (v[0] == '2' && v[1] == '0')) && v[4] == '-' && v[7] == '-' && v[10] == ' '
        && IS(v[2], DIGIT) && IS(v[3], DIGIT) && IS(v[5], DIGIT) && IS(v[6], DIGIT) && IS(v[8], DIGIT) && IS(v[9], DIGIT)
        && ((v[5] == '0' && v[6] != '0') || (v[5] == '1' && v[6] <= '2')) && v[8] <= '3' && !(v[8] == '3' && v[9] > '1');
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

/* The form of a run of digits: its groups, and the one separator between all of them. `mixed`: not as simple as that. */
typedef struct {
    unsigned char digits[24], groups[8], between;
    int count, number, mixed;
} Form;

static Form form_of(Bytes run, Size n) {
    Form form = {{0}, {0}, 0, 0, 0, 0};
    int gap = 1;
    for (Size i = 0; i < n; i++) {
        if (IS(run[i], DIGIT)) {
            if (form.number == 24) { form.mixed = 1; return form; }
            if (gap && form.count == 8) { form.mixed = 1; return form; }
            if (gap) form.count++;
            form.groups[form.count - 1]++, form.digits[form.number++] = run[i], gap = 0;
        } else {
            if (gap || (form.between && form.between != run[i])) form.mixed = 1;
            form.between = run[i], gap = 1;
        }
    }
    return form;
}

static int has_groups(const Form *form, int a, int b, int c, int d) {
    const unsigned char *g = form->groups;
    return g[0] == a && g[1] == b && g[2] == c && g[3] == d;
}

static int stands_free(Bytes text, Size n, Size begin, Size end) {
    if (begin && (!text[begin - 1] || !strchr(" \t\n\r,;:=\"'<>[]{}|!?*~", text[begin - 1]))) return 0;
    return end == n || (text[end] && strchr(" \t\n\r,;:.=\"'<>[]{}|!?*~)/", text[end]));
}

/* What becomes of the run of digits text[start:end], which no other run touches: FOUND with a span, CLEAN or UNSURE. It is
 * sure only where the regular expression must take all of it at once, and the first judge that can hold does. */
static int certain_number(Look *look, Size start, Size end, int plus) {
    Bytes text = look->text;
    Size begin = plus ? start - 1 : start;
    if (look->looks_for & (NAMED_NUMBERS | NEUTRAL) || (plus && text[begin] != '+') || !stands_free(text, look->size, begin, end)) return UNSURE;
    for (Size j = begin > 48 ? begin - 48 : 0; j < begin; j++)
        if (IS(text[j], HIGH)) return UNSURE;
    Form form = form_of(text + start, end - start);
    int name = named_before(text, begin), one = form.count == 1;
    if (name == NAMES_OTHER) return UNSURE;
    if (plus) {
        int count = form.number;
        return name != NAMES_CARD && form.count < 8 && count >= 8 && count <= 14 && text[start] != '0' ? span(look, begin, end, PHONE) : UNSURE;
    }
    if (form.mixed) return UNSURE;
    int split = form.between == ' ' || form.between == '-';
    if (split && has_groups(&form, 3, 2, 4, 0)) return is_ssn(form.digits) ? span(look, begin, end, SSN) : UNSURE;
    int grouped = split && ((form.count == 4 && form.groups[0] == 4 && form.groups[1] == 4 && form.groups[2] == 4 && form.groups[3] <= 7)
        || (form.count == 3 && form.groups[0] == 4 && form.groups[1] == 6 && (form.groups[2] == 4 || form.groups[2] == 5)));
    if (grouped || (one && (form.number == 15 || form.number == 16))) {
        if (is_card(form.digits, form.number)) return span(look, begin, end, CARD);
        return one && form.number == 16 && !name ? CLEAN : UNSURE;
    }
    /* A date begins with one, two or four digits and not with a space behind them. */
    int may_be_date = form.between != ' ' && !one && (form.groups[0] < 3 || form.groups[0] == 4);
    if (name == NAMES_PHONE && form.number >= 6 && form.number <= 13 && !may_be_date && !has_groups(&form, 2, 3, 3, 3)
        && !has_groups(&form, 4, 4, 4, 0) && !has_groups(&form, 3, 3, 3, 2)) return span(look, begin, end, PHONE);
    return UNSURE;
}

/* Whether the numbers of a text may be personal (detectors_numbers.find_numbers). */
static int numbers(Look *look, Size first_digit) {
    Bytes text = look->text;
    Size n = look->size;
    int looks_for = look->looks_for;
    if (HOW(looks_for, PHONE) && is_phone(text, n)) return span(look, 0, n, PHONE);
    for (Size i = first_digit; (i = next_digit(text, i, n)) < n; i++) {
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
        int plus = before && text[before - 1] == '+', suspect = 0;
        if (looks_for & NAMED_NUMBERS || may_be_named(text, start, i + 1, gaps > 0)) suspect = 1;
        else if (gaps || plus) suspect = digits >= (plus ? 8 : 9) && !(!plus && is_date_and_hour(text + start, i + 1 - start));
        else if (looks_for & BARE_NUMBERS) suspect = digits == 15 || (digits == 16 && luhn(text + start, 16));
        if (suspect && certain_number(look, start, i + 1, plus) == UNSURE) return UNSURE;
    }
    return CLEAN;
}

/* ---------------------------------------------------------------------------------------------- secrets, ids with letters */

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

static int secrets(const Look *look, int classes, int found) {
    if (found & (W_PEM | W_SCHEME) || (found & W_ASSIGNED && classes & ASSIGN)) return UNSURE;
    return (found & W_TOKEN || classes & DOLLAR) && long_run(look->text, look->size) ? UNSURE : CLEAN;
}

/* Whether the run text[start:end], and nothing else, is an IBAN. */
static int certain_iban(Look *look, Size start, Size end) {
    Bytes text = look->text;
    Size length = meaning(&iban_countries, text + start, 2);
    if (end - start != length || (start && (IS(text[start - 1], HIGH) || text[start - 1] == '-'))) return UNSURE;
    if (end < look->size && IS(text[end], HIGH)) return UNSURE;
    return is_iban(text + start, (int)length) ? span(look, start, end, IBAN) : UNSURE;
}

/* Whether a run of 16 letters and digits may be a codice fiscale, whose digits may be letters. */
static int fiscal_codes(Bytes text, Size n) {
    for (Size i = 0; i < n; i++) {
        Bytes p = text + i;
        while (i < n && IS_ALNUM(text[i])) i++;
        if (text + i - p == 16 && IS(p[0], ALPHA) && IS(p[5], ALPHA) && IS(p[8], ALPHA) && IS(p[11], ALPHA) && IS(p[15], ALPHA)) return UNSURE;
    }
    return CLEAN;
}

/* IBANs and ids with letters: both are runs of letters and digits. The others of them have digits. */
static int lettered(Look *look, Size first_digit) {
    Bytes text = look->text;
    Size n = look->size;
    if (look->looks_for & HAS_LETTERED && long_run(text, n) && fiscal_codes(text, n)) return UNSURE;
    int begun = 0; /* a search for an IBAN began already, and may have gone over what follows */
    for (Size i = first_digit; (i = next_digit(text, i, n)) < n;) {
        Size start = i;
        while (start > 0 && IS_ALNUM(text[start - 1])) start--;
        while (i < n && IS_ALNUM(text[i])) i++;
        Size size = i - start;
        Bytes p = text + start;
        int begins = size >= 4 && IS(p[0], ALPHA) && IS(p[1], ALPHA) && IS(p[2], DIGIT) && IS(p[3], DIGIT);
        if (look->looks_for & HAS_IBAN && begins && meaning(&iban_countries, p, 2)) {
            Size letters = size;
            for (Size j = i; j < n && letters < 15; j++) {
                if (IS_ALNUM(text[j])) letters++;
                else if (text[j] != ' ') break;
            }
            if (letters >= 15 && (begun || certain_iban(look, start, i) == UNSURE)) return UNSURE;
        }
        begun |= begins;
        if (!(look->looks_for & HAS_LETTERED)) continue;
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

/* Whether four numbers with dots between, or two colons with at most four hexadecimal digits between, stand in a text. */
static int addresses(Bytes text, Size n) {
    Size parts = 0, size = 0, since = -1;
    for (Size i = 0; i < n; i++) {
        unsigned char c = text[i];
        if (IS(c, DIGIT)) { if (++size > 3) parts = 0; else if (parts == 3) return UNSURE; }
        else { parts = c == '.' && size ? parts + 1 : 0; size = 0; }
        if (c == ':') { if (since >= 0) return UNSURE; since = 0; }
        else if (since >= 0 && (!(IS(c, DIGIT) || (LOWER(c) >= 'a' && LOWER(c) <= 'f')) || ++since > 4)) since = -1;
    }
    return CLEAN;
}

/* ---------------------------------------------------------------------------------------------- all of it */

static Size count_of(Bytes text, Size n, unsigned char c) {
    Size found = 0;
    for (Size i = 0; i < n; i++) found += text[i] == c;
    return found;
}

/* What the detectors would find in a value: nothing (CLEAN), exactly the spans (FOUND), or only they can tell. */
static int look_into(Look *look, Bytes v, Size n, int looks_for) {
    int classes;
    look->text = v, look->size = n, look->looks_for = looks_for, look->count = 0;
    if (n > 100000) return UNSURE;
    /* Nothing else can be in it, but an address of a network card. */
    if (n && v[0] == '+' && HOW(looks_for, PHONE) && !(looks_for & (HAS_IP | HAS_MAC)) && is_phone(v, n)) return span(look, 0, n, PHONE);
    int found = pass_over(v, n, &classes);
    if (!(classes & SIGN)) {
        if (found & W_TOKEN) return UNSURE;
        return classes & HIGH && !valid_utf8(v, v + n) ? UNSURE : CLEAN;
    }
    if (classes & HIGH && !ordinary(v, v + n)) return UNSURE;
    if (looks_for & HAS_URL && found & W_URL && classes & AT) return UNSURE;
    if (looks_for & HAS_SECRET && secrets(look, classes, found)) return UNSURE;
    if (looks_for & HAS_IP && addresses(v, n)) return UNSURE;
    if (looks_for & HAS_MAC && (count_of(v, n, ':') >= 5 || count_of(v, n, '-') >= 5 || count_of(v, n, '.') >= 2)) return UNSURE;
    if (classes & AT && looks_for & HAS_EMAIL && emails(look, found)) return UNSURE;
    if (classes & DIGIT) {
        Size first = next_digit(v, 0, n);
        if (looks_for & HAS_BIRTH && found & W_BIRTH) return UNSURE;
        if (looks_for & (HAS_IBAN | HAS_LETTERED) && classes & ALPHA && lettered(look, first)) return UNSURE;
        if (looks_for & HAS_NUMBERS && numbers(look, first) == UNSURE) return UNSURE;
    }
    return in_order(look);
}

/* ---------------------------------------------------------------------------------------------- shapes (strategies.py) */

static const char REDACTED[] = "\xc2\xabmasked\xc2\xbb";
#define REDACTED_SIZE ((Size)sizeof(REDACTED) - 1)
#define SHAPE_ROOM 64

static int plain(Bytes v, Size n) {
    for (Size i = 0; i < n; i++)
        if (v[i] < 0x20 || v[i] >= 0x7f) return 0;
    return n > 0 && v[0] != ' ' && v[n - 1] != ' ';
}

/* Each writes at most SHAPE_ROOM bytes; returns how many, 0 = not for here. */
static Size redacted(unsigned char *to) { memcpy(to, REDACTED, REDACTED_SIZE); return REDACTED_SIZE; }

static Size email_shape(Bytes v, Size n, unsigned char *to) {
    if (!plain(v, n)) return 0;
    Size at = n;
    while (at > 0 && v[at - 1] != '@') at--;
    if (at < 2) return redacted(to);
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
    if (digits < 6) return redacted(to);
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
    return size && words <= 4 ? size : redacted(to);
}

/* `before` and the last four letters or digits of a value. */
static Size with_last_four(const char *before, Bytes v, Size n, unsigned char *to) {
    Size size = (Size)strlen(before), at = n;
    memcpy(to, before, (size_t)size);
    for (int missing = 4; missing > 0 && at > 0;)
        if (IS_ALNUM(v[--at])) to[size + --missing] = v[at];
    return size + 4;
}

static Size iban_shape(Bytes v, Size n, unsigned char *to) {
    Size size = with_last_four("XX** **** **** ", v, n, to);
    to[0] = v[0] & 0xdf, to[1] = v[1] & 0xdf;
    return size;
}

/* The replacement of a span. */
static Size replacement(const Look *look, const Span *one, unsigned char *to) {
    Bytes v = look->text + one->start;
    Size n = one->end - one->start;
    if (HOW(look->looks_for, one->kind) != SHAPE) return redacted(to);
    switch (one->kind) {
    case EMAIL: return email_shape(v, n, to);
    case PHONE: return phone_shape(v, n, to);
    case CARD: return with_last_four("****-****-****-", v, n, to);
    case SSN: return with_last_four("***-**-", v, n, to);
    case IBAN: return iban_shape(v, n, to);
    default: return redacted(to);
    }
}

/* ---------------------------------------------------------------------------------------------- once */

static void prepare(void) {
    for (int c = 0; c < 256; c++) {
        int digit = c >= '0' && c <= '9', alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        class_of[c] = (unsigned char)((digit ? DIGIT | SIGN | TOKEN : 0) | (alpha ? ALPHA | TOKEN : 0) | (c >= 0x80 ? HIGH : 0)
            | (c == '@' ? AT | SIGN : 0) | (c == ':' || c == '=' ? ASSIGN | SIGN : 0) | (c == '_' ? TOKEN | SIGN : 0)
            | (c == '$' ? TOKEN | DOLLAR : 0) | (c == '+' || c == '/' || c == '-' ? TOKEN : 0));
    }
    for (size_t i = 0; i < SIGNS; i++) {
        beginnings[THREE_HASH(THREE(signs[i].text))] = 1;
    }
}
