/* The record that records_pure and records_effector exchange: one field of every flat type, a string and bytes. */
#ifndef TEST_RECORD_H
#define TEST_RECORD_H

#include "marine.h"

typedef struct MARINE_PACKED {
    bool field_0;
    int8_t field_1;
    int16_t field_2;
    int32_t field_3;
    int64_t field_4;
    uint8_t field_5;
    uint16_t field_6;
    uint32_t field_7;
    uint64_t field_8;
    float field_9;
    double field_10;
    marine_string field_11;
    marine_bytes field_12;
} test_record;

static inline void test_record_visit(test_record *record, marine_visitor *visit) {
    visit(record->field_11.data);
    visit(record->field_12.data);
    visit(record);
}

#endif
