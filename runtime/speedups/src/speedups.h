/* What the files of the extension share. The stable ABI of Python 3.11. */
#ifndef MARINE_SPEEDUPS_H
#define MARINE_SPEEDUPS_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <structmember.h>
#include <stddef.h>
#include <stdint.h>

/* The version of what Python and this extension expect of each other; `marine_runtime.wasm.speedups` has the same. */
#define PROTOCOL 1

/* The part of a guard that decides whether a call may begin. `marine_runtime.calls.guard.Guard` is derived from it, so
 * that generated Python and C look at the same fields. */
typedef struct {
    PyObject_HEAD
    PyObject *busy;   /* owned: False, True, or the record of refused growths; NULL before it is set */
    long long owner;  /* identifier of the thread that may call without more ado */
    char failed;
} Guard;

/* The state of the module; it owns what is in it. */
typedef struct {
    PyTypeObject *guard_type;
    PyTypeObject *call_type;
    PyObject *method_type;  /* `types.MethodType` */
    PyObject *room;         /* a function in Python that does nothing */
} State;

/* Python 3.11 has both, and documents them as parts of the stable ABI from 3.12 on. */
#ifndef Py_TPFLAGS_HAVE_VECTORCALL
#define Py_TPFLAGS_HAVE_VECTORCALL (1UL << 11)
typedef PyObject *(*vectorcallfunc)(PyObject *, PyObject *const *, size_t, PyObject *);
#endif

#define CODES "?bhiqBHIQfdsy" /* of values: those of `struct`, `s` for strings, `y` for bytes */

enum {
    CELL = 16,         /* bytes of a `wasmtime_val_raw_t` */
    DATA = 4096,       /* where values begin in the staging memory */
    SLACK = 16,        /* bytes that Wasm may read behind what is staged */
    MOST_PARAMS = 32,
};

/* `wasmtime_func_call_unchecked` and `wasmtime_memory_data_size`. */
typedef void *(*CallFunction)(void *context, const void *function, void *cells, size_t count, void **trap);
typedef size_t (*SizeFunction)(const void *context, const void *memory);

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    PyObject *weakrefs;
    /* Owned. */
    PyObject *entry;   /* the same function in Python */
    PyObject *guard;   /* a `Guard` */
    PyObject *broken;  /* raises what a failed call means; takes the address of its error, or 0 */
    PyObject *settle;  /* called after a large result */
    PyObject *keep;    /* what the addresses below belong to */
    /* Borrowed from `keep`. */
    CallFunction call;
    void *context, *function;
    char *cells;
    void **trap;
    SizeFunction size;
    void *memory;
    char *base;  /* of the staging memory, which never moves */
    /* The rest. */
    size_t count;    /* of cells */
    size_t room;     /* bytes of the staging memory, as far as they are known */
    size_t direct;   /* sizes of values beyond this go around staging */
    char foresees;   /* a large result foretells another one */
    char large;      /* the last result was large */
    char staged;     /* some parameter is a string or bytes */
    char result;     /* the code of the result, or 0 */
    unsigned char params;
    char codes[MOST_PARAMS + 1];  /* one for each parameter */
} Call;

extern PyType_Spec call_spec;

/* Puts the arguments into the cells and into the staging memory; 0 when the entry has to look at them. Borrows them. */
int lower(Call *self, PyObject *const *args);

/* A new reference to the result, or NULL with an exception. */
PyObject *lift(Call *self);

#endif
