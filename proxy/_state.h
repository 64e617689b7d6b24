/* What the short way in C and Python both read and set: each is a type of its own with plain members, and has a twin in Python
 * (`native.in_c`) with the same fields. Also what both files in C need: bytes on their way.
 */
#ifndef HOOP_STATE_H
#define HOOP_STATE_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include "_bytes.h"

/* Bytes that came, where they are, and as an object once somebody needs that. */
typedef struct { Bytes at; Size size; PyObject *object; } Data;

/* Borrowed; NULL with an error. */
static PyObject *object_of(Data *data) {
    if (!data->object) data->object = PyBytes_FromStringAndSize((const char *)data->at, data->size);
    return data->object;
}

/* A receiver in C: 0, or -1 with an error, as if it had been called with the bytes. */
typedef int (*Passing)(PyObject *to, Data *data);

static int done(PyObject *result) {
    if (!result) return -1;
    Py_DECREF(result);
    return 0;
}

typedef unsigned long long Count;

/* proxy/admission.py, Version: how often something changed. */
typedef struct { PyObject_HEAD Count value; } Version;

/* proxy/admission.py, Counters. */
typedef struct { PyObject_HEAD Count statements, refused, held, masked, rows; } Counters;

/* proxy/postgres/known.py, Known. From `looks` on only C sees it: the description that was seen last, what was decided for such
 * results (a Shape, which never changes), and of that what a small answer needs. */
typedef struct {
    PyObject_HEAD
    double until;
    Count epoch, version;
    char brief, free, plain;
    PyObject *packed, *begins, *shape, *bound, *blank, *types, *reading, *verdict;
    PyObject *looks, *decided, *names, *told;
} Known;

/* proxy/postgres/known.py, Passage. */
typedef struct { PyObject_HEAD PyObject *known; Count number; } Passage;

static int no_arguments(PyObject *self, PyObject *args, PyObject *names) {
    if (!PyTuple_GET_SIZE(args) && !(names && PyDict_GET_SIZE(names))) return 0;
    PyErr_Format(PyExc_TypeError, "%s takes no arguments", Py_TYPE(self)->tp_name);
    return -1;
}
#define NUMBER(type, field) {#field, T_ULONGLONG, offsetof(type, field), 0, NULL}
#define OBJECT(type, field) {#field, T_OBJECT_EX, offsetof(type, field), 0, NULL}
#define FIXED(type, what, field) {#field, what, offsetof(type, field), READONLY, NULL}
#define LAST_MEMBER {NULL, 0, 0, 0, NULL}

/* ---------------------------------------------------------------------------------------------- numbers */

static PyObject *Version_call(Version *self, PyObject *args, PyObject *names) {
    return no_arguments((PyObject *)self, args, names) < 0 ? NULL : PyLong_FromUnsignedLongLong(self->value);
}
static PyObject *Version_grow(Version *self, PyObject *unused) {
    (void)unused;
    self->value++;
    Py_RETURN_NONE;
}
static PyMethodDef Version_methods[] = {
    {"grow", (PyCFunction)Version_grow, METH_NOARGS, "grow()\n\nWhat was known before may not hold any more."}, {NULL, NULL, 0, NULL},
};
static PyMemberDef Version_members[] = {NUMBER(Version, value), LAST_MEMBER};
static PyTypeObject VersionType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "proxy._lane.Version", .tp_basicsize = sizeof(Version), .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = PyType_GenericNew, .tp_init = no_arguments, .tp_call = (ternaryfunc)Version_call, .tp_methods = Version_methods,
    .tp_members = Version_members, .tp_doc = "How often something changed.",
};

static PyMemberDef Counters_members[] = {
    NUMBER(Counters, statements), NUMBER(Counters, refused), NUMBER(Counters, held), NUMBER(Counters, masked),
    NUMBER(Counters, rows), LAST_MEMBER,
};
static PyTypeObject CountersType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "proxy._lane.Counters", .tp_basicsize = sizeof(Counters), .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = PyType_GenericNew, .tp_init = no_arguments, .tp_members = Counters_members, .tp_doc = "The totals of a session.",
};

/* ---------------------------------------------------------------------------------------------- a read, and which is under way */

static int a_count(PyObject *object, Count *count) {
    *count = PyLong_AsUnsignedLongLong(object);
    return !PyErr_Occurred();
}
static int Known_init(Known *self, PyObject *args, PyObject *names) {
    static char *words[] = {"reading", "verdict", "packed", "epoch", "version", "until", "short", "begins", "shape", "bound", "blank", "types", NULL};
    PyObject *reading, *verdict, *packed, *begins = NULL, *shape = Py_None, *bound = Py_None, *blank = Py_None, *types = Py_None;
    int brief;
    if (self->packed) { PyErr_SetString(PyExc_RuntimeError, "initialised before"); return -1; }
    if (!PyArg_ParseTupleAndKeywords(args, names, "OOSO&O&dp|SOOOO", words, &reading, &verdict, &packed, a_count, &self->epoch, a_count,
        &self->version, &self->until, &brief, &begins, &shape, &bound, &blank, &types)) return -1;
    PyObject *start = begins ? Py_NewRef(begins) : PyBytes_FromStringAndSize(NULL, 0);
    if (!start) return -1;
    self->brief = (char)brief, self->begins = start, self->packed = Py_NewRef(packed);
    self->reading = Py_NewRef(reading), self->verdict = Py_NewRef(verdict), self->shape = Py_NewRef(shape), self->bound = Py_NewRef(bound);
    self->blank = Py_NewRef(blank), self->types = Py_NewRef(types);
    return 0;
}
#define KNOWN_OBJECTS(do) \
    do(self->packed); do(self->begins); do(self->shape); do(self->bound); do(self->blank); do(self->types); do(self->reading); do(self->verdict); do(self->looks); \
    do(self->decided); do(self->names); do(self->told)
static int Known_traverse(Known *self, visitproc visit, void *arg) { KNOWN_OBJECTS(Py_VISIT); return 0; }
static int Known_clear(Known *self) { KNOWN_OBJECTS(Py_CLEAR); return 0; }
static void Known_dealloc(Known *self) {
    PyObject_GC_UnTrack(self);
    Known_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}
static PyMemberDef Known_members[] = {
    FIXED(Known, T_ULONGLONG, epoch), FIXED(Known, T_ULONGLONG, version), FIXED(Known, T_DOUBLE, until),
    FIXED(Known, T_OBJECT_EX, reading), FIXED(Known, T_OBJECT_EX, verdict), FIXED(Known, T_OBJECT_EX, packed),
    {"short", T_BOOL, offsetof(Known, brief), 0, NULL}, OBJECT(Known, begins), OBJECT(Known, shape), OBJECT(Known, bound),
    OBJECT(Known, blank), OBJECT(Known, types), LAST_MEMBER,
};
static PyTypeObject KnownType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "proxy._lane.Known", .tp_basicsize = sizeof(Known),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, .tp_new = PyType_GenericNew, .tp_init = (initproc)Known_init,
    .tp_traverse = (traverseproc)Known_traverse, .tp_clear = (inquiry)Known_clear, .tp_dealloc = (destructor)Known_dealloc,
    .tp_members = Known_members, .tp_doc = "A plain read that was let through a moment ago.",
};

static int Passage_init(Passage *self, PyObject *args, PyObject *names) {
    if (no_arguments((PyObject *)self, args, names) < 0) return -1;
    Py_XSETREF(self->known, Py_NewRef(Py_None));
    return 0;
}
static int Passage_traverse(Passage *self, visitproc visit, void *arg) { Py_VISIT(self->known); return 0; }
static int Passage_clear(Passage *self) { Py_CLEAR(self->known); return 0; }
static void Passage_dealloc(Passage *self) {
    PyObject_GC_UnTrack(self);
    Passage_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}
static PyMemberDef Passage_members[] = {OBJECT(Passage, known), NUMBER(Passage, number), LAST_MEMBER};
static PyTypeObject PassageType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "proxy._lane.Passage", .tp_basicsize = sizeof(Passage),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, .tp_new = PyType_GenericNew, .tp_init = (initproc)Passage_init,
    .tp_traverse = (traverseproc)Passage_traverse, .tp_clear = (inquiry)Passage_clear, .tp_dealloc = (destructor)Passage_dealloc,
    .tp_members = Passage_members, .tp_doc = "The read that is on the short way, if any.",
};

#endif
