/* The end of a segment file in C: `Pen` of ledger/segments.py. Included by `_lane.c`, which appends to it what it records.
 * tests/ledger/test_pen.py drives both.
 *
 * It writes with the GIL held: a page cache takes microseconds, giving the GIL up and getting it back among other threads
 * takes more. No interpreter object is made for a record: it is framed where it waits to be hashed, and written from there.
 */
#ifndef HOOP_PEN_H
#define HOOP_PEN_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* `bytes` are first the `recorded` ones that wait to be hashed, then up to `end` what is held. */
typedef struct {
    PyObject_HEAD
    PyObject *attention, *trouble;
    unsigned char *bytes;
    Py_ssize_t room, recorded, end;
    Py_ssize_t size, most, held, turns;
    int descriptor;
    char quiet, writing;
} Pen;

/* A part of a record. */
typedef struct { const void *at; Py_ssize_t size; } Piece;

#define MAX_RECORD (16 * 1024 * 1024)
/* Room for so much is kept when nothing waits. */
#define PEN_ROOM_KEPT 1024

/* Whether it can be used now; -1 with an error. A signal's handler may run while it writes. */
static int pen_is_ready(const Pen *self) {
    if (self->attention && !self->writing) return 0;
    PyErr_SetString(PyExc_RuntimeError, self->attention ? "it is being written" : "not initialised");
    return -1;
}

/* Nothing was recorded: always an error, whatever `trouble` does. */
static int pen_in_trouble(Pen *self, int number) {
    PyObject *told = PyObject_CallFunction(self->trouble, "i", number);
    if (told) PyErr_SetString(PyExc_RuntimeError, "nothing was recorded");
    Py_XDECREF(told);
    return -1;
}

/* One record behind what is held, with its length before it. 0, or -1 with an error: then nothing has changed. */
static int pen_frame(Pen *self, const Piece *pieces, int count) {
    Py_ssize_t size = 0;
    for (int i = 0; i < count && size <= MAX_RECORD; i++) {
        if (pieces[i].size < 0 || pieces[i].size > MAX_RECORD) size = MAX_RECORD;
        size += pieces[i].size < 0 ? 1 : pieces[i].size;
    }
    if (size <= 0 || size > MAX_RECORD) return pen_in_trouble(self, EMSGSIZE);
    Py_ssize_t needed = self->end + 4 + size, room = self->room ? self->room : PEN_ROOM_KEPT / 2;
    if (needed > self->room) {
        while (room < needed) room *= 2;
        unsigned char *bytes = PyMem_Realloc(self->bytes, (size_t)room);
        if (!bytes) { PyErr_NoMemory(); return -1; }
        self->bytes = bytes, self->room = room;
    }
    unsigned char *to = self->bytes + self->end;
    *to++ = (unsigned char)(size >> 24), *to++ = (unsigned char)(size >> 16), *to++ = (unsigned char)(size >> 8), *to++ = (unsigned char)size;
    for (int i = 0; i < count; i++) {
        if (pieces[i].size) memcpy(to, pieces[i].at, (size_t)pieces[i].size);
        to += pieces[i].size;
    }
    self->end = needed;
    return 0;
}

/* Write what is held and what was framed behind it, by one write(2). 0; -1 with an error: then `end` is for the caller. */
static int pen_write(Pen *self, Py_ssize_t held_end) {
    Py_ssize_t size = self->end - self->recorded, written = -1;
    int problem = EBADF;
    if (!size) return 0;
    if (self->descriptor >= 0) {
        self->writing = 1;
        do written = write(self->descriptor, self->bytes + self->recorded, (size_t)size);
        while (written < 0 && errno == EINTR && !PyErr_CheckSignals());
        problem = errno;
        self->writing = 0;
    }
    if (written != size) {
        self->end = held_end;
        return PyErr_Occurred() ? -1 : pen_in_trouble(self, written < 0 ? problem : 0);
    }
    self->recorded = self->end, self->size += size;
    if (self->held) self->held = 0, self->turns++;
    if (self->quiet && self->recorded < self->most) return 0;
    PyObject *attended = PyObject_CallNoArgs(self->attention);
    Py_XDECREF(attended);
    return attended ? 0 : -1;
}

/* One record, behind what is held: all of it or nothing. 0 = recorded; -1 with an error: then nothing may be forwarded, and
 * what was held still is. */
static int pen_append(Pen *self, const Piece *pieces, int count) {
    Py_ssize_t held_end = self->end;
    if (pen_is_ready(self) < 0 || pen_frame(self, pieces, count) < 0) return -1;
    return pen_write(self, held_end);
}

/* One record that waits for the next append. 0, or -1 with an error: then it does not wait. */
static int pen_hold(Pen *self, const Piece *pieces, int count) {
    if (pen_is_ready(self) < 0 || pen_frame(self, pieces, count) < 0) return -1;
    self->held++;
    return 0;
}

static inline Py_ssize_t pen_held(const Pen *self) { return self->held; }

/* Frame records given by Python: 0, or -1 with an error and nothing changed. */
static int pen_frame_all(Pen *self, PyObject *const *records, Py_ssize_t count) {
    if (pen_is_ready(self) < 0) return -1;
    Py_ssize_t end = self->end;
    for (Py_ssize_t i = 0; i < count; i++) {
        Piece piece = {NULL, 0};
        if (PyBytes_CheckExact(records[i])) piece = (Piece){PyBytes_AS_STRING(records[i]), PyBytes_GET_SIZE(records[i])};
        if (piece.size > 0 && piece.size <= MAX_RECORD) {
            if (!pen_frame(self, &piece, 1)) continue;
            self->end = end;
            return -1;
        }
        self->end = end;
        return pen_in_trouble(self, EMSGSIZE);
    }
    return 0;
}

PyDoc_STRVAR(pen_append_doc, "append(*records)\n\nWhat is held and all of them by one write(2), each with its length before it.");
static PyObject *Pen_append(Pen *self, PyObject *const *records, Py_ssize_t count) {
    Py_ssize_t held_end = self->end;
    if (pen_frame_all(self, records, count) < 0 || pen_write(self, held_end) < 0) return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(pen_hold_doc, "hold(*records)\n\nThey wait for the next append.");
static PyObject *Pen_hold(Pen *self, PyObject *const *records, Py_ssize_t count) {
    if (pen_frame_all(self, records, count) < 0) return NULL;
    self->held += count;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(pen_flush_doc, "flush()\n\nAppend what is held.");
static PyObject *Pen_flush(Pen *self, PyObject *unused) {
    (void)unused;
    if (pen_is_ready(self) < 0 || pen_write(self, self->end) < 0) return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(pen_take_doc, "take()\n\nWhat was recorded and not taken before, to be hashed.");
static PyObject *Pen_take(Pen *self, PyObject *unused) {
    (void)unused;
    if (pen_is_ready(self) < 0) return NULL;
    PyObject *taken = PyBytes_FromStringAndSize((const char *)self->bytes, self->recorded);
    if (!taken) return NULL;
    Py_ssize_t left = self->end - self->recorded;
    if (left) memmove(self->bytes, self->bytes + self->recorded, (size_t)left);
    self->recorded = 0, self->end = left;
    if (!left && self->room > PEN_ROOM_KEPT) {
        PyMem_Free(self->bytes);
        self->bytes = NULL, self->room = 0;
    }
    return taken;
}

static int Pen_init(Pen *self, PyObject *args, PyObject *names) {
    PyObject *attention, *trouble;
    (void)names;
    if (self->attention) { PyErr_SetString(PyExc_RuntimeError, "initialised before"); return -1; }
    if (!PyArg_ParseTuple(args, "inOO", &self->descriptor, &self->most, &attention, &trouble)) return -1;
    self->attention = Py_NewRef(attention), self->trouble = Py_NewRef(trouble);
    return 0;
}
static int Pen_traverse(Pen *self, visitproc visit, void *arg) {
    Py_VISIT(self->attention);
    Py_VISIT(self->trouble);
    return 0;
}
static int Pen_clear(Pen *self) {
    Py_CLEAR(self->attention);
    Py_CLEAR(self->trouble);
    return 0;
}
static void Pen_dealloc(Pen *self) {
    PyObject_GC_UnTrack(self);
    Pen_clear(self);
    PyMem_Free(self->bytes);
    Py_TYPE(self)->tp_free((PyObject *)self);
}
static PyMethodDef Pen_methods[] = {
    {"append", (PyCFunction)(void (*)(void))Pen_append, METH_FASTCALL, pen_append_doc},
    {"hold", (PyCFunction)(void (*)(void))Pen_hold, METH_FASTCALL, pen_hold_doc},
    {"flush", (PyCFunction)Pen_flush, METH_NOARGS, pen_flush_doc}, {"take", (PyCFunction)Pen_take, METH_NOARGS, pen_take_doc},
    {NULL, NULL, 0, NULL},
};
static PyMemberDef Pen_members[] = {
    {"size", T_PYSSIZET, offsetof(Pen, size), 0, NULL}, {"descriptor", T_INT, offsetof(Pen, descriptor), 0, NULL},
    {"quiet", T_BOOL, offsetof(Pen, quiet), 0, NULL}, {"unhashed", T_PYSSIZET, offsetof(Pen, recorded), READONLY, NULL},
    {"held", T_PYSSIZET, offsetof(Pen, held), READONLY, NULL}, {"turns", T_PYSSIZET, offsetof(Pen, turns), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};
static PyTypeObject PenType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "proxy._lane.Pen", .tp_basicsize = sizeof(Pen),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, .tp_new = PyType_GenericNew, .tp_init = (initproc)Pen_init,
    .tp_traverse = (traverseproc)Pen_traverse, .tp_clear = (inquiry)Pen_clear, .tp_dealloc = (destructor)Pen_dealloc,
    .tp_methods = Pen_methods, .tp_members = Pen_members, .tp_doc = "Pen(descriptor, most, attention, trouble)",
};

#endif
