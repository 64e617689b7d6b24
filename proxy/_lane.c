/* The short way of a small query in C, one call a direction: `take` and `answer` of proxy/postgres/lane.py for what is
 * repeated byte by byte, and what `LiveSession.perform` does with it. tests/proxy/postgres/test_lane.py drives both.
 *
 * It decides nothing by itself: the verdicts are those that Python remembered, under the conditions that Python set
 * (`arm`), and whatever is not exactly a whole known query or a whole small answer is handed to Python untouched.
 * A statement that came a moment ago passes from socket (`_ends.h`) to segment (`_pen.h`) to socket, and its answer back,
 * without an object being made or anybody in Python being called: after each system call the caches are cold, so what
 * counts is how much is touched. What both languages read and set is in `_state.h`.
 * Reading never goes past the end of a buffer: every look at a byte is behind a comparison with the length.
 */
#include "_state.h"
#include "_pen.h"
#ifdef __linux__
#include "_ends.h"
#else
typedef PyObject End; /* there are none */
#endif
#include <time.h>

/* What a Short is given, by name (PORTS). */
enum {
    PASSAGE, COUNTERS, EPOCH, VERSION, EXACT, TAGS, MONOTONIC, WALL, PEN, FORWARD, REPLY, SOON, FAILED, CLIENT, UPSTREAM,
    STATE, ALIKE, BATCH_KEY, BATCH_STATEMENT, SETTLE, TAG, TELL_FAILURES, KEPT, PARTS, PORTS
};
static char *port_names[] = {
    "passage", "counters", "epoch", "version", "exact", "tags", "monotonic", "wall", "pen", "forward", "reply", "soon",
    "failed", "client", "upstream", "state", "alike", "batch_key", "batch_statement", "settle", "tag", "tell_failures", "kept", "parts", NULL,
};

/* The unchanging parts of records (proxy/recording.py, `PARTS`). */
enum { STATEMENT, RESULT, NAMES, VALUES, TAIL, PART_COUNT };

/* Names of attributes and methods. */
#define WORDS(X) X(append) X(hold) X(shapes) X(plan) X(told) X(names) X(columns) X(plain) X(rewrite) X(masked) \
    X(parses) X(name) X(prepared) X(types)
#define AS_WORD(word) static PyObject *word_##word;
WORDS(AS_WORD)
static PyObject *zero, *unnamed;

/* There is room for the rows of such an answer; a longer one goes the long way. */
#define ANSWER_MOST (16 * 1024)

/* `text` and `known` are what went last: the same again is found by comparing it. What is not of the kind in C is NULL, and
 * called as a port. */
typedef struct {
    PyObject_HEAD
    PyObject *text;
    Known *known;
    Passage *passage;
    Counters *counters;
    Version *epoch, *version;
    Pen *pen;
    End *forward, *reply;
    PyObject *last_message, *last_tag;
    Size rows_kept, answer_bytes, value_kept;
    char armed, waits, own_clock, own_wall;
    unsigned char status;
    PyObject *port[PORTS];
} Short;

/* ---------------------------------------------------------------------------------------------- small helpers */

/* What a clock shows: of the machine itself, or as it is called. */
static double seconds(PyObject *clock, int own, clockid_t which) {
    struct timespec now;
    if (own && !clock_gettime(which, &now)) return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
    PyObject *called = PyObject_CallNoArgs(clock);
    if (!called) return -1.0;
    double value = PyFloat_AsDouble(called);
    Py_DECREF(called);
    return value;
}
/* An attribute as yes or no; -1 for an error. */
static int is_true(PyObject *of, PyObject *word) {
    PyObject *value = PyObject_GetAttr(of, word);
    int answer = value ? PyObject_IsTrue(value) : -1;
    Py_XDECREF(value);
    return answer;
}
/* It, if it is bytes: a reference that was one. */
static PyObject *only_bytes(PyObject *value) {
    if (!value || PyBytes_CheckExact(value)) return value;
    Py_DECREF(value);
    PyErr_SetString(PyExc_TypeError, "bytes are expected");
    return NULL;
}
static int is_bytes(PyObject *value) { return value && PyBytes_CheckExact(value); }

static Piece piece(const void *at, Size size) { return (Piece){at, size}; }
static Piece bytes_piece(PyObject *bytes) { return piece(PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes)); }
static Piece part(const Short *self, int which) { return bytes_piece(PyTuple_GET_ITEM(self->port[PARTS], which)); }
static PyObject *joined(const Piece *pieces, int count) {
    Size size = 0;
    for (int i = 0; i < count; i++) size += pieces[i].size;
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, size);
    char *to = bytes ? PyBytes_AS_STRING(bytes) : NULL;
    for (int i = 0; bytes && i < count; i++) {
        memcpy(to, pieces[i].at, (size_t)pieces[i].size);
        to += pieces[i].size;
    }
    return bytes;
}

/* When and which, in the long form of their types. */
#define WHEN_SIZE 14
/* -1 with an error set when the clock shows no time, or the number has no room. */
static int when_of(Short *self, Count number, unsigned char when[WHEN_SIZE]) {
    double at = seconds(self->port[WALL], self->own_wall, CLOCK_REALTIME);
    if (PyErr_Occurred()) return -1;
    if (!(at >= 0 && at < 1e15) || number > UINT32_MAX) {
        PyErr_SetString(PyExc_OverflowError, number > UINT32_MAX ? "a record has no room for such a number" : "the clock shows no time");
        return -1;
    }
    uint64_t at_ms = (uint64_t)(at * 1000);
    when[0] = 0xcf, write32(when + 1, (uint32_t)(at_ms >> 32)), write32(when + 5, (uint32_t)at_ms);
    when[9] = 0xce, write32(when + 10, (uint32_t)number);
    return 0;
}

/* A record, now or with the next one: 0, or -1 with an error. */
static int put(Short *self, const Piece *pieces, int count, int later) {
    if (self->pen) return later ? pen_hold(self->pen, pieces, count) : pen_append(self->pen, pieces, count);
    PyObject *one = joined(pieces, count);
    int result = one ? done(PyObject_CallMethodOneArg(self->port[PEN], later ? word_hold : word_append, one)) : -1;
    Py_XDECREF(one);
    return result;
}
/* To a socket, or however else that is done. */
static int pass_on(Short *self, End *end, int otherwise, Data *data) {
#ifdef __linux__
    if (end) return end_write(end, data);
#endif
    PyObject *object = object_of(data);
    return object ? done(PyObject_CallOneArg(self->port[otherwise], object)) : -1;
}

/* ---------------------------------------------------------------------------------------------- from the client */

/* Whether the statement of this name that the session has, if any, is this one: 1, 0, or -1 for an error. */
static int defines(Short *self, PyObject *name, PyObject *prepared) {
    PyObject *all = PyObject_GetAttr(self->port[STATE], word_prepared);
    if (!all) return -1;
    PyObject *one = PyDict_Check(all) ? PyDict_GetItemWithError(all, name) : NULL;
    int same = PyErr_Occurred() ? -1 : one == prepared;
    Py_DECREF(all);
    return same;
}

/* Whether a batch finds the statement that it binds as it was (Lane.still). */
static int is_still(Short *self, PyObject *bound) {
    int parses = is_true(bound, word_parses);
    if (parses) return parses;
    PyObject *name = PyObject_GetAttr(bound, word_name), *prepared = name ? PyObject_GetAttr(bound, word_prepared) : NULL;
    int same = prepared ? defines(self, name, prepared) : -1;
    Py_XDECREF(prepared);
    Py_XDECREF(name);
    return same;
}

/* Whether a remembered verdict still holds: 1, 0, or -1 for an error (Lane._valid, Known.short, Lane.still). */
static int holds(Short *self, Known *known) {
    if (!known->brief || known->epoch != self->epoch->value) return 0;
    if (self->version) {
        if (known->version != self->version->value) return 0;
    } else {
        PyObject *called = PyObject_CallNoArgs(self->port[VERSION]);
        Count now = called ? PyLong_AsUnsignedLongLong(called) : 0;
        Py_XDECREF(called);
        if (PyErr_Occurred()) return -1;
        if (known->version != now) return 0;
    }
    double at = seconds(self->port[MONOTONIC], self->own_clock, CLOCK_MONOTONIC);
    if (PyErr_Occurred()) return -1;
    if (!(at < known->until)) return 0;
    return known->bound == Py_None ? 1 : is_still(self, known->bound);
}

/* What is filled in with the values of a batch like this one, while they are of the types they were: a new reference, or NULL. */
static PyObject *blank_of(Known *known) {
    if (!known->blank || known->blank == Py_None || !known->bound) return NULL;
    PyObject *prepared = PyObject_GetAttr(known->bound, word_prepared), *types = prepared ? PyObject_GetAttr(prepared, word_types) : NULL;
    PyObject *blank = types && types == known->types ? Py_NewRef(known->blank) : NULL;
    Py_XDECREF(types);
    Py_XDECREF(prepared);
    return blank;
}

/* What was decided about a batch with other values (Lane._like), and the packed statement with these: new references. NULL when
 * it is not for here; an error may be set then. */
static Known *like(Short *self, Data *data, PyObject **packed) {
    unsigned char first = data->size ? *data->at : 0;
    if ((first != 'P' && first != 'B') || !PyDict_GET_SIZE(self->port[ALIKE]) || self->port[BATCH_KEY] == Py_None) return NULL;
    PyObject *object = object_of(data), *key = object ? PyObject_CallOneArg(self->port[BATCH_KEY], object) : NULL;
    PyObject *found = key && key != Py_None ? PyDict_GetItemWithError(self->port[ALIKE], key) : NULL;
    Known *known = found && Py_IS_TYPE(found, &KnownType) ? (Known *)Py_NewRef(found) : NULL;
    Py_XDECREF(key);
    PyObject *blank = known && holds(self, known) > 0 ? blank_of(known) : NULL;
    if (blank) {
        PyObject *arguments[] = {object, blank};
        *packed = PyObject_Vectorcall(self->port[BATCH_STATEMENT], arguments, 2, NULL);
        if (*packed && !PyBytes_CheckExact(*packed)) Py_CLEAR(*packed);
    }
    Py_XDECREF(blank);
    if (!*packed) Py_CLEAR(known);
    return known;
}

/* What is known of these bytes and still holds, and the packed statement: new references. NULL when it is not for here; an error
 * may be set then. */
static Known *recognised(Short *self, Data *data, PyObject **packed) {
    Known *last = self->known;
    if (last && PyBytes_GET_SIZE(self->text) == data->size && !memcmp(PyBytes_AS_STRING(self->text), data->at, (size_t)data->size)) {
        Py_INCREF(last);
        int result = holds(self, last);
        if (result > 0) {
            *packed = Py_NewRef(last->packed);
            return last;
        }
        Py_DECREF(last);
        if (result < 0) return NULL;
    }
    PyObject *text = object_of(data), *found = text ? PyDict_GetItemWithError(self->port[EXACT], text) : NULL;
    if (!found) return PyErr_Occurred() ? NULL : like(self, data, packed);
    if (!Py_IS_TYPE(found, &KnownType)) return NULL;
    Known *known = (Known *)Py_NewRef(found);
    if (!is_bytes(known->packed) || holds(self, known) <= 0) { Py_DECREF(known); return NULL; }
    Py_XSETREF(self->text, Py_NewRef(text));
    Py_XSETREF(self->known, (Known *)Py_NewRef(known));
    *packed = Py_NewRef(known->packed);
    return known;
}

/* The record of the statement: written, or the session told that it cannot be. 1 = written. */
static int record(Short *self, const Piece *pieces, int count) {
    if (!put(self, pieces, count, 0)) return 1;
    PyObject *type, *problem, *trace;
    PyErr_Fetch(&type, &problem, &trace);
    PyErr_NormalizeException(&type, &problem, &trace);
    if (problem && trace) PyException_SetTraceback(problem, trace);
    PyObject *told = problem ? PyObject_CallOneArg(self->port[FAILED], problem) : NULL;
    Py_XDECREF(type);
    Py_XDECREF(problem);
    Py_XDECREF(trace);
    return done(told);
}

/* 1 = recorded and forwarded (or the session ends because it cannot be recorded), 0 = not for here, -1 = an error. */
static int take(Short *self, Data *data) {
    if (self->passage->known != Py_None) return 0;
    PyObject *packed = NULL;
    Known *known = recognised(self, data, &packed);
    if (!known) return PyErr_Occurred() ? -1 : 0;
    unsigned char when[WHEN_SIZE];
    Count number = ++self->counters->statements;
    int result = when_of(self, number, when);
    if (!result) {
        self->passage->number = number;
        Py_XSETREF(self->passage->known, Py_NewRef(known));
        const Piece pieces[] = {part(self, STATEMENT), piece(when, WHEN_SIZE), bytes_piece(packed)};
        int written = record(self, pieces, 3);
        result = written > 0 ? pass_on(self, self->forward, FORWARD, data) : written;
    }
    Py_DECREF(packed);
    Py_DECREF(known);
    return result < 0 ? -1 : 1;
}

/* ---------------------------------------------------------------------------------------------- from the upstream */

/* Where the parts of an answer begin, and how many rows it has. */
typedef struct { Size start, first, at, end, count; } Cuts;

/* What was decided for such results, as a small answer needs it; `looks` NULL: whatever they look like. */
static int fit(Known *known, PyObject *shape, PyObject *looks) {
    PyObject *plan = PyObject_GetAttr(shape, word_plan), *told = plan ? PyObject_GetAttr(shape, word_told) : NULL;
    PyObject *names = told ? only_bytes(PyObject_GetAttr(shape, word_names)) : NULL;
    int plain = names ? is_true(shape, word_plain) : -1, free = plan == Py_None;
    Py_XDECREF(plan);
    if (plain >= 0 && told != Py_None && !PyBytes_CheckExact(told)) {
        PyErr_SetString(PyExc_TypeError, "bytes are expected");
        plain = -1;
    }
    if (plain < 0) {
        Py_XDECREF(told);
        Py_XDECREF(names);
        return -1;
    }
    known->plain = (char)plain, known->free = (char)free;
    Py_XSETREF(known->told, told);
    Py_XSETREF(known->names, names);
    Py_XSETREF(known->looks, Py_XNewRef(looks));
    Py_XSETREF(known->decided, Py_NewRef(shape));
    return 0;
}

/* Whether it is known what is to be done with results like this one: 1, 0, or -1 for an error. */
static int is_shaped(Known *known, Bytes p, Cuts *cuts) {
    cuts->first = cuts->start;
    if (known->shape != Py_None) return known->decided == known->shape || !fit(known, known->shape, NULL) ? 1 : -1;
    if (p[cuts->start] != 'T') return 0;
    int64_t first = (int64_t)cuts->start + 1 + (int64_t)read32(p + cuts->start + 1);
    if (first > cuts->end) return 0;
    cuts->first = (Size)first;
    Size size = cuts->first - cuts->start;
    if (known->looks && PyBytes_GET_SIZE(known->looks) == size && !memcmp(PyBytes_AS_STRING(known->looks), p + cuts->start, (size_t)size))
        return 1;
    PyObject *shapes = PyObject_GetAttr(known->reading, word_shapes), *found = NULL;
    PyObject *looks = shapes ? PyBytes_FromStringAndSize((const char *)p + cuts->start, size) : NULL;
    PyObject *key = looks ? PyTuple_Pack(2, zero, looks) : NULL;
    if (key && PyDict_Check(shapes)) found = PyDict_GetItemWithError(shapes, key);
    int result = found ? (fit(known, found, looks) < 0 ? -1 : 1) : PyErr_Occurred() ? -1 : 0;
    Py_XDECREF(key);
    Py_XDECREF(looks);
    Py_XDECREF(shapes);
    return result;
}

/* Whether rows, one completion and the ReadyForQuery that is expected are all that is left. */
static int is_whole(Short *self, Bytes p, Cuts *cuts) {
    cuts->at = cuts->first, cuts->count = 0;
    while (cuts->end - cuts->at >= 5 && p[cuts->at] == 'D') {
        int64_t size = (int64_t)read32(p + cuts->at + 1) + 1;
        if (size < 5 || size > cuts->end - cuts->at) return 0;
        cuts->at += (Size)size, cuts->count++;
    }
    static const unsigned char ready[5] = {'Z', 0, 0, 0, 5};
    return cuts->count <= self->rows_kept && cuts->end - cuts->at >= 5 && p[cuts->at] == 'C'
        && (int64_t)cuts->at + 1 + (int64_t)read32(p + cuts->at + 1) == cuts->end && !memcmp(p + cuts->end, ready, 5)
        && p[cuts->end + 5] == self->status;
}

/* The command tag, packed: borrowed, kept until there is another. */
static PyObject *tag_of(Short *self, Bytes p, const Cuts *cuts) {
    Size size = cuts->end - cuts->at;
    if (self->last_tag && PyBytes_GET_SIZE(self->last_message) == size
        && !memcmp(PyBytes_AS_STRING(self->last_message), p + cuts->at, (size_t)size)) return self->last_tag;
    PyObject *message = PyBytes_FromStringAndSize((const char *)p + cuts->at, size);
    PyObject *tag = message ? PyDict_GetItemWithError(self->port[TAGS], message) : NULL;
    if (tag) Py_INCREF(tag);
    else if (!PyErr_Occurred()) tag = PyObject_CallOneArg(self->port[TAG], message);
    if (tag && !PyBytes_CheckExact(tag)) {
        Py_CLEAR(tag);
        PyErr_SetString(PyExc_TypeError, "a packed tag is expected");
    }
    if (tag) {
        Py_XSETREF(self->last_message, Py_NewRef(message));
        Py_XSETREF(self->last_tag, tag);
    }
    Py_XDECREF(message);
    return tag;
}

/* The rows as they may be shown, and how many values of them were masked: a new reference. */
static PyObject *rewritten(Short *self, PyObject *shape, PyObject *rows, Count *masked) {
    PyObject *plan = PyObject_GetAttr(shape, word_plan), *before = plan ? PyObject_GetAttr(plan, word_masked) : NULL;
    PyObject *out = before ? only_bytes(PyObject_CallMethodOneArg(plan, word_rewrite, rows)) : NULL;
    PyObject *after = out ? PyObject_GetAttr(plan, word_masked) : NULL, *more = after ? PyNumber_Subtract(after, before) : NULL;
    *masked = more ? PyLong_AsUnsignedLongLong(more) : 0;
    if (out && (PyErr_Occurred() || done(PyObject_CallNoArgs(self->port[TELL_FAILURES])) < 0)) Py_CLEAR(out);
    Py_XDECREF(more);
    Py_XDECREF(after);
    Py_XDECREF(before);
    Py_XDECREF(plan);
    return out;
}

/* The values of rows, packed as only Python can: a new reference (kept.kept_values). */
static PyObject *values_of(Short *self, PyObject *shape, const Data *rows) {
    PyObject *columns = PyObject_GetAttr(shape, word_columns);
    PyObject *object = columns ? PyBytes_FromStringAndSize((const char *)rows->at, rows->size) : NULL;
    PyObject *values = object ? only_bytes(PyObject_CallFunctionObjArgs(self->port[KEPT], object, columns, NULL)) : NULL;
    Py_XDECREF(object);
    Py_XDECREF(columns);
    return values;
}

/* The record of an answer, held until the next one: 0, or -1 with an error. `rows` are what the client sees. */
static int hold(Short *self, const Known *known, const Data *rows, Bytes p, const Cuts *cuts, Count masked) {
    unsigned char when[WHEN_SIZE], values[ANSWER_MOST], list[3], counts[5 + 5 + 7 + 5];
    PyObject *tag = tag_of(self, p, cuts), *slow = NULL;
    if (!tag) return -1;
    Py_INCREF(tag); /* as Python may be called */
    int result = -1;
    Size size = known->plain && rows->size <= ANSWER_MOST ? pack_rows(values, rows->at, rows->size, self->value_kept) : -1;
    if (masked > UINT32_MAX) { PyErr_SetString(PyExc_OverflowError, "a record has no room for such a number"); goto end; }
    if (when_of(self, self->passage->number, when) < 0) goto end;
    if (size < 0 && !(slow = values_of(self, known->decided, rows))) goto end;
    list[0] = 0xdc, list[1] = (unsigned char)(cuts->count >> 8), list[2] = (unsigned char)cuts->count;
    memcpy(counts, "\xa4rows\xce", 6), write32(counts + 6, (uint32_t)cuts->count);
    memcpy(counts + 10, "\xa6masked\xce", 8), write32(counts + 18, (uint32_t)masked);
    const Piece pieces[] = {
        part(self, RESULT), piece(when, WHEN_SIZE), part(self, NAMES), bytes_piece(known->names), part(self, VALUES), piece(list, 3),
        slow ? bytes_piece(slow) : piece(values, size), part(self, TAIL), bytes_piece(tag), piece(counts, sizeof counts),
    };
    result = put(self, pieces, 10, 1);
end:
    Py_XDECREF(slow);
    Py_DECREF(tag);
    return result;
}

/* What the client is shown instead of what came: its description and rows as they may be shown. A new reference. */
static PyObject *shown_of(const Known *known, int retold, const Data *data, const Data *rows, const Cuts *cuts) {
    Size before = retold ? cuts->start : cuts->first;
    const Piece pieces[] = {
        piece(data->at, before), retold ? bytes_piece(known->told) : piece(data->at, 0), piece(rows->at, rows->size),
        piece(data->at + cuts->at, data->size - cuts->at),
    };
    return joined(pieces, 4);
}

/* Whether a batch leaves nothing behind that is not there already (Lane.settle): 1, 0, or -1 for an error. */
static int is_settled(Short *self, PyObject *bound) {
    int parses = is_true(bound, word_parses);
    if (parses < 0 || self->status != 'I') return parses < 0 ? -1 : 0;
    PyObject *prepared = parses ? PyObject_GetAttr(bound, word_prepared) : NULL;
    int settled = !parses ? 1 : prepared ? defines(self, unnamed, prepared) : -1;
    Py_XDECREF(prepared);
    return settled;
}

/* Over: the client has it. */
static int finish(Short *self, Known *known, const Cuts *cuts, Count masked, Data *shown) {
    self->counters->rows += (Count)cuts->count, self->counters->masked += masked;
    Py_SETREF(self->passage->known, Py_NewRef(Py_None));
    if (pass_on(self, self->reply, REPLY, shown) < 0) return -1;
    if (!self->waits && done(PyObject_CallNoArgs(self->port[SOON])) < 0) return -1;
    int settled = known->bound == Py_None ? 1 : is_settled(self, known->bound);
    return settled < 0 ? -1 : settled ? 0 : done(PyObject_CallOneArg(self->port[SETTLE], (PyObject *)known));
}

/* As `answer`, of this read. */
static int told(Short *self, Known *known, Data *data) {
    if (!is_bytes(known->begins) || !known->shape || !known->bound || !known->reading) return 0;
    Cuts cuts = {PyBytes_GET_SIZE(known->begins), 0, 0, data->size - 6, 0};
    if (cuts.end < cuts.start || data->size > self->answer_bytes || memcmp(data->at, PyBytes_AS_STRING(known->begins), (size_t)cuts.start)) return 0;
    if (is_shaped(known, data->at, &cuts) <= 0 || !is_whole(self, data->at, &cuts)) return 0;
    Data rows = {data->at + cuts.first, cuts.at - cuts.first, NULL}, shown = *data;
    Count masked = 0;
    if (!known->free) {
        PyObject *raw = PyBytes_FromStringAndSize((const char *)rows.at, rows.size);
        rows.object = raw ? rewritten(self, known->decided, raw, &masked) : NULL;
        Py_XDECREF(raw);
        if (!rows.object) return 0;
        rows.at = (Bytes)PyBytes_AS_STRING(rows.object), rows.size = PyBytes_GET_SIZE(rows.object);
    }
    int retold = known->told != Py_None && cuts.first > cuts.start, result = 0;
    if (masked || retold) {
        if (!(shown.object = shown_of(known, retold, data, &rows, &cuts))) goto end;
        shown.at = (Bytes)PyBytes_AS_STRING(shown.object), shown.size = PyBytes_GET_SIZE(shown.object);
    } else Py_XINCREF(shown.object);
    if (!hold(self, known, &rows, data->at, &cuts, masked)) result = finish(self, known, &cuts, masked, &shown) < 0 ? -1 : 1;
end:
    Py_XDECREF(shown.object);
    Py_XDECREF(rows.object);
    return result;
}

/* 1 = a whole small answer, told and recorded; 0 = not for here; -1 = an error. */
static int answer(Short *self, Data *data) {
    if (!self->passage->known || !Py_IS_TYPE(self->passage->known, &KnownType)) return 0;
    Known *known = (Known *)Py_NewRef(self->passage->known);
    int result = told(self, known, data);
    Py_DECREF(known);
    /* What failed before anything was done goes the long way, which knows what to say; what ends the process does not. */
    if (!result && PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_Exception)) PyErr_Clear();
        else result = -1;
    }
    return result;
}

/* ---------------------------------------------------------------------------------------------- the type */

/* Bytes of one side: the short way, or to Python. */
static int pass(Short *self, Data *data, int (*quick)(Short *, Data *), int otherwise) {
    if (!self->port[otherwise]) { PyErr_SetString(PyExc_RuntimeError, "not initialised"); return -1; }
    int handled = self->armed ? quick(self, data) : 0;
    if (handled) return handled < 0 ? -1 : 0;
    PyObject *object = object_of(data);
    return object ? done(PyObject_CallOneArg(self->port[otherwise], object)) : -1;
}
static int from_client(PyObject *self, Data *data) { return pass((Short *)self, data, take, CLIENT); }
static int from_upstream(PyObject *self, Data *data) { return pass((Short *)self, data, answer, UPSTREAM); }

static PyObject *called(Short *self, PyObject *object, Passing passing, int otherwise) {
    if (PyBytes_CheckExact(object)) {
        Data data = {(Bytes)PyBytes_AS_STRING(object), PyBytes_GET_SIZE(object), object};
        if (passing((PyObject *)self, &data) < 0) return NULL;
        Py_RETURN_NONE;
    }
    if (!self->port[otherwise]) { PyErr_SetString(PyExc_RuntimeError, "not initialised"); return NULL; }
    return PyObject_CallOneArg(self->port[otherwise], object);
}

PyDoc_STRVAR(client_doc, "client(data)\n\nBytes of the client: the short way, or to Python.");
static PyObject *Short_client(Short *self, PyObject *data) { return called(self, data, from_client, CLIENT); }

PyDoc_STRVAR(upstream_doc, "upstream(data)\n\nBytes of the upstream: the short way, or to Python.");
static PyObject *Short_upstream(Short *self, PyObject *data) { return called(self, data, from_upstream, UPSTREAM); }

/* Whose bound method this is, if it is that of a type in C; borrowed. */
static PyObject *bound_to(PyObject *method, PyCFunction function) {
    return PyCFunction_CheckExact(method) && PyCFunction_GET_FUNCTION(method) == function ? PyCFunction_GET_SELF(method) : NULL;
}
#ifdef __linux__
static Passing passing_of(PyObject *received, PyObject **to) {
    if ((*to = bound_to(received, (PyCFunction)Short_client))) return from_client;
    return (*to = bound_to(received, (PyCFunction)Short_upstream)) ? from_upstream : NULL;
}
static End *end_of(PyObject *write) { return (End *)bound_to(write, (PyCFunction)End_write); }
#else
static End *end_of(PyObject *write) { (void)write; return NULL; }
#endif

PyDoc_STRVAR(arm_doc,
"arm(free, status)\n\nHow things are after whatever went the long way: whether anything may\n"
"begin, or end that is on the short way, and in which transaction status.");
static PyObject *Short_arm(Short *self, PyObject *args) {
    int armed, status;
    if (!PyArg_ParseTuple(args, "pi", &armed, &status)) return NULL;
    self->armed = armed, self->status = (unsigned char)status;
    Py_RETURN_NONE;
}

static int Short_clear(Short *self) {
    self->armed = 0;
    self->pen = NULL, self->forward = self->reply = NULL;
    Py_CLEAR(self->text);
    Py_CLEAR(self->known);
    Py_CLEAR(self->last_message);
    Py_CLEAR(self->last_tag);
    for (int i = 0; i < PORTS; i++) Py_CLEAR(self->port[i]);
    return 0;
}

/* What is of the kind in C is used without a call: 0, or -1 with an error. Clocks of the machine are. */
static int find_own(Short *self) {
    PyObject **port = self->port, *time = PyImport_ImportModule("time");
    PyObject *monotonic = time ? PyObject_GetAttrString(time, "monotonic") : NULL, *wall = monotonic ? PyObject_GetAttrString(time, "time") : NULL;
    self->own_clock = port[MONOTONIC] == monotonic, self->own_wall = port[WALL] == wall;
    Py_XDECREF(wall);
    Py_XDECREF(monotonic);
    Py_XDECREF(time);
    if (!wall) return -1;
    self->passage = (Passage *)port[PASSAGE], self->counters = (Counters *)port[COUNTERS], self->epoch = (Version *)port[EPOCH];
    self->version = Py_IS_TYPE(port[VERSION], &VersionType) ? (Version *)port[VERSION] : NULL;
    self->pen = Py_IS_TYPE(port[PEN], &PenType) ? (Pen *)port[PEN] : NULL;
    self->forward = end_of(port[FORWARD]), self->reply = end_of(port[REPLY]);
    return 0;
}

static int Short_init(Short *self, PyObject *args, PyObject *names) {
    if (self->port[PASSAGE]) { PyErr_SetString(PyExc_RuntimeError, "initialised before"); return -1; }
    if (PyTuple_GET_SIZE(args) != 3 || !names || PyDict_GET_SIZE(names) != PORTS) {
        PyErr_SetString(PyExc_TypeError, "three limits and every port by its name are expected");
        return -1;
    }
    if (!PyArg_ParseTuple(args, "nnn", &self->rows_kept, &self->answer_bytes, &self->value_kept)) return -1;
    if (self->rows_kept > UINT16_MAX || self->answer_bytes > ANSWER_MOST) {
        PyErr_SetString(PyExc_ValueError, "there is no room for as many rows or bytes");
        return -1;
    }
    for (int i = 0; i < PORTS; i++) {
        PyObject *port = PyDict_GetItemString(names, port_names[i]);
        if (!port) {
            PyErr_Format(PyExc_TypeError, "the port %s is missing", port_names[i]);
            Short_clear(self);
            return -1;
        }
        Py_XSETREF(self->port[i], Py_NewRef(port));
    }
    PyObject *parts = self->port[PARTS];
    int fits = Py_IS_TYPE(self->port[PASSAGE], &PassageType) && Py_IS_TYPE(self->port[COUNTERS], &CountersType)
        && Py_IS_TYPE(self->port[EPOCH], &VersionType) && PyDict_Check(self->port[EXACT]) && PyDict_Check(self->port[ALIKE])
        && PyDict_Check(self->port[TAGS])
        && PyTuple_Check(parts) && PyTuple_GET_SIZE(parts) == PART_COUNT;
    for (int i = 0; fits && i < PART_COUNT; i++) fits = PyBytes_CheckExact(PyTuple_GET_ITEM(parts, i));
    if (fits && find_own(self) == 0) return 0;
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "a port is of the wrong type");
    Short_clear(self);
    return -1;
}

static int Short_traverse(Short *self, visitproc visit, void *arg) {
    Py_VISIT(self->known);
    for (int i = 0; i < PORTS; i++) Py_VISIT(self->port[i]);
    return 0;
}
static void Short_dealloc(Short *self) {
    PyObject_GC_UnTrack(self);
    Short_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef Short_methods[] = {
    {"client", (PyCFunction)Short_client, METH_O, client_doc}, {"upstream", (PyCFunction)Short_upstream, METH_O, upstream_doc},
    {"arm", (PyCFunction)Short_arm, METH_VARARGS, arm_doc}, {NULL, NULL, 0, NULL},
};
static PyMemberDef Short_members[] = {
    {"waits", T_BOOL, offsetof(Short, waits), 0, "The sweeper knows that something is held."}, LAST_MEMBER,
};

static PyTypeObject ShortType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "proxy._lane.Short", .tp_basicsize = sizeof(Short),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, .tp_new = PyType_GenericNew, .tp_init = (initproc)Short_init,
    .tp_traverse = (traverseproc)Short_traverse, .tp_clear = (inquiry)Short_clear, .tp_dealloc = (destructor)Short_dealloc,
    .tp_methods = Short_methods, .tp_members = Short_members, .tp_doc = "Short(rows_kept, answer_bytes, value_kept, **ports)\n\nOne session's short way.",
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "proxy._lane", .m_size = -1};

PyMODINIT_FUNC PyInit__lane(void) {
#define MAKE_WORD(word) if (!(word_##word = PyUnicode_InternFromString(#word))) return NULL;
    WORDS(MAKE_WORD)
    if (!(zero = PyLong_FromLong(0)) || !(unnamed = PyUnicode_InternFromString(""))) return NULL;
    PyTypeObject *types[] = {
        &ShortType, &PenType, &WindowType, &KnownType, &PassageType, &CountersType, &VersionType,
#ifdef __linux__
        &PollerType,
#endif
    };
    redo_make_table();
    PyObject *made = PyModule_Create(&module);
    if (made && PyModule_AddIntMacro(made, AGREEMENT) < 0) Py_CLEAR(made);
    for (size_t i = 0; made && i < sizeof types / sizeof *types; i++)
        if (PyModule_AddType(made, types[i]) < 0) Py_CLEAR(made);
#ifdef __linux__
    if (made && PyType_Ready(&EndType) < 0) Py_CLEAR(made);
#endif
    return made;
}
