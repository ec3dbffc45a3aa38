/* The counterpart of arguments_passing_effector, whose ABI is written by hand: the same answers from plain functions. */
#include "arguments_glue.h"

#define NUMBER(name, type)                                                                                             \
    type name##_type(type arg) { return arg + 1; }                                                                     \
    type name##_ref_type(type arg) { return arg + 1; }

NUMBER(i32, int32_t)
NUMBER(i64, int64_t)
NUMBER(u32, uint32_t)
NUMBER(u64, uint64_t)
NUMBER(f32, float)
NUMBER(f64, double)

#define STRING(name)                                                                                                   \
    marine_string name(marine_string arg) {                                                                            \
        return marine_concat(marine_concat(arg, MARINE_TEXT("_")), arg);                                               \
    }

STRING(string_type)
STRING(string_ref_type)
STRING(str_type)

static marine_bytes with_one(marine_bytes bytes) {
    marine_bytes_push(&bytes, 1);
    return bytes;
}

marine_bytes bytearray_type(marine_bytes arg) { return with_one(arg); }
marine_bytes bytearray_ref_type(marine_bytes arg) { return with_one(arg); }

bool bool_type(bool arg) { return !arg; }
bool bool_ref_type(bool arg) { return !arg; }

marine_string empty_type(void) { return MARINE_TEXT("success"); }

/* Integers and bytes in their own order, floats the other way round. */
static void put(marine_bytes *out, const void *data, uint32_t count, bool reversed) {
    const uint8_t *bytes = data;
    for (uint32_t i = 0; i < count; i++) marine_bytes_push(out, bytes[reversed ? count - 1 - i : i]);
}

#define PUT(value, reversed) put(&out, &(value), sizeof(value), reversed)

#define ALL(name)                                                                                                      \
    marine_bytes name(int8_t a, int16_t b, int32_t c, int64_t d, uint8_t e, uint16_t f, uint32_t g, uint64_t h,        \
                      float i, double j, marine_string k, marine_bytes l) {                                            \
        marine_bytes out = {NULL, 0};                                                                                  \
        PUT(a, false), PUT(b, false), PUT(c, false), PUT(d, false);                                                    \
        PUT(e, false), PUT(f, false), PUT(g, false), PUT(h, false);                                                    \
        PUT(i, true), PUT(j, true);                                                                                    \
        put(&out, k.data, k.count, false);                                                                             \
        put(&out, l.data, l.count, false);                                                                             \
        return out;                                                                                                    \
    }

ALL(all_types)
ALL(all_ref_types)
