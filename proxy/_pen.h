/* The end of a segment file in C: `Pen` of ledger/segments.py. Included by `_lane.c`, which appends to it what it records.
 * tests/ledger/test_pen.py drives both.
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

/* It writes with the GIL held: a page cache takes microseconds, giving
 * the GIL up and getting it back among other threads takes more. */
typedef struct {
    PyObject_HEAD
    PyObject *attention, *trouble, *unhashed;
    Py_ssize_t size, most;
    int descriptor;
    char quiet;
} Pen;
#define MAX_RECORD (16 * 1024 * 1024)

static PyObject *framed(PyObject *const *records, Py_ssize_t count) {
    Py_ssize_t size = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        Py_ssize_t one = PyBytes_CheckExact(records[i]) ? PyBytes_GET_SIZE(records[i]) : 0;
        if (one <= 0 || one > MAX_RECORD) return NULL;
        size += 4 + one;
    }
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, size);
    unsigned char *to = bytes ? (unsigned char *)PyBytes_AS_STRING(bytes) : NULL;
    for (Py_ssize_t i = 0; bytes && i < count; i++) {
        Py_ssize_t one = PyBytes_GET_SIZE(records[i]);
        to[0] = (unsigned char)(one >> 24), to[1] = (unsigned char)(one >> 16), to[2] = (unsigned char)(one >> 8), to[3] = (unsigned char)one;
        memcpy(to + 4, PyBytes_AS_STRING(records[i]), (size_t)one);
        to += 4 + one;
    }
    return bytes;
}

/* Nothing was recorded: always an error, whatever `trouble` does. */
static PyObject *in_trouble(Pen *self, int number) {
    PyObject *told = PyObject_CallFunction(self->trouble, "i", number);
    if (told) PyErr_SetString(PyExc_RuntimeError, "nothing was recorded");
    Py_XDECREF(told);
    return NULL;
}

PyDoc_STRVAR(append_doc, "append(*records)\n\nAll of them by one write(2), each with its length before it.");
static PyObject *Pen_append(Pen *self, PyObject *const *records, Py_ssize_t count) {
    if (!self->unhashed) { PyErr_SetString(PyExc_RuntimeError, "not initialised"); return NULL; }
    PyObject *data = framed(records, count);
    if (!data) return PyErr_Occurred() ? NULL : in_trouble(self, EMSGSIZE);
    Py_ssize_t size = PyBytes_GET_SIZE(data), written = -1;
    int problem = EBADF;
    if (self->descriptor >= 0) {
        do written = write(self->descriptor, PyBytes_AS_STRING(data), (size_t)size);
        while (written < 0 && errno == EINTR && !PyErr_CheckSignals());
        problem = errno;
    }
    if (PyErr_Occurred()) { Py_DECREF(data); return NULL; }
    if (written == size && PyList_Append(self->unhashed, data) < 0) {
        PyErr_Clear();
        written = 0; /* what will not be hashed is taken back, as half a record is */
    }
    Py_DECREF(data);
    if (written != size) return in_trouble(self, written < 0 ? problem : 0);
    self->size += size;
    if (self->quiet && PyList_GET_SIZE(self->unhashed) < self->most) Py_RETURN_NONE;
    return PyObject_CallNoArgs(self->attention);
}

static int Pen_init(Pen *self, PyObject *args, PyObject *names) {
    PyObject *attention, *trouble;
    if (self->unhashed) { PyErr_SetString(PyExc_RuntimeError, "initialised before"); return -1; }
    if (!PyArg_ParseTuple(args, "inOO", &self->descriptor, &self->most, &attention, &trouble)) return -1;
    Py_XSETREF(self->attention, Py_NewRef(attention));
    Py_XSETREF(self->trouble, Py_NewRef(trouble));
    Py_XSETREF(self->unhashed, PyList_New(0));
    return self->unhashed ? 0 : -1;
}
static int Pen_traverse(Pen *self, visitproc visit, void *arg) {
    Py_VISIT(self->attention);
    Py_VISIT(self->trouble);
    Py_VISIT(self->unhashed);
    return 0;
}
static int Pen_clear(Pen *self) {
    Py_CLEAR(self->attention);
    Py_CLEAR(self->trouble);
    Py_CLEAR(self->unhashed);
    return 0;
}
static void Pen_dealloc(Pen *self) {
    PyObject_GC_UnTrack(self);
    Pen_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}
static PyMethodDef Pen_methods[] = {
    {"append", (PyCFunction)(void (*)(void))Pen_append, METH_FASTCALL, append_doc}, {NULL, NULL, 0, NULL},
};
static PyMemberDef Pen_members[] = {
    {"size", T_PYSSIZET, offsetof(Pen, size), 0, NULL}, {"descriptor", T_INT, offsetof(Pen, descriptor), 0, NULL},
    {"quiet", T_BOOL, offsetof(Pen, quiet), 0, NULL}, {"unhashed", T_OBJECT_EX, offsetof(Pen, unhashed), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};
static PyTypeObject PenType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "proxy._lane.Pen", .tp_basicsize = sizeof(Pen),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, .tp_new = PyType_GenericNew, .tp_init = (initproc)Pen_init,
    .tp_traverse = (traverseproc)Pen_traverse, .tp_clear = (inquiry)Pen_clear, .tp_dealloc = (destructor)Pen_dealloc,
    .tp_methods = Pen_methods, .tp_members = Pen_members, .tp_doc = "Pen(descriptor, most, attention, trouble)",
};

#endif
