/* Passes every value through the module `everything`, and uses it again afterwards. */
#include "relay_glue.h"

#define RELAY(name, type)                                                                                              \
    type name(type value) { return everything_##name(value); }

/* Answers what came back the second time; the host has released what was lent by then, and `value` has to be whole. */
#define RELAY_TWICE(name, type)                                                                                        \
    type name(type value) {                                                                                            \
        everything_##name(value);                                                                                      \
        return everything_##name(value);                                                                               \
    }

RELAY(bool_value, bool)
RELAY(s8_value, int8_t)
RELAY(s16_value, int16_t)
RELAY(s32_value, int32_t)
RELAY(s64_value, int64_t)
RELAY(u8_value, uint8_t)
RELAY(u16_value, uint16_t)
RELAY(u32_value, uint32_t)
RELAY(u64_value, uint64_t)
RELAY(f32_value, float)
RELAY(f64_value, double)
RELAY_TWICE(string_value, marine_string)
RELAY_TWICE(bool_array, marine_bool_array)
RELAY_TWICE(s8_array, marine_s8_array)
RELAY_TWICE(s16_array, marine_s16_array)
RELAY_TWICE(s32_array, marine_s32_array)
RELAY_TWICE(s64_array, marine_s64_array)
RELAY_TWICE(u8_array, marine_bytes)
RELAY_TWICE(u16_array, marine_u16_array)
RELAY_TWICE(u32_array, marine_u32_array)
RELAY_TWICE(u64_array, marine_u64_array)
RELAY_TWICE(f32_array, marine_f32_array)
RELAY_TWICE(f64_array, marine_f64_array)
RELAY_TWICE(string_array, marine_string_array)
RELAY_TWICE(bytes_array, marine_bytes_array)
RELAY_TWICE(deep_array, marine_u16_array_array_array)
RELAY_TWICE(record, Everything)
RELAY_TWICE(records, Everything_array)
RELAY_TWICE(nested, Inner_array_array)
RELAY_TWICE(tree, Tree)

Everything collect(bool flag, int8_t i8, int16_t i16, int32_t i32, int64_t i64, uint8_t u8, uint16_t u16, uint32_t u32,
                   uint64_t u64, float f32, double f64, marine_string text, marine_bytes bytes, Inner inner,
                   Inner_array inners, marine_string_array texts, Inner_array_array nested) {
    return everything_collect(flag, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, text, bytes, inner, inners, texts,
                              nested);
}

void nothing(void) { everything_nothing(); }

/* `times` calls of an import; each result goes with its scope. Answers the bytes that came back. */
uint64_t repeat(uint32_t times, Everything value) {
    uint64_t size = 0;
    for (uint32_t i = 0; i < times; i++) {
        marine_scope scope = marine_scope_begin();
        size += everything_record(value).text.count;
        marine_scope_end(scope);
    }
    return size;
}

void end_scope_twice(void) {
    marine_scope scope = marine_scope_begin();
    marine_scope_end(scope);
    marine_scope_end(scope);
}

/* The import traps; the call that follows must not suffer from it. */
void fail(void) { everything_free_literal(); }
