/* The guest side of the Marine module ABI, for guests that are written against it by hand. Other modules in C use the
 * guest kit, which has a header of the same name. Include this one in the one C file of a module.
 *
 * It gives the six service functions (allocate, release_objects and the result cells), the release list, strings and
 * vectors. It does not describe the module's interface: the adapter text beside each guest does.
 *
 * The types below have the layout that the host writes and reads (little-endian, packed, 32-bit pointers), so values
 * are used in place and never serialised. Who frees what:
 *   - what arrives as an argument, or as the result of an import, belongs to the module: free it, keep it or return it;
 *   - what is returned must be parked, each block once; the host calls release_objects when it has read the result;
 *   - what is passed to an import still belongs to the module afterwards. A block that is parked before such a call is
 *     gone after it, because the host calls release_objects as soon as it has read the arguments.
 */
#ifndef MARINE_H
#define MARINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MARINE_EXPORT(name) __attribute__((export_name(#name))) name
#define MARINE_IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define MARINE_PACKED __attribute__((packed))
#define MARINE_HOST_API "__marine_host_api_v3"

/* ---- Blocks ---------------------------------------------------------------------------------------------------- */

/* The size of a block of `count` elements; false when there can't be one. No C object is larger than PTRDIFF_MAX, and
 * an allocator need not cope with sizes close to the end of the address space. */
static bool marine_block_size(size_t count, size_t size, size_t *bytes) {
    return !__builtin_mul_overflow(count, size, bytes) && *bytes <= PTRDIFF_MAX;
}

/* A block of `count` elements, NULL for none. Memory that can't be had is a trap: no caller here could do better. */
static void *marine_new(size_t count, size_t size) {
    size_t bytes;
    if (!marine_block_size(count, size, &bytes)) __builtin_trap();
    if (bytes == 0) return NULL;
    void *block = malloc(bytes);
    if (!block) __builtin_trap();
    return block;
}

typedef void marine_visitor(void *block);

typedef struct {
    marine_visitor *drop;
    void *object;
} marine_parked;

static marine_parked *marine_parked_list;
static size_t marine_parked_count, marine_parked_capacity;

/* Keeps `object` until the host releases; then `drop` gets it. */
static void marine_park_with(marine_visitor *drop, void *object) {
    if (!object) return;
    if (marine_parked_count == marine_parked_capacity) {
        marine_parked_capacity = marine_parked_capacity ? 2 * marine_parked_capacity : 16;
        size_t bytes;
        if (!marine_block_size(marine_parked_capacity, sizeof(marine_parked), &bytes)) __builtin_trap();
        marine_parked_list = realloc(marine_parked_list, bytes);
        if (!marine_parked_list) __builtin_trap();
    }
    marine_parked_list[marine_parked_count++] = (marine_parked){drop, object};
}

static inline void marine_park(void *block) { marine_park_with(free, block); }

/* ---- Service functions ----------------------------------------------------------------------------------------- */

static const uint8_t marine_tag_sizes[] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 4, 8};

/* 0 also when memory is exhausted: the host can tell its user, a trap could not. */
__attribute__((noinline)) void *MARINE_EXPORT(allocate)(uint32_t count, uint32_t tag) {
    size_t bytes;
    if (count == 0 || tag >= sizeof(marine_tag_sizes)) return NULL;
    return marine_block_size(count, marine_tag_sizes[tag], &bytes) ? malloc(bytes) : NULL;
}

__attribute__((noinline)) void MARINE_EXPORT(release_objects)(void) {
    /* A drop function may not park; the list is emptied last so that its storage is reused. */
    for (size_t i = 0; i < marine_parked_count; i++) marine_parked_list[i].drop(marine_parked_list[i].object);
    marine_parked_count = 0;
}

static uint32_t marine_result_size;
static void *marine_result_ptr;

uint32_t MARINE_EXPORT(get_result_size)(void) { return marine_result_size; }
void *MARINE_EXPORT(get_result_ptr)(void) { return marine_result_ptr; }
void MARINE_EXPORT(set_result_size)(uint32_t size) { marine_result_size = size; }
void MARINE_EXPORT(set_result_ptr)(void *ptr) { marine_result_ptr = ptr; }

/* ---- Vectors and strings --------------------------------------------------------------------------------------- */

/* Declares the vector type NAME and its functions: NAME_push adds an element, NAME_copy copies the block (not what the
 * elements point to), NAME_result takes over the result of an import, NAME_return announces a result, which must also
 * be parked. */
#define MARINE_VECTOR(NAME, TYPE)                                                                                  \
    typedef struct MARINE_PACKED {                                                                                 \
        TYPE *data;                                                                                                \
        uint32_t count;                                                                                            \
    } NAME;                                                                                                        \
    static inline void NAME##_push(NAME *vector, TYPE element) {                                                   \
        TYPE *data = marine_new((size_t)vector->count + 1, sizeof(TYPE));                                          \
        if (vector->count) memcpy(data, vector->data, vector->count * sizeof(TYPE));                               \
        data[vector->count] = element;                                                                             \
        if (vector->count) free(vector->data);                                                                     \
        vector->data = data;                                                                                       \
        vector->count++;                                                                                           \
    }                                                                                                              \
    static inline NAME NAME##_copy(const TYPE *data, uint32_t count) {                                             \
        NAME copy = {marine_new(count, sizeof(TYPE)), count};                                                      \
        if (count) memcpy(copy.data, data, count * sizeof(TYPE));                                                  \
        return copy;                                                                                               \
    }                                                                                                              \
    static inline NAME NAME##_result(void) { return (NAME){marine_result_ptr, marine_result_size}; }               \
    static inline void NAME##_return(NAME vector) {                                                                \
        marine_result_ptr = vector.data;                                                                           \
        marine_result_size = vector.count;                                                                         \
    }

MARINE_VECTOR(marine_bytes, uint8_t)
MARINE_VECTOR(marine_string, char)
MARINE_VECTOR(marine_strings, marine_string)

/* A literal as a string that must not be freed. */
#define MARINE_TEXT(literal) ((marine_string){(char *)(literal), sizeof(literal) - 1})

static inline marine_string marine_string_concat(marine_string left, marine_string right) {
    uint32_t count;
    if (__builtin_add_overflow(left.count, right.count, &count)) __builtin_trap();
    marine_string joined = {marine_new(count, 1), count};
    if (left.count) memcpy(joined.data, left.data, left.count);
    if (right.count) memcpy(joined.data + left.count, right.data, right.count);
    return joined;
}

/* Takes over `left`, borrows `right`. */
static inline marine_string marine_string_append(marine_string left, marine_string right) {
    marine_string joined = marine_string_concat(left, right);
    free(left.data);
    return joined;
}

/* `number` in decimal, as a string that the module owns. */
static inline marine_string marine_string_of(int64_t number) {
    char digits[20];
    uint32_t first = sizeof digits;
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    do digits[--first] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0) digits[--first] = '-';
    return marine_string_copy(digits + first, sizeof digits - first);
}

static inline bool marine_string_equal(marine_string left, marine_string right) {
    return left.count == right.count && (left.count == 0 || memcmp(left.data, right.data, left.count) == 0);
}

static inline void marine_string_free(marine_string text) { free(text.data); }
static inline void marine_bytes_free(marine_bytes bytes) { free(bytes.data); }

/* Announces and parks a string or byte array that the module owns. */
static inline void marine_return_string(marine_string text) {
    marine_park(text.data);
    marine_string_return(text);
}

static inline void marine_return_bytes(marine_bytes bytes) {
    marine_park(bytes.data);
    marine_bytes_return(bytes);
}

/* Calls `visit` (free or marine_park) with every block that a vector of strings consists of. */
static inline void marine_strings_visit(marine_strings strings, marine_visitor *visit) {
    for (uint32_t i = 0; i < strings.count; i++) visit(strings.data[i].data);
    visit(strings.data);
}

/* ---- Records --------------------------------------------------------------------------------------------------- */

/* A record is a packed struct, always passed by pointer. */
static inline void marine_return_record(void *body) { marine_result_ptr = body; }
static inline void *marine_record_result(void) { return marine_result_ptr; }

/* ---- Logging --------------------------------------------------------------------------------------------------- */

enum { MARINE_ERROR = 1, MARINE_WARN, MARINE_INFO, MARINE_DEBUG, MARINE_TRACE };

/* Emits one line. `target` 0 passes every logging mask. */
MARINE_IMPORT(MARINE_HOST_API, "log_utf8_string")
void marine_log(uint32_t level, uint32_t target, const char *text, uint32_t size);

/* Emits one line and frees it. */
static inline void marine_log_string(uint32_t level, uint32_t target, marine_string line) {
    marine_log(level, target, line.data, line.count);
    marine_string_free(line);
}

#endif
