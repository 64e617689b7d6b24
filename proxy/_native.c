/* The inner loops of the gateway in C: cutting messages, walking rows, looking at values, writing what changed.
 *
 * Everything here exists in Python as well (`proxy/postgres/frames.py`, `kept.py`, `masking/rows.py`, `copyout.py`) and
 * gives the same bytes; `tests/proxy/test_native.py` compares them. What is in a value is told by `_native_look.h`, as far
 * as that is certain; of everything else the Python cell of the column is asked. `_native_form.h` cuts statements, `_native_batch.h` batches.
 *
 * Reading never goes past the end of a buffer: every function takes (pointer, length) and checks before it looks.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include "_native_look.h"
#include "_native_form.h"
#include "_native_batch.h"

/* How a column is treated. The numbers are those of masking/swift.py. */
enum { PASS, CALL, CONSTANT, EMAIL_SHAPE, PHONE_SHAPE, WORDS_SHAPE, SCAN };

/* ---------------------------------------------------------------------------------------------- a growing output */

/* Bytes for Python that grow; all zero is an empty one. */
typedef struct {
    PyObject *bytes;
    unsigned char *data;
    Size size, room;
} Out;

static int grow(Out *out, Size size) {
    Size room = out->room + out->room / 2 + size + 256;
    if (!out->bytes) out->bytes = PyBytes_FromStringAndSize(NULL, room);
    else _PyBytes_Resize(&out->bytes, room); /* NULL when it fails */
    if (!out->bytes) { out->data = NULL, out->size = out->room = 0; return -1; }
    out->data = (unsigned char *)PyBytes_AS_STRING(out->bytes), out->room = room;
    return 0;
}

static inline int put(Out *out, const void *data, Size size) {
    if (size > out->room - out->size && grow(out, size) < 0) return -1;
    if (size) memcpy(out->data + out->size, data, (size_t)size);
    out->size += size;
    return 0;
}

static int put32(Out *out, uint32_t value) {
    unsigned char four[4];
    write32(four, value);
    return put(out, four, 4);
}

static PyObject *finished(Out *out) {
    if (!out->bytes) return PyBytes_FromStringAndSize(NULL, 0);
    _PyBytes_Resize(&out->bytes, out->size);
    return out->bytes;
}

/* ---------------------------------------------------------------------------------------------- one value */

/* A plan: for each column how it is treated, what a SCAN looks for, and the cell or constant. `text` is where a text with
 * replaced parts is put together. */
typedef struct {
    Size columns;
    Bytes how;
    const int64_t *looks_for;
    PyObject *cells;
    Look look;
    Out text;
} Plan;

/* What becomes of a value. `held` owns the bytes behind `data` when a cell made them. */
typedef struct {
    int changed; /* 0 as it was, 1 other bytes, 2 NULL */
    const void *data;
    Size size;
    PyObject *held;
    unsigned char shape[SHAPE_ROOM];
} Value;

static int from_object(Value *value, PyObject *object, PyObject *before) {
    if (object == before) { value->changed = 0; Py_DECREF(object); return 0; }
    if (object == Py_None) { value->changed = 2; Py_DECREF(object); return 0; }
    char *data;
    if (PyBytes_AsStringAndSize(object, &data, &value->size) < 0) { Py_DECREF(object); return -1; }
    value->changed = 1, value->data = data, value->held = object;
    return 0;
}

static int call(Value *value, PyObject *cell, Bytes v, Size n) {
    PyObject *before = PyBytes_FromStringAndSize((const char *)v, n);
    if (!before) return -1;
    PyObject *after = PyObject_CallOneArg(cell, before);
    int failed = after ? from_object(value, after, before) : -1;
    Py_DECREF(before);
    return failed;
}

static int shaped(Value *value, Size size) {
    value->changed = size > 0, value->data = value->shape, value->size = size;
    return size > 0;
}

/* The value with its spans replaced. Returns -1 for an error, 0 when a replacement is not for here. */
static int replaced(const Look *look, Out *text, Value *value) {
    Size copied = 0;
    if (look->count == 1 && !look->spans[0].start && look->spans[0].end == look->size)
        return shaped(value, replacement(look, &look->spans[0], value->shape));
    text->size = 0;
    for (int i = 0; i < look->count; i++) {
        const Span *one = &look->spans[i];
        Size size = replacement(look, one, value->shape);
        if (!size) return 0;
        if (put(text, look->text + copied, one->start - copied) < 0 || put(text, value->shape, size) < 0) return -1;
        copied = one->end;
    }
    if (put(text, look->text + copied, look->size - copied) < 0) return -1;
    value->changed = 1, value->data = text->data, value->size = text->size;
    return 1;
}

/* Decide about one value. A cell is the last to be asked, and always asked when nothing here is certain. */
static int decide(Plan *plan, Size column, Bytes v, Size n, Value *value) {
    PyObject *cell = PyTuple_GET_ITEM(plan->cells, column);
    value->changed = 0, value->held = NULL;
    switch (plan->how[column]) {
    case PASS: return 0;
    case CONSTANT: Py_INCREF(cell); return from_object(value, cell, NULL);
    case EMAIL_SHAPE: if (shaped(value, email_shape(v, n, value->shape))) return 0; break;
    case PHONE_SHAPE: if (shaped(value, phone_shape(v, n, value->shape))) return 0; break;
    case WORDS_SHAPE: if (shaped(value, words_shape(v, n, value->shape))) return 0; break;
    case SCAN: {
        int found = look_into(&plan->look, v, n, plan->looks_for[column]);
        if (found == CLEAN) return 0;
        if (found == FOUND) {
            int done = replaced(&plan->look, &plan->text, value);
            if (done) return done < 0 ? -1 : 0;
        }
        break;
    }
    default: break;
    }
    value->changed = 0;
    return call(value, cell, v, n);
}

static int make_plan(Plan *plan, PyObject *how, PyObject *looks_for, PyObject *cells) {
    Size columns = PyBytes_Check(how) ? PyBytes_GET_SIZE(how) : -1;
    if (columns < 0 || !PyBytes_Check(looks_for) || !PyTuple_Check(cells) || PyTuple_GET_SIZE(cells) != columns
        || PyBytes_GET_SIZE(looks_for) != columns * (Size)sizeof(int64_t)) {
        PyErr_SetString(PyExc_TypeError, "a plan is bytes, an int of 64 bits for each as bytes, and a tuple of the same size");
        return -1;
    }
    memset(plan, 0, sizeof *plan);
    plan->columns = columns, plan->how = (Bytes)PyBytes_AS_STRING(how);
    plan->looks_for = (const int64_t *)(const void *)PyBytes_AS_STRING(looks_for), plan->cells = cells;
    return 0;
}

static void end_plan(Plan *plan) { Py_CLEAR(plan->text.bytes); }

/* ---------------------------------------------------------------------------------------------- rows */

/* What stays as it is waits to be copied in one piece: `data[copied:at]`, before anything else is written. */
typedef struct {
    Bytes data;
    Size copied;
    Out out;
} Rewrite;

static int catch_up(Rewrite *to, Size at) {
    int failed = put(&to->out, to->data + to->copied, at - to->copied);
    to->copied = at;
    return failed;
}

/* One DataRow at `start` (its whole message, `size` bytes): 0 as it is, 1 written, 2 not a row of this result. */
static int row(Plan *plan, Size count, Size start, Size size, Rewrite *to, Size *masked) {
    Bytes p = to->data + start;
    Out *out = &to->out;
    Size at = 7, copied = 5, begun = -1, changes = 0;
    if (size < 7 || p[0] != 'D' || (p[5] << 8 | p[6]) != count) return 2;
    Value value;
    for (Size column = 0; column < count; column++) {
        if (at > size - 4) goto not_a_row;
        int32_t length = (int32_t)read32(p + at);
        at += 4;
        if (length < 0) continue;
        if (length > size - at) goto not_a_row;
        if (column < plan->columns && plan->how[column] != PASS) {
            if (decide(plan, column, p + at, length, &value) < 0) return -1;
            if (value.changed) {
                int failed = 0;
                if (begun < 0) failed = catch_up(to, start), begun = out->size, failed = failed || put(out, p, 5);
                failed = failed || put(out, p + copied, at - 4 - copied)
                    || (value.changed == 2 ? put32(out, 0xffffffffu) : put32(out, (uint32_t)value.size) || put(out, value.data, value.size));
                Py_XDECREF(value.held);
                if (failed) return -1;
                copied = at + length, changes++;
            }
        }
        at += length;
    }
    if (at != size) goto not_a_row;
    if (begun < 0) return 0;
    if (put(out, p + copied, size - copied) < 0) return -1;
    write32(out->data + begun + 1, (uint32_t)(out->size - begun - 1));
    *masked += changes;
    return 1;
not_a_row:
    if (begun >= 0) out->size = begun;
    return 2;
}

PyDoc_STRVAR(mask_rows_doc,
"mask_rows(rows, count, how, looks_for, cells, nulls) -> (bytes, masked)\n\n"
"Whole DataRow messages in, as many out. What cannot be read as a row of `count` columns leaves as `nulls`; bytes behind\n"
"the last whole message are dropped.");
static PyObject *mask_rows(PyObject *self, PyObject *args) {
    Py_buffer rows, nulls;
    Py_ssize_t count;
    PyObject *how, *looks_for, *cells, *bytes = NULL;
    Plan plan;
    Rewrite to = {NULL, 0, {NULL, NULL, 0, 0}};
    Size masked = 0, at = 0;
    if (!PyArg_ParseTuple(args, "y*nOOOy*", &rows, &count, &how, &looks_for, &cells, &nulls)) return NULL;
    to.data = rows.buf;
    if (make_plan(&plan, how, looks_for, cells) < 0) goto done;
    if (grow(&to.out, rows.len + rows.len / 16) < 0) goto failed;
    while (rows.len - at >= 5) {
        int64_t size = (int64_t)(int32_t)read32(to.data + at + 1) + 1;
        if (size < 5 || size > rows.len - at) break;
        int done = row(&plan, count, at, (Size)size, &to, &masked);
        if (done < 0) goto failed;
        if (done == 2 && (catch_up(&to, at) < 0 || put(&to.out, nulls.buf, nulls.len) < 0)) goto failed;
        at += (Size)size;
        if (done) to.copied = at;
    }
    if (catch_up(&to, at) == 0) bytes = finished(&to.out), to.out.bytes = NULL;
failed:
    Py_CLEAR(to.out.bytes);
    end_plan(&plan);
done:
    PyBuffer_Release(&rows);
    PyBuffer_Release(&nulls);
    return bytes ? Py_BuildValue("Nn", bytes, masked) : NULL;
}

/* ---------------------------------------------------------------------------------------------- COPY, text format */

/* Where the field at `at` ends: its tab or the end of the line, which is before the last byte; -1 when there is something
 * in it that stands for something else. */
static Size field_end(Bytes p, Size at, Size last) {
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    for (; last - at >= 8; at += 8) { /* eight bytes at once, as long as none is a control character or a backslash */
        uint64_t eight, other;
        memcpy(&eight, p + at, 8);
        other = eight ^ ones * '\\';
        if (((eight - ones * 14) & ~eight & highs) || ((other - ones) & ~other & highs)) break;
    }
    for (; at < last; at++) {
        unsigned char c = p[at];
        if (c == '\t') break;
        if (c == '\\' || c == '\n' || c == '\r') return -1;
    }
    return at;
}

/* One line (with its newline) whose fields are `plan->columns`; as `row`. 2 = Python looks at it. */
static int line(Plan *plan, Bytes p, Size size, Out *out, Size *masked) {
    Size begun = out->size, last = size - 1, column = 0, at = 0, copied = 0, changes = 0;
    if (size < 1 || p[last] != '\n') return 2;
    Value value;
    for (;; column++) {
        if (column >= plan->columns) goto otherwise;
        int null = last - at >= 2 && p[at] == '\\' && p[at + 1] == 'N' && (at + 2 == last || p[at + 2] == '\t');
        Size stop = null ? at + 2 : field_end(p, at, last);
        if (stop < 0) goto otherwise;
        if (!null && plan->how[column] != PASS) {
            if (decide(plan, column, p + at, stop - at, &value) < 0) return -1;
            if (value.changed) {
                const void *data = value.changed == 2 ? "\\N" : value.data;
                Size length = value.changed == 2 ? 2 : value.size;
                int escaped = 0;
                for (Size i = 0; value.changed == 1 && i < length; i++) {
                    unsigned char c = ((Bytes)data)[i];
                    escaped |= c == '\\' || (c >= '\b' && c <= '\r');
                }
                int failed = escaped || put(out, p + copied, at - copied) || put(out, data, length);
                Py_XDECREF(value.held);
                if (escaped) goto otherwise;
                if (failed) return -1;
                copied = stop, changes++;
            }
        }
        if (stop == last) break;
        at = stop + 1;
    }
    if (column + 1 != plan->columns) goto otherwise;
    if (put(out, p + copied, size - copied) < 0) return -1;
    *masked += changes;
    return 1;
otherwise:
    out->size = begun;
    return 2;
}

PyDoc_STRVAR(mask_copy_doc,
"mask_copy(data, at, after, how, looks_for, cells) -> (stop, frames, payload, masked)\n\n"
"CopyData messages of `data[at:after]`, each one line of the text format with tabs and \\N. Stops at the first that is\n"
"anything else. `frames` is what the client gets, `payload` the same without headers.");
static PyObject *mask_copy(PyObject *self, PyObject *args) {
    Py_buffer data;
    Py_ssize_t at, after;
    PyObject *how, *looks_for, *cells, *result = NULL;
    Plan plan;
    Out frames = {NULL, NULL, 0, 0}, payload = {NULL, NULL, 0, 0};
    Size masked = 0;
    static const unsigned char header[5] = {'d', 0, 0, 0, 0};
    if (!PyArg_ParseTuple(args, "y*nnOOO", &data, &at, &after, &how, &looks_for, &cells)) return NULL;
    Bytes p = data.buf;
    if (after > data.len) after = data.len;
    if (make_plan(&plan, how, looks_for, cells) < 0) goto done;
    if (at < 0 || at > after) { PyErr_SetString(PyExc_ValueError, "an offset lies outside of the data"); goto failed; }
    if (grow(&frames, (after - at) + (after - at) / 16) < 0 || grow(&payload, after - at) < 0) goto failed;
    while (after - at >= 5 && p[at] == 'd') {
        int64_t size = (int64_t)read32(p + at + 1) + 1;
        if (size < 5 || size > after - at) break;
        Size mark = frames.size;
        if (put(&frames, header, 5) < 0) goto failed;
        int done = line(&plan, p + at + 5, (Size)size - 5, &frames, &masked);
        if (done < 0) goto failed;
        if (done == 2) { frames.size = mark; break; }
        write32(frames.data + mark + 1, (uint32_t)(frames.size - mark - 1));
        if (put(&payload, frames.data + mark + 5, frames.size - mark - 5) < 0) goto failed;
        at += (Size)size;
    }
    PyObject *one = finished(&frames), *two = finished(&payload);
    frames.bytes = payload.bytes = NULL;
    if (one && two) result = Py_BuildValue("nNNn", at, one, two, masked);
    else { Py_XDECREF(one); Py_XDECREF(two); }
failed:
    Py_CLEAR(frames.bytes);
    Py_CLEAR(payload.bytes);
    end_plan(&plan);
done:
    PyBuffer_Release(&data);
    return result;
}

/* ---------------------------------------------------------------------------------------------- lines of a stream */

/* How long the sequence at p is that only changes how a text looks (masking/ansi.py); 0 = it is none. */
static Size looks(Bytes p, Bytes end) {
    Bytes q = p + 2;
    if (end - p < 3 || p[0] != 0x1b) return 0;
    if ((p[1] == '(' || p[1] == ')') && (p[2] == 'A' || p[2] == 'B' || p[2] == '0')) return 3;
    if (p[1] != '[') return 0;
    if (*q == 'K' || (*q >= '0' && *q <= '2' && end - q > 1 && q[1] == 'K')) return q - p + 1 + (*q != 'K');
    while (q < end && (IS(*q, DIGIT) || *q == ';' || *q == ':')) q++;
    return q < end && *q == 'm' ? q - p + 1 : 0;
}

/* What a line shows, without those sequences. -1 for an error. */
static int uncoloured(Bytes line, Size n, Out *plain) {
    Bytes p = line, end = line + n, escape;
    plain->size = 0;
    while ((escape = memchr(p, 0x1b, (size_t)(end - p))) != NULL) {
        Size size = looks(escape, end);
        if (put(plain, p, escape - p + !size) < 0) return -1;
        p = escape + (size ? size : 1);
    }
    return put(plain, p, end - p);
}

/* Where the line at `p` ends, behind its newline or carriage return; NULL = it goes on. */
static Bytes line_end(Bytes p, Bytes end) {
    Bytes newline = memchr(p, '\n', (size_t)(end - p)), stop = newline ? newline : end, other = memchr(p, '\r', (size_t)(stop - p));
    return other ? other + 1 : newline ? newline + 1 : NULL;
}

PyDoc_STRVAR(mask_lines_doc,
"mask_lines(data, looks_for, longest, asked, cell) -> (bytes, consumed, changed)\n\n"
"The whole lines of a text in UTF-8, masked. Stops before a line of more than `longest` bytes, before one in which a\n"
"private key may begin, and once `asked` of them were given to `cell`. `changed` lines were changed without it.");
static PyObject *mask_lines(PyObject *self, PyObject *args) {
    Py_buffer data;
    long long looks_for;
    Py_ssize_t longest, asked, changed = 0;
    PyObject *cell, *bytes = NULL;
    Look look;
    Value value;
    Rewrite to = {NULL, 0, {NULL, NULL, 0, 0}};
    Out text = {NULL, NULL, 0, 0}, plain = {NULL, NULL, 0, 0};
    if (!PyArg_ParseTuple(args, "y*LnnO", &data, &looks_for, &longest, &asked, &cell)) return NULL;
    Bytes end = (Bytes)data.buf + data.len, p = to.data = data.buf, after;
    while (p < end && asked > 0 && (after = line_end(p, end)) != NULL && after - p <= longest) {
        Size n = after - p, start = p - to.data;
        int coloured = memchr(p, 0x1b, (size_t)n) != NULL;
        if (coloured && uncoloured(p, n, &plain) < 0) goto failed;
        int found = coloured ? look_into(&look, plain.data, plain.size, looks_for) : look_into(&look, p, n, looks_for);
        if (looks_for & HAS_SECRET && look.found & W_PEM) break;
        p = after;
        if (found == CLEAN) continue;
        value.held = NULL;
        int done = found == FOUND && !coloured ? replaced(&look, &text, &value) : 0;
        if (done < 0) goto failed;
        changed += done;
        if (!done && (asked--, call(&value, cell, after - n, n) < 0)) goto failed;
        if (!done && value.changed == 0) continue;
        int wrong = value.changed == 2 || catch_up(&to, start) < 0 || put(&to.out, value.data, value.size) < 0;
        Py_XDECREF(value.held);
        if (wrong) goto failed;
        to.copied = after - to.data;
    }
    if (catch_up(&to, p - to.data) == 0) bytes = finished(&to.out), to.out.bytes = NULL;
failed:
    Py_CLEAR(to.out.bytes);
    Py_CLEAR(text.bytes);
    Py_CLEAR(plain.bytes);
    PyObject *result = bytes ? Py_BuildValue("Nnn", bytes, to.copied, changed) : NULL;
    if (!result && !PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "a cell gave no bytes");
    PyBuffer_Release(&data);
    return result;
}

/* ---------------------------------------------------------------------------------------------- messages */

PyDoc_STRVAR(run_of_doc,
"run_of(data, at, kind) -> (after, number)\n\nWhere the run of whole messages of this kind that starts at `at` ends, and how many they are.");
static PyObject *run_of(PyObject *self, PyObject *args) {
    Py_buffer data;
    Py_ssize_t at, number = 0;
    int kind;
    if (!PyArg_ParseTuple(args, "y*ni", &data, &at, &kind)) return NULL;
    Bytes p = data.buf;
    while (at >= 0 && data.len - at >= 5 && p[at] == kind) {
        int64_t size = (int64_t)read32(p + at + 1) + 1;
        if (size < 5 || size > data.len - at) break;
        at += (Size)size, number++;
    }
    PyBuffer_Release(&data);
    return Py_BuildValue("nn", at, number);
}

PyDoc_STRVAR(payloads_doc, "payloads(data, at, after) -> bytes\n\nWhat a run of whole messages carries, without their headers.");
static PyObject *payloads(PyObject *self, PyObject *args) {
    Py_buffer data;
    Py_ssize_t at, after;
    Out out = {NULL, NULL, 0, 0};
    if (!PyArg_ParseTuple(args, "y*nn", &data, &at, &after)) return NULL;
    Bytes p = data.buf;
    int failed;
    if (after > data.len) after = data.len;
    failed = at >= 0 && after > at && grow(&out, after - at) < 0;
    while (!failed && at >= 0 && after - at >= 5) {
        int64_t size = (int64_t)read32(p + at + 1) + 1;
        if (size < 5 || size > after - at) break;
        failed = put(&out, p + at + 5, (Size)size - 5);
        at += (Size)size;
    }
    PyBuffer_Release(&data);
    if (!failed) return finished(&out);
    Py_CLEAR(out.bytes);
    return NULL;
}

PyDoc_STRVAR(pack_texts_doc,
"pack_texts(rows, longest) -> bytes | None\n\n"
"Whole DataRow messages as MessagePack arrays of texts, one behind the other; None when a value is longer than `longest`\n"
"bytes or not UTF-8, or a message is no row.");
static PyObject *pack_texts(PyObject *self, PyObject *const *args, Size given) {
    if (given != 2 || !PyBytes_Check(args[0])) { PyErr_SetString(PyExc_TypeError, "bytes and a number are expected"); return NULL; }
    Size longest = PyLong_AsSsize_t(args[1]), all = PyBytes_GET_SIZE(args[0]);
    if (longest == -1 && PyErr_Occurred()) return NULL;
    PyObject *packed = PyBytes_FromStringAndSize(NULL, all);
    if (!packed) return NULL;
    Size size = pack_rows((unsigned char *)PyBytes_AS_STRING(packed), (Bytes)PyBytes_AS_STRING(args[0]), all, longest);
    if (size < 0) { Py_DECREF(packed); Py_RETURN_NONE; }
    if (size != all) _PyBytes_Resize(&packed, size); /* NULL when it fails */
    return packed;
}

/* ---------------------------------------------------------------------------------------------- the module */

PyDoc_STRVAR(look_doc,
"look(value, looks_for) -> bytes | None\n\nThe masked value where that is certain (`value` itself: nothing is in it); None = only the detectors can tell.");
static PyObject *look(PyObject *self, PyObject *args) {
    PyObject *before, *after = NULL;
    long long looks_for;
    Look seen;
    Out text = {NULL, NULL, 0, 0};
    Value value;
    if (!PyArg_ParseTuple(args, "SL", &before, &looks_for)) return NULL;
    int found = look_into(&seen, (Bytes)PyBytes_AS_STRING(before), PyBytes_GET_SIZE(before), looks_for);
    if (found == CLEAN) return Py_NewRef(before);
    int done = found == FOUND ? replaced(&seen, &text, &value) : 0;
    if (done > 0) after = PyBytes_FromStringAndSize(value.data, value.size);
    Py_CLEAR(text.bytes);
    return done ? after : Py_NewRef(Py_None);
}

PyDoc_STRVAR(spans_doc,
"spans(value, looks_for) -> tuple | None\n\nWhere something is, as (start, end) in bytes, where that is certain; None = only the detectors can tell.");
static PyObject *spans(PyObject *self, PyObject *args) {
    PyObject *value;
    long long looks_for;
    Look seen;
    if (!PyArg_ParseTuple(args, "SL", &value, &looks_for)) return NULL;
    if (look_into(&seen, (Bytes)PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), looks_for) == UNSURE) Py_RETURN_NONE;
    PyObject *all = PyTuple_New(seen.count);
    for (int i = 0; all && i < seen.count; i++) {
        PyObject *one = Py_BuildValue("(nn)", seen.spans[i].start, seen.spans[i].end);
        if (!one) { Py_CLEAR(all); break; }
        PyTuple_SET_ITEM(all, i, one);
    }
    return all;
}

PyDoc_STRVAR(harmless_doc,
"harmless(text, looks_for) -> bool\n\nWhether it is certain that the literals of a statement in ASCII are all in it that may be personal, and that\n"
"none of them is.");
static PyObject *harmless(PyObject *self, PyObject *args) {
    PyObject *text;
    long long looks_for;
    Skeleton found;
    Look seen;
    if (!PyArg_ParseTuple(args, "UL", &text, &looks_for)) return NULL;
    if (PyUnicode_READY(text) < 0) return NULL;
    if (!PyUnicode_IS_COMPACT_ASCII(text) || !cut(PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text), &found) || found.others) Py_RETURN_FALSE;
    Bytes data = PyUnicode_1BYTE_DATA(text);
    for (Size i = 0, after = 0; i < found.count; i++) {
        Bytes one = data + found.literals[i].start;
        Size size = found.literals[i].size, quotes = *one == '\'', gap = after;
        while (i && gap < one - data && is_space(data[gap])) gap++;
        if (i && gap == one - data) Py_RETURN_FALSE; /* two strings that may be one */
        after = one - data + size;
        if (look_into(&seen, one + quotes, size - 2 * quotes, looks_for) != CLEAN) Py_RETURN_FALSE;
    }
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(form_doc,
"form(text) -> (skeleton, literals, starts) | None\n\nWhat `proxy.sql.forms.Form` is made of; None when the text has none. Of ASCII only.");
static PyObject *form(PyObject *self, PyObject *text) {
    Skeleton found;
    if (!PyUnicode_Check(text) || PyUnicode_READY(text) < 0 || !PyUnicode_IS_COMPACT_ASCII(text)) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "a str of ASCII is expected");
        return NULL;
    }
    Bytes data = PyUnicode_1BYTE_DATA(text);
    if (!cut(data, PyUnicode_GET_LENGTH(text), &found)) Py_RETURN_NONE;
    PyObject *skeleton = PyUnicode_FromKindAndData(PyUnicode_1BYTE_KIND, found.skeleton, found.size);
    PyObject *literals = PyTuple_New(found.count), *starts = PyTuple_New(found.count);
    int failed = !skeleton || !literals || !starts;
    for (Size i = 0; i < found.count && !failed; i++) {
        const Cut *one = &found.literals[i];
        PyObject *literal = PyUnicode_FromKindAndData(PyUnicode_1BYTE_KIND, data + one->start, one->size);
        PyObject *start = PyLong_FromLong(one->start);
        if (literal) PyTuple_SET_ITEM(literals, i, literal);
        if (start) PyTuple_SET_ITEM(starts, i, start);
        failed = !literal || !start;
    }
    if (!failed) return Py_BuildValue("NNN", skeleton, literals, starts);
    Py_XDECREF(skeleton);
    Py_XDECREF(literals);
    Py_XDECREF(starts);
    return NULL;
}

PyDoc_STRVAR(batch_key_doc, "batch_key(data) -> bytes | None\n\n`Outline.key` of a batch (postgres/outlines.py); None when it has no outline.");
static PyObject *batch_key(PyObject *self, PyObject *data) {
    Batch batch;
    if (!PyBytes_Check(data)) { PyErr_SetString(PyExc_TypeError, "bytes are expected"); return NULL; }
    Bytes p = (Bytes)PyBytes_AS_STRING(data);
    Size n = PyBytes_GET_SIZE(data);
    if (!batch_in(p, n, &batch)) Py_RETURN_NONE;
    PyObject *key = PyBytes_FromStringAndSize(NULL, key_size(n, &batch));
    if (key) write_key((unsigned char *)PyBytes_AS_STRING(key), p, n, &batch);
    return key;
}

/* A part of a blank: bytes. */
static int told_of(PyObject *blank, Size index, Told *part) {
    PyObject *one = PyTuple_GET_ITEM(blank, index);
    if (!PyBytes_Check(one)) return -1;
    part->data = (Bytes)PyBytes_AS_STRING(one), part->size = PyBytes_GET_SIZE(one);
    return 0;
}

/* What postgres/blanks.py made; -1 with an error set when it is anything else. */
static int blank_of(PyObject *given, Blank *blank) {
    Told kinds;
    int fits = PyTuple_Check(given) && PyTuple_GET_SIZE(given) == 5 && PyLong_Check(PyTuple_GET_ITEM(given, 1))
        && !told_of(given, 0, &kinds) && !told_of(given, 2, &blank->before) && !told_of(given, 3, &blank->text) && !told_of(given, 4, &blank->between);
    if (!fits) { PyErr_SetString(PyExc_TypeError, "a blank is kinds, what is looked for, and three pieces of bytes"); return -1; }
    blank->kinds = kinds.data, blank->count = kinds.size, blank->looks_for = PyLong_AsLongLong(PyTuple_GET_ITEM(given, 1));
    return PyErr_Occurred() ? -1 : 0;
}

PyDoc_STRVAR(batch_statement_doc,
"batch_statement(data, blank) -> bytes | None\n\nThe packed statement (`Gate.packed`) with the values of a batch, where it is certain how they are told; None = the twins tell.");
static PyObject *batch_statement(PyObject *self, PyObject *const *args, Size given) {
    Batch batch;
    Blank blank;
    Filled all;
    if (given != 2 || !PyBytes_Check(args[0])) { PyErr_SetString(PyExc_TypeError, "bytes and a blank are expected"); return NULL; }
    if (blank_of(args[1], &blank) < 0) return NULL;
    Bytes p = (Bytes)PyBytes_AS_STRING(args[0]);
    Size n = PyBytes_GET_SIZE(args[0]);
    if (!batch_in(p, n, &batch) || !filled(p, n, &batch, &blank, &all)) Py_RETURN_NONE;
    PyObject *packed = PyBytes_FromStringAndSize(NULL, all.size);
    if (packed) write_filled((unsigned char *)PyBytes_AS_STRING(packed), &blank, &all);
    return packed;
}

/* The words of a dict of bytes and small numbers. */
static int taken(PyObject *dict, Words *words) {
    PyObject *key, *means;
    Py_ssize_t at = 0;
    if (!PyDict_Check(dict)) { PyErr_SetString(PyExc_TypeError, "a dict is expected"); return -1; }
    memset(words, 0, sizeof *words);
    while (PyDict_Next(dict, &at, &key, &means)) {
        char *word;
        Py_ssize_t size;
        long number = PyLong_AsLong(means);
        if (PyErr_Occurred() || PyBytes_AsStringAndSize(key, &word, &size) < 0) return -1;
        if (number < 1 || number > 255 || learn(words, (Bytes)word, size, (int)number) < 0) {
            PyErr_SetString(PyExc_ValueError, "too many words, or one that is too long");
            return -1;
        }
    }
    return 0;
}

PyDoc_STRVAR(configure_doc,
"configure(names, countries, endings)\n\nWhat the detectors know, as dicts of lower-case bytes: words that name a number\n"
"(`tax_id` for two; 1 a phone, 2 a card, 3 anything else, 4 a word that does not count), countries of IBANs with their lengths, endings of files.");
static PyObject *configure(PyObject *self, PyObject *args) {
    PyObject *names, *countries, *endings;
    if (!PyArg_ParseTuple(args, "OOO", &names, &countries, &endings)) return NULL;
    if (taken(names, &number_names) < 0 || taken(countries, &iban_countries) < 0 || taken(endings, &file_endings) < 0) return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"mask_rows", mask_rows, METH_VARARGS, mask_rows_doc}, {"mask_copy", mask_copy, METH_VARARGS, mask_copy_doc},
    {"mask_lines", mask_lines, METH_VARARGS, mask_lines_doc},
    {"run_of", run_of, METH_VARARGS, run_of_doc}, {"payloads", payloads, METH_VARARGS, payloads_doc},
    {"pack_texts", (PyCFunction)(void (*)(void))pack_texts, METH_FASTCALL, pack_texts_doc}, {"look", look, METH_VARARGS, look_doc},
    {"spans", spans, METH_VARARGS, spans_doc},
    {"configure", configure, METH_VARARGS, configure_doc}, {"form", form, METH_O, form_doc},
    {"harmless", harmless, METH_VARARGS, harmless_doc},
    {"batch_key", batch_key, METH_O, batch_key_doc},
    {"batch_statement", (PyCFunction)(void (*)(void))batch_statement, METH_FASTCALL, batch_statement_doc}, {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "proxy._native", .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC PyInit__native(void) {
    prepare();
    PyObject *made = PyModule_Create(&module);
    if (made && PyModule_AddIntMacro(made, AGREEMENT) < 0) Py_CLEAR(made);
    return made;
}
