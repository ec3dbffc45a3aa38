/* Answers every record with the same one. */
#include "test_record.h"

void MARINE_EXPORT(mutate_struct)(test_record *record) {
    static const uint8_t bytes[] = {0x13, 0x37};
    test_record_visit(record, free);

    test_record *answer = marine_new(1, sizeof *answer);
    *answer = (test_record){
        .field_0 = true,
        .field_1 = 1,
        .field_2 = 2,
        .field_3 = 3,
        .field_4 = 4,
        .field_5 = 5,
        .field_6 = 6,
        .field_7 = 7,
        .field_8 = 8,
        .field_9 = 9.0f,
        .field_10 = 10.0,
        .field_11 = marine_string_copy("field_11", 8),
        .field_12 = marine_bytes_copy(bytes, sizeof bytes),
    };
    test_record_visit(answer, marine_park);
    marine_return_record(answer);
}
