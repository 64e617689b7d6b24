/* What is in a value: nothing personal for certain, certain spans of five common kinds, or nobody knows (UNSURE).
 *
 * Pure C without Python, included by `_native.c`. What counts as personal is defined by the detectors in Python
 * (`masking/detectors*.py`); here they are only ruled out, or found where what they would find is beyond doubt. For what
 * this was written is told by `masking/swift.py`, and a value that is UNSURE is looked at by the detectors themselves.
 *
 * Numbers are in `_native_numbers.h`, replacements in `_native_shapes.h`.
 *
 * Reading never goes past the end of a value: everything takes (pointer, length) or (pointer, end) and checks first.
 */
#include "_bytes.h"

/* What a policy looks for in a column. The numbers are those of masking/swift.py. */
enum {
    HAS_EMAIL = 1, HAS_URL = 2, HAS_SECRET = 4, HAS_IBAN = 8, HAS_LETTERED = 16, HAS_IP = 32, HAS_MAC = 64,
    HAS_NUMBERS = 128, HAS_BIRTH = 1024, NEUTRAL = 2048, ANY_HINT = 4096,
};
/* Kinds of which spans are found here, and how each is replaced: two bits from bit 16 on. */
enum { EMAIL, PHONE, CARD, SSN, IBAN, IP };
enum { ASKED = 0, REDACT = 1, SHAPE = 2 };
#define HOW(looks_for, kind) ((looks_for) >> (16 + 2 * (kind)) & 3)

enum { CLEAN, UNSURE, FOUND };

/* Classes of bytes. */
enum { DIGIT = 1, ALPHA = 2, SIGN = 4, HIGH = 8, TOKEN = 16, AT = 32, ASSIGN = 64, DOLLAR = 128 };
static unsigned char class_of[256];

#define IS(c, what) (class_of[(unsigned char)(c)] & (what))
#define LOWER(c) ((unsigned char)((c) | 0x20))
#define IS_ALNUM(c) IS(c, DIGIT | ALPHA)
/* What `\s` is of ASCII, and `\w`. */
static int is_space(unsigned char c) { return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f); }
static int is_word(unsigned char c) { return IS_ALNUM(c) || c == '_'; }
static int one_of(unsigned char c, const char *set) { return c && strchr(set, c) != NULL; }

#define MOST_SPANS 64
typedef struct { Size start, end; int kind; } Span;
typedef struct {
    Bytes text;
    Size size;
    int64_t looks_for;
    int count, found; /* how many spans, and which signs are in the text */
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
    {"nee le", W_BIRTH}, {"naiss", W_BIRTH}, {"naci", W_BIRTH}, {"nasci", W_BIRTH}, {"nato", W_BIRTH},
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

/* Whether a digit is among the next bytes. */
static int digit_near(Bytes p, Bytes end) {
    for (Bytes last = end - p > 48 ? p + 48 : end; p < last; p++)
        if (IS(*p, DIGIT)) return 1;
    return 0;
}

/* Which signs begin in text[from:to]. Tokens count only in their own case; they and births only where no word goes on, and
 * births only before a digit. */
static int signs_in(Bytes text, Size n, Size from, Size to) {
    int found = 0;
    for (Size i = from; i < to && i + 3 <= n; i++) {
        if (!beginnings[THREE_HASH(THREE(text + i))]) continue;
        for (size_t j = 0; j < SIGNS; j++) {
            if (LOWER(text[i]) != LOWER(signs[j].text[0]) || !here(text + i, text + n, signs[j].text)) continue;
            int means = signs[j].means;
            if (means == W_TOKEN && ((i && IS_ALNUM(text[i - 1])) || memcmp(text + i, signs[j].text, strlen(signs[j].text)))) continue;
            if (means == W_BIRTH && ((i && IS(text[i - 1], ALPHA)) || !digit_near(text + i, text + n))) continue;
            found |= means;
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

static int is_local(unsigned char c) { return IS_ALNUM(c) || one_of(c, "_.!#$%&'*+/=?^`{|}~-"); }
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

/* Whether `_URL` may match somewhere: a name, a colon and a password between `://` and `@`. */
static int credentials(Bytes text, Size n) {
    for (Size i = 0; i + 3 < n; i++) {
        if (text[i] != ':' || text[i + 1] != '/' || text[i + 2] != '/') continue;
        Size j = i + 3;
        while (j < n && !is_space(text[j]) && !one_of(text[j], "/:@'\"<>")) j++;
        if (j >= n || text[j] != ':') continue;
        for (j++; j < n && !is_space(text[j]) && !one_of(text[j], "/@'\"<>");) j++;
        if (j < n && text[j] == '@') return 1;
    }
    return 0;
}

/* Addresses, exactly as `_EMAIL` and `_email` in detectors_words.py find them, next to ASCII only. */
static int emails(Look *look) {
    Bytes text = look->text;
    Size n = look->size, from = 0;
    if (look->found & W_URL && credentials(text, n)) return UNSURE;
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

#include "_native_numbers.h"

/* ---------------------------------------------------------------------------------------------- secrets */

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

/* Whether text[:end] ends with `word`, in any case. */
static int ends_with(Bytes text, Size end, const char *word) {
    Size size = (Size)strlen(word);
    return end >= size && here(text + end - size, text + end, word);
}

/* Whether a word for a secret is right before a `:` or `=`, as `_ASSIGNED` has them. */
static int assigned(Bytes text, Size n) {
    static const char *const names[] = {"pass", "password", "passwd", "passphrase", "pwd", "secret", "token", "authorization",
                                        "apikey", "api_key", "api-key", "accesskey", "access_key", "access-key"};
    for (Size i = 0; i < n; i++) {
        if (text[i] != ':' && text[i] != '=') continue;
        Size end = i;
        while (end > 0 && i - end < 3 && is_space(text[end - 1])) end--;
        if (end > 0 && (text[end - 1] == '"' || text[end - 1] == '\'')) end--;
        for (size_t j = 0; end && IS(text[end - 1], ALPHA) && j < sizeof names / sizeof *names; j++)
            if (ends_with(text, end, names[j])) return 1;
    }
    return 0;
}

/* Whether `bearer` or `basic` with a long word behind it is there, as `_BEARER` has it. */
static int scheme(Bytes text, Size n) {
    for (Size i = 0; i + 17 < n; i++) {
        if (LOWER(text[i]) != 'b') continue;
        Size size = here(text + i, text + n, "bearer") ? 6 : here(text + i, text + n, "basic") ? 5 : 0, at = i + size, long_enough = 0;
        if (!size) continue;
        while (at < n && at - i - size < 3 && is_space(text[at])) at++;
        if (at == i + size) continue;
        while (at < n && (IS_ALNUM(text[at]) || one_of(text[at], "+/._~-")) && long_enough < 12) at++, long_enough++;
        if (long_enough == 12) return 1;
    }
    return 0;
}

/* A `$` that a hash may have: `$2b$`, `$y$`, `$argon2`, `SCRAM-SHA-256$4096`. */
static int hash_sign(Bytes text, Size n) {
    for (Size i = 0; i + 1 < n; i++)
        if (text[i] == '$' && (IS(text[i + 1], DIGIT) || text[i + 1] == 'y' || text[i + 1] == 'a')) return 1;
    return 0;
}

static int secrets(const Look *look, int classes) {
    int found = look->found;
    if (found & W_PEM || (found & W_SCHEME && scheme(look->text, look->size))) return UNSURE;
    if (found & W_ASSIGNED && classes & ASSIGN && assigned(look->text, look->size)) return UNSURE;
    if (!(found & W_TOKEN) && !(classes & DOLLAR && hash_sign(look->text, look->size))) return CLEAN;
    return long_run(look->text, look->size) ? UNSURE : CLEAN;
}

/* ---------------------------------------------------------------------------------------------- ids with letters */

/* checksums.iban, of letters and digits in any case */
static int is_iban(const unsigned char *text, int n) {
    int rest = 0;
    for (int i = 0; i < n; i++) {
        unsigned char c = text[(i + 4) % n];
        rest = IS(c, DIGIT) ? (rest * 10 + c - '0') % 97 : (rest * 100 + LOWER(c) - 'a' + 10) % 97;
    }
    return rest == 1;
}

/* Where the match of `_IBAN` that begins at `start` ends; 0 = there is none. Its first four characters are right. */
static Size iban_run(Bytes text, Size n, Size start) {
    Size at = start + 4, characters = 0;
    for (int group = 0; group < 9; group++) {
        Size i = at + (at < n && text[at] == ' '), size = 0;
        while (size < 4 && i + size < n && IS_ALNUM(text[i + size])) size++;
        if (!size) break;
        at = i + size, characters += size;
    }
    return characters >= 3 ? at : 0;
}

/* The IBAN at the start of text[start:end], a match of `_IBAN` (detectors_words._iban_end). */
static int iban_in(Look *look, Size start, Size end) {
    unsigned char compact[WORD_ROOM + 8];
    Bytes text = look->text;
    int length = meaning(&iban_countries, text + start, 2), seen = 0;
    for (Size i = start; length && i < end; i++) {
        if (text[i] == ' ') continue;
        if (seen == (int)sizeof compact) return CLEAN;
        compact[seen++] = text[i];
        if (seen < length) continue;
        if ((i + 1 < end && IS_ALNUM(text[i + 1])) || !is_iban(compact, length)) return CLEAN;
        return span(look, start, i + 1, IBAN);
    }
    return CLEAN;
}

/* The IBAN whose first digit is at `i`, when there is one. `from` is where the search for them has come to. */
static int iban_at(Look *look, Size i, Size *from) {
    Bytes text = look->text;
    Size start = i - 2;
    if (start < *from || !IS(text[i - 1], ALPHA) || !IS(text[start], ALPHA)) return CLEAN;
    if (start && IS_ALNUM(text[start - 1])) return CLEAN;
    if (start > 1 && text[start - 1] == '-') {
        if (IS(text[start - 2], HIGH)) return UNSURE;
        if (is_word(text[start - 2])) return CLEAN;
    }
    Size end = iban_run(text, look->size, start);
    if (!end) return CLEAN;
    *from = end;
    return iban_in(look, start, end);
}

/* Whether a run of 16 letters and digits may be a codice fiscale, whose digits may be letters. */
static int fiscal_codes(Bytes text, Size n) {
    for (Size i = 0; i < n; i++) {
        Bytes p = text + i;
        while (i < n && IS_ALNUM(text[i])) i++;
        if (text + i - p != 16) continue;
        int fits = 1;
        for (int j = 0; fits && j < 16; j++) {
            int letter = j < 6 || j == 8 || j == 11 || j == 15;
            fits = letter ? IS(p[j], ALPHA) != 0 : IS(p[j], DIGIT) || (LOWER(p[j]) >= 'l' && LOWER(p[j]) <= 'v');
        }
        if (fits) return UNSURE;
    }
    return CLEAN;
}

/* Whether text[i:] is so many digits, a space allowed before; moves behind them. */
static int digits_follow(Bytes text, Size n, Size *i, int digits) {
    if (*i < n && text[*i] == ' ') ++*i;
    for (; digits; digits--, ++*i)
        if (*i >= n || !IS(text[*i], DIGIT)) return 0;
    return 1;
}

/* Whether the digits text[first:next] are of another id with letters (`_LETTERED`). */
static int lettered_at(const Look *look, Size first, Size next) {
    Bytes text = look->text;
    Size n = look->size, digits = next - first;
    if (next >= n) return CLEAN;
    /* 2A and 2B, the departments of Corsica */
    if (text[next - 1] == '2' && (LOWER(text[next]) == 'a' || LOWER(text[next]) == 'b')) {
        Size after = next + 1;
        if (digits_follow(text, n, &after, 3) && digits_follow(text, n, &after, 3) && digits_follow(text, n, &after, 2)) return UNSURE;
    }
    /* a DNI, or a NIE without its letter at the front */
    if (digits != 7 && digits != 8) return CLEAN;
    if (text[next] == '-') next++;
    if (next >= n || !IS(text[next], ALPHA) || (next + 1 < n && IS_ALNUM(text[next + 1]))) return CLEAN;
    return (digits == 8 ? !first || !IS_ALNUM(text[first - 1]) : first && one_of(text[first - 1], "XYZxyz-")) ? UNSURE : CLEAN;
}

/* ---------------------------------------------------------------------------------------------- addresses of machines */

/* Whether text[:at] ends with something that makes a version of what follows (`_VERSION_BEFORE`). */
static int version_before(Bytes text, Size at) {
    static const char *const words[] = {"v", "ver", "version", "release", "build"};
    for (int end_of_line = 0; end_of_line < 2; end_of_line++) {
        if (end_of_line && !(at && text[at - 1] == '\n')) break;
        Size i = at - end_of_line;
        for (int k = 0;; k++) {
            for (size_t j = 0; j < sizeof words / sizeof *words; j++)
                if (ends_with(text, i, words[j])) return 1;
            if (i > 1 && text[i - 1] == '/' && IS(text[i - 2], ALPHA)) return 1;
            if (k == 3 || !i || !(is_space(text[i - 1]) || one_of(text[i - 1], ":=."))) break;
            i--;
        }
    }
    return 0;
}

/* Four numbers up to 255 with dots between, without zeros at the front (`_IPV4`, ipaddress.ip_address), that begin at
 * `start`, where digits begin. `from` is where the search for them has come to. */
static int ipv4_at(Look *look, Size start, Size *from) {
    Bytes text = look->text;
    Size n = look->size, at = start;
    int valid = 1, any = 0;
    if (start < *from) return CLEAN;
    for (int part = 0; part < 4; part++) {
        Size digits = digits_from(text, at, n);
        if (digits < 1 || digits > 3) return CLEAN;
        int number = 0;
        for (Size j = at; j < at + digits; j++) number = number * 10 + text[j] - '0';
        valid &= number < 256 && !(digits > 1 && text[at] == '0'), any |= number;
        at += digits;
        if (part < 3 && (at >= n || text[at++] != '.')) return CLEAN;
    }
    if (start && IS(text[start - 1], HIGH)) return UNSURE;
    if (start && (is_word(text[start - 1]) || text[start - 1] == '.')) return CLEAN;
    if (at < n && IS(text[at], HIGH)) return UNSURE;
    if (at < n && (is_word(text[at]) || (text[at] == '.' && at + 1 < n && IS(text[at + 1], DIGIT)))) return CLEAN;
    *from = at;
    if (!valid || !any || version_before(text, start)) return CLEAN;
    return look->looks_for & NEUTRAL ? UNSURE : span(look, start, at, IP);
}

/* Whether there may be an address of version 6: `::` or six colons in a run of hexadecimal digits and colons. */
static int ipv6(Bytes text, Size n) {
    Bytes colon;
    for (Size i = 0; i < n && (colon = memchr(text + i, ':', (size_t)(n - i))) != NULL; i++) {
        i = colon - text;
        Size start = i, end = i, colons = 0;
        int doubled = 0;
        while (start > 0 && (IS(text[start - 1], DIGIT) || (LOWER(text[start - 1]) >= 'a' && LOWER(text[start - 1]) <= 'f'))) start--;
        for (; end < n; end++) {
            unsigned char c = text[end];
            if (c == ':') colons++, doubled |= end + 1 < n && text[end + 1] == ':';
            else if (!(IS(c, DIGIT) || (LOWER(c) >= 'a' && LOWER(c) <= 'f'))) break;
        }
        i = end - 1;
        if (!doubled && colons < 6) continue;
        if (start && (is_word(text[start - 1]) || text[start - 1] == '.')) continue;
        return UNSURE;
    }
    return CLEAN;
}

static int is_hex(unsigned char c) { return IS(c, DIGIT) || (LOWER(c) >= 'a' && LOWER(c) <= 'f'); }

/* Whether there may be an address of a network card: five signs at every third place, or two dots around four digits. */
static int macs(Bytes text, Size n) {
    for (Size i = 2; i + 5 < n; i++) {
        unsigned char c = text[i];
        if (c == '.' && text[i + 5] == '.' && is_hex(text[i - 1]) && is_hex(text[i + 1]) && is_hex(text[i + 4])) return UNSURE;
        if ((c == ':' || c == '-') && i + 14 < n && text[i + 3] == c && text[i + 6] == c && text[i + 9] == c && text[i + 12] == c) return UNSURE;
    }
    return CLEAN;
}

/* ---------------------------------------------------------------------------------------------- all of it */

/* Everything that has digits. */
static int digit_runs(Look *look) {
    Bytes text = look->text;
    Size n = look->size, next;
    int64_t looks_for = look->looks_for;
    Size ip_from = 0, iban_from = 0;
    Numbers seen = {0, 0};
    int numbers = (looks_for & HAS_NUMBERS) != 0;
    if (numbers && whole_phones(looks_for) && is_phone(text, n)) return span(look, 0, n, PHONE);
    for (Size i = 0; (i = next_digit(text, i, n)) < n; i = next) {
        next = i + digits_from(text, i, n);
        if (looks_for & HAS_IP && next < n && text[next] == '.' && next - i < 4 && ipv4_at(look, i, &ip_from) == UNSURE) return UNSURE;
        if (looks_for & HAS_IBAN && i > 1 && next - i > 1 && iban_at(look, i, &iban_from) == UNSURE) return UNSURE;
        if (looks_for & HAS_LETTERED && lettered_at(look, i, next)) return UNSURE;
        if (numbers && i >= seen.until && numbers_from(look, i, &seen) == UNSURE) return UNSURE;
    }
    return CLEAN;
}

/* What the detectors would find in a value: nothing (CLEAN), exactly the spans (FOUND), or only they can tell. */
static int look_into(Look *look, Bytes v, Size n, int64_t looks_for) {
    int classes;
    look->text = v, look->size = n, look->looks_for = looks_for, look->count = look->found = 0;
    if (n > 100000) return UNSURE;
    /* Nothing else can be in it, but an address of a network card. */
    if (n && v[0] == '+' && whole_phones(looks_for) && !(looks_for & (HAS_IP | HAS_MAC)) && is_phone(v, n)) return span(look, 0, n, PHONE);
    int found = look->found = pass_over(v, n, &classes);
    if (!(classes & SIGN)) {
        if (found & W_TOKEN) return UNSURE;
        return classes & HIGH && !valid_utf8(v, v + n) ? UNSURE : CLEAN;
    }
    if (classes & HIGH && !ordinary(v, v + n)) return UNSURE;
    if (looks_for & HAS_URL && found & W_URL && classes & AT && credentials(v, n)) return UNSURE;
    if (looks_for & HAS_SECRET && secrets(look, classes)) return UNSURE;
    if (looks_for & HAS_MAC && macs(v, n)) return UNSURE;
    if (looks_for & HAS_IP && ipv6(v, n)) return UNSURE;
    if (classes & AT && looks_for & HAS_EMAIL && emails(look)) return UNSURE;
    if (classes & DIGIT) {
        if (looks_for & HAS_BIRTH && found & W_BIRTH) return UNSURE;
        if (classes & ALPHA && looks_for & HAS_LETTERED && long_run(v, n) && fiscal_codes(v, n)) return UNSURE;
        if (looks_for & (HAS_NUMBERS | HAS_IP | HAS_IBAN | HAS_LETTERED) && digit_runs(look) == UNSURE) return UNSURE;
    }
    return in_order(look);
}

#include "_native_shapes.h"

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
