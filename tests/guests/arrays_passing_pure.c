/* Adds a mark to a vector, sends it through arrays_passing_effector, and adds another mark. */
#include "nested_vectors.h"

#define FROM_EFFECTOR(name) MARINE_IMPORT("arrays_passing_effector", #name)

#define FLAT(name, vector_type, type, before, ...)                                                                 \
    FROM_EFFECTOR(name) void effector_##name(const type *data, uint32_t count);                                    \
    void MARINE_EXPORT(name)(type *data, uint32_t count) {                                                         \
        static const type marks[] = {__VA_ARGS__};                                                                 \
        vector_type sent = {data, count};                                                                          \
        vector_type##_push(&sent, before);                                                                         \
        effector_##name(sent.data, sent.count);                                                                    \
        free(sent.data);                                                                                           \
        vector_type answer = vector_type##_result();                                                               \
        for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) vector_type##_push(&answer, marks[i]);           \
        marine_park(answer.data);                                                                                  \
        vector_type##_return(answer);                                                                              \
    }

FLAT(byte_type, marine_bytes, uint8_t, 0, 2)
FLAT(bool_type, bools, bool, false, true)
FLAT(f32_type, f32s, float, 0.0f, 1.0f)
FLAT(f64_type, f64s, double, 0.0, 1.0)
FLAT(u32_type, u32s, uint32_t, 0, 2)
FLAT(u64_type, u64s, uint64_t, 0, 2)
FLAT(i32_type, i32s, int32_t, 0, 0, 2)
FLAT(i64_type, i64s, int64_t, 0, 1, 1)

/* `before` and `after` are new elements that the vector takes over. */
#define NESTED(name, vector_type, element_type, before, after)                                                     \
    FROM_EFFECTOR(name) void effector_##name(const element_type *data, uint32_t count);                            \
    void MARINE_EXPORT(name)(element_type *data, uint32_t count) {                                                 \
        vector_type sent = {data, count};                                                                          \
        vector_type##_push(&sent, before);                                                                         \
        effector_##name(sent.data, sent.count);                                                                    \
        vector_type##_visit(sent, free);                                                                           \
        vector_type answer = vector_type##_result();                                                               \
        vector_type##_push(&answer, after);                                                                        \
        vector_type##_visit(answer, marine_park);                                                                  \
        vector_type##_return(answer);                                                                              \
    }

NESTED(string_type, marine_strings, marine_string, marine_string_copy("marine", 6), marine_string_copy("test", 4))
NESTED(inner_arrays_1, bytes_3, bytes_2, bytes_2_of(bytes_1_of(byte_range(0, 0))),
       bytes_2_of(bytes_1_of(byte_range(2, 2))))
NESTED(inner_arrays_2, records_4, records_3, record_pair(0, 1), record_pair(1, 2))

FROM_EFFECTOR(empty_type) void effector_empty_type(void);
void MARINE_EXPORT(empty_type)(void) {
    effector_empty_type();
    marine_strings answer = marine_strings_result();
    marine_strings_visit(answer, marine_park);
    marine_strings_return(answer);
}
