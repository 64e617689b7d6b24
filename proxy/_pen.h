/* The end of a segment file in C: `Pen` of ledger/segments.py. Included by `_lane.c`, which appends to it what it records.
 * tests/ledger/test_pen.py drives both.
 *
 * It writes with the GIL held: a page cache takes microseconds, giving the GIL up and getting it back among other threads
 * takes more. No interpreter object is made for a record: it is framed where it waits to be hashed, and written from there.
 *
 * A pen that has joined a redo log puts what it appends there, and `file` writes it to the segment a moment later, of many
 * appends together. Without room in the log it writes all that is not in the segment yet, and then itself, as before.
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
#include "_redo.h"

/* `bytes` are first the `recorded` ones, of which those from `hashed` on wait to be hashed and those from `filed` on to be
 * written to the segment, then up to `end` what is held. `loose`: from there on all is in the redo log. */
typedef struct {
    PyObject_HEAD
    PyObject *attention, *trouble, *owner, *name;
    Window *window;
    unsigned char *bytes;
    Py_ssize_t room, hashed, filed, recorded, end;
    Py_ssize_t size, most, held, turns, loose, pass;
    int descriptor;
    char quiet, writing;
} Pen;

/* A part of a record. */
typedef struct { const void *at; Py_ssize_t size; } Piece;

#define MAX_RECORD (16 * 1024 * 1024)
/* Room for so much is kept when nothing waits. */
#define PEN_ROOM_KEPT 1024
/* More than this at once, or waiting for the segment, is written there: the redo log is for what is small. */
#define PEN_LOGGED_MOST (64 * 1024)
#define PEN_UNFILED_MOST (512 * 1024)

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

/* Put what is behind `recorded` into the redo log: 1, 0 when it is not for there, -1 with an error. */
static int pen_log(Pen *self) {
    Window *window = self->window;
    Py_ssize_t size = self->end - self->recorded;
    if (!window || !window->open || size > PEN_LOGGED_MOST || self->end - self->filed > PEN_UNFILED_MOST) return 0;
    if (self->pass != window->pass) { /* before it has anything there */
        if (PySet_Add(window->owners, self->owner) < 0) return -1;
        self->pass = window->pass;
    }
    return window_put(window, self->name, self->size, self->bytes + self->recorded, size);
}

/* Write what is not in the segment, by one write(2): 0, an error number, PEN_PART when only a part could be, or -1 when a
 * signal's handler raised. What was recorded before may be there in part then; the rest of it follows the next time. */
#define PEN_PART -2
static int pen_put_down(Pen *self, int descriptor, Py_ssize_t end) {
    Py_ssize_t size = end - self->filed, written = -1;
    if (descriptor < 0) return EBADF;
    self->writing = 1;
    do written = write(descriptor, self->bytes + self->filed, (size_t)size);
    while (written < 0 && errno == EINTR && !PyErr_CheckSignals());
    int problem = errno;
    self->writing = 0;
    if (written < 0) return PyErr_Occurred() ? -1 : problem;
    if (written == size) {
        self->filed = end;
        return 0;
    }
    self->filed = written < self->recorded - self->filed ? self->filed + written : self->recorded;
    return PEN_PART;
}

/* Record what is held and what was framed behind it. 0; -1 with an error: then `end` is that of what was held. */
static int pen_write(Pen *self, Py_ssize_t held_end) {
    Py_ssize_t size = self->end - self->recorded;
    if (!size) return 0;
    int logged = self->descriptor < 0 ? 0 : pen_log(self);
    if (logged <= 0) {
        int problem = logged < 0 ? -1 : pen_put_down(self, self->descriptor, self->end);
        if (problem) {
            self->end = held_end;
            if (PyErr_Occurred()) return -1;
            return pen_in_trouble(self, problem == PEN_PART ? 0 : problem);
        }
        self->loose = self->size + size;
    }
    self->recorded = self->end, self->size += size;
    if (self->held) self->held = 0, self->turns++;
    if (self->quiet && self->recorded - self->hashed < self->most) return 0;
    PyObject *attended = PyObject_CallNoArgs(self->attention);
    Py_XDECREF(attended);
    return attended ? 0 : -1;
}

/* One record, behind what is held: all of it or nothing. 0 = recorded; -1 with an error: then nothing may be forwarded, and
 * what was held still is, unless only `attention` failed. */
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

PyDoc_STRVAR(pen_append_doc, "append(*records)\n\nWhat is held and all of them at once, each with its length before it: into the redo log or by one write(2).");
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

/* Forget what nothing waits for. */
static void pen_compact(Pen *self) {
    Py_ssize_t over = self->hashed < self->filed ? self->hashed : self->filed, left = self->end - over;
    if (over && left) memmove(self->bytes, self->bytes + over, (size_t)left);
    self->hashed -= over, self->filed -= over, self->recorded -= over, self->end = left;
    if (!left && self->room > PEN_ROOM_KEPT) {
        PyMem_Free(self->bytes);
        self->bytes = NULL, self->room = 0;
    }
}

PyDoc_STRVAR(pen_take_doc, "take()\n\nWhat was recorded and not taken before, to be hashed.");
static PyObject *Pen_take(Pen *self, PyObject *unused) {
    (void)unused;
    if (pen_is_ready(self) < 0) return NULL;
    const char *from = self->bytes ? (const char *)self->bytes + self->hashed : NULL;
    PyObject *taken = PyBytes_FromStringAndSize(from, self->recorded - self->hashed);
    if (!taken) return NULL;
    self->hashed = self->recorded;
    pen_compact(self);
    return taken;
}

PyDoc_STRVAR(pen_join_doc,
"join(window, name, owner)\n\nPut what is small into this redo log first, by this name of the segment; `owner` is told there.");
static PyObject *Pen_join(Pen *self, PyObject *args) {
    PyObject *window, *name, *owner;
    if (!PyArg_ParseTuple(args, "O!SO", &WindowType, &window, &name, &owner) || pen_is_ready(self) < 0) return NULL;
    if (PyBytes_GET_SIZE(name) > UINT16_MAX) { PyErr_SetString(PyExc_ValueError, "the name is too long"); return NULL; }
    if ((PyObject *)self->window != window) self->pass = 0;
    Py_XSETREF(self->window, (Window *)Py_NewRef(window));
    Py_XSETREF(self->name, Py_NewRef(name));
    Py_XSETREF(self->owner, Py_NewRef(owner));
    Py_RETURN_NONE;
}

PyDoc_STRVAR(pen_file_doc,
"file(descriptor)\n\nWrite what is only in the redo log to the segment. Raises OSError: then it joins no log any more.");
static PyObject *Pen_file(Pen *self, PyObject *given) {
    int descriptor = PyLong_AsLong(given), problem = 0;
    if ((descriptor == -1 && PyErr_Occurred()) || pen_is_ready(self) < 0) return NULL;
    if (self->recorded > self->filed) problem = pen_put_down(self, descriptor, self->recorded);
    if (problem) {
        Py_CLEAR(self->window);
        errno = problem == PEN_PART ? ENOSPC : problem;
        return PyErr_Occurred() ? NULL : PyErr_SetFromErrno(PyExc_OSError);
    }
    pen_compact(self);
    Py_RETURN_NONE;
}

static PyObject *Pen_unhashed(Pen *self, void *unused) { (void)unused; return PyLong_FromSsize_t(self->recorded - self->hashed); }
static PyObject *Pen_unfiled(Pen *self, void *unused) { (void)unused; return PyLong_FromSsize_t(self->recorded - self->filed); }

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
    Py_VISIT(self->owner);
    Py_VISIT(self->window);
    return 0;
}
static int Pen_clear(Pen *self) {
    Py_CLEAR(self->attention);
    Py_CLEAR(self->trouble);
    Py_CLEAR(self->owner);
    Py_CLEAR(self->window);
    Py_CLEAR(self->name);
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
    {"join", (PyCFunction)Pen_join, METH_VARARGS, pen_join_doc}, {"file", (PyCFunction)Pen_file, METH_O, pen_file_doc},
    {NULL, NULL, 0, NULL},
};
static PyMemberDef Pen_members[] = {
    {"size", T_PYSSIZET, offsetof(Pen, size), 0, NULL}, {"descriptor", T_INT, offsetof(Pen, descriptor), 0, NULL},
    {"quiet", T_BOOL, offsetof(Pen, quiet), 0, NULL}, {"loose", T_PYSSIZET, offsetof(Pen, loose), READONLY, NULL},
    {"held", T_PYSSIZET, offsetof(Pen, held), READONLY, NULL}, {"turns", T_PYSSIZET, offsetof(Pen, turns), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};
static PyGetSetDef Pen_computed[] = {
    {"unhashed", (getter)Pen_unhashed, NULL, NULL, NULL}, {"unfiled", (getter)Pen_unfiled, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
static PyTypeObject PenType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "proxy._lane.Pen", .tp_basicsize = sizeof(Pen),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, .tp_new = PyType_GenericNew, .tp_init = (initproc)Pen_init,
    .tp_traverse = (traverseproc)Pen_traverse, .tp_clear = (inquiry)Pen_clear, .tp_dealloc = (destructor)Pen_dealloc,
    .tp_methods = Pen_methods, .tp_members = Pen_members, .tp_getset = Pen_computed,
    .tp_doc = "Pen(descriptor, most, attention, trouble)",
};

#endif
