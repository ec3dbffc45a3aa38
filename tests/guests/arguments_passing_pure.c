/* The functions of arguments_passing_effector once more, each on top of the effector's answer. */
#include "all_types.h"

#define FROM_EFFECTOR(name) MARINE_IMPORT("arguments_passing_effector", #name)

#define NUMBER(name, type)                                                                                         \
    FROM_EFFECTOR(name) type effector_##name(type arg);                                                            \
    type MARINE_EXPORT(name)(type arg) { return effector_##name(arg) + 1; }

NUMBER(i32_type, int32_t)
NUMBER(i32_ref_type, int32_t)
NUMBER(i64_type, int64_t)
NUMBER(i64_ref_type, int64_t)
NUMBER(u32_type, uint32_t)
NUMBER(u32_ref_type, uint32_t)
NUMBER(u64_type, uint64_t)
NUMBER(u64_ref_type, uint64_t)
NUMBER(f32_type, float)
NUMBER(f32_ref_type, float)
NUMBER(f64_type, double)
NUMBER(f64_ref_type, double)

#define STRING(name)                                                                                               \
    FROM_EFFECTOR(name) void effector_##name(const char *arg, uint32_t size);                                      \
    void MARINE_EXPORT(name)(char *arg, uint32_t size) {                                                           \
        effector_##name(arg, size);                                                                                \
        marine_string received = marine_string_result();                                                           \
        marine_string answer = doubled(received.data, received.count);                                             \
        free(arg);                                                                                                 \
        marine_string_free(received);                                                                              \
        marine_return_string(answer);                                                                              \
    }

STRING(string_type)
STRING(string_ref_type)
STRING(str_type)

#define BYTES(name)                                                                                                \
    FROM_EFFECTOR(name) void effector_##name(const uint8_t *arg, uint32_t size);                                   \
    void MARINE_EXPORT(name)(uint8_t *arg, uint32_t size) {                                                        \
        effector_##name(arg, size);                                                                                \
        marine_bytes answer = marine_bytes_result();                                                               \
        marine_bytes_push(&answer, 1);                                                                             \
        free(arg);                                                                                                 \
        marine_return_bytes(answer);                                                                               \
    }

BYTES(bytearray_type)
BYTES(bytearray_ref_type)

#define BOOL(name)                                                                                                 \
    FROM_EFFECTOR(name) bool effector_##name(bool arg);                                                            \
    bool MARINE_EXPORT(name)(bool arg) { return effector_##name(arg); }

BOOL(bool_type)
BOOL(bool_ref_type)

FROM_EFFECTOR(empty_type) void effector_empty_type(void);
void MARINE_EXPORT(empty_type)(void) {
    effector_empty_type();
    marine_return_string(marine_string_result());
}

#define ALL(name)                                                                                                  \
    FROM_EFFECTOR(name) void effector_##name(ALL_TYPES_PARAMETERS);                                                \
    void MARINE_EXPORT(name)(ALL_TYPES_PARAMETERS) {                                                               \
        effector_##name(ALL_TYPES_ARGUMENTS);                                                                      \
        marine_bytes answer = marine_bytes_result();                                                               \
        put_all_types(&answer, ALL_TYPES_ARGUMENTS);                                                               \
        free(arg_10);                                                                                              \
        free(arg_11);                                                                                              \
        marine_return_bytes(answer);                                                                               \
    }

ALL(all_types)
ALL(all_ref_types)
