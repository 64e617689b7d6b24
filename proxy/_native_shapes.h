/* How a found value is replaced, as in `masking/strategies.py`. Included by `_native_look.h`. */

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

static Size ip_shape(Bytes v, Size n, unsigned char *to) {
    Size size = 0;
    while (size < n && IS(v[size], DIGIT)) to[size] = v[size], size++;
    memcpy(to + size, ".***.***.***", 12);
    return size + 12;
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
    case IP: return ip_shape(v, n, to);
    default: return redacted(to);
    }
}
