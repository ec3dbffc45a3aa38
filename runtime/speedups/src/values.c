/* Arguments into cells and the staging memory, and results out of them. */
#include "speedups.h"
#include <string.h>

/* Stores an integer of the width that `code` has into a cell; 0 when it is none, or out of range. Borrows `value`. */
static int store_integer(char code, PyObject *value, char *cell) {
    static const struct { char code; long long low, high; } ranges[] = {
        {'i', INT32_MIN, INT32_MAX}, {'I', 0, UINT32_MAX},  {'q', INT64_MIN, INT64_MAX}, {'b', INT8_MIN, INT8_MAX},
        {'h', INT16_MIN, INT16_MAX}, {'B', 0, UINT8_MAX},   {'H', 0, UINT16_MAX},
    };
    if (!PyLong_CheckExact(value)) return 0;
    if (code == 'Q') {
        uint64_t big = PyLong_AsUnsignedLongLong(value);
        if (big == UINT64_MAX && PyErr_Occurred()) {
            PyErr_Clear();
            return 0;
        }
        memcpy(cell, &big, sizeof big);
        return 1;
    }
    int overflow;
    long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow) return 0;
    for (size_t at = 0; at < sizeof ranges / sizeof *ranges; at++) {
        if (ranges[at].code != code) continue;
        if (number < ranges[at].low || number > ranges[at].high) return 0;
        memcpy(cell, &number, sizeof number);
        return 1;
    }
    return 0;
}

/* The bytes of a string or of bytes, which belong to `value`; NULL when it is something else, or no valid text. A string
 * that is not ASCII keeps its UTF-8, of at most 192 KiB, from now on: that is how Python gives it out. */
static const char *bytes_of(Call *self, char code, PyObject *value, size_t *length, size_t *counted) {
    Py_ssize_t size = 0;
    if (code == 'y') {
        if (!PyBytes_CheckExact(value)) return NULL;
        *counted += *length = (size_t)PyBytes_Size(value);
        return PyBytes_AsString(value);
    }
    if (!PyUnicode_CheckExact(value)) return NULL;
    *counted += (size_t)PyUnicode_GetLength(value);
    if (*counted > self->direct) return NULL;
    const char *text = PyUnicode_AsUTF8AndSize(value, &size);
    if (text == NULL) PyErr_Clear(); /* lone surrogates, or no memory: the entry says so */
    *length = (size_t)size;
    return text;
}

/* Puts the arguments into the cells and into the staging memory; 0 when the entry has to look at them. Borrows them. */
int lower(Call *self, PyObject *const *args) {
    size_t end = DATA, counted = 0;
    char *cell = self->cells;
    for (int index = 0; index < self->params; index++, cell += CELL) {
        PyObject *value = args[index];
        char code = self->codes[index];
        switch (code) {
            case '?': {
                uint32_t truth = value == Py_True;
                if (!truth && value != Py_False) return 0;
                memcpy(cell, &truth, sizeof truth);
                break;
            }
            case 'f':
            case 'd': {
                if (!PyFloat_CheckExact(value)) return 0;
                double real = PyFloat_AsDouble(value);
                float narrow = (float)real;
                if (code == 'f') memcpy(cell, &narrow, sizeof narrow);
                else memcpy(cell, &real, sizeof real);
                break;
            }
            case 's':
            case 'y': {
                size_t size;
                const char *data = bytes_of(self, code, value, &size, &counted);
                if (data == NULL || counted > self->direct) return 0;
                if (end + size + SLACK > self->room) {
                    self->room = self->size(self->context, self->memory);
                    if (end + size + SLACK > self->room) return 0;
                }
                memcpy(self->base + end, data, size);
                uint32_t place = (uint32_t)end, length = (uint32_t)size;
                memcpy(cell, &place, sizeof place);
                cell += CELL;
                memcpy(cell, &length, sizeof length);
                end += size;
                break;
            }
            default:
                if (!store_integer(code, value, cell)) return 0;
        }
    }
    if (self->staged) {
        uint32_t free_from = (uint32_t)end;
        memcpy(cell, &free_from, sizeof free_from);
    }
    return 1;
}

/* A new reference to a string or bytes that the call left in the staging memory, or NULL with an exception. */
static PyObject *lift_staged(Call *self) {
    uint32_t at, size;
    memcpy(&at, self->cells, sizeof at);
    memcpy(&size, self->cells + CELL, sizeof size);
    if ((uint64_t)at + size > self->room) {
        self->room = self->size(self->context, self->memory);
        if ((uint64_t)at + size > self->room) {
            PyErr_SetString(PyExc_SystemError, "the result of a call lies outside of the staging memory");
            return NULL;
        }
    }
    const char *data = self->base + at;
    PyObject *made = self->result == 's' ? PyUnicode_DecodeUTF8(data, size, NULL) : PyBytes_FromStringAndSize(data, size);
    if (made != NULL && size > self->direct) {
        self->large = self->foresees;
        PyObject *done = PyObject_CallNoArgs(self->settle);
        if (done == NULL) Py_CLEAR(made);
        Py_XDECREF(done);
    }
    return made;
}

/* A new reference to the result, or NULL with an exception. */
PyObject *lift(Call *self) {
    int32_t number;
    uint32_t natural;
    int64_t big;
    uint64_t large;
    float narrow;
    double real;
    switch (self->result) {
        case 0:
            Py_RETURN_NONE;
        case '?':
            memcpy(&natural, self->cells, sizeof natural);
            return PyBool_FromLong(natural != 0);
        case 'b':
        case 'h':
        case 'i':
            memcpy(&number, self->cells, sizeof number);
            return PyLong_FromLong(number);
        case 'B':
        case 'H':
        case 'I':
            memcpy(&natural, self->cells, sizeof natural);
            return PyLong_FromUnsignedLong(natural);
        case 'q':
            memcpy(&big, self->cells, sizeof big);
            return PyLong_FromLongLong(big);
        case 'Q':
            memcpy(&large, self->cells, sizeof large);
            return PyLong_FromUnsignedLongLong(large);
        case 'f':
            memcpy(&narrow, self->cells, sizeof narrow);
            return PyFloat_FromDouble(narrow);
        case 'd':
            memcpy(&real, self->cells, sizeof real);
            return PyFloat_FromDouble(real);
        default:
            return lift_staged(self);
    }
}
