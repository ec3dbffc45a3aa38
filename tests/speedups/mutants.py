"""The extension without one of its checks, or with a reference too many, in turn: some test has to notice.

`tests.speedups.checks` runs them. The first kind is killed by the tests of this folder, the second by the count of all
references.
"""

from __future__ import annotations

CHECKS = {
    "a call within a call": ("guard->busy == Py_False && ", ""),
    "a call of another thread": (
        " &&\n           guard->owner == (long long)PyThread_get_thread_ident();",
        ";",
    ),
    "a number of arguments": ("given == self->params && ", "given <= self->params && "),
    "truth values": ("if (!truth && value != Py_False) return 0;", ""),
    "subclasses of int": ("if (!PyLong_CheckExact(value)) return 0;", "if (!PyLong_Check(value)) return 0;"),
    "ranges": ("if (number < ranges[at].low || number > ranges[at].high) return 0;", ""),
    "integers beyond 64 bits": ("if (overflow) return 0;", ""),
    "unsigned ones beyond 64 bits": ("            PyErr_Clear();\n            return 0;", "            PyErr_Clear();"),
    "text that is none": ("if (data == NULL || counted > self->direct)", "if (counted > self->direct)"),
    "room in the staging memory": ("if (end + size + SLACK > self->room) return 0;", ""),
    "the state after a failure": ("if (result == NULL) guard->failed = 1;", ""),
    "the end of a call": ("    set_busy(guard, Py_False);\n", ""),
    "what follows a large result": ("= PyObject_CallNoArgs(self->settle);", "= Py_NewRef(Py_None);"),
    "the reference to a type": ("(object);\n    Py_DECREF(type);\n", "(object);\n"),
}  # fmt: skip
"""Checks that are missing, by their place in the source: a text and the one instead of it."""

REFERENCES = {
    "the arguments of the entry": ("    Py_DECREF(positional);\n", ""),
    "arguments by keyword": ("    Py_XDECREF(keywords);\n", ""),
    "the address of an error": ("        Py_XDECREF(address);\n", ""),
    "truth values of the guard": ("    Py_XDECREF(before);\n", "    if (before != Py_True) Py_XDECREF(before);\n"),
    "the entry": ("    Py_DECREF(entry);\n", ""),
    "a function that runs": ("        Py_DECREF(object);\n", ""),
    "what settles": ("        Py_XDECREF(done);\n", ""),
}
"""References that nobody gives back."""
