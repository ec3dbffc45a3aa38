/* The counterpart of arrays_passing_effector, whose ABI is written by hand: the same answers from plain functions. */
#include "arrays_glue.h"

#define FLAT(name, array_type, type, ...)                                                                              \
    array_type name(array_type arg) {                                                                                  \
        static const type marks[] = {__VA_ARGS__};                                                                     \
        for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) array_type##_push(&arg, marks[i]);                   \
        return arg;                                                                                                    \
    }

FLAT(byte_type, marine_bytes, uint8_t, 1)
FLAT(f32_type, marine_f32_array, float, 13.37f)
FLAT(f64_type, marine_f64_array, double, 13.37)
FLAT(u32_type, marine_u32_array, uint32_t, 13, 37)
FLAT(u64_type, marine_u64_array, uint64_t, 1, 2, 3, 4)
FLAT(i32_type, marine_s32_array, int32_t, 1, 2, 3, 4)
FLAT(i64_type, marine_s64_array, int64_t, 1, 2, 3, 4)

marine_bool_array bool_type(marine_bool_array arg) {
    for (uint32_t i = 0; i < arg.count; i++) arg.data[i] = !arg.data[i];
    marine_bool_array_push(&arg, false);
    marine_bool_array_push(&arg, true);
    marine_bool_array_push(&arg, false);
    return arg;
}

marine_string_array string_type(marine_string_array arg) {
    marine_string_array_push(&arg, MARINE_TEXT("from effector"));
    return arg;
}

marine_string_array empty_type(void) { return string_type((marine_string_array){NULL, 0}); }

static marine_bytes bytes_up_to(uint8_t last) {
    marine_bytes bytes = {NULL, 0};
    for (uint8_t value = 1; value <= last; value++) marine_bytes_push(&bytes, value);
    return bytes;
}

static marine_bytes_array just(marine_bytes bytes) {
    marine_bytes_array single = {NULL, 0};
    marine_bytes_array_push(&single, bytes);
    return single;
}

/* Adds [], [[]], [[[]]] and [[[1, …, 10]]]. */
marine_bytes_array_array_array inner_arrays_1(marine_bytes_array_array_array arg) {
    const marine_bytes_array inner[] = {{NULL, 0}, just((marine_bytes){NULL, 0}), just(bytes_up_to(10))};
    marine_bytes_array_array_array_push(&arg, (marine_bytes_array_array){NULL, 0});
    for (uint32_t i = 0; i < 3; i++) {
        marine_bytes_array_array single = {NULL, 0};
        marine_bytes_array_array_push(&single, inner[i]);
        marine_bytes_array_array_array_push(&arg, single);
    }
    return arg;
}

/* Adds [], [[]], [[[]]] and [[[{0, [[1, 2, 3, 4]]}]]]. */
TestRecord_array_array_array_array inner_arrays_2(TestRecord_array_array_array_array arg) {
    TestRecord_array one = {NULL, 0};
    TestRecord_array_push(&one, (TestRecord){0, just(bytes_up_to(4))});
    TestRecord_array_array inner[] = {{NULL, 0}, TestRecord_array_array_new(1), TestRecord_array_array_new(1)};
    inner[2].data[0] = one;
    TestRecord_array_array_array_array_push(&arg, (TestRecord_array_array_array){NULL, 0});
    for (uint32_t i = 0; i < 3; i++) {
        TestRecord_array_array_array single = {NULL, 0};
        TestRecord_array_array_array_push(&single, inner[i]);
        TestRecord_array_array_array_array_push(&arg, single);
    }
    return arg;
}
