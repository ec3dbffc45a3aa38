/* The records that records_passing_pure and records_passing_effector exchange, and what it takes to own them. */
#ifndef PASSED_RECORDS_H
#define PASSED_RECORDS_H

#include "marine.h"

typedef struct MARINE_PACKED {
    int32_t field_0;
} test_record_0;

typedef struct MARINE_PACKED {
    int32_t field_0;
    marine_string field_1;
    marine_bytes field_2;
    test_record_0 *test_record_0;
} test_record_1;

typedef struct MARINE_PACKED {
    test_record_0 *test_record_0;
    test_record_1 *test_record_1;
} test_record_2;

static inline void test_record_2_visit(test_record_2 *record, marine_visitor *visit) {
    visit(record->test_record_0);
    visit(record->test_record_1->field_1.data);
    visit(record->test_record_1->field_2.data);
    visit(record->test_record_1->test_record_0);
    visit(record->test_record_1);
    visit(record);
}

/* A droppable counts its destruction; everything that holds one frees it through droppable_drop. */
typedef struct MARINE_PACKED {
    uint32_t id;
} droppable;

MARINE_VECTOR(droppables, droppable *)

typedef struct MARINE_PACKED {
    droppable *data;
    droppables data2;
} droppable_record;

MARINE_VECTOR(droppable_records, droppable_record *)
MARINE_VECTOR(drop_counts, uint32_t)

static uint32_t drop_count;

static inline void droppable_drop(void *object) {
    drop_count++;
    free(object);
}

static inline droppable *droppable_clone(const droppable *source) {
    droppable *copy = marine_new(1, sizeof *copy);
    *copy = *source;
    return copy;
}

static inline droppable_record *droppable_record_clone(const droppable_record *source) {
    droppable_record *copy = marine_new(1, sizeof *copy);
    *copy = (droppable_record){droppable_clone(source->data), {NULL, 0}};
    for (uint32_t i = 0; i < source->data2.count; i++)
        droppables_push(&copy->data2, droppable_clone(source->data2.data[i]));
    return copy;
}

static inline void droppable_record_drop(droppable_record *record) {
    droppable_drop(record->data);
    for (uint32_t i = 0; i < record->data2.count; i++) droppable_drop(record->data2.data[i]);
    free(record->data2.data);
    free(record);
}

static inline droppable_records droppable_records_clone(droppable_records source) {
    droppable_records copy = {NULL, 0};
    for (uint32_t i = 0; i < source.count; i++)
        droppable_records_push(&copy, droppable_record_clone(source.data[i]));
    return copy;
}

static inline void droppable_records_drop(droppable_records records) {
    for (uint32_t i = 0; i < records.count; i++) droppable_record_drop(records.data[i]);
    free(records.data);
}

static inline void droppable_record_park(droppable_record *record) {
    marine_park_with(droppable_drop, record->data);
    for (uint32_t i = 0; i < record->data2.count; i++) marine_park_with(droppable_drop, record->data2.data[i]);
    marine_park(record->data2.data);
    marine_park(record);
}

static inline void droppable_records_park(droppable_records records) {
    for (uint32_t i = 0; i < records.count; i++) droppable_record_park(records.data[i]);
    marine_park(records.data);
}

#endif
