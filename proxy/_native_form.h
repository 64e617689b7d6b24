/* The form of a statement: its text with a fixed literal in the place of each of its literals. The twin of `form` in
 * `proxy/sql/forms.py`, which says what it means; for ASCII only.
 *
 * Pure C without Python, included by `_native.c` behind `_native_look.h`. Nothing grows: every literal stands for one that
 * is not longer, so that the skeleton fits where the text fits.
 */
enum { LONGEST_TEXT = 4096, LONGEST_LITERAL = 256, INT4_DIGITS = 9, MOST_DIGITS = 18 };

typedef struct { uint16_t start, size; } Cut;
typedef struct {
    unsigned char skeleton[LONGEST_TEXT];
    Size size;
    Cut literals[LONGEST_TEXT];
    Size count;
    /* Whether there is anything else in it that people may see as a value: a quoted name, a comment, an unusual number. */
    int others;
} Skeleton;

/* What may not stand before a quote: it may be of a string of another kind then. */
static int is_prefix(Bytes text, Size at) { return at > 0 && (is_word(text[at - 1]) || text[at - 1] == '$' || text[at - 1] == '&'); }

/* Whether what stands at `at` makes a number before it something else, or a part of it. */
static int goes_on(Bytes text, Size n, Size at) { return at < n && (is_word(text[at]) || text[at] == '.' || text[at] == '$'); }

/* Where the string or name that begins at `at` ends; 0 = nowhere. */
static Size quoted_end(Bytes text, Size n, Size at) {
    unsigned char quote = text[at];
    for (Size i = at + 1; i < n; i++) {
        if (text[i] != quote) continue;
        if (i + 1 == n || text[i + 1] != quote) return i + 1;
        i++;
    }
    return 0;
}

/* Where the comment that begins at `at` ends; 0 = nowhere, or there is a slash in it: it may hold another one. */
static Size comment_end(Bytes text, Size n, Size at) {
    for (Size i = at + 2; i < n; i++)
        if (text[i] == '/') return i > at + 2 && text[i - 1] == '*' ? i + 1 : 0;
    return 0;
}

/* Where the number at `at` ends, and what stands for it; NULL when it stays. */
static Size number_end(Bytes text, Size n, Size at, const char **stands) {
    Size end = at, fraction;
    while (end < n && IS(text[end], DIGIT)) end++;
    Size digits = end - at;
    if (end < n && text[end] == '.') {
        for (fraction = end + 1; fraction < n && IS(text[fraction], DIGIT);) fraction++;
        Size behind = fraction - end - 1;
        if (digits > MOST_DIGITS || behind < 1 || behind > MOST_DIGITS || goes_on(text, n, fraction)) return end;
        *stands = "0.0";
        return fraction;
    }
    if (digits > MOST_DIGITS || goes_on(text, n, end)) return end;
    if (digits <= INT4_DIGITS) *stands = "0";
    else if (digits > INT4_DIGITS + 1 && text[at] != '0') *stands = "10000000000";
    return end;
}

static void keep(Skeleton *found, const void *data, Size size) {
    memcpy(found->skeleton + found->size, data, (size_t)size);
    found->size += size;
}

/* Whether a text is wholly understood; then `found` is its form. */
static int cut(Bytes text, Size n, Skeleton *found) {
    Size copied = 0, end;
    found->size = found->count = found->others = 0;
    if (n > LONGEST_TEXT) return 0;
    for (Size i = 0; i < n; i++)
        if ((text[i] < 0x20 && text[i] != '\t' && text[i] != '\n' && text[i] != '\r') || text[i] >= 0x7f) return 0;
    for (Size i = 0; i < n; i = end) {
        const char *stands = NULL;
        end = i + 1;
        switch (text[i]) {
        case '\'': case '"':
            if (is_prefix(text, i) || !(end = quoted_end(text, n, i))) return 0;
            stands = text[i] == '\'' ? "''" : NULL;
            found->others |= !stands;
            break;
        case '\\': return 0;
        case '$':
            if (end == n || !IS(text[end], DIGIT)) return 0;
            break;
        case '-':
            if (end < n && text[end] == '-') {
                found->others = 1;
                while (end < n && text[end] != '\r' && text[end] != '\n') end++;
            }
            break;
        case '/':
            if (end < n && text[end] == '*') {
                found->others = 1;
                if (!(end = comment_end(text, n, i))) return 0;
            }
            break;
        default:
            if (IS(text[i], DIGIT) && !(i && goes_on(text, n, i - 1))) {
                end = number_end(text, n, i, &stands);
                found->others |= !stands;
            }
        }
        if (!stands) continue;
        if (end - i > LONGEST_LITERAL) return 0;
        found->literals[found->count].start = (uint16_t)i, found->literals[found->count++].size = (uint16_t)(end - i);
        keep(found, text + copied, i - copied);
        keep(found, stands, (Size)strlen(stands));
        copied = end;
    }
    keep(found, text + copied, n - copied);
    return 1;
}
