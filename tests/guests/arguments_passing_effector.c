/* One function per type: numbers are increased, strings doubled, byte arrays extended, bools negated. */
#include "all_types.h"

#define NUMBER(name, type)                                                                                         \
    type MARINE_EXPORT(name##_type)(type arg) { return arg + 1; }                                                  \
    type MARINE_EXPORT(name##_ref_type)(type arg) { return arg + 1; }

NUMBER(i32, int32_t)
NUMBER(i64, int64_t)
NUMBER(u32, uint32_t)
NUMBER(u64, uint64_t)
NUMBER(f32, float)
NUMBER(f64, double)

#define STRING(name)                                                                                               \
    void MARINE_EXPORT(name)(char *arg, uint32_t size) {                                                           \
        marine_string answer = doubled(arg, size);                                                                 \
        free(arg);                                                                                                 \
        marine_return_string(answer);                                                                              \
    }

STRING(string_type)
STRING(string_ref_type)
STRING(str_type)

#define BYTES(name)                                                                                                \
    void MARINE_EXPORT(name)(uint8_t *arg, uint32_t size) {                                                        \
        marine_bytes bytes = {arg, size};                                                                          \
        marine_bytes_push(&bytes, 1);                                                                              \
        marine_return_bytes(bytes);                                                                                \
    }

BYTES(bytearray_type)
BYTES(bytearray_ref_type)

bool MARINE_EXPORT(bool_type)(bool arg) { return !arg; }
bool MARINE_EXPORT(bool_ref_type)(bool arg) { return !arg; }

void MARINE_EXPORT(empty_type)(void) { marine_string_return(MARINE_TEXT("success")); }

#define ALL(name)                                                                                                  \
    void MARINE_EXPORT(name)(ALL_TYPES_PARAMETERS) {                                                               \
        marine_bytes answer = {NULL, 0};                                                                           \
        put_all_types(&answer, ALL_TYPES_ARGUMENTS);                                                               \
        free(arg_10);                                                                                              \
        free(arg_11);                                                                                              \
        marine_return_bytes(answer);                                                                               \
    }

ALL(all_types)
ALL(all_ref_types)
