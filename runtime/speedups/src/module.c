/* The module: guards, the callbacks of Wasmtime's memory creator, and the type of calls. */
#include "speedups.h"

/* ---- Guards ---- */

static int guard_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((Guard *)self)->busy);
    return 0;
}

static int guard_clear(PyObject *self) {
    Py_CLEAR(((Guard *)self)->busy);
    return 0;
}

/* Frees a guard. Its type is on the heap, so each guard owns a reference to it. */
static void guard_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    guard_clear(self);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyMemberDef guard_members[] = {
    {"busy", T_OBJECT_EX, offsetof(Guard, busy), 0, "True while a call runs, and for ever once it is closed."},
    {"owner", T_LONGLONG, offsetof(Guard, owner), 0, "The thread that may call without more ado."},
    {"failed", T_BOOL, offsetof(Guard, failed), 0, "True if a call was ever broken off."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot guard_slots[] = {
    {Py_tp_doc, "The part of a guard that decides whether a call may begin."},
    {Py_tp_members, guard_members},
    {Py_tp_traverse, guard_traverse},
    {Py_tp_clear, guard_clear},
    {Py_tp_dealloc, guard_dealloc},
    {0, NULL},
};

static PyType_Spec guard_spec = {
    .name = "marine_speedups.GuardState",
    .basicsize = sizeof(Guard),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = guard_slots,
};

/* ---- The memory creator: what Wasmtime calls where Python must not run, or may fail to ---- */

/* A memory, or the creator itself; `marine_runtime.wasm.memory_creator._Cell` has the same fields. */
typedef struct {
    uint64_t base, size, capacity;
    uint64_t target;     /* a callback of ctypes; it gives 1 when it did what it was asked for */
    uint64_t error_new;  /* `wasmtime_error_new` */
    uint64_t message;    /* its argument */
} Cell;

static void *outcome(const Cell *cell, size_t done) {
    return done == 1 ? NULL : ((void *(*)(const char *))(uintptr_t)cell->error_new)((const char *)(uintptr_t)cell->message);
}

/* `wasmtime_memory_get_callback_t`. It runs inside of a signal handler, without the GIL. */
static uint8_t *memory_ask(void *env, size_t *size, size_t *capacity) {
    const Cell *cell = env;
    *size = (size_t)cell->size;
    *capacity = (size_t)cell->capacity;
    return (uint8_t *)(uintptr_t)cell->base;
}

/* `wasmtime_memory_grow_callback_t`. Entered without the GIL, which the target takes. */
static void *memory_grow(void *env, size_t new_size) {
    const Cell *cell = env;
    return outcome(cell, ((size_t(*)(void *, size_t))(uintptr_t)cell->target)(env, new_size));
}

/* `wasmtime_new_memory_callback_t`, as above. */
static void *memory_create(void *env, const void *type, size_t minimum, size_t maximum, size_t reserved, size_t guard,
                           void *memory) {
    typedef size_t (*target)(void *, const void *, size_t, size_t, size_t, size_t, void *);
    const Cell *cell = env;
    return outcome(cell, ((target)(uintptr_t)cell->target)(env, type, minimum, maximum, reserved, guard, memory));
}

/* Gives a new tuple of the three addresses. */
static PyObject *memory_callbacks(PyObject *module, PyObject *unused) {
    (void)module;
    (void)unused;
    return Py_BuildValue("(KKK)", (unsigned long long)(uintptr_t)memory_ask, (unsigned long long)(uintptr_t)memory_grow,
                         (unsigned long long)(uintptr_t)memory_create);
}

/* ---- The module ---- */

static PyMethodDef functions[] = {
    {"memory_callbacks", memory_callbacks, METH_NOARGS,
     "The addresses of the callbacks of a memory creator: to ask, to grow, to create."},
    {NULL, NULL, 0, NULL},
};

/* Makes what the module has. What it puts into the state is owned by the state, and freed by `module_clear`. */
static int module_exec(PyObject *module) {
    State *state = PyModule_GetState(module);
    PyObject *types = PyImport_ImportModule("types");
    if (types == NULL) return -1;
    state->method_type = PyObject_GetAttrString(types, "MethodType");
    Py_DECREF(types);
    if (state->method_type == NULL) return -1;
    PyObject *code = Py_CompileString("lambda: None", "<marine_speedups>", Py_eval_input);
    if (code == NULL) return -1;
    state->room = PyEval_EvalCode(code, PyModule_GetDict(module), NULL);
    Py_DECREF(code);
    if (state->room == NULL) return -1;
    state->guard_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &guard_spec, NULL);
    if (state->guard_type == NULL || PyModule_AddType(module, state->guard_type) < 0) return -1;
    state->call_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &call_spec, NULL);
    if (state->call_type == NULL || PyModule_AddType(module, state->call_type) < 0) return -1;
    return PyModule_AddIntConstant(module, "PROTOCOL", PROTOCOL);
}

static int module_traverse(PyObject *module, visitproc visit, void *arg) {
    State *state = PyModule_GetState(module);
    Py_VISIT(state->guard_type);
    Py_VISIT(state->call_type);
    Py_VISIT(state->method_type);
    Py_VISIT(state->room);
    return 0;
}

static int module_clear(PyObject *module) {
    State *state = PyModule_GetState(module);
    Py_CLEAR(state->guard_type);
    Py_CLEAR(state->call_type);
    Py_CLEAR(state->method_type);
    Py_CLEAR(state->room);
    return 0;
}

static void module_free(void *module) { module_clear(module); }

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "marine_speedups._native",
    .m_doc = "Calls of Marine services in C.",
    .m_size = sizeof(State),
    .m_methods = functions,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&definition); }
