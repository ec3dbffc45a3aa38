/* The counterpart of records_effector, whose ABI is written by hand: the same answer from a plain function. */
#include "records_glue.h"

TestRecord mutate_struct(TestRecord test_record) {
    static const uint8_t bytes[] = {0x13, 0x37};
    (void)test_record;
    return (TestRecord){
        true, 1, 2, 3, 4, 5, 6, 7, 8, 9.0f, 10.0, MARINE_TEXT("field_11"), {(uint8_t *)bytes, sizeof bytes},
    };
}
