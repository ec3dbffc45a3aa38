/* A small record as a result, and a function without one. */
#include "marine.h"

typedef struct MARINE_PACKED {
    marine_string str;
    int32_t num;
} greeting_record_result;

void MARINE_EXPORT(greeting_record)(void) {
    greeting_record_result *result = marine_new(1, sizeof *result);
    *result = (greeting_record_result){MARINE_TEXT("Hello, world!"), 42};
    marine_park(result);
    marine_return_record(result);
}

void MARINE_EXPORT(void_fn)(void) {}
