/* Reading and writing plain sockets by their descriptors, for sessions that have begun, on Linux: `proxy/wire.py` uses it where
 * it is there, and the transports of the event loop otherwise. tests/proxy/test_ends.py drives both. Included by `_lane.c`:
 * where its receiver is in C, and what that writes to, the bytes pass without any object in between.
 *
 * A Poller is an epoll set of its own that the event loop waits for as for one file. At each turn everything that came is
 * received and handed on in one call: the interpreter is entered once for all of them, and its lock is not given up and
 * taken back for each. An End is one socket in it. What is not simple is left to the transport: the end of a connection, an
 * error, and bytes that the socket does not take at once. So a transport must outlive its End (`leave` comes first).
 */
#ifndef HOOP_ENDS_H
#define HOOP_ENDS_H
#include "_state.h"
#include <errno.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Bytes of one read at most; as much as uvloop reads. */
#define RECEIVED_MOST (256 * 1024)
/* What a turn looks at at most, and how often it looks again before the rest of the loop gets its turn. What it stayed awake
 * for does not count, for so many nanoseconds. */
#define EVENTS 64
#define LOOKS 4
#define TURN_MOST 1000000
/* A question and its answer are not larger: what is larger is no small query, and what follows it not worth to be awake for. */
#define SMALL_MOST 4096
/* After staying awake in vain it does not for so many turns, twice as many each time, up to two to this. */
#define VAIN_MOST 10

typedef struct End End;

/* What this receiver does with bytes, and whose it is (borrowed), when it is in C. */
static Passing passing_of(PyObject *received, PyObject **to);

/* How often staying awake was in vain, and how many turns it will not be tried for. */
typedef struct { int vain, skips; } Luck;

typedef struct {
    PyObject_HEAD
    End **ends;
    Size room;
    unsigned char *buffer;
    int64_t patience;
    Size asked, told;
    Luck answers, questions;
    int descriptor;
    char turning;
} Poller;

/* What an End is given. */
enum { END_RECEIVED, END_OVER, END_FAILED, END_WRITE, END_WAITING, END_PORTS };

struct End {
    PyObject_HEAD
    Poller *poller;
    PyObject *port[END_PORTS];
    Passing passing; /* what its receiver does, when that is in C, and whose it is: kept by the port */
    PyObject *to;
    Size index;
    int descriptor;
    char reading, behind, answers, asked;
};

static PyTypeObject EndType;

/* ---------------------------------------------------------------------------------------------- one socket */

static int watch(End *self, int operation) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)self->index};
    if (!epoll_ctl(self->poller->descriptor, operation, self->descriptor, &event)) return 0;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
}

/* Whether an answer is expected of it. */
static void expect(End *self, int answer) {
    if (self->asked == answer) return;
    self->asked = (char)answer;
    self->poller->asked += answer ? 1 : -1;
}

static void forget(End *self) {
    if (self->descriptor < 0) return;
    if (self->reading && watch(self, EPOLL_CTL_DEL) < 0) PyErr_Clear(); /* it was closed: then it is not in the set either */
    expect(self, 0);
    self->reading = 0, self->descriptor = -1;
    Poller *poller = self->poller;
    Size index = self->index;
    self->poller = NULL;
    if (poller->ends && poller->ends[index] == self) {
        poller->ends[index] = NULL;
        Py_DECREF(self);
    }
    Py_DECREF(poller);
}

PyDoc_STRVAR(leave_doc, "leave()\n\nNeither read nor write it any more: everything is the transport's. Safe to call twice.");
static PyObject *End_leave(End *self, PyObject *unused) {
    (void)unused;
    Py_INCREF(self);
    forget(self);
    Py_DECREF(self);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(pause_doc, "pause()\n\nDo not read.");
static PyObject *End_pause(End *self, PyObject *unused) {
    (void)unused;
    if (!self->reading) Py_RETURN_NONE;
    self->reading = 0;
    if (watch(self, EPOLL_CTL_DEL) < 0) PyErr_Clear(); /* as in `forget` */
    Py_RETURN_NONE;
}

PyDoc_STRVAR(resume_doc, "resume()\n\nRead. Raises OSError when it cannot be waited for.");
static PyObject *End_resume(End *self, PyObject *unused) {
    (void)unused;
    if (self->reading || self->descriptor < 0) Py_RETURN_NONE;
    if (watch(self, EPOLL_CTL_ADD) < 0) return NULL;
    self->reading = 1;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(hand_to_doc, "hand_to(received)\n\nIts bytes go there from now on.");
static PyObject *End_hand_to(End *self, PyObject *received) {
    self->passing = passing_of(received, &self->to);
    Py_XSETREF(self->port[END_RECEIVED], Py_NewRef(received));
    Py_RETURN_NONE;
}

/* Whether nothing that was written before waits in the transport: 1, 0, or -1 for an error. */
static int is_free(End *self) {
    if (!self->behind) return 1;
    PyObject *waiting = PyObject_CallNoArgs(self->port[END_WAITING]);
    int waits = waiting ? PyObject_IsTrue(waiting) : -1;
    Py_XDECREF(waiting);
    if (waits < 0) return -1;
    self->behind = (char)waits;
    return !waits;
}

/* How many bytes the socket took; none when it cannot just now, or has failed, which the transport will find as well. */
static Size sent(End *self, Bytes bytes, Size size) {
    Size taken;
    do taken = send(self->descriptor, bytes, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (taken < 0 && errno == EINTR);
    return taken < 0 ? 0 : taken;
}

/* 0, or -1 with an error of the transport. */
static int end_write(End *self, Data *data) {
    if (!self->port[END_WRITE]) { PyErr_SetString(PyExc_RuntimeError, "not of a poller"); return -1; }
    int is_first = self->descriptor >= 0 ? is_free(self) : 0;
    if (is_first < 0) return -1;
    if (!is_first) {
        self->behind = 1;
        PyObject *object = object_of(data);
        return object ? done(PyObject_CallOneArg(self->port[END_WRITE], object)) : -1;
    }
    Size size = data->size, taken = sent(self, data->at, size);
    if (self->descriptor >= 0 && self->answers) expect(self, size <= SMALL_MOST);
    else if (self->descriptor >= 0 && size <= SMALL_MOST) self->poller->told++;
    if (taken == size) return 0;
    self->behind = 1;
    PyObject *rest = PyBytes_FromStringAndSize((const char *)data->at + taken, size - taken);
    int result = rest ? done(PyObject_CallOneArg(self->port[END_WRITE], rest)) : -1;
    Py_XDECREF(rest);
    return result;
}

PyDoc_STRVAR(write_doc,
"write(data)\n\nTo the socket if it takes it at once and nothing waits before it; what is left goes to the transport.");
static PyObject *End_write(End *self, PyObject *object) {
    if (PyBytes_CheckExact(object)) {
        Data data = {(Bytes)PyBytes_AS_STRING(object), PyBytes_GET_SIZE(object), object};
        if (end_write(self, &data) < 0) return NULL;
        Py_RETURN_NONE;
    }
    if (!self->port[END_WRITE]) { PyErr_SetString(PyExc_RuntimeError, "not of a poller"); return NULL; }
    self->behind = 1;
    return PyObject_CallOneArg(self->port[END_WRITE], object);
}

/* An error while its bytes were handed on: its owner is told, and ends it. -1 when that should end everything. */
static int failed(End *self) {
    PyObject *type, *problem, *trace;
    PyErr_Fetch(&type, &problem, &trace);
    PyErr_NormalizeException(&type, &problem, &trace);
    if (problem && trace) PyException_SetTraceback(problem, trace);
    forget(self);
    int result = done(PyObject_CallOneArg(self->port[END_FAILED], problem ? problem : Py_None));
    if (result < 0 && PyErr_ExceptionMatches(PyExc_Exception)) {
        PyErr_WriteUnraisable((PyObject *)self);
        result = 0;
    }
    Py_XDECREF(type);
    Py_XDECREF(problem);
    Py_XDECREF(trace);
    return result;
}

/* Receive what is there and hand it on. -1 with an error that is not this socket's. */
static int receive(End *self) {
    unsigned char *buffer = self->poller->buffer;
    Size size = recv(self->descriptor, buffer, RECEIVED_MOST, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return 0;
    expect(self, 0);
    int result;
    if (size <= 0) { /* over, or broken: the transport finds the same */
        forget(self);
        result = done(PyObject_CallNoArgs(self->port[END_OVER]));
    } else {
        Data data = {buffer, size, NULL};
        PyObject *received = Py_NewRef(self->passing ? self->to : self->port[END_RECEIVED]); /* which may be another when it returns */
        if (self->passing) result = self->passing(received, &data);
        else result = object_of(&data) ? done(PyObject_CallOneArg(received, data.object)) : -1;
        Py_XDECREF(data.object);
        Py_DECREF(received);
    }
    return result < 0 ? failed(self) : 0;
}

static int End_traverse(End *self, visitproc visit, void *arg) {
    Py_VISIT(self->poller);
    for (int i = 0; i < END_PORTS; i++) Py_VISIT(self->port[i]);
    return 0;
}
static int End_clear(End *self) {
    Py_INCREF(self);
    forget(self);
    self->passing = NULL;
    for (int i = 0; i < END_PORTS; i++) Py_CLEAR(self->port[i]);
    Py_DECREF(self);
    return 0;
}
static void End_dealloc(End *self) {
    PyObject_GC_UnTrack(self);
    Py_CLEAR(self->poller); /* who is in a poller is kept by it, so this one is not in any */
    self->passing = NULL;
    for (int i = 0; i < END_PORTS; i++) Py_CLEAR(self->port[i]);
    Py_TYPE(self)->tp_free((PyObject *)self);
}
static PyMethodDef End_methods[] = {
    {"leave", (PyCFunction)End_leave, METH_NOARGS, leave_doc}, {"pause", (PyCFunction)End_pause, METH_NOARGS, pause_doc},
    {"resume", (PyCFunction)End_resume, METH_NOARGS, resume_doc}, {"hand_to", (PyCFunction)End_hand_to, METH_O, hand_to_doc},
    {"write", (PyCFunction)End_write, METH_O, write_doc},
    {NULL, NULL, 0, NULL},
};
static PyTypeObject EndType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "proxy._lane.End", .tp_basicsize = sizeof(End),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = (traverseproc)End_traverse, .tp_clear = (inquiry)End_clear, .tp_dealloc = (destructor)End_dealloc,
    .tp_methods = End_methods, .tp_doc = "One socket of a Poller (`Poller.add`).",
};

/* ---------------------------------------------------------------------------------------------- all of them */

/* A place for one more, or -1 with an error. */
static Size place(Poller *self) {
    Size index = 0;
    while (index < self->room && self->ends[index]) index++;
    if (index < self->room) return index;
    Size room = self->room ? self->room * 2 : 16;
    End **ends = PyMem_Realloc(self->ends, (size_t)room * sizeof *ends);
    if (!ends) { PyErr_NoMemory(); return -1; }
    for (Size i = self->room; i < room; i++) ends[i] = NULL;
    self->ends = ends, self->room = room;
    return index;
}

PyDoc_STRVAR(add_doc,
"add(descriptor, received, over, failed, write, waiting, answers)\n\n"
"A non-blocking stream socket as an End, paused. `received` is given its bytes. `over` is called once when no more come, or\n"
"it is broken, and `failed` with what `received` or `over` raised; both find it left. `write` takes what the socket did not\n"
"take at once, and `waiting` says how much of that is still there. `answers`: what is written is a question to it.");
static PyObject *Poller_add(Poller *self, PyObject *args) {
    PyObject *port[END_PORTS];
    int descriptor, answers;
    if (!PyArg_ParseTuple(args, "iOOOOOp", &descriptor, &port[0], &port[1], &port[2], &port[3], &port[4], &answers)) return NULL;
    if (self->descriptor < 0 || descriptor < 0) {
        PyErr_SetString(PyExc_ValueError, self->descriptor < 0 ? "the poller is closed" : "this is no descriptor");
        return NULL;
    }
    Size index = place(self);
    End *end = index < 0 ? NULL : PyObject_GC_New(End, &EndType);
    if (!end) return NULL;
    for (int i = 0; i < END_PORTS; i++) end->port[i] = Py_NewRef(port[i]);
    end->passing = passing_of(port[END_RECEIVED], &end->to);
    end->poller = (Poller *)Py_NewRef(self);
    end->index = index, end->descriptor = descriptor, end->reading = 0, end->behind = 1, end->answers = (char)answers, end->asked = 0;
    self->ends[index] = (End *)Py_NewRef(end);
    PyObject_GC_Track(end);
    return (PyObject *)end;
}

static int64_t nanoseconds(void) {
    struct timespec now;
    return clock_gettime(CLOCK_MONOTONIC, &now) ? 0 : (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Nothing is there. When one answer is expected, or one was just told whose client may ask again, and the last ones came
 * quickly, stay awake for it, behind everybody else who has something to do: to be woken takes longer than a small query. */
static int stay_awake(Poller *self, struct epoll_event *events) {
    Luck *luck = self->asked ? &self->answers : &self->questions;
    /* Where many are under way, others need the CPU more. */
    if ((self->asked ? self->asked : self->told) != 1 || !self->patience) return 0;
    if (luck->skips) { luck->skips--; return 0; }
    int count, descriptor = self->descriptor;
    int64_t patience = self->patience;
    Py_BEGIN_ALLOW_THREADS
    int64_t until = nanoseconds() + patience;
    do {
        sched_yield();
        count = epoll_wait(descriptor, events, EVENTS, 0);
    } while (!count && nanoseconds() < until);
    Py_END_ALLOW_THREADS
    if (count > 0) luck->vain = 0;
    else luck->skips = 1 << (luck->vain < VAIN_MOST ? ++luck->vain : VAIN_MOST);
    return count;
}

PyDoc_STRVAR(turn_doc, "turn()\n\nReceive and hand on what came.");
static PyObject *Poller_turn(Poller *self, PyObject *unused) {
    (void)unused;
    if (self->turning) Py_RETURN_NONE;
    self->turning = 1;
    int result = 0;
    int64_t until = nanoseconds() + TURN_MOST;
    self->told = 0;
    for (int look = 0; look < LOOKS && result >= 0 && self->descriptor >= 0; look++) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(self->descriptor, events, EVENTS, 0);
        if (!count && (count = stay_awake(self, events)) > 0 && nanoseconds() < until) look--;
        self->told = 0;
        if (count <= 0) {
            if (count < 0 && errno != EINTR) { PyErr_SetFromErrno(PyExc_OSError); result = -1; }
            break;
        }
        for (int i = 0; i < count && result >= 0; i++) {
            /* It may have left since, and its place be another's: then there is nothing to receive. */
            Size index = (Size)events[i].data.u64;
            End *end = index < self->room ? self->ends[index] : NULL;
            if (!end || !end->reading) continue;
            Py_INCREF(end);
            result = receive(end);
            Py_DECREF(end);
        }
    }
    self->turning = 0;
    if (result < 0) return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(fileno_doc, "fileno()\n\nReadable when there is a turn to take; -1 when closed.");
static PyObject *Poller_fileno(Poller *self, PyObject *unused) {
    (void)unused;
    return PyLong_FromLong(self->descriptor);
}

PyDoc_STRVAR(close_doc, "close()\n\nLeave all of them. Safe to call twice.");
static PyObject *Poller_close(Poller *self, PyObject *unused) {
    (void)unused;
    for (Size i = 0; i < self->room; i++)
        if (self->ends[i]) forget(self->ends[i]);
    if (self->descriptor >= 0) close(self->descriptor);
    self->descriptor = -1;
    Py_RETURN_NONE;
}

static int Poller_traverse(Poller *self, visitproc visit, void *arg) {
    for (Size i = 0; i < self->room; i++) Py_VISIT(self->ends[i]);
    return 0;
}
static int Poller_clear(Poller *self) { return done(Poller_close(self, NULL)); }
static void Poller_dealloc(Poller *self) {
    PyObject_GC_UnTrack(self);
    if (self->descriptor >= 0) close(self->descriptor); /* an End keeps its poller, so there is none any more */
    PyMem_Free(self->ends);
    PyMem_Free(self->buffer);
    Py_TYPE(self)->tp_free((PyObject *)self);
}
static PyObject *Poller_new(PyTypeObject *type, PyObject *args, PyObject *names) {
    static char *words[] = {"patience", NULL};
    double patience = 0;
    if (!PyArg_ParseTupleAndKeywords(args, names, "|d", words, &patience)) return NULL;
    if (!(patience >= 0 && patience <= 60)) {
        PyErr_SetString(PyExc_ValueError, "patience is 0 to 60 seconds");
        return NULL;
    }
    Poller *self = (Poller *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->descriptor = -1, self->patience = (int64_t)(patience * 1e9);
    if (!(self->buffer = PyMem_Malloc(RECEIVED_MOST))) PyErr_NoMemory();
    else if ((self->descriptor = epoll_create1(EPOLL_CLOEXEC)) < 0) PyErr_SetFromErrno(PyExc_OSError);
    if (self->descriptor < 0) Py_CLEAR(self);
    return (PyObject *)self;
}
static PyMethodDef Poller_methods[] = {
    {"add", (PyCFunction)Poller_add, METH_VARARGS, add_doc}, {"turn", (PyCFunction)Poller_turn, METH_NOARGS, turn_doc},
    {"fileno", (PyCFunction)Poller_fileno, METH_NOARGS, fileno_doc}, {"close", (PyCFunction)Poller_close, METH_NOARGS, close_doc},
    {NULL, NULL, 0, NULL},
};
static PyMemberDef Poller_members[] = {
    {"asked", T_PYSSIZET, offsetof(Poller, asked), READONLY, "How many answers are expected."},
    {"told", T_PYSSIZET, offsetof(Poller, told), READONLY, "How many were answered in this look."},
    {"skips", T_INT, offsetof(Poller, answers) + offsetof(Luck, skips), READONLY,
     "How many turns it will not stay awake for an answer."},
    {"idle", T_INT, offsetof(Poller, questions) + offsetof(Luck, skips), READONLY,
     "How many turns it will not stay awake for the next question."},
    {NULL, 0, 0, 0, NULL},
};
static PyTypeObject PollerType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "proxy._lane.Poller", .tp_basicsize = sizeof(Poller),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, .tp_new = Poller_new, .tp_traverse = (traverseproc)Poller_traverse,
    .tp_clear = (inquiry)Poller_clear, .tp_dealloc = (destructor)Poller_dealloc, .tp_methods = Poller_methods,
    .tp_members = Poller_members,
    .tp_doc = "Poller(patience=0)\n\nSockets that are read together. It stays awake for an answer or the next question so many\n"
    "seconds at most. Raises OSError.",
};

#endif
