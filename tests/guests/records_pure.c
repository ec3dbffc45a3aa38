/* Sends a zero record to the effector and returns the answer. */
#include "test_record.h"

MARINE_IMPORT("records_effector", "mutate_struct") void mutate_struct(test_record *record);

void MARINE_EXPORT(invoke)(void) {
    test_record *record = marine_new(1, sizeof *record);
    *record = (test_record){0};
    /* Parked, as serialised records are: the host releases it between reading it and calling the effector. */
    marine_park(record);
    mutate_struct(record);

    test_record *answer = marine_record_result();
    test_record_visit(answer, marine_park);
    marine_return_record(answer);
}
