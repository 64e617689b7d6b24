/* A batch of the extended protocol that runs one statement to its end, and the record of the statement with the values it is
 * bound with. The twins are `outline` in postgres/outlines.py, `parameters` in masking/literals.py and `with_parameters` in
 * postgres/units.py; postgres/blanks.py makes what is filled in here.
 *
 * Pure C without Python, included by `_native.c` behind `_native_look.h`. A value is told here only where it is certain that
 * nothing personal is in it and nothing that must be made visible; every other batch is left to the twins.
 *
 * Reading never goes past the end of a buffer: every look at a byte is behind a comparison with the length.
 */
enum { LONGEST_BATCH = 8192, MOST_VALUES = 64, LONGEST_SHOWN = 2800, NUMBER_ROOM = 40 };

/* How a value is told; the numbers are those of postgres/blanks.py. */
enum { AS_IT_IS, INT2, INT4, INT8, OID, BOOL, UUID, BEHIND_VERSION, HIDDEN, OPAQUE, BY_TWIN, TOLD_KINDS };

/* Where the parts of a batch are: the Bind begins at `begin`, its values at `first`, what is behind them at `behind`. */
typedef struct { Size begin, name, name_end, first, behind, count; int parses, describes; } Batch;

static Size size32(Bytes p) { return (Size)((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]); }
static Size size16(Bytes p) { return p[0] << 8 | p[1]; }

/* Describe of the unnamed portal; Execute of it without a limit, and Sync. */
static const unsigned char described[7] = {'D', 0, 0, 0, 6, 'P', 0};
static const unsigned char executed[15] = {'E', 0, 0, 0, 9, 0, 0, 0, 0, 0, 'S', 0, 0, 0, 4};

/* What is behind the Bind that ends at `end`. */
static int is_run(Bytes p, Size n, Size end, Batch *found) {
    Size left = n - end;
    found->describes = left == (Size)(sizeof described + sizeof executed);
    if (left != (Size)sizeof executed && !found->describes) return 0;
    if (found->describes && memcmp(p + end, described, sizeof described)) return 0;
    return !memcmp(p + n - sizeof executed, executed, sizeof executed);
}

/* The values of the Bind that ends at `end`, counted at `at`; 0 when they do not fill it. */
static int has_values(Bytes p, Size at, Size end, Batch *found) {
    if (end - at < 2) return 0;
    found->count = size16(p + at), found->first = at += 2;
    for (Size i = 0; i < found->count; i++) {
        if (end - at < 4) return 0;
        int32_t size = (int32_t)(uint32_t)size32(p + at);
        at += 4;
        if (size < -1 || size > end - at) return 0;
        at += size > 0 ? size : 0;
    }
    found->behind = at;
    return end - at >= 2 && at + 2 + 2 * size16(p + at) == end;
}

/* Whether this is such a batch. */
static int batch_in(Bytes p, Size n, Batch *found) {
    Size begin = 0;
    if (n < 6) return 0;
    if ((found->parses = p[0] == 'P')) {
        begin = 1 + size32(p + 1);
        if (p[5] || begin < 6 || begin > n) return 0;
    }
    if (n - begin < 7 || p[begin] != 'B' || p[begin + 5]) return 0;
    Size name = begin + 6, end = begin + 1 + size32(p + begin + 1);
    if (end <= name || end > n || !is_run(p, n, end, found)) return 0;
    Bytes stop = memchr(p + name, 0, (size_t)(end - name));
    if (!stop) return 0;
    found->begin = begin, found->name = name, found->name_end = stop - p;
    if (found->parses ? stop != p + name : !valid_utf8(p + name, stop)) return 0;
    Size at = found->name_end + 1;
    if (end - at < 2) return 0;
    at += 2 + 2 * size16(p + at);
    return at <= end && has_values(p, at, end, found);
}

/* Every byte of a batch but the values and the length of the message that has them. */
static Size key_size(Size n, const Batch *batch) { return batch->begin + 1 + batch->first - batch->begin - 5 + n - batch->behind; }
static void write_key(unsigned char *to, Bytes p, Size n, const Batch *batch) {
    Size head = batch->begin + 1, body = batch->first - batch->begin - 5;
    memcpy(to, p, (size_t)head);
    memcpy(to + head, p + batch->begin + 5, (size_t)body);
    memcpy(to + head + body, p + batch->behind, (size_t)(n - batch->behind));
}

/* ---------------------------------------------------------------------------------------------- one value */

/* Whether a text is told as it is: `make_visible` finds nothing to show in it. Of what is not ASCII only letters of Latin,
 * Greek without the places that have none, and Cyrillic. */
static int is_visible(Bytes p, Bytes end) {
    while (p < end) {
        unsigned char c = *p;
        if (c < 0x80) {
            if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) return 0;
            p++;
            continue;
        }
        if (end - p < 2 || (p[1] & 0xc0) != 0x80) return 0;
        int letter = c == 0xc3 || c == 0xc4 || c == 0xc5 || c == 0xd0 || c == 0xd1 || (c == 0xce && p[1] >= 0x91 && p[1] != 0xa2);
        if (!letter) return 0;
        p += 2;
    }
    return 1;
}

typedef struct { Bytes data; Size size; } Told;

static Size decimal(unsigned char *to, int64_t value) {
    unsigned char digits[20];
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    Size n = 0, at = 0;
    do digits[n++] = (unsigned char)('0' + left % 10), left /= 10; while (left);
    if (value < 0) to[at++] = '-';
    while (n) to[at++] = digits[--n];
    return at;
}

static Size hexadecimal(unsigned char *to, Bytes v) {
    Size at = 0;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) to[at++] = '-';
        to[at++] = (unsigned char)"0123456789abcdef"[v[i] >> 4], to[at++] = (unsigned char)"0123456789abcdef"[v[i] & 15];
    }
    return at;
}

static Size of_so_many_bytes(unsigned char *to, Size n) {
    static const char behind[] = " bytes in binary format)";
    to[0] = '(';
    Size at = 1 + decimal(to + 1, n);
    memcpy(to + at, behind, sizeof behind - 1);
    return at + (Size)sizeof behind - 1;
}

/* The text of a value in binary format, in `room` (NUMBER_ROOM bytes). */
static Size read_as_text(unsigned char *room, int kind, Bytes v, Size n) {
    if (kind == INT2 && n == 2) return decimal(room, (int16_t)(uint16_t)size16(v));
    if (kind == INT4 && n == 4) return decimal(room, (int32_t)(uint32_t)size32(v));
    if (kind == OID && n == 4) return decimal(room, size32(v));
    if (kind == INT8 && n == 8) return decimal(room, (int64_t)((uint64_t)size32(v) << 32 | (uint64_t)size32(v + 4)));
    if (kind == UUID && n == 16) return hexadecimal(room, v);
    if (kind != BOOL || n != 1) return of_so_many_bytes(room, n);
    memcpy(room, *v ? "true" : "false", *v ? 4 : 5);
    return *v ? 4 : 5;
}

/* A value as it is told, where that is certain. */
static int told(Look *look, int64_t looks_for, int kind, Bytes v, Size n, unsigned char *room, Told *text) {
    static const unsigned char hidden[] = "\xc2\xabmasked\xc2\xbb"; /* strategies.REDACTED */
    if (kind == BEHIND_VERSION && n) v++, n--;
    text->data = v, text->size = n;
    if (kind == HIDDEN) { text->data = hidden, text->size = sizeof hidden - 1; return 1; }
    if (kind >= BY_TWIN) return 0;
    if (kind != AS_IT_IS && kind != BEHIND_VERSION) text->data = room, text->size = read_as_text(room, kind, v, n);
    return text->size <= LONGEST_SHOWN && is_visible(text->data, text->data + text->size)
        && look_into(look, text->data, text->size, looks_for) == CLEAN;
}

/* ---------------------------------------------------------------------------------------------- the statement */

/* A packed statement without its values: what is before its text, the text, and what is before the values. */
typedef struct { Bytes kinds; Size count; int64_t looks_for; Told before, text, between; } Blank;
typedef struct {
    Told values[MOST_VALUES]; /* data is NULL for NULL */
    Size count, text_size, size;
    Look look;
    unsigned char numbers[MOST_VALUES][NUMBER_ROOM];
} Filled;

/* A text of MessagePack takes so many bytes for its length, of at most 65535. */
static Size head_size(Size n) { return n < 32 ? 1 : n < 256 ? 2 : 3; }
static unsigned char *write_head(unsigned char *to, Size n) {
    if (n < 32) *to++ = (unsigned char)(0xa0 | n);
    else if (n < 256) *to++ = 0xd9, *to++ = (unsigned char)n;
    else *to++ = 0xda, *to++ = (unsigned char)(n >> 8), *to++ = (unsigned char)n;
    return to;
}
static unsigned char *write_told(unsigned char *to, const Told *text) {
    if (text->size) memcpy(to, text->data, (size_t)text->size);
    return to + text->size;
}

static const unsigned char line_begins[] = "\n-- $", line_goes_on[] = " = ", null_shown[] = "NULL";
static const Told null_told = {null_shown, 4};

/* The values of a batch as they are told, and how large the whole becomes; 0 when one is not for here. */
static int filled(Bytes p, Size n, const Batch *batch, const Blank *blank, Filled *all) {
    Size at = batch->first;
    if (n > LONGEST_BATCH || batch->count != blank->count || batch->count > MOST_VALUES || batch->count < 1) return 0;
    all->count = batch->count, all->text_size = blank->text.size;
    all->size = blank->before.size + blank->between.size + (all->count < 16 ? 1 : 3);
    for (Size i = 0; i < all->count; i++) {
        Told *text = &all->values[i];
        Size size = size32(p + at), shown = 4;
        at += 4;
        text->data = NULL, text->size = 0;
        if (size != 0xffffffff) {
            if (!told(&all->look, blank->looks_for, blank->kinds[i], p + at, size, all->numbers[i], text)) return 0;
            shown = text->size, at += size;
        }
        all->size += text->data ? head_size(shown) + shown : 1;
        all->text_size += (Size)sizeof line_begins - 1 + (i < 9 ? 1 : 2) + (Size)sizeof line_goes_on - 1 + shown;
    }
    if (all->text_size > 0xffff) return 0;
    all->size += head_size(all->text_size) + all->text_size;
    return 1;
}

/* The packed statement, `all->size` bytes. */
static void write_filled(unsigned char *to, const Blank *blank, const Filled *all) {
    to = write_head(write_told(to, &blank->before), all->text_size);
    to = write_told(to, &blank->text);
    for (Size i = 0; i < all->count; i++) {
        memcpy(to, line_begins, sizeof line_begins - 1);
        to += sizeof line_begins - 1;
        to += decimal(to, i + 1);
        memcpy(to, line_goes_on, sizeof line_goes_on - 1);
        to = write_told(to + sizeof line_goes_on - 1, all->values[i].data ? &all->values[i] : &null_told);
    }
    to = write_told(to, &blank->between);
    if (all->count < 16) *to++ = (unsigned char)(0x90 | all->count);
    else *to++ = 0xdc, *to++ = 0, *to++ = (unsigned char)all->count;
    for (Size i = 0; i < all->count; i++) {
        const Told *text = &all->values[i];
        if (!text->data) *to++ = 0xc0;
        else to = write_told(write_head(to, text->size), text);
    }
}
