/* The mapped room of a redo log: what pens append goes there by a copy, without a system call. Included by `_pen.h`.
 *
 * An entry is that of ledger/redo.py: a head of token, length and CRC-32, then what is checked. So whatever is left of one
 * that was not copied to its end, by a kill or by the power, is none. tests/ledger/test_window.py compares both.
 *
 * Storing into a mapped file can not fail, so the room must be there: `ledger/syncing.py` has written and synced all of it. Only
 * file systems that write such room in place, and need none for that, are mapped. Where it is gone all the same (somebody made
 * the file shorter, or the disk is broken), storing raises SIGBUS: memory is put there instead, so that the copy ends, and the
 * window is `lost`. Then nothing was put there, now or ever again, and the pen writes to its segment.
 */
#ifndef HOOP_REDO_H
#define HOOP_REDO_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#endif

#define REDO_TOKEN 16
#define REDO_HEAD (REDO_TOKEN + 8)
#define REDO_NAMED (2 + 4 + 8)
#define REDO_PAGE 4096
#define MAGIC_EXT4 0xEF53
#define MAGIC_TMPFS 0x01021994

/* `owners`: a set of those whose pens put something there since it was begun. `pass` grows by one at every beginning. */
typedef struct {
    PyObject_HEAD
    PyObject *owners;
    unsigned char *bytes;
    Py_ssize_t room, at, pass;
    unsigned char token[REDO_TOKEN];
    char open;
    volatile char lost;
} Window;

/* The one that is stored into at this moment: by one thread at a time, the one with the GIL. */
static Window *volatile redo_storing;

#ifdef __linux__
static struct sigaction redo_bus_before;

/* The page is not there: one of memory for it. Everybody else's SIGBUS is what it was before. */
static void redo_on_bus(int number, siginfo_t *about, void *context) {
    Window *window = redo_storing;
    uintptr_t at = (uintptr_t)about->si_addr;
    (void)context;
    if (window && about->si_code > 0 && at >= (uintptr_t)window->bytes && at - (uintptr_t)window->bytes < (uintptr_t)window->room) {
        int saved = errno;
        void *page = (void *)(at / REDO_PAGE * REDO_PAGE);
        window->lost = 1;
        page = mmap(page, REDO_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        errno = saved;
        if (page != MAP_FAILED) return;
    }
    sigaction(SIGBUS, &redo_bus_before, NULL);
    if (about->si_code <= 0) raise(number); /* a fault happens again by itself */
}

/* 0, or -1 with errno. The handler is put in front of whoever has it now, unless it is ours. */
static int redo_watch_bus(void) {
    struct sigaction now, ours = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    ours.sa_sigaction = redo_on_bus;
    sigemptyset(&ours.sa_mask);
    if (sigaction(SIGBUS, NULL, &now)) return -1;
    if (now.sa_flags & SA_SIGINFO && now.sa_sigaction == redo_on_bus) return 0;
    redo_bus_before = now;
    return sigaction(SIGBUS, &ours, NULL);
}
#endif

static uint32_t redo_table[8][256];

static void redo_make_table(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++) value = value & 1 ? 0xEDB88320u ^ value >> 1 : value >> 1;
        redo_table[0][i] = value;
    }
    for (int i = 0; i < 256; i++)
        for (int more = 1; more < 8; more++)
            redo_table[more][i] = redo_table[more - 1][i] >> 8 ^ redo_table[0][redo_table[more - 1][i] & 255];
}

/* CRC-32 as zlib has it, eight bytes at a time; `value` is that of what is before. */
static uint32_t redo_crc(uint32_t value, const unsigned char *p, Py_ssize_t size) {
    value ^= 0xFFFFFFFFu;
    for (; size >= 8; p += 8, size -= 8) {
        uint32_t low = value ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
        value = redo_table[7][low & 255] ^ redo_table[6][low >> 8 & 255] ^ redo_table[5][low >> 16 & 255] ^ redo_table[4][low >> 24]
            ^ redo_table[3][p[4]] ^ redo_table[2][p[5]] ^ redo_table[1][p[6]] ^ redo_table[0][p[7]];
    }
    while (size--) value = redo_table[0][(value ^ *p++) & 255] ^ value >> 8;
    return value ^ 0xFFFFFFFFu;
}

static unsigned char *redo_number(unsigned char *to, uint64_t value, int size) {
    for (int i = size - 1; i >= 0; i--) *to++ = (unsigned char)(value >> 8 * i);
    return to;
}

/* Put a piece of the segment with this name, that stands at `offset` in it, into the log. 1, or 0 when there is no room: then
 * nothing more is put there until it is begun again. */
static int window_put(Window *self, PyObject *name, Py_ssize_t offset, const unsigned char *data, Py_ssize_t size) {
    Py_ssize_t named = PyBytes_GET_SIZE(name), body = REDO_NAMED + named + size;
    if (!self->open) return 0;
    if (REDO_HEAD + body > self->room - self->at) return self->open = 0;
    unsigned char *begins = self->bytes + self->at, *to = begins + REDO_HEAD;
    redo_storing = self;
    atomic_signal_fence(memory_order_seq_cst);
    to = redo_number(redo_number(redo_number(to, (uint64_t)named, 2), (uint64_t)size, 4), (uint64_t)offset, 8);
    memcpy(to, PyBytes_AS_STRING(name), (size_t)named);
    memcpy(to + named, data, (size_t)size);
    memcpy(begins, self->token, REDO_TOKEN);
    to = redo_number(begins + REDO_TOKEN, (uint64_t)body, 4);
    redo_number(to, redo_crc(redo_crc(0, begins, REDO_TOKEN + 4), begins + REDO_HEAD, body), 4);
    atomic_signal_fence(memory_order_seq_cst);
    redo_storing = NULL;
    if (self->lost) return self->open = 0;
    self->at += REDO_HEAD + body;
    return 1;
}

/* The first whole page that nothing was put on, where `size` bytes are reserved then: -1 without an error when there is no room. */
static Py_ssize_t window_reserve(Window *self, Py_ssize_t size) {
    Py_ssize_t at = (self->at + REDO_PAGE - 1) / REDO_PAGE * REDO_PAGE;
    if (size < 0 || at > self->room || size > self->room - at) return -1;
    self->at = at + size;
    return at;
}

PyDoc_STRVAR(window_reserve_doc,
"reserve(size)\n\nWhere so many bytes may be written, from the next page on; None when there is no room.");
static PyObject *Window_reserve(Window *self, PyObject *given) {
    Py_ssize_t size = PyLong_AsSsize_t(given);
    if (size == -1 && PyErr_Occurred()) return NULL;
    Py_ssize_t at = window_reserve(self, size);
    if (at < 0) Py_RETURN_NONE;
    return PyLong_FromSsize_t(at);
}

PyDoc_STRVAR(window_begin_doc, "begin(token)\n\nUse the room from its beginning: nothing in it is needed any more.");
static PyObject *Window_begin(Window *self, PyObject *token) {
    if (!PyBytes_CheckExact(token) || PyBytes_GET_SIZE(token) != REDO_TOKEN) {
        PyErr_SetString(PyExc_ValueError, "a token of 16 bytes is expected");
        return NULL;
    }
    PyObject *owners = PySet_New(NULL);
    if (!owners) return NULL;
    Py_XSETREF(self->owners, owners);
    memcpy(self->token, PyBytes_AS_STRING(token), REDO_TOKEN);
    self->at = 0, self->pass++, self->open = self->bytes != NULL && !self->lost;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(window_shut_doc, "shut()\n\nPens put nothing there any more, until it is begun again.");
static PyObject *Window_shut(Window *self, PyObject *unused) {
    (void)unused;
    self->open = 0;
    Py_RETURN_NONE;
}

static int Window_traverse(Window *self, visitproc visit, void *arg) {
    Py_VISIT(self->owners);
    return 0;
}
static int Window_clear(Window *self) {
    Py_CLEAR(self->owners);
    self->open = 0;
    return 0;
}
static void Window_dealloc(Window *self) {
    PyObject_GC_UnTrack(self);
    Window_clear(self);
#ifdef __linux__
    if (self->bytes) munmap(self->bytes, (size_t)self->room);
#endif
    Py_TYPE(self)->tp_free((PyObject *)self);
}
/* A file of this size, written and synced before. Raises OSError where it can not be mapped, or should not. */
static PyObject *Window_new(PyTypeObject *type, PyObject *args, PyObject *names) {
    int descriptor;
    Py_ssize_t room;
    (void)names;
    if (!PyArg_ParseTuple(args, "in", &descriptor, &room)) return NULL;
    if (room <= 0 || room % REDO_PAGE) { PyErr_SetString(PyExc_ValueError, "the room is whole pages"); return NULL; }
    Window *self = (Window *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    if (!(self->owners = PySet_New(NULL))) { Py_DECREF(self); return NULL; }
    errno = EOPNOTSUPP;
#ifdef __linux__
    struct statfs where;
    struct stat is;
    if (!fstatfs(descriptor, &where) && !fstat(descriptor, &is)) {
        errno = EOPNOTSUPP;
        if ((where.f_type == MAGIC_EXT4 || where.f_type == MAGIC_TMPFS) && S_ISREG(is.st_mode) && is.st_size >= room && !redo_watch_bus()) {
            void *bytes = mmap(NULL, (size_t)room, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
            if (bytes != MAP_FAILED) self->bytes = bytes, self->room = room;
        }
    }
#endif
    if (self->bytes) return (PyObject *)self;
    PyErr_SetFromErrno(PyExc_OSError);
    Py_DECREF(self);
    return NULL;
}
static PyMethodDef Window_methods[] = {
    {"begin", (PyCFunction)Window_begin, METH_O, window_begin_doc}, {"shut", (PyCFunction)Window_shut, METH_NOARGS, window_shut_doc},
    {"reserve", (PyCFunction)Window_reserve, METH_O, window_reserve_doc},
    {NULL, NULL, 0, NULL},
};
static PyMemberDef Window_members[] = {
    {"owners", T_OBJECT_EX, offsetof(Window, owners), READONLY, NULL}, {"at", T_PYSSIZET, offsetof(Window, at), READONLY, NULL},
    {"open", T_BOOL, offsetof(Window, open), READONLY, NULL}, {"lost", T_BOOL, offsetof(Window, lost), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};
static PyTypeObject WindowType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "proxy._lane.Window", .tp_basicsize = sizeof(Window),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, .tp_new = Window_new, .tp_traverse = (traverseproc)Window_traverse,
    .tp_clear = (inquiry)Window_clear, .tp_dealloc = (destructor)Window_dealloc, .tp_methods = Window_methods,
    .tp_members = Window_members, .tp_doc = "Window(descriptor, room)\n\nThe mapped room of a redo log. Raises OSError.",
};

#endif
