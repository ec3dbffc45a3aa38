/* The nested vectors that both arrays_passing modules exchange: how they are built from constants, owned and freed. */
#ifndef NESTED_VECTORS_H
#define NESTED_VECTORS_H

#include "marine.h"

MARINE_VECTOR(bools, bool)
MARINE_VECTOR(f32s, float)
MARINE_VECTOR(f64s, double)
MARINE_VECTOR(u32s, uint32_t)
MARINE_VECTOR(u64s, uint64_t)
MARINE_VECTOR(i32s, int32_t)
MARINE_VECTOR(i64s, int64_t)

typedef struct MARINE_PACKED test_record test_record;

MARINE_VECTOR(bytes_1, marine_bytes) /* a vector of byte arrays */
MARINE_VECTOR(bytes_2, bytes_1)
MARINE_VECTOR(bytes_3, bytes_2)
MARINE_VECTOR(records_1, test_record *)
MARINE_VECTOR(records_2, records_1)
MARINE_VECTOR(records_3, records_2)
MARINE_VECTOR(records_4, records_3)

struct MARINE_PACKED test_record {
    int32_t field_0;
    bytes_1 field_1;
};

/* Visits every block of a vector: what each element holds, then the vector's own. */
#define VISIT(NAME, ELEMENT_VISIT)                                                                                 \
    static inline void NAME##_visit(NAME vector, marine_visitor *visit) {                                          \
        for (uint32_t i = 0; i < vector.count; i++) ELEMENT_VISIT(vector.data[i], visit);                          \
        visit(vector.data);                                                                                        \
    }

static inline void marine_bytes_visit(marine_bytes bytes, marine_visitor *visit) { visit(bytes.data); }
VISIT(bytes_1, marine_bytes_visit)
VISIT(bytes_2, bytes_1_visit)
VISIT(bytes_3, bytes_2_visit)

static inline void test_record_visit(test_record *record, marine_visitor *visit) {
    bytes_1_visit(record->field_1, visit);
    visit(record);
}
VISIT(records_1, test_record_visit)
VISIT(records_2, records_1_visit)
VISIT(records_3, records_2_visit)
VISIT(records_4, records_3_visit)

/* A vector with one element. */
#define SINGLE(NAME, ELEMENT)                                                                                      \
    static inline NAME NAME##_of(ELEMENT element) {                                                                \
        NAME vector = {NULL, 0};                                                                                   \
        NAME##_push(&vector, element);                                                                             \
        return vector;                                                                                             \
    }

SINGLE(bytes_1, marine_bytes)
SINGLE(bytes_2, bytes_1)
SINGLE(records_1, test_record *)
SINGLE(records_2, records_1)
SINGLE(records_3, records_2)

/* Bytes with the values first … last. */
static inline marine_bytes byte_range(uint8_t first, uint8_t last) {
    marine_bytes bytes = {NULL, 0};
    for (uint32_t value = first; value <= last; value++) marine_bytes_push(&bytes, (uint8_t)value);
    return bytes;
}

static inline test_record *test_record_new(int32_t field_0, bytes_1 field_1) {
    test_record *record = marine_new(1, sizeof *record);
    *record = (test_record){field_0, field_1};
    return record;
}

/* `[[[{field_0, [[byte]]}, {0, []}]]]` */
static inline records_3 record_pair(int32_t field_0, uint8_t byte) {
    records_1 pair = records_1_of(test_record_new(field_0, bytes_1_of(byte_range(byte, byte))));
    records_1_push(&pair, test_record_new(0, (bytes_1){NULL, 0}));
    return records_3_of(records_2_of(pair));
}

#endif
