/* Passes records on to records_passing_effector and adds its own marks. */
#include "passed_records.h"

#define FROM_EFFECTOR(name) MARINE_IMPORT("records_passing_effector", name)

FROM_EFFECTOR("test_record") void effector_test_record(test_record_2 *record);
FROM_EFFECTOR("test_record_ref") void effector_test_record_ref(test_record_2 *record);
FROM_EFFECTOR("pass_droppable_record")
void effector_pass_droppable_record(droppable_record *record, droppable_record **records, uint32_t count);
FROM_EFFECTOR("get_drop_count") uint32_t effector_get_drop_count(void);

typedef void record_import(test_record_2 *record);

static void pass(test_record_2 *record, record_import *import) {
    record->test_record_0->field_0 = 1;
    import(record);
    test_record_2_visit(record, free);
    test_record_2 *answer = marine_record_result();
    answer->test_record_1->test_record_0->field_0 = 5;
    test_record_2_visit(answer, marine_park);
    marine_return_record(answer);
}

void MARINE_EXPORT(test_record)(test_record_2 *record) { pass(record, effector_test_record); }
void MARINE_EXPORT(test_record_ref)(test_record_2 *record) { pass(record, effector_test_record_ref); }

/* Sends copies, answers a copy of the answer: four times as many droppables die here as were passed. */
void MARINE_EXPORT(pass_droppable_record)(droppable_record *record, droppable_record **records, uint32_t count) {
    droppable_records given = {records, count};
    droppable_record *sent_record = droppable_record_clone(record);
    droppable_records sent = droppable_records_clone(given);
    effector_pass_droppable_record(sent_record, sent.data, sent.count);
    droppable_records received = droppable_records_result();
    droppable_records answer = droppable_records_clone(received);

    droppable_record_drop(sent_record);
    droppable_records_drop(sent);
    droppable_record_drop(record);
    droppable_records_drop(given);
    droppable_records_drop(received);
    droppable_records_park(answer);
    droppable_records_return(answer);
}

/* Destructions here, then in the effector. */
void MARINE_EXPORT(get_drop_count)(void) {
    drop_counts counts = {NULL, 0};
    drop_counts_push(&counts, drop_count);
    drop_counts_push(&counts, effector_get_drop_count());
    marine_park(counts.data);
    drop_counts_return(counts);
}
