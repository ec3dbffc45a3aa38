/* The guest side of the Marine module ABI for C: memory of a call, strings, arrays, logging, call parameters.
 *
 * Generated glue includes this file and turns the raw calls of the host into calls of plain functions; it also holds the
 * one copy of what is marked MARINE_IMPLEMENTATION below. Nothing here knows the interface of a module.
 *
 * Who owns memory:
 *   - Arguments, results of imports, and everything from marine_alloc belong to the current call. They are freed when the
 *     host has read the result. So nothing needs to be freed, an argument may be returned, and so may a literal.
 *   - For state that a module keeps, every array and record type has TYPE_keep, which copies a value with all that it
 *     points to, and TYPE_free for such a copy. marine_take and marine_free do the same for one block.
 *   - malloc and free work as ever, and are apart from this: never mix the two on one block.
 * A module can't be called again while one of its calls runs. Memory that can't be had is a trap, which the host reports.
 */
#ifndef MARINE_H
#define MARINE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MARINE_EXPORT(name) __attribute__((export_name(name)))
#define MARINE_IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define MARINE_PACKED __attribute__((packed))
#define MARINE_HOST_API "__marine_host_api_v3"

/* The link name of a function that the author writes: none of them can replace one of the C library. */
#define MARINE_FUNCTION(name) __asm__("marine_function_" name)

/* ---- Memory ---------------------------------------------------------------------------------------------------- */

/* Room for `count` elements of `size` bytes, zeroed, until the current call ends; NULL for none. */
void *marine_alloc(size_t count, size_t size);

/* The same, but NULL also when memory can't be had. */
void *marine_try_alloc(size_t count, size_t size);

/* The same block, or a larger one with the same content, that has room for `count` elements of `size` bytes. */
void *marine_grow(void *block, size_t count, size_t size);

/* Takes a block away from the current call: it lives until marine_free. Gives the block. */
void *marine_take(void *block);

/* Frees a block of marine_alloc, an argument's or a taken one now. NULL is fine. */
void marine_free(void *block);

/* Between the two, what is allocated belongs to the scope and is freed with it: for loops that call imports. */
typedef struct marine_block *marine_scope;
marine_scope marine_scope_begin(void);
void marine_scope_end(marine_scope scope);

/* ---- Arrays ---------------------------------------------------------------------------------------------------- */

#define MARINE_ARRAY_TYPE(NAME, TYPE)                                                                                  \
    typedef struct {                                                                                                   \
        TYPE *data;                                                                                                    \
        uint32_t count;                                                                                                \
    } NAME;

/* NAME_new gives `count` zeroed elements, NAME_push adds one, NAME_copy copies them (not what they point to). */
#define MARINE_ARRAY_BASICS(NAME, TYPE)                                                                                \
    static inline NAME NAME##_new(uint32_t count) { return (NAME){marine_alloc(count, sizeof(TYPE)), count}; }         \
    static inline void NAME##_push(NAME *array, TYPE element) {                                                        \
        if (array->count == UINT32_MAX) __builtin_trap();                                                              \
        array->data = marine_grow(array->data, (size_t)array->count + 1, sizeof(TYPE));                                \
        array->data[array->count++] = element;                                                                         \
    }                                                                                                                  \
    static inline NAME NAME##_copy(NAME source) {                                                                      \
        NAME copy = NAME##_new(source.count);                                                                          \
        if (source.count) memcpy(copy.data, source.data, source.count * sizeof(TYPE));                                 \
        return copy;                                                                                                   \
    }

/* NAME_keep copies an array, with all that it points to, into blocks that outlive the call, and NAME_free frees such a
 * copy. NAME_keep_push adds a copy of an element to a kept array, or to one that is empty. */
#define MARINE_ARRAY_KEEPING(NAME, TYPE, KEEP, FREE)                                                                   \
    static inline void NAME##_keep_push(NAME *array, TYPE element) {                                                   \
        if (!array->data) array->data = marine_take(marine_alloc(1, sizeof(TYPE)));                                    \
        NAME##_push(array, KEEP(element));                                                                             \
    }                                                                                                                  \
    static inline NAME NAME##_keep(NAME array) {                                                                       \
        NAME kept = {marine_take(marine_alloc(array.count, sizeof(TYPE))), array.count};                               \
        for (uint32_t i = 0; i < array.count; i++) kept.data[i] = KEEP(array.data[i]);                                 \
        return kept;                                                                                                   \
    }                                                                                                                  \
    static inline void NAME##_free(NAME array) {                                                                       \
        for (uint32_t i = 0; i < array.count; i++) FREE(array.data[i]);                                                \
        marine_free(array.data);                                                                                       \
    }

#define MARINE_FLAT(value) (value)
#define MARINE_NOTHING(value) ((void)(value))

/* The array type NAME of numbers, with its functions. Pushing wants an array that began empty or came from the host. */
#define MARINE_ARRAY(NAME, TYPE)                                                                                       \
    MARINE_ARRAY_TYPE(NAME, TYPE)                                                                                      \
    MARINE_ARRAY_BASICS(NAME, TYPE)                                                                                    \
    MARINE_ARRAY_KEEPING(NAME, TYPE, MARINE_FLAT, MARINE_NOTHING)

/* The functions of an array of what has TYPE_keep and TYPE_free itself. */
#define MARINE_ARRAY_FUNCTIONS(NAME, TYPE)                                                                             \
    MARINE_ARRAY_BASICS(NAME, TYPE)                                                                                    \
    MARINE_ARRAY_KEEPING(NAME, TYPE, TYPE##_keep, TYPE##_free)

MARINE_ARRAY(marine_string, char) /* UTF-8, without a zero at the end */
MARINE_ARRAY(marine_bytes, uint8_t)
MARINE_ARRAY(marine_bool_array, bool)
MARINE_ARRAY(marine_s8_array, int8_t)
MARINE_ARRAY(marine_s16_array, int16_t)
MARINE_ARRAY(marine_s32_array, int32_t)
MARINE_ARRAY(marine_s64_array, int64_t)
MARINE_ARRAY(marine_u16_array, uint16_t)
MARINE_ARRAY(marine_u32_array, uint32_t)
MARINE_ARRAY(marine_u64_array, uint64_t)
MARINE_ARRAY(marine_f32_array, float)
MARINE_ARRAY(marine_f64_array, double)
MARINE_ARRAY_TYPE(marine_string_array, marine_string)
MARINE_ARRAY_FUNCTIONS(marine_string_array, marine_string)
MARINE_ARRAY_TYPE(marine_bytes_array, marine_bytes)
MARINE_ARRAY_FUNCTIONS(marine_bytes_array, marine_bytes)

/* ---- Strings --------------------------------------------------------------------------------------------------- */

/* A literal as a string. */
#define MARINE_TEXT(literal) ((marine_string){(char *)(literal ""), sizeof(literal) - 1})

/* A string, or bytes, for `%.*s`. */
#define MARINE_ARG(text) (int)(text).count, (const char *)((text).count ? (text).data : NULL)

/* A string of this call, written as by printf. */
__attribute__((format(printf, 1, 2))) marine_string marine_format(const char *format, ...);
marine_string marine_format_list(const char *format, va_list arguments);

marine_string marine_concat(marine_string left, marine_string right);
marine_string marine_join(const marine_string *parts, size_t count);

/* Any number of strings as one. */
#define MARINE_JOIN(...)                                                                                               \
    marine_join((const marine_string[]){__VA_ARGS__}, sizeof((const marine_string[]){__VA_ARGS__}) / sizeof(marine_string))

/* A number in decimal; much smaller than marine_format. */
marine_string marine_number(int64_t number);

/* The text with a zero at its end, as the C library wants it. */
char *marine_c_string(marine_string text);

/* Whether the bytes may be returned as a string: the host refuses what is not UTF-8. */
bool marine_is_utf8(const void *data, uint32_t count);

static inline bool marine_equal(marine_string left, marine_string right) {
    return left.count == right.count && (left.count == 0 || memcmp(left.data, right.data, left.count) == 0);
}

/* A zero-terminated text as a string, in place. */
static inline marine_string marine_text(const char *text) {
    size_t count = strlen(text);
    if (count > UINT32_MAX) __builtin_trap();
    return (marine_string){(char *)text, (uint32_t)count};
}

static inline marine_string marine_string_of(marine_bytes bytes) {
    return (marine_string){(char *)bytes.data, bytes.count};
}

static inline marine_bytes marine_bytes_of(marine_string text) {
    return (marine_bytes){(uint8_t *)text.data, text.count};
}

/* ---- Logging --------------------------------------------------------------------------------------------------- */

enum { MARINE_ERROR = 1, MARINE_WARN, MARINE_INFO, MARINE_DEBUG, MARINE_TRACE };

/* Emits one line of UTF-8. `target` 0 passes every logging mask of the host. The service must enable the logger. */
void marine_log(uint32_t level, uint32_t target, marine_string text);

/* The same, written as by printf, when the variable WASM_LOG of the module lets the level pass (info by default). */
__attribute__((format(printf, 3, 4))) void marine_log_format(uint32_t level, uint32_t target, const char *format, ...);

#define MARINE_LOG_ERROR(...) marine_log_format(MARINE_ERROR, 0, __VA_ARGS__)
#define MARINE_LOG_WARN(...) marine_log_format(MARINE_WARN, 0, __VA_ARGS__)
#define MARINE_LOG_INFO(...) marine_log_format(MARINE_INFO, 0, __VA_ARGS__)
#define MARINE_LOG_DEBUG(...) marine_log_format(MARINE_DEBUG, 0, __VA_ARGS__)
#define MARINE_LOG_TRACE(...) marine_log_format(MARINE_TRACE, 0, __VA_ARGS__)

/* ---- Call parameters ------------------------------------------------------------------------------------------- */

typedef struct {
    marine_string peer_pk, service_id, function_name, lens;
} marine_tetraplet;

MARINE_ARRAY_TYPE(marine_tetraplet_array, marine_tetraplet)
MARINE_ARRAY_BASICS(marine_tetraplet_array, marine_tetraplet)
MARINE_ARRAY_TYPE(marine_tetraplet_array_array, marine_tetraplet_array)
MARINE_ARRAY_BASICS(marine_tetraplet_array_array, marine_tetraplet_array)

typedef struct {
    marine_string id, init_peer_id;
    uint64_t timestamp; /* unix time */
    uint32_t ttl;       /* milliseconds */
    marine_string script;
    marine_bytes signature;
    marine_string token;
} marine_particle;

typedef struct {
    marine_particle particle;
    marine_string service_id, service_creator_peer_id, host_id, worker_id;
    marine_tetraplet_array_array tetraplets; /* one array per argument */
} marine_call_parameters;

/* What the embedder says about the current call. */
marine_call_parameters marine_get_call_parameters(void);

/* ---- Mounted binaries ------------------------------------------------------------------------------------------ */

/* What a program did. `ret_code` is its exit status, or from 100000 on what kept it from having one. */
typedef struct {
    int32_t ret_code;
    marine_string error;
    marine_bytes stdout_bytes, stderr_bytes;
} marine_mounted_result;

/* Defines the function NAME, which runs the program that the service mounts under this name with these arguments. */
#define MARINE_MOUNTED_BINARY(NAME)                                                                                    \
    MARINE_IMPORT(MARINE_HOST_API, #NAME) void marine_mounted_##NAME(const marine_string *args, uint32_t count);       \
    static marine_mounted_result NAME(marine_string_array args) {                                                      \
        marine_import_begin();                                                                                         \
        marine_mounted_##NAME(args.data, args.count);                                                                  \
        marine_import_end();                                                                                           \
        return *(const marine_mounted_result *)marine_needed(marine_result_ptr);                                       \
    }

/* ---- For generated glue ---------------------------------------------------------------------------------------- */

/* A pair of the ABI whose elements need converting. */
typedef struct {
    void *data;
    uint32_t count;
} marine_raw_array;

extern void *marine_result_ptr;
extern uint32_t marine_result_size;

/* Zeroed room until release_objects: what the host reads, and the author never sees. */
void *marine_lend(size_t count, size_t size);

/* Begins a call of the host; whatever stopped an earlier call is over. */
void marine_call_begin(void);

/* Ends a call without a result in memory: the host will not release anything. */
void marine_call_end(void);

/* The call of an import; in between, the host releases what was lent and nothing else. */
void marine_import_begin(void);
void marine_import_end(void);

/* Announces a result. */
static inline void marine_return(const void *data, uint32_t count) {
    marine_result_ptr = (void *)data;
    marine_result_size = count;
}

/* A pointer that the host has to give. */
static inline void *marine_needed(void *pointer) {
    if (!pointer) __builtin_trap();
    return pointer;
}

#endif

#ifdef MARINE_IMPLEMENTATION
#include "marine_implementation.h"
#endif
