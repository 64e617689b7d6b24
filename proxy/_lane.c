/* The short way of a small query in C, one call a direction: `take` and `answer` of proxy/postgres/lane.py for what is
 * repeated byte by byte, and what `LiveSession.perform` does with it. tests/proxy/postgres/test_lane.py drives both.
 *
 * It decides nothing by itself: the verdicts are those that Python remembered, under the conditions that Python set
 * (`arm`), and whatever is not exactly a whole known query or a whole small answer is handed to Python untouched.
 * Reading never goes past the end of a buffer: every look at a byte is behind a comparison with the length.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include "_pen.h"

typedef const unsigned char *Bytes;
typedef Py_ssize_t Size;

/* What a Short is given, by name (PORTS). */
enum {
    LANE, RESPONSES, STATE, COUNTERS, EXACT, TAGS, LATE, VERSION, MONOTONIC, WALL, RECORD, FORWARD, REPLY, OWNER, SOON, FAILED,
    CLIENT, UPSTREAM, SETTLE, TAG, TELL_FAILURES, KEPT, PACK, PARTS, ALIKE,
    BATCH_KEY, BATCH_STATEMENT, PORTS
};
static char *port_names[] = {
    "lane", "responses", "state", "counters", "exact", "tags", "late", "version", "monotonic", "wall", "record", "forward",
    "reply", "owner", "soon", "failed", "client", "upstream", "settle", "tag", "tell_failures", "kept", "pack", "parts", "alike",
    "batch_key", "batch_statement", NULL,
};

/* The unchanging parts of records (proxy/recording.py, `PARTS`). */
enum { STATEMENT, RESULT, NAMES, VALUES, END, PART_COUNT };

/* Names of attributes. Where a class has slots, the value is read and set in its place: found once for a class, it need not be
 * looked up by name. `seen` is the class that was looked at last, also when it has no such place. */
typedef struct { PyObject *name; PyTypeObject *type, *seen; Size offset; char settable; } Word;
#define WORDS(X) \
    X(under_way, "under_way") X(number, "number") X(begun, "short") X(brief, "short") X(epoch, "epoch") X(state_epoch, "epoch") \
    X(version, "version") X(value, "value") X(until, "until") X(packed, "packed") X(bound, "bound") X(begins, "begins") \
    X(shape, "shape") X(reading, "reading") X(shapes, "shapes") X(plan, "plan") X(told, "told") X(names, "names") \
    X(columns, "columns") X(plain, "plain") X(rewrite, "rewrite") X(plan_masked, "masked") X(masked, "masked") X(rows, "rows") \
    X(statements, "statements") X(waits, "waits") X(parses, "parses") X(name, "name") X(prepared, "prepared") X(types, "types") \
    X(known_types, "types") X(blank, "blank")
#define AS_WORD(id, name) static Word word_##id;
WORDS(AS_WORD)
static PyObject *zero, *unnamed;

typedef struct {
    PyObject_HEAD
    PyObject *port[PORTS];
    Size rows_kept, answer_bytes, value_kept;
    PyObject *longest, *last_message, *last_tag;
    int armed;
    unsigned char status;
    char own_clock, own_wall, has_value;
} Short;

static uint32_t read32(Bytes p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }
static unsigned char *write32(unsigned char *p, uint32_t v) {
    p[0] = v >> 24, p[1] = v >> 16, p[2] = v >> 8, p[3] = v;
    return p + 4;
}
static unsigned char *copy(unsigned char *to, const void *from, Size size) {
    memcpy(to, from, (size_t)size);
    return to + size;
}
static unsigned char *copy_bytes(unsigned char *to, PyObject *bytes) {
    return copy(to, PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes));
}
/* When and which, in the long form of their types. */
typedef struct { uint64_t at_ms; uint32_t number; } When;
static unsigned char *copy_when(unsigned char *to, When when) {
    *to++ = 0xcf;
    to = write32(write32(to, (uint32_t)(when.at_ms >> 32)), (uint32_t)when.at_ms);
    *to++ = 0xce;
    return write32(to, when.number);
}
#define WHEN_SIZE 14

/* ---------------------------------------------------------------------------------------------- small helpers */

static void learn(Word *word, PyTypeObject *type) {
    word->seen = type;
    PyObject *found = type->tp_getattro == PyObject_GenericGetAttr ? PyObject_GetAttr((PyObject *)type, word->name) : NULL;
    if (found && Py_IS_TYPE(found, &PyMemberDescr_Type)) {
        const PyMemberDef *member = ((PyMemberDescrObject *)found)->d_member;
        if (member->type == T_OBJECT_EX && !member->flags) {
            word->settable = type->tp_setattro == PyObject_GenericSetAttr;
            word->offset = member->offset;
            Py_XSETREF(word->type, (PyTypeObject *)Py_NewRef(type)); /* kept, or another could come to be where it was */
        }
    }
    Py_XDECREF(found);
    PyErr_Clear();
}
static PyObject **place(PyObject *of, Word *word) {
    if (Py_TYPE(of) != word->type && Py_TYPE(of) != word->seen) learn(word, Py_TYPE(of));
    return Py_TYPE(of) == word->type ? (PyObject **)((char *)of + word->offset) : NULL;
}
/* An attribute: a new reference. */
static PyObject *get(PyObject *of, Word *word) {
    PyObject **at = place(of, word);
    return at && *at ? Py_NewRef(*at) : PyObject_GetAttr(of, word->name);
}
static int set(PyObject *of, Word *word, PyObject *value) {
    PyObject **at = place(of, word);
    if (!at || !word->settable) return PyObject_SetAttr(of, word->name, value);
    Py_XSETREF(*at, Py_NewRef(value));
    return 0;
}
/* An attribute as a whole number; -1 with an error set when it is none. */
static long number_of(PyObject *of, Word *word) {
    PyObject *value = get(of, word);
    if (!value) return -1;
    long number = PyLong_AsLong(value);
    Py_DECREF(value);
    return number;
}
/* An attribute as yes or no; -1 for an error. */
static int is_true(PyObject *of, Word *word) {
    PyObject *value = get(of, word);
    int answer = value ? PyObject_IsTrue(value) : -1;
    Py_XDECREF(value);
    return answer;
}
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
/* An attribute that must be bytes. */
static PyObject *bytes_of(PyObject *of, Word *word) {
    PyObject *value = get(of, word);
    if (value && !PyBytes_CheckExact(value)) {
        Py_CLEAR(value);
        PyErr_SetString(PyExc_TypeError, "bytes are expected");
    }
    return value;
}
static int done(PyObject *result) {
    if (!result) return -1;
    Py_DECREF(result);
    return 0;
}
static PyObject *part(const Short *self, int which) { return PyTuple_GET_ITEM(self->port[PARTS], which); }

/* Whether this is no number that a record has room for; an error is set then. */
static int too_large(long number) {
    if (number >= 0 && (uint64_t)number <= UINT32_MAX) return 0;
    PyErr_SetString(PyExc_OverflowError, "a record has no room for such a number");
    return 1;
}
/* Now, and the number of a statement; -1 with an error set when one of them is none. */
static int when_of(Short *self, long number, When *when) {
    if (PyErr_Occurred() || too_large(number)) return -1;
    double at = seconds(self->port[WALL], self->own_wall, CLOCK_REALTIME);
    if (PyErr_Occurred()) return -1;
    if (!(at >= 0 && at < 1e15)) {
        PyErr_SetString(PyExc_OverflowError, "the clock shows no time");
        return -1;
    }
    when->at_ms = (uint64_t)(at * 1000), when->number = (uint32_t)number;
    return 0;
}

/* ---------------------------------------------------------------------------------------------- from the client */

/* Whether the statement of this name that the session has, if any, is this one: 1, 0, or -1 for an error. */
static int defines(Short *self, PyObject *name, PyObject *prepared) {
    PyObject *all = get(self->port[STATE], &word_prepared);
    if (!all) return -1;
    PyObject *one = PyDict_Check(all) ? PyDict_GetItemWithError(all, name) : NULL;
    int same = PyErr_Occurred() ? -1 : one == prepared;
    Py_DECREF(all);
    return same;
}

/* Whether a batch finds the statement that it binds as it was (Lane.still). */
static int is_still(Short *self, PyObject *bound) {
    int parses = is_true(bound, &word_parses);
    if (parses) return parses;
    PyObject *name = get(bound, &word_name), *prepared = name ? get(bound, &word_prepared) : NULL;
    int same = prepared ? defines(self, name, prepared) : -1;
    Py_XDECREF(prepared);
    Py_XDECREF(name);
    return same;
}

/* Whether a remembered verdict still holds: 1, 0, or -1 for an error (Lane._valid, Known.short, Lane.still). */
static int holds(Short *self, PyObject *known) {
    int is_short = is_true(known, &word_brief);
    if (is_short <= 0) return is_short;
    long epoch = number_of(known, &word_epoch);
    if (epoch == -1 && PyErr_Occurred()) return -1;
    long version = number_of(known, &word_version);
    if (version == -1 && PyErr_Occurred()) return -1;
    long epoch_now = number_of(self->port[STATE], &word_state_epoch);
    if (epoch_now == -1 && PyErr_Occurred()) return -1;
    PyObject *now = self->has_value ? get(self->port[VERSION], &word_value) : PyObject_CallNoArgs(self->port[VERSION]);
    if (!now) return -1;
    long is_now = PyLong_AsLong(now);
    Py_DECREF(now);
    if (PyErr_Occurred()) return -1;
    if (epoch != epoch_now || version != is_now) return 0;
    PyObject *until = get(known, &word_until);
    if (!until) return -1;
    double ends = PyFloat_AsDouble(until);
    Py_DECREF(until);
    if (PyErr_Occurred()) return -1;
    double at = seconds(self->port[MONOTONIC], self->own_clock, CLOCK_MONOTONIC);
    if (PyErr_Occurred()) return -1;
    if (!(at < ends)) return 0;
    PyObject *bound = get(known, &word_bound);
    if (!bound) return -1;
    int still = bound == Py_None ? 1 : is_still(self, bound);
    Py_DECREF(bound);
    return still;
}

/* So many records that wait have room without asking for it. */
#define FEW 8

/* The record of the statement, behind those that wait: written, or the session told that it cannot be. 1 = written. */
static int record(Short *self, PyObject *one) {
    PyObject *late = self->port[LATE], *few[FEW], **all = few;
    Size waiting = PyList_GET_SIZE(late);
    if (waiting >= FEW && !(all = PyMem_Malloc((size_t)(waiting + 1) * sizeof *all))) { PyErr_NoMemory(); return -1; }
    for (Size i = 0; i < waiting; i++) all[i] = Py_NewRef(PyList_GET_ITEM(late, i));
    all[waiting] = Py_NewRef(one);
    PyObject *written = waiting && PyList_SetSlice(late, 0, PY_SSIZE_T_MAX, NULL) < 0
        ? NULL : PyObject_Vectorcall(self->port[RECORD], all, (size_t)waiting + 1, NULL);
    for (Size i = 0; i <= waiting; i++) Py_DECREF(all[i]);
    if (all != few) PyMem_Free(all);
    if (written) { Py_DECREF(written); return 1; }
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

static PyObject *statement(Short *self, PyObject *packed, long number) {
    When when;
    PyObject *head = part(self, STATEMENT);
    if (when_of(self, number, &when) < 0) return NULL;
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, PyBytes_GET_SIZE(head) + WHEN_SIZE + PyBytes_GET_SIZE(packed));
    if (bytes) {
        unsigned char *to = copy_bytes((unsigned char *)PyBytes_AS_STRING(bytes), head);
        copy_bytes(copy_when(to, when), packed);
    }
    return bytes;
}

/* What is filled in with the values of a batch like this one, while they are of the types they were: a new reference, or NULL. */
static PyObject *blank_of(PyObject *known) {
    PyObject *bound = get(known, &word_bound), *prepared = NULL, *types = NULL, *were = NULL, *blank = NULL;
    if (bound && bound != Py_None) prepared = get(bound, &word_prepared);
    if (prepared) types = get(prepared, &word_types);
    if (types) were = get(known, &word_known_types);
    if (were && were == types) blank = get(known, &word_blank);
    Py_XDECREF(were);
    Py_XDECREF(types);
    Py_XDECREF(prepared);
    Py_XDECREF(bound);
    return blank;
}

/* What was decided about a batch with other values (Lane._like), and the packed statement with these: new references. NULL when
 * it is not for here; an error may be set then. */
static PyObject *like(Short *self, PyObject *data, PyObject **packed) {
    unsigned char first = PyBytes_GET_SIZE(data) ? *(Bytes)PyBytes_AS_STRING(data) : 0;
    if ((first != 'P' && first != 'B') || !PyDict_GET_SIZE(self->port[ALIKE]) || self->port[BATCH_KEY] == Py_None) return NULL;
    PyObject *key = PyObject_CallOneArg(self->port[BATCH_KEY], data), *known = NULL, *blank = NULL;
    if (key && key != Py_None) known = PyDict_GetItemWithError(self->port[ALIKE], key);
    Py_XINCREF(known);
    Py_XDECREF(key);
    if (known) blank = blank_of(known);
    if (blank && blank != Py_None) {
        PyObject *arguments[] = {data, blank};
        *packed = PyObject_Vectorcall(self->port[BATCH_STATEMENT], arguments, 2, NULL);
        if (*packed && !PyBytes_CheckExact(*packed)) Py_CLEAR(*packed);
    }
    Py_XDECREF(blank);
    if (!*packed) Py_CLEAR(known);
    return known;
}

/* 1 = recorded and forwarded (or the session ends because it cannot be recorded), 0 = not for here, -1 = an error. */
static int take(Short *self, PyObject *data) {
    PyObject *under = get(self->port[LANE], &word_under_way);
    if (!under) return -1;
    int free = under == Py_None;
    Py_DECREF(under);
    if (!free || !PyBytes_CheckExact(data)) return 0;
    PyObject *known = PyDict_GetItemWithError(self->port[EXACT], data), *packed = NULL, *one = NULL, *counted = NULL;
    if (known) Py_INCREF(known);
    else if (PyErr_Occurred() || !(known = like(self, data, &packed))) return PyErr_Occurred() ? -1 : 0;
    int result = holds(self, known);
    if (result <= 0) goto end;
    result = -1;
    if (!packed && !(packed = bytes_of(known, &word_packed))) goto end;
    long number = number_of(self->port[COUNTERS], &word_statements) + 1;
    if (PyErr_Occurred() || !(counted = PyLong_FromLong(number)) || set(self->port[COUNTERS], &word_statements, counted) < 0) goto end;
    if (!(one = statement(self, packed, number))) goto end;
    if (set(self->port[LANE], &word_under_way, known) < 0 || set(self->port[LANE], &word_number, counted) < 0
        || set(self->port[RESPONSES], &word_begun, Py_True) < 0) goto end;
    int written = record(self, one);
    if (written < 0) goto end;
    if (written && done(PyObject_CallOneArg(self->port[FORWARD], data)) < 0) goto end;
    result = 1;
end:
    Py_XDECREF(counted);
    Py_XDECREF(one);
    Py_XDECREF(packed);
    Py_DECREF(known);
    return result;
}

/* ---------------------------------------------------------------------------------------------- from the upstream */

/* Where the parts of an answer begin, and how many rows it has. */
typedef struct { Size start, first, at, end, count; } Cuts;

/* What is known of results with this description: a new reference, NULL without an error when nothing is. */
static PyObject *shape_of(Short *self, PyObject *known, Bytes p, Cuts *cuts) {
    PyObject *shape = get(known, &word_shape);
    cuts->first = cuts->start;
    if (!shape || shape != Py_None) return shape;
    Py_DECREF(shape);
    if (p[cuts->start] != 'T') return NULL;
    int64_t first = (int64_t)cuts->start + 1 + (int64_t)read32(p + cuts->start + 1);
    if (first > cuts->end) return NULL;
    cuts->first = (Size)first;
    PyObject *reading = get(known, &word_reading), *found = NULL;
    PyObject *shapes = reading ? get(reading, &word_shapes) : NULL;
    PyObject *looks = shapes ? PyBytes_FromStringAndSize((const char *)p + cuts->start, cuts->first - cuts->start) : NULL;
    PyObject *key = looks ? PyTuple_Pack(2, zero, looks) : NULL;
    if (key && PyDict_Check(shapes)) {
        found = PyDict_GetItemWithError(shapes, key);
        Py_XINCREF(found);
    }
    Py_XDECREF(key);
    Py_XDECREF(looks);
    Py_XDECREF(shapes);
    Py_XDECREF(reading);
    (void)self;
    return found;
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

/* The command tag, packed. */
static PyObject *tag_of(Short *self, Bytes p, const Cuts *cuts) {
    Size size = cuts->end - cuts->at;
    if (self->last_tag && PyBytes_GET_SIZE(self->last_message) == size
        && !memcmp(PyBytes_AS_STRING(self->last_message), p + cuts->at, (size_t)size)) return Py_NewRef(self->last_tag);
    PyObject *message = PyBytes_FromStringAndSize((const char *)p + cuts->at, size);
    if (!message) return NULL;
    PyObject *tag = PyDict_GetItemWithError(self->port[TAGS], message);
    if (tag) Py_INCREF(tag);
    else if (!PyErr_Occurred()) tag = PyObject_CallOneArg(self->port[TAG], message);
    if (tag && !PyBytes_CheckExact(tag)) {
        Py_CLEAR(tag);
        PyErr_SetString(PyExc_TypeError, "a packed tag is expected");
    }
    if (tag) {
        Py_XSETREF(self->last_message, Py_NewRef(message));
        Py_XSETREF(self->last_tag, Py_NewRef(tag));
    }
    Py_DECREF(message);
    return tag;
}

/* The values of rows, packed (kept.kept_values). */
static PyObject *values_of(Short *self, PyObject *shape, PyObject *rows) {
    PyObject *columns = NULL, *values = NULL;
    int quick = is_true(shape, &word_plain);
    if (quick < 0) return NULL;
    if (quick && self->port[PACK] != Py_None) {
        PyObject *arguments[] = {rows, self->longest};
        values = PyObject_Vectorcall(self->port[PACK], arguments, 2, NULL);
        if (!values) return NULL;
        if (values == Py_None) Py_CLEAR(values);
    }
    if (!values) {
        columns = get(shape, &word_columns);
        values = columns ? PyObject_CallFunctionObjArgs(self->port[KEPT], rows, columns, NULL) : NULL;
        Py_XDECREF(columns);
    }
    if (values && !PyBytes_CheckExact(values)) {
        Py_CLEAR(values);
        PyErr_SetString(PyExc_TypeError, "packed values are expected");
    }
    return values;
}

static PyObject *result_record(Short *self, PyObject *shape, PyObject *rows, Bytes p, const Cuts *cuts, long masked) {
    PyObject *bytes = NULL, *names = bytes_of(shape, &word_names), *values = names ? values_of(self, shape, rows) : NULL;
    PyObject *tag = values ? tag_of(self, p, cuts) : NULL;
    if (tag) {
        When when;
        long number = number_of(self->port[LANE], &word_number);
        if (!when_of(self, number, &when) && !too_large(masked)) {
            Size size = WHEN_SIZE + 3 + 5 + 5 + 7 + 5 + PyBytes_GET_SIZE(names) + PyBytes_GET_SIZE(values) + PyBytes_GET_SIZE(tag);
            for (int i = RESULT; i < PART_COUNT; i++) size += PyBytes_GET_SIZE(part(self, i));
            bytes = PyBytes_FromStringAndSize(NULL, size);
            if (bytes) {
                unsigned char *to = copy_bytes((unsigned char *)PyBytes_AS_STRING(bytes), part(self, RESULT));
                to = copy_when(to, when);
                to = copy_bytes(copy_bytes(copy_bytes(to, part(self, NAMES)), names), part(self, VALUES));
                *to++ = 0xdc, *to++ = (unsigned char)(cuts->count >> 8), *to++ = (unsigned char)cuts->count;
                to = copy_bytes(copy_bytes(copy_bytes(to, values), part(self, END)), tag);
                to = write32(copy(to, "\xa4rows\xce", 6), (uint32_t)cuts->count);
                write32(copy(to, "\xa6masked\xce", 8), (uint32_t)masked);
            }
        }
    }
    Py_XDECREF(names);
    Py_XDECREF(values);
    Py_XDECREF(tag);
    return bytes;
}

/* What the client is shown: the answer as it is, or with its description and rows as they may be shown. */
static PyObject *shown_of(PyObject *shape, PyObject *data, PyObject *rows, const Cuts *cuts, long masked) {
    PyObject *told = get(shape, &word_told);
    if (!told) return NULL;
    int retold = told != Py_None && cuts->first > cuts->start;
    if (!masked && !retold) { Py_DECREF(told); return Py_NewRef(data); }
    Bytes p = (Bytes)PyBytes_AS_STRING(data);
    Size before = retold ? cuts->start : cuts->first, behind = PyBytes_GET_SIZE(data) - cuts->at;
    if (retold && !PyBytes_CheckExact(told)) { Py_DECREF(told); PyErr_SetString(PyExc_TypeError, "bytes are expected"); return NULL; }
    Size size = before + (retold ? PyBytes_GET_SIZE(told) : 0) + PyBytes_GET_SIZE(rows) + behind;
    PyObject *shown = PyBytes_FromStringAndSize(NULL, size);
    if (shown) {
        unsigned char *to = copy((unsigned char *)PyBytes_AS_STRING(shown), p, before);
        if (retold) to = copy_bytes(to, told);
        copy(copy_bytes(to, rows), p + cuts->at, behind);
    }
    Py_DECREF(told);
    return shown;
}

/* The rows as they may be shown, and how many values of them were masked. */
static PyObject *rewritten(Short *self, PyObject *shape, PyObject *rows, long *masked) {
    PyObject *plan = get(shape, &word_plan), *out = NULL;
    if (!plan) return NULL;
    if (plan == Py_None) { Py_DECREF(plan); return Py_NewRef(rows); }
    long before = number_of(plan, &word_plan_masked);
    if (!PyErr_Occurred()) out = PyObject_CallMethodOneArg(plan, word_rewrite.name, rows);
    if (out) {
        *masked = number_of(plan, &word_plan_masked) - before;
        if (PyErr_Occurred() || done(PyObject_CallNoArgs(self->port[TELL_FAILURES])) < 0) Py_CLEAR(out);
    }
    if (out && !PyBytes_CheckExact(out)) {
        Py_CLEAR(out);
        PyErr_SetString(PyExc_TypeError, "rows are bytes");
    }
    Py_DECREF(plan);
    return out;
}

static int count(Short *self, Word *word, long more) {
    if (!more) return 0;
    long so_far = number_of(self->port[COUNTERS], word);
    PyObject *sum = PyErr_Occurred() ? NULL : PyLong_FromLong(so_far + more);
    int result = sum ? set(self->port[COUNTERS], word, sum) : -1;
    Py_XDECREF(sum);
    return result;
}

/* Whether a batch leaves nothing behind that is not there already (Lane.settle). */
static int is_settled(Short *self, PyObject *bound) {
    int parses = is_true(bound, &word_parses);
    if (parses < 0 || self->status != 'I') return parses < 0 ? -1 : 0;
    PyObject *prepared = parses ? get(bound, &word_prepared) : NULL;
    int settled = !parses ? 1 : prepared ? defines(self, unnamed, prepared) : -1;
    Py_XDECREF(prepared);
    return settled;
}

/* Over: the client has it, the record waits for the next statement. */
static int finish(Short *self, PyObject *known, PyObject *shown, PyObject *told) {
    if (set(self->port[LANE], &word_under_way, Py_None) < 0
        || set(self->port[RESPONSES], &word_begun, Py_False) < 0
        || done(PyObject_CallOneArg(self->port[REPLY], shown)) < 0 || PyList_Append(self->port[LATE], told) < 0) return -1;
    int known_to_wait = is_true(self->port[OWNER], &word_waits);
    if (known_to_wait < 0 || (!known_to_wait && done(PyObject_CallNoArgs(self->port[SOON])) < 0)) return -1;
    PyObject *bound = get(known, &word_bound);
    if (!bound) return -1;
    int settled = bound == Py_None ? 1 : is_settled(self, bound);
    Py_DECREF(bound);
    return settled < 0 ? -1 : settled ? 0 : done(PyObject_CallOneArg(self->port[SETTLE], known));
}

/* 1 = a whole small answer, told and recorded; 0 = not for here; -1 = an error. */
static int answer(Short *self, PyObject *data) {
    PyObject *known = get(self->port[LANE], &word_under_way);
    if (!known) return -1;
    if (known == Py_None || !PyBytes_CheckExact(data)) { Py_DECREF(known); return 0; }
    PyObject *begins = bytes_of(known, &word_begins), *shape = NULL, *rows = NULL, *masked_rows = NULL, *shown = NULL, *told = NULL;
    Bytes p = (Bytes)PyBytes_AS_STRING(data);
    Size size = PyBytes_GET_SIZE(data);
    int result = 0;
    if (!begins) goto end;
    Cuts cuts = {PyBytes_GET_SIZE(begins), 0, 0, size - 6, 0};
    if (cuts.end < cuts.start || size > self->answer_bytes || memcmp(p, PyBytes_AS_STRING(begins), (size_t)cuts.start)) goto end;
    shape = shape_of(self, known, p, &cuts);
    if (!shape || !is_whole(self, p, &cuts)) goto end;
    long masked = 0;
    rows = PyBytes_FromStringAndSize((const char *)p + cuts.first, cuts.at - cuts.first);
    if (!rows || !(masked_rows = rewritten(self, shape, rows, &masked))) goto end;
    if (!(shown = shown_of(shape, data, masked_rows, &cuts, masked))) goto end;
    if (!(told = result_record(self, shape, masked_rows, p, &cuts, masked))) goto end;
    result = -1;
    if (count(self, &word_rows, (long)cuts.count) < 0 || count(self, &word_masked, masked) < 0) goto end;
    result = finish(self, known, shown, told) < 0 ? -1 : 1;
end:
    /* What failed before anything was done goes the long way, which knows what to say; what ends the process does not. */
    if (!result && PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_Exception)) PyErr_Clear();
        else result = -1;
    }
    Py_XDECREF(told);
    Py_XDECREF(shown);
    Py_XDECREF(masked_rows);
    Py_XDECREF(rows);
    Py_XDECREF(shape);
    Py_XDECREF(begins);
    Py_DECREF(known);
    return result;
}

/* ---------------------------------------------------------------------------------------------- the type */

static PyObject *either(Short *self, PyObject *data, int (*quick)(Short *, PyObject *), int otherwise) {
    if (!self->port[otherwise]) { PyErr_SetString(PyExc_RuntimeError, "not initialised"); return NULL; }
    int handled = self->armed ? quick(self, data) : 0;
    if (handled < 0) return NULL;
    if (handled) Py_RETURN_NONE;
    return PyObject_CallOneArg(self->port[otherwise], data);
}

PyDoc_STRVAR(client_doc, "client(data)\n\nBytes of the client: the short way, or to Python.");
static PyObject *Short_client(Short *self, PyObject *data) { return either(self, data, take, CLIENT); }

PyDoc_STRVAR(upstream_doc, "upstream(data)\n\nBytes of the upstream: the short way, or to Python.");
static PyObject *Short_upstream(Short *self, PyObject *data) { return either(self, data, answer, UPSTREAM); }

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
    Py_CLEAR(self->longest);
    Py_CLEAR(self->last_message);
    Py_CLEAR(self->last_tag);
    for (int i = 0; i < PORTS; i++) Py_CLEAR(self->port[i]);
    return 0;
}
/* Clocks of the machine are read without calling anybody. */
static int own_clocks(Short *self) {
    PyObject *time = PyImport_ImportModule("time");
    PyObject *monotonic = time ? PyObject_GetAttrString(time, "monotonic") : NULL, *wall = time ? PyObject_GetAttrString(time, "time") : NULL;
    Py_XDECREF(time);
    if (monotonic && wall) {
        self->own_clock = self->port[MONOTONIC] == monotonic, self->own_wall = self->port[WALL] == wall;
        self->has_value = (char)PyObject_HasAttr(self->port[VERSION], word_value.name);
        self->longest = PyLong_FromSsize_t(self->value_kept);
    }
    Py_XDECREF(monotonic);
    Py_XDECREF(wall);
    return PyErr_Occurred() ? -1 : 0;
}

static int Short_init(Short *self, PyObject *args, PyObject *names) {
    if (self->port[LANE]) { PyErr_SetString(PyExc_RuntimeError, "initialised before"); return -1; }
    if (PyTuple_GET_SIZE(args) != 3 || !names || PyDict_GET_SIZE(names) != PORTS) {
        PyErr_SetString(PyExc_TypeError, "three limits and every port by its name are expected");
        return -1;
    }
    if (!PyArg_ParseTuple(args, "nnn", &self->rows_kept, &self->answer_bytes, &self->value_kept)) return -1;
    if (self->rows_kept > UINT16_MAX) { PyErr_SetString(PyExc_ValueError, "a record has no room for as many rows"); return -1; }
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
    int fits = PyDict_Check(self->port[EXACT]) && PyDict_Check(self->port[ALIKE]) && PyDict_Check(self->port[TAGS]) && PyList_Check(self->port[LATE])
        && PyTuple_Check(parts) && PyTuple_GET_SIZE(parts) == PART_COUNT;
    for (int i = 0; fits && i < PART_COUNT; i++) fits = PyBytes_CheckExact(PyTuple_GET_ITEM(parts, i));
    if (fits && own_clocks(self) == 0) return 0;
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "a port is of the wrong type");
    Short_clear(self);
    return -1;
}

static int Short_traverse(Short *self, visitproc visit, void *arg) {
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

static PyTypeObject ShortType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "proxy._lane.Short", .tp_basicsize = sizeof(Short),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, .tp_new = PyType_GenericNew, .tp_init = (initproc)Short_init,
    .tp_traverse = (traverseproc)Short_traverse, .tp_clear = (inquiry)Short_clear, .tp_dealloc = (destructor)Short_dealloc,
    .tp_methods = Short_methods, .tp_doc = "Short(rows_kept, answer_bytes, value_kept, **ports)\n\nOne session's short way.",
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "proxy._lane", .m_size = -1};

PyMODINIT_FUNC PyInit__lane(void) {
#define MAKE_WORD(id, text) if (!(word_##id.name = PyUnicode_InternFromString(text))) return NULL;
    WORDS(MAKE_WORD)
    if (!(zero = PyLong_FromLong(0)) || !(unnamed = PyUnicode_InternFromString("")) || PyType_Ready(&ShortType) < 0 || PyType_Ready(&PenType) < 0) return NULL;
    PyObject *made = PyModule_Create(&module);
    if (made && (PyModule_AddObjectRef(made, "Short", (PyObject *)&ShortType) < 0
        || PyModule_AddObjectRef(made, "Pen", (PyObject *)&PenType) < 0)) Py_CLEAR(made);
    return made;
}
