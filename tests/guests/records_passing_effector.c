/* Nested records by value and by reference, and records whose destruction is counted. */
#include "passed_records.h"

/* Writes what the tests look for into a record that the module owns. */
static void fill(test_record_2 *record) {
    static const uint8_t bytes[] = {19, 55};
    test_record_1 *inner = record->test_record_1;
    marine_string_free(inner->field_1);
    marine_bytes_free(inner->field_2);
    inner->field_1 = marine_string_copy("fluence", 7);
    inner->field_2 = marine_bytes_copy(bytes, sizeof bytes);
}

/* By value: the answer is made of new blocks, the argument is freed. */
void MARINE_EXPORT(test_record)(test_record_2 *record) {
    fill(record);
    test_record_1 *source = record->test_record_1;
    test_record_2 *answer = marine_new(1, sizeof *answer);
    answer->test_record_0 = marine_new(1, sizeof(test_record_0));
    *answer->test_record_0 = *record->test_record_0;
    answer->test_record_1 = marine_new(1, sizeof(test_record_1));
    *answer->test_record_1 = (test_record_1){
        .field_0 = source->field_0,
        .field_1 = marine_string_copy(source->field_1.data, source->field_1.count),
        .field_2 = marine_bytes_copy(source->field_2.data, source->field_2.count),
        .test_record_0 = marine_new(1, sizeof(test_record_0)),
    };
    *answer->test_record_1->test_record_0 = *source->test_record_0;
    test_record_2_visit(record, free);
    test_record_2_visit(answer, marine_park);
    marine_return_record(answer);
}

/* By reference: the answer is the argument, changed in place, so the result pointer is the argument pointer. */
void MARINE_EXPORT(test_record_ref)(test_record_2 *record) {
    fill(record);
    test_record_2_visit(record, marine_park);
    marine_return_record(record);
}

/* Answers copies of `records` and of `record`, in this order; drops every droppable it got and every one it made. */
void MARINE_EXPORT(pass_droppable_record)(droppable_record *record, droppable_record **records, uint32_t count) {
    droppable_records given = {records, count};
    droppable_records answer = droppable_records_clone(given);
    droppable_records_push(&answer, droppable_record_clone(record));
    droppable_record_drop(record);
    droppable_records_drop(given);
    droppable_records_park(answer);
    droppable_records_return(answer);
}

uint32_t MARINE_EXPORT(get_drop_count)(void) { return drop_count; }
