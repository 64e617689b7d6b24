/* Bytes as both compiled parts look at them: pure C without Python. Everything takes (pointer, length) and checks first. */
#ifndef HOOP_BYTES_H
#define HOOP_BYTES_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What Python (proxy/native.py) and C expect of each other: another number in both with every change of that, or a part that
 * was compiled from other sources would be called in a way it does not know. */
#define AGREEMENT 1

typedef const unsigned char *Bytes;
typedef ptrdiff_t Size;

static inline uint32_t read32(Bytes p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }

static inline void write32(unsigned char *p, uint32_t value) {
    p[0] = value >> 24, p[1] = value >> 16, p[2] = value >> 8, p[3] = value;
}

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

/* A text as MessagePack, 3 bytes longer at most: where it ends. NULL: longer than `longest` bytes, or not UTF-8. */
static unsigned char *pack_text(unsigned char *to, Bytes v, Size n, Size longest) {
    if (n > longest || n > 0xffff || !valid_utf8(v, v + n)) return NULL;
    if (n > 255) *to++ = 0xda, *to++ = (unsigned char)(n >> 8), *to++ = (unsigned char)n;
    else if (n > 31) *to++ = 0xd9, *to++ = (unsigned char)n;
    else *to++ = (unsigned char)(0xa0 | n);
    memcpy(to, v, (size_t)n);
    return to + n;
}

/* Whole DataRow messages as MessagePack arrays of texts, one behind the other: how many bytes that are, never more than
 * there were, because a header is shorter than the one it stands for. -1: a value is not for here (`pack_text`), or a
 * message is no row. */
static Size pack_rows(unsigned char *to, Bytes p, Size all, Size longest) {
    unsigned char *start = to;
    Size at = 0;
    while (at < all) {
        if (all - at < 7) return -1;
        int64_t size = (int64_t)read32(p + at + 1) + 1;
        if (p[at] != 'D' || size < 7 || size > all - at) return -1;
        Size count = p[at + 5] << 8 | p[at + 6], field = at + 7, end = at + (Size)size;
        if (count > 15) *to++ = 0xdc, *to++ = (unsigned char)(count >> 8), *to++ = (unsigned char)count;
        else *to++ = (unsigned char)(0x90 | count);
        for (; count > 0; count--) {
            if (end - field < 4) return -1;
            int32_t length = (int32_t)read32(p + field);
            field += 4;
            if (length < 0) { *to++ = 0xc0; continue; }
            if (length > end - field || !(to = pack_text(to, p + field, length, longest))) return -1;
            field += length;
        }
        if (field != end) return -1;
        at = end;
    }
    return to - start;
}

#endif
