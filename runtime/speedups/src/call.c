/* A call of one exported function whose values are numbers, truth values, strings and bytes.
 *
 * Only the usual case is here. Whatever is unusual about the arguments, the guard or their size is left to `entry`, the
 * function in Python that does the same; a call that fails in Wasm is left to `broken`. So every error is made in Python.
 */
#include "speedups.h"
#include <string.h>

#define COUNT_OF(given) ((Py_ssize_t)((given) & ~((size_t)1 << (8 * sizeof(size_t) - 1))))

static State *state_of(Call *self) { return PyType_GetModuleState(Py_TYPE((PyObject *)self)); }

/* Gives the guard another `busy`. The old one is released last, as that may run Python. Borrows `value`. */
static void set_busy(Guard *guard, PyObject *value) {
    PyObject *before = guard->busy;
    guard->busy = Py_NewRef(value);
    Py_XDECREF(before);
}

/* Runs the function on what `lower` left in the cells; a new reference, or NULL with an exception. The caller owns a
 * reference to `self` while this runs, and so to everything in it. */
static PyObject *run(Call *self) {
    Guard *guard = (Guard *)self->guard;
    PyObject *result;
    void *error;
    set_busy(guard, Py_True);
    PyThreadState *thread = PyEval_SaveThread();
    error = self->call(self->context, self->function, self->cells, self->count, self->trap);
    PyEval_RestoreThread(thread);
    if (error == NULL && *self->trap == NULL) {
        result = lift(self);
    } else {
        PyObject *address = PyLong_FromVoidPtr(error);
        result = address == NULL ? NULL : PyObject_CallFunctionObjArgs(self->broken, address, NULL);
        Py_XDECREF(address);
        if (result != NULL) {
            Py_CLEAR(result);
            PyErr_SetString(PyExc_SystemError, "a failed call raised nothing");
        }
        *self->trap = NULL;
    }
    if (result == NULL) guard->failed = 1;
    set_busy(guard, Py_False);
    return result;
}

/* Calls the function in Python. Owns nothing that it is given; gives a new reference, or NULL with an exception. */
static PyObject *call_entry(Call *self, PyObject *args, PyObject *keywords) {
    if (self->entry == NULL) {
        PyErr_SetString(PyExc_ReferenceError, "the service of this function is gone");
        return NULL;
    }
    PyObject *entry = Py_NewRef(self->entry);
    PyObject *result = PyObject_Call(entry, args, keywords);
    Py_DECREF(entry);
    if (result != NULL && (self->result == 's' || self->result == 'y')) {
        Py_ssize_t length = PyObject_Size(result);
        if (length < 0) PyErr_Clear();
        self->large = self->foresees && length > (Py_ssize_t)self->direct;
    }
    return result;
}

/* True if a call of this thread may begin, with so many arguments and without more ado. */
static int admitted(Call *self, Py_ssize_t given) {
    const Guard *guard = (Guard *)self->guard;
    return guard != NULL && given == self->params && guard->busy == Py_False && !self->large &&
           guard->owner == (long long)PyThread_get_thread_ident();
}

/* True if Python's stack has room for the frame of a callback, which without one gives Wasmtime any address; otherwise
 * there is an exception. */
static int has_room(Call *self) {
    if (Py_EnterRecursiveCall(" while calling a service")) return 0;
    Py_LeaveRecursiveCall();
    if (Py_Version < 0x030C0000) return 1; /* frames and calls in C were counted together */
    PyObject *none = PyObject_CallNoArgs(state_of(self)->room);
    Py_XDECREF(none);
    return none != NULL;
}

/* `tp_vectorcall`. The arguments are borrowed; gives a new reference, or NULL with an exception. */
static PyObject *call_vector(PyObject *object, PyObject *const *args, size_t given, PyObject *names) {
    Call *self = (Call *)object;
    Py_ssize_t count = COUNT_OF(given);
    if (!has_room(self)) return NULL; /* before all else, as handlers of signals may run here */
    if (names == NULL && admitted(self, count) && lower(self, args)) {
        Py_INCREF(object);
        PyObject *result = run(self);
        Py_DECREF(object);
        return result;
    }
    PyObject *result = NULL, *keywords = NULL, *positional = PyTuple_New(count);
    if (positional == NULL) return NULL;
    for (Py_ssize_t index = 0; index < count; index++) {
        Py_INCREF(args[index]);
        PyTuple_SetItem(positional, index, args[index]);
    }
    Py_ssize_t named = names == NULL ? 0 : PyTuple_Size(names);
    if (named && (keywords = PyDict_New()) == NULL) goto done;
    for (Py_ssize_t index = 0; index < named; index++)
        if (PyDict_SetItem(keywords, PyTuple_GetItem(names, index), args[count + index]) < 0) goto done;
    result = call_entry(self, positional, keywords);
done:
    Py_XDECREF(keywords);
    Py_DECREF(positional);
    return result;
}

/* `tp_call`, for callers without vectorcall. Borrows and gives as above. */
static PyObject *call_call(PyObject *object, PyObject *args, PyObject *keywords) {
    PyObject *values[MOST_PARAMS];
    Py_ssize_t count = PyTuple_Size(args);
    if (count > MOST_PARAMS || (keywords != NULL && PyDict_Size(keywords) != 0))
        return call_entry((Call *)object, args, keywords);
    for (Py_ssize_t index = 0; index < count; index++) values[index] = PyTuple_GetItem(args, index);
    return call_vector(object, values, (size_t)count, NULL);
}

/* `tp_getattro`: the attributes of the function in Python, but for those of the type. Gives a new reference. */
static PyObject *call_getattr(PyObject *object, PyObject *name) {
    Call *self = (Call *)object;
    int of_entry = self->entry != NULL && (PyUnicode_CompareWithASCIIString(name, "__doc__") == 0 ||
                                           PyUnicode_CompareWithASCIIString(name, "__module__") == 0);
    if (of_entry) return PyObject_GetAttr(self->entry, name);
    PyObject *found = PyObject_GenericGetAttr(object, name);
    if (found == NULL && self->entry != NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        found = PyObject_GetAttr(self->entry, name);
    }
    return found;
}

/* `tp_setattro`: attributes are set where they are found. Borrows both; a `value` of NULL deletes. */
static int call_setattr(PyObject *object, PyObject *name, PyObject *value) {
    Call *self = (Call *)object;
    if (self->entry == NULL) return PyObject_GenericSetAttr(object, name, value);
    return value == NULL ? PyObject_DelAttr(self->entry, name) : PyObject_SetAttr(self->entry, name, value);
}

static PyObject *call_repr(PyObject *object) {
    Call *self = (Call *)object;
    return self->entry == NULL ? PyUnicode_FromString("<function of a service>") : PyObject_Repr(self->entry);
}

/* `tp_descr_get`: in a class it is a method, as functions are. Gives a new reference. */
static PyObject *call_get(PyObject *object, PyObject *instance, PyObject *type) {
    (void)type;
    if (instance == NULL || instance == Py_None) return Py_NewRef(object);
    return PyObject_CallFunctionObjArgs(state_of((Call *)object)->method_type, object, instance, NULL);
}

/* `__reduce__`: copies are the same object, and pickles name it, as with functions. Gives a new reference. */
static PyObject *call_reduce(PyObject *object, PyObject *unused) {
    (void)unused;
    return PyObject_GetAttrString(object, "__qualname__");
}

static int call_traverse(PyObject *object, visitproc visit, void *arg) {
    Call *self = (Call *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->entry);
    Py_VISIT(self->guard);
    Py_VISIT(self->broken);
    Py_VISIT(self->settle);
    Py_VISIT(self->keep);
    return 0;
}

/* Gives up what it owns. Without a guard nothing is called in C any more, so no address is used. */
static int call_clear(PyObject *object) {
    Call *self = (Call *)object;
    Py_CLEAR(self->guard);
    Py_CLEAR(self->entry);
    Py_CLEAR(self->broken);
    Py_CLEAR(self->settle);
    Py_CLEAR(self->keep);
    return 0;
}

/* Frees a call, with the reference to its type. */
static void call_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (((Call *)object)->weakrefs != NULL) PyObject_ClearWeakRefs(object);
    call_clear(object);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

/* Fills in what follows from the codes; 0 with an exception when a code is unknown or they do not fit the cells. */
static int take_codes(Call *self, const char *codes, const char *result) {
    size_t params = strlen(codes), cells = 0;
    if (params > MOST_PARAMS || strlen(result) > 1) goto wrong;
    for (const char *code = codes; *code; code++) {
        if (strchr(CODES, *code) == NULL) goto wrong;
        int staged = *code == 's' || *code == 'y';
        self->staged |= staged;
        cells += staged ? 2 : 1;
    }
    if (*result && strchr(CODES, *result) == NULL) goto wrong;
    if (cells + self->staged > self->count || self->count < (*result == 's' || *result == 'y' ? 2 : 1)) goto wrong;
    self->params = (unsigned char)params;
    memcpy(self->codes, codes, params);
    self->result = *result;
    return 1;
wrong:
    PyErr_SetString(PyExc_ValueError, "the codes of a call are unknown, or too many");
    return 0;
}

/* `tp_new`: see the stub for the arguments, all of which it borrows. Gives a new reference, or NULL with an exception. */
static PyObject *call_new(PyTypeObject *type, PyObject *args, PyObject *keywords) {
    PyObject *entry, *guard, *broken, *settle, *keep;
    const char *codes, *result;
    unsigned long long call, context, function, cells, trap, size, memory, base, count, direct;
    int foresees;
    State *state = PyType_GetModuleState(type);
    if (state == NULL) return NULL;
    if (keywords != NULL && PyDict_Size(keywords) != 0) {
        PyErr_SetString(PyExc_TypeError, "a call takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "OO!OOOss(KKKKKK)(KKKKp)", &entry, state->guard_type, &guard, &broken, &settle, &keep,
                          &codes, &result, &call, &context, &function, &cells, &count, &trap, &size, &memory, &base,
                          &direct, &foresees))
        return NULL;
    Call *self = (Call *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (self == NULL) return NULL;
    self->vectorcall = call_vector;
    self->count = (size_t)count;
    if (!take_codes(self, codes, result)) {
        Py_DECREF((PyObject *)self);
        return NULL;
    }
    self->call = (CallFunction)(uintptr_t)call;
    self->context = (void *)(uintptr_t)context;
    self->function = (void *)(uintptr_t)function;
    self->cells = (char *)(uintptr_t)cells;
    self->trap = (void **)(uintptr_t)trap;
    self->size = (SizeFunction)(uintptr_t)size;
    self->memory = (void *)(uintptr_t)memory;
    self->base = (char *)(uintptr_t)base;
    self->direct = (size_t)direct;
    self->foresees = (char)foresees;
    self->entry = Py_NewRef(entry);
    self->guard = Py_NewRef(guard);
    self->broken = Py_NewRef(broken);
    self->settle = Py_NewRef(settle);
    self->keep = Py_NewRef(keep);
    return (PyObject *)self;
}

static PyMemberDef call_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Call, vectorcall), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Call, weakrefs), READONLY, NULL},
    {"__wrapped__", T_OBJECT_EX, offsetof(Call, entry), READONLY, "The same function in Python."},
    {NULL, 0, 0, 0, NULL},
};

static PyMethodDef call_methods[] = {
    {"__reduce__", call_reduce, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot call_slots[] = {
    {Py_tp_doc, "A function of a service."},
    {Py_tp_new, call_new},
    {Py_tp_dealloc, call_dealloc},
    {Py_tp_traverse, call_traverse},
    {Py_tp_clear, call_clear},
    {Py_tp_call, call_call},
    {Py_tp_repr, call_repr},
    {Py_tp_getattro, call_getattr},
    {Py_tp_setattro, call_setattr},
    {Py_tp_descr_get, call_get},
    {Py_tp_members, call_members},
    {Py_tp_methods, call_methods},
    {0, NULL},
};

PyType_Spec call_spec = {
    .name = "marine_speedups.Call",
    .basicsize = sizeof(Call),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_HAVE_VECTORCALL,
    .slots = call_slots,
};
