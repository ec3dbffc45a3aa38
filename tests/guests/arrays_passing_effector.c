/* Extends vectors of every kind; bools are negated first. */
#include "nested_vectors.h"

#define FLAT(name, vector_type, type, ...)                                                                         \
    void MARINE_EXPORT(name)(type *data, uint32_t count) {                                                         \
        static const type marks[] = {__VA_ARGS__};                                                                 \
        vector_type vector = {data, count};                                                                        \
        for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) vector_type##_push(&vector, marks[i]);           \
        marine_park(vector.data);                                                                                  \
        vector_type##_return(vector);                                                                              \
    }

FLAT(byte_type, marine_bytes, uint8_t, 1)
FLAT(f32_type, f32s, float, 13.37f)
FLAT(f64_type, f64s, double, 13.37)
FLAT(u32_type, u32s, uint32_t, 13, 37)
FLAT(u64_type, u64s, uint64_t, 1, 2, 3, 4)
FLAT(i32_type, i32s, int32_t, 1, 2, 3, 4)
FLAT(i64_type, i64s, int64_t, 1, 2, 3, 4)

void MARINE_EXPORT(bool_type)(bool *data, uint32_t count) {
    bools vector = {data, count};
    for (uint32_t i = 0; i < count; i++) data[i] = !data[i];
    bools_push(&vector, false);
    bools_push(&vector, true);
    bools_push(&vector, false);
    marine_park(vector.data);
    bools_return(vector);
}

void MARINE_EXPORT(string_type)(marine_string *data, uint32_t count) {
    marine_strings strings = {data, count};
    marine_strings_push(&strings, marine_string_copy("from effector", 13));
    marine_strings_visit(strings, marine_park);
    marine_strings_return(strings);
}

void MARINE_EXPORT(empty_type)(void) {
    marine_strings strings = {NULL, 0};
    marine_strings_push(&strings, marine_string_copy("from effector", 13));
    marine_strings_visit(strings, marine_park);
    marine_strings_return(strings);
}

/* Adds [], [[]], [[[]]] and [[[1, …, 10]]]. */
void MARINE_EXPORT(inner_arrays_1)(bytes_2 *data, uint32_t count) {
    bytes_3 vector = {data, count};
    bytes_3_push(&vector, (bytes_2){NULL, 0});
    bytes_3_push(&vector, bytes_2_of((bytes_1){NULL, 0}));
    bytes_3_push(&vector, bytes_2_of(bytes_1_of((marine_bytes){NULL, 0})));
    bytes_3_push(&vector, bytes_2_of(bytes_1_of(byte_range(1, 10))));
    bytes_3_visit(vector, marine_park);
    bytes_3_return(vector);
}

/* Adds [], [[]], [[[]]] and [[[{0, [[1, 2, 3, 4]]}]]]. */
void MARINE_EXPORT(inner_arrays_2)(records_3 *data, uint32_t count) {
    records_4 vector = {data, count};
    records_4_push(&vector, (records_3){NULL, 0});
    records_4_push(&vector, records_3_of((records_2){NULL, 0}));
    records_4_push(&vector, records_3_of(records_2_of((records_1){NULL, 0})));
    test_record *record = test_record_new(0, bytes_1_of(byte_range(1, 4)));
    records_4_push(&vector, records_3_of(records_2_of(records_1_of(record))));
    records_4_visit(vector, marine_park);
    records_4_return(vector);
}
