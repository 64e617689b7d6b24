/* Numbers that are personal, found as `masking/detectors_numbers.py` finds them: runs of digits as its `_RUN` takes them,
 * the words before, the forms, and the checks of cards, SSNs and NIRs. What has the form of any other number, or stands
 * beside what is not ASCII where that matters, is UNSURE.
 *
 * Included by `_native_look.h`; the names of functions are those of what they repeat.
 */

/* ---------------------------------------------------------------------------------------------- checks */

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

/* checksums.fr_nir, of fifteen digits */
static int is_nir(const unsigned char *d) {
    int64_t body = 0;
    int month = (d[3] - '0') * 10 + d[4] - '0';
    if (!strchr("123478", d[0]) || !((month >= 1 && month <= 12) || (month >= 20 && month <= 42) || month >= 50)) return 0;
    for (int i = 0; i < 13; i++) body = body * 10 + d[i] - '0';
    return 97 - body % 97 == (d[13] - '0') * 10 + d[14] - '0';
}

/* ---------------------------------------------------------------------------------------------- words before a number */

/* The judges in their order, which is what `number_names` mean and the bits of WANTED and HINTED; a filler is no word. */
enum { SSN_JUDGE, NHS_JUDGE, TAX_JUDGE, CPF_JUDGE, CNPJ_JUDGE, PESEL_JUDGE, AADHAAR_JUDGE, CARD_JUDGE, NIR_JUDGE, MRN_JUDGE, ID_JUDGE,
       PHONE_JUDGE, JUDGES, FILLER = 15 };
#define NO_NAME 0
#define WANTED(looks_for, judge) ((looks_for) >> (28 + (judge)) & 1)
#define HINTED(looks_for, judge) ((looks_for) >> (40 + (judge)) & 1)
#define WORDS_BEFORE 40

/* What the words right before `at` name (detectors_numbers._named_before): a judge and 1; UNKNOWN_NAME beside letters that
 * are not ASCII. */
#define UNKNOWN_NAME (-1)
static int named_before(Bytes text, Size at) {
    Size from = at > WORDS_BEFORE ? at - WORDS_BEFORE : 0, i = at, last = 0, last_size = 0;
    int named = NO_NAME;
    for (Size j = from; j < at; j++)
        if (IS(text[j], HIGH)) return UNKNOWN_NAME;
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

/* ---------------------------------------------------------------------------------------------- forms */

/* One part of a run: its text, its digits alone, and what the words before name. */
typedef struct {
    Bytes text;
    Size size;
    unsigned char digits[24];
    int count, name;
    int64_t looks_for;
} Part;

static int says(const Part *part, int judge) { return HINTED(part->looks_for, judge) || part->name == judge + 1; }

/* Whether the text has this form: `d` is a digit, `-` where `split` is to stand, everything else itself. */
static int has_form(const Part *part, const char *form, char split) {
    Size i = 0;
    for (; form[i]; i++) {
        if (i >= part->size) return 0;
        if (form[i] == 'd' ? !IS(part->text[i], DIGIT) : part->text[i] != (unsigned char)(form[i] == '-' ? split : form[i])) return 0;
    }
    return i == part->size;
}

static int split_form(const Part *part, const char *form) { return has_form(part, form, '-') || has_form(part, form, ' '); }

static int grouped_card(const Part *part) {
    static const char *const forms[] = {
        "dddd-dddd-dddd-d", "dddd-dddd-dddd-dd", "dddd-dddd-dddd-ddd", "dddd-dddd-dddd-dddd", "dddd-dddd-dddd-ddddd",
        "dddd-dddd-dddd-dddddd", "dddd-dddd-dddd-ddddddd", "dddd-dddddd-dddd", "dddd-dddddd-ddddd",
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (split_form(part, forms[i])) return 1;
    return 0;
}

static int two_digits(Bytes p, Size n) { return n == 1 ? p[0] - '0' : n == 2 ? (p[0] - '0') * 10 + p[1] - '0' : -1; }

static Size digits_from(Bytes text, Size i, Size n) {
    Size from = i;
    while (i < n && IS(text[i], DIGIT)) i++;
    return i - from;
}

/* `_DATE_START.match` */
static int starts_with_date(const Part *part) {
    Bytes t = part->text;
    Size n = part->size, a = digits_from(t, 0, n), b, c;
    if (!a || a >= n || !strchr("-/.", t[a])) return 0;
    b = digits_from(t, a + 1, n);
    if (!b || a + 1 + b >= n || t[a + 1 + b] != t[a]) return 0;
    Size third = a + b + 2;
    c = digits_from(t, third, n);
    if (!c) return 0;
    int year_first = a == 4 && (!memcmp(t, "19", 2) || !memcmp(t, "20", 2));
    int year_last = c == 4 && (!memcmp(t + third, "19", 2) || !memcmp(t + third, "20", 2));
    int first = two_digits(t, a), middle = two_digits(t + a + 1, b), last = two_digits(t + third, c);
    if (year_first && middle >= 1 && middle <= 12 && last >= 0 && last <= 31) return 1;
    return year_last && first >= 0 && first <= 31 && middle >= 0 && middle <= 31;
}

/* Whether text[i:n] is at most `times` pieces of `least` to `most` digits, one of `splits` allowed before each. */
static int pieces(Bytes text, Size i, Size n, const char *splits, Size least, Size most, int times) {
    if (i == n) return 1;
    if (!times) return 0;
    if (strchr(splits, text[i])) i++;
    Size there = digits_from(text, i, n);
    for (Size size = there < most ? there : most; size >= least; size--)
        if (pieces(text, i + size, n, splits, least, most, times - 1)) return 1;
    return 0;
}

/* `_PHONE_NATIONAL.fullmatch` */
static int is_national(const Part *part) {
    Bytes t = part->text;
    Size n = part->size;
    if (t[0] == '(') {
        Size area = digits_from(t, 1, n);
        return area >= 2 && area <= 5 && area + 2 < n && t[area + 1] == ')' && pieces(t, area + 2, n, " .-/", 2, 5, 4);
    }
    if (t[0] != '0') {
        static const char forms[3][13] = {"ddd.ddd.dddd", "ddd-ddd-dddd", "ddd ddd dddd"};
        for (int i = 0; i < 3; i++)
            if (has_form(part, forms[i], '-')) return t[0] >= '2' && t[4] >= '2';
        return 0;
    }
    Size area = digits_from(t, 1, n);
    if (area >= 1 && area <= 4 && area + 2 < n && strchr(" -/", t[area + 1])) {
        Size there = digits_from(t, area + 2, n);
        for (Size size = there < 8 ? there : 8; size >= 2; size--)
            if (pieces(t, area + 2 + size, n, " -/", 2, 6, 3)) return 1;
    }
    if (n != 14 || area != 1) return 0;
    for (int i = 2; i < 14; i += 3)
        if ((t[i] != ' ' && t[i] != '.') || digits_from(t, i + 1, n) != 2) return 0;
    return 1;
}

static int is_phone_number(const Part *part) {
    if (starts_with_date(part)) return 0;
    if (says(part, PHONE_JUDGE)) return part->count >= 6 && part->count <= 17;
    if (part->text[0] == '+') return part->count >= 8 && part->count <= 15 && part->digits[0] != '0';
    if (part->looks_for & (NEUTRAL | ANY_HINT)) return 0;
    return part->count >= 9 && part->count <= 13 && is_national(part);
}

/* ---------------------------------------------------------------------------------------------- judges */

static int is_bare(const Part *part) { return part->size == part->count; }

/* What one judge says: CLEAN, UNSURE, or FOUND. UNSURE where the check digits are not known here. */
static int judged(const Part *part, int judge) {
    int neutral = (part->looks_for & NEUTRAL) != 0, named = says(part, judge), unsure = 0;
    switch (judge) {
    case SSN_JUDGE: return is_ssn(part->digits) && ((split_form(part, "ddd-dd-dddd") && !neutral) || named) ? FOUND : CLEAN;
    case CARD_JUDGE: {
        if (!is_card(part->digits, part->count)) return CLEAN;
        int bare = is_bare(part) && (part->count == 15 || part->count == 16) && !neutral;
        return bare || named || grouped_card(part) ? FOUND : CLEAN;
    }
    case PHONE_JUDGE: return is_phone_number(part) ? FOUND : CLEAN;
    case NIR_JUDGE: return (!neutral || named) && is_nir(part->digits) ? UNSURE : CLEAN;
    case TAX_JUDGE: unsure = has_form(part, "dd ddd ddd ddd", '-'); break;
    case CPF_JUDGE: unsure = has_form(part, "ddd.ddd.ddd-dd", '-'); break;
    case CNPJ_JUDGE: unsure = has_form(part, "dd.ddd.ddd/dddd-dd", '-'); break;
    case AADHAAR_JUDGE: unsure = !neutral && split_form(part, "dddd-dddd-dddd"); break;
    default: break;
    }
    return unsure || named ? UNSURE : CLEAN;
}

/* How many digits each judge is asked about. */
static const unsigned char judge_takes[JUDGES][2] = {
    {9, 9}, {10, 10}, {11, 11}, {11, 11}, {14, 14}, {11, 11}, {12, 12}, {13, 19}, {15, 15}, {5, 12}, {5, 20}, {6, 17},
};

/* The first judge that holds for text[start:end]: FOUND with its span, CLEAN or UNSURE. `name` is asked for once. */
static int judge_part(Look *look, Size start, Size end, Size shown, int *name) {
    Part part = {.text = look->text + start, .size = end - start, .looks_for = look->looks_for};
    for (Size i = start; i < end; i++) {
        if (!IS(look->text[i], DIGIT)) continue;
        if (part.count == 20) return CLEAN;
        part.digits[part.count++] = look->text[i];
    }
    for (int judge = 0; judge < JUDGES; judge++) {
        if (!WANTED(look->looks_for, judge) || part.count < judge_takes[judge][0] || part.count > judge_takes[judge][1]) continue;
        if (*name == FILLER) *name = named_before(look->text, shown);
        if (*name == UNKNOWN_NAME) return UNSURE;
        part.name = *name;
        int answer = judged(&part, judge);
        if (answer == UNSURE) return UNSURE;
        if (answer == FOUND) return span(look, start, end, judge == SSN_JUDGE ? SSN : judge == CARD_JUDGE ? CARD : PHONE);
    }
    return CLEAN;
}

/* ---------------------------------------------------------------------------------------------- runs */

static int separator(unsigned char c) { return c == ' ' || c == '.' || c == '-' || c == '/' || c == '(' || c == ')'; }

/* Where the run of 5 to 33 digits that begins with the digit at `i` ends, as far as it can go; 0 = nowhere, -1 = unsure. */
static Size run_end(Bytes text, Size n, Size i) {
    Size best = 0;
    for (int digits = 1;; digits++) {
        Size next = i + 1, gap = next;
        if (digits >= 5) {
            unsigned char c = next < n ? text[next] : ' ';
            if (IS(c, HIGH)) return -1;
            if (!IS(c, DIGIT | ALPHA) && c != '_' && c != '@' && !(c == '-' && next + 1 < n && IS(text[next + 1], ALPHA))) best = next;
            if (digits == 33) return best;
        }
        while (gap < n && gap - next < 2 && separator(text[gap])) gap++;
        if (gap >= n || !IS(text[gap], DIGIT)) return best;
        i = gap;
    }
}

/* `_RUN` at `start`: where its match ends; 0 = there is none, -1 = unsure. */
static Size run_at(Bytes text, Size n, Size start) {
    if (start) {
        unsigned char c = text[start - 1];
        if (IS(c, HIGH)) return -1;
        if (IS(c, DIGIT | ALPHA) || c == '_' || c == '.' || c == '@' || c == '#') return 0;
        if (c == '-' && start > 1) {
            if (IS(text[start - 2], HIGH)) return -1;
            if (IS(text[start - 2], DIGIT | ALPHA) || text[start - 2] == '_') return 0;
        }
    }
    if (n - start > 2 && text[start] == '0' && text[start + 1] == '0' && text[start + 2] >= '1' && text[start + 2] <= '9') {
        Size end = run_end(text, n, start + 2);
        if (end) return end;
    }
    Size i = start + (text[start] == '+');
    if (i < n && text[i] == ' ') i++;
    if (i < n && text[i] == '(') i++;
    return i < n && IS(text[i], DIGIT) ? run_end(text, n, i) : 0;
}

/* What a match of `_RUN` holds: it is judged whole, and before and behind each gap. One part at most is personal. */
static int judge_run(Look *look, Size start, Size end) {
    Bytes text = look->text;
    int name = FILLER, closed = 0, answer;
    while (text[start] == ' ') start++;
    for (Size i = start; i < end; i++) closed |= text[i] == ')';
    if (text[start] == '(' && !closed)
        do start++; while (text[start] == ' ');
    if ((answer = judge_part(look, start, end, start, &name)) != CLEAN) return answer;
    int parts = 0;
    for (Size i = start; i < end && parts < 12; i++) {
        if (text[i] != ' ') continue;
        Size gap = i;
        while (text[i + 1] == ' ') i++;
        if ((answer = judge_part(look, start, gap, start, &name)) != CLEAN) return answer;
        if ((answer = judge_part(look, i + 1, end, start, &name)) != CLEAN) return answer;
        parts++;
    }
    return CLEAN;
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

/* Whether such a value is a phone number whatever the column is called: no other judge is asked before. */
static int whole_phones(int64_t looks_for) { return HOW(looks_for, PHONE) && !(looks_for >> 40 & ((1 << PHONE_JUDGE) - 1)); }

/* How far the search for numbers has come: digits up to `until` were taken together, and a match begins at `from` or later. */
typedef struct { Size until, from; } Numbers;

/* The personal numbers (detectors_numbers.find_numbers) among the digits that begin at `first` and what follows them with at
 * most two separators between. */
static int numbers_from(Look *look, Size first, Numbers *seen) {
    Bytes text = look->text;
    Size n = look->size, i = first, digits = 1;
    for (;; digits++) {
        Size next = i + 1;
        while (next < n && next - i <= 2 && separator(text[next])) next++;
        if (next >= n || !IS(text[next], DIGIT)) break;
        i = next;
    }
    seen->until = i + 1;
    if (digits < 5) return CLEAN;
    for (Size start = first - seen->from > 3 ? first - 3 : seen->from; start <= i;) {
        unsigned char c = text[start];
        Size end = IS(c, DIGIT) || c == '+' || c == ' ' || c == '(' ? run_at(text, n, start) : 0;
        if (end < 0) return UNSURE;
        if (!end) { start++; continue; }
        if (judge_run(look, start, end) == UNSURE) return UNSURE;
        start = seen->from = end;
    }
    return CLEAN;
}
