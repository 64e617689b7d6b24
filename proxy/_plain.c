/* `proxy._plain`: a plain SELECT taken apart in C (`_plain.h`). This is the rim to Python: what was found as tuples, as
 * `proxy/sql/plain.py` has them. Whoever calls holds the interpreter's lock, so one statement is looked at at a time. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include "_plain.h"

static Plain found;
/* Making tuples may run the garbage collector, and that whatever it likes: also somebody who asks here. */
static int busy;

/* A text, None when it is empty. */
static PyObject *text_or_none(Name name) {
    if (!name.size) Py_RETURN_NONE;
    return PyUnicode_DecodeUTF8((const char *)name.at, name.size, NULL);
}

/* A tuple that takes these things over; NULL when one of them could not be made. */
static PyObject *together(int count, PyObject **things) {
    int whole = 1;
    for (int i = 0; i < count; i++) whole = whole && things[i];
    PyObject *made = whole ? PyTuple_New(count) : NULL;
    for (int i = 0; i < count; i++) {
        if (made) PyTuple_SET_ITEM(made, i, things[i]);
        else Py_XDECREF(things[i]);
    }
    return made;
}

static PyObject *span(Span one) {
    PyObject *made = PyTuple_New(one.count);
    for (int i = 0; made && i < one.count; i++) {
        PyObject *number = PyLong_FromLong(found.numbers[one.start + i]);
        if (!number) { Py_CLEAR(made); break; }
        PyTuple_SET_ITEM(made, i, number);
    }
    return made;
}

static PyObject *of_expression(int at) {
    const Expression *one = &found.expressions[at];
    return together(5, (PyObject *[]){PyLong_FromLong(one->kind), span(one->columns), span(one->tested), span(one->literals), span(one->parameters)});
}

static PyObject *of_table(int at) {
    const Table *one = &found.tables[at];
    return together(3, (PyObject *[]){text_or_none(one->schema), text_or_none(one->name), text_or_none(one->alias)});
}

static PyObject *number_or_none(int number) { return number < 0 ? Py_NewRef(Py_None) : PyLong_FromLong(number); }

static PyObject *of_ref(int at) {
    return together(2, (PyObject *[]){number_or_none(found.refs[at].at), text_or_none(found.refs[at].column)});
}

/* The numbers of the references that stand alone. */
static PyObject *alone(void) {
    int count = 0;
    for (int i = 0; i < found.ref_count; i++) count += !found.refs[i].used;
    PyObject *made = PyTuple_New(count);
    for (int i = found.ref_count - 1; made && i >= 0; i--) {
        if (found.refs[i].used) continue;
        PyObject *number = PyLong_FromLong(i);
        if (!number) { Py_CLEAR(made); break; }
        PyTuple_SET_ITEM(made, --count, number);
    }
    return made;
}

static PyObject *of_qualified(const Qualified *one) {
    if (!one->first.size) return together(1, (PyObject *[]){text_or_none(one->last)});
    return together(2, (PyObject *[]){text_or_none(one->first), text_or_none(one->last)});
}

static PyObject *of_call(int at) { return of_qualified(&found.calls[at]); }
static PyObject *of_shown(int at) { return of_qualified(&found.shown[at]); }
static PyObject *of_cast(int at) { return of_qualified(&found.casts[at]); }
static PyObject *of_operator(int at) { return text_or_none(found.operators[at]); }

static PyObject *of_output(int at) {
    const Output *one = &found.outputs[at];
    if (one->star) return together(1, (PyObject *[]){number_or_none(one->at)});
    return together(2, (PyObject *[]){text_or_none(one->name), of_expression(one->expression)});
}

static PyObject *of_numbered(const Numbered *one) {
    return together(2, (PyObject *[]){PyLong_FromLong(one->number), of_expression(one->expression)});
}

static PyObject *of_condition(int at) { return of_expression(found.conditions[at].expression); }
static PyObject *of_group(int at) { return of_numbered(&found.groups[at]); }
static PyObject *of_limit(int at) { return of_expression(found.limits[at]); }

static PyObject *all_of(int count, PyObject *(*make)(int)) {
    PyObject *made = PyTuple_New(count);
    for (int i = 0; made && i < count; i++) {
        PyObject *one = make(i);
        if (!one) { Py_CLEAR(made); break; }
        PyTuple_SET_ITEM(made, i, one);
    }
    return made;
}

PyDoc_STRVAR(plain_doc,
"plain(json) -> tuple | None\n\nThe fields of `proxy.sql.plain.Plain` of the statement that libpg_query shows as this JSON; None when it is\n"
"not plain.");
static PyObject *plain(PyObject *self, PyObject *json) {
    Py_ssize_t size;
    const char *data = PyUnicode_AsUTF8AndSize(json, &size);
    if (!data) return NULL;
    if (busy || !taken_apart(&found, (Bytes)data, size)) Py_RETURN_NONE;
    const Plain *p = &found;
    busy = 1;
    PyObject *made = together(13, (PyObject *[]){
        all_of(p->table_count, of_table), all_of(p->ref_count, of_ref), alone(), all_of(p->call_count, of_call), all_of(p->shown_count, of_shown),
        all_of(p->operator_count, of_operator), all_of(p->cast_count, of_cast), all_of(p->output_count, of_output),
        all_of(p->condition_count, of_condition), all_of(p->group_count, of_group), all_of(p->limit_count, of_limit),
        p->counted ? PyLong_FromLong(p->most) : Py_NewRef(Py_None), PyBool_FromLong(p->grouped)});
    busy = 0;
    return made;
}

static PyMethodDef methods[] = {{"plain", plain, METH_O, plain_doc}, {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "proxy._plain", .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC PyInit__plain(void) {
    if (!learn_words()) {
        PyErr_SetString(PyExc_ImportError, "too many names share a hash");
        return NULL;
    }
    PyObject *made = PyModule_Create(&module);
    if (made && PyModule_AddIntMacro(made, AGREEMENT) < 0) Py_CLEAR(made);
    return made;
}
