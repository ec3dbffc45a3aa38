/* Echoes every type, and does with memory what a module may do. */
#include "everything_glue.h"

#define ECHO(name, type)                                                                                               \
    type name(type value) { return value; }

ECHO(bool_value, bool)
ECHO(s8_value, int8_t)
ECHO(s16_value, int16_t)
ECHO(s32_value, int32_t)
ECHO(s64_value, int64_t)
ECHO(u8_value, uint8_t)
ECHO(u16_value, uint16_t)
ECHO(u32_value, uint32_t)
ECHO(u64_value, uint64_t)
ECHO(f32_value, float)
ECHO(f64_value, double)
ECHO(string_value, marine_string)
ECHO(bool_array, marine_bool_array)
ECHO(s8_array, marine_s8_array)
ECHO(s16_array, marine_s16_array)
ECHO(s32_array, marine_s32_array)
ECHO(s64_array, marine_s64_array)
ECHO(u8_array, marine_bytes)
ECHO(u16_array, marine_u16_array)
ECHO(u32_array, marine_u32_array)
ECHO(u64_array, marine_u64_array)
ECHO(f32_array, marine_f32_array)
ECHO(f64_array, marine_f64_array)
ECHO(string_array, marine_string_array)
ECHO(bytes_array, marine_bytes_array)
ECHO(deep_array, marine_u16_array_array_array)
ECHO(record, Everything)
ECHO(records, Everything_array)
ECHO(nested, Inner_array_array)
ECHO(tree, Tree)

Everything collect(bool flag, int8_t i8, int16_t i16, int32_t i32, int64_t i64, uint8_t u8, uint16_t u16, uint32_t u32,
                   uint64_t u64, float f32, double f64, marine_string text, marine_bytes bytes, Inner inner,
                   Inner_array inners, marine_string_array texts, Inner_array_array nested) {
    return (Everything){flag, i8,   i16,   i32,   i64,    u8,    u16,   u32,   u64,
                        f32,  f64,  text,  bytes, inner,  inners, texts, nested};
}

void nothing(void) {}

/* Both elements share what they point to. */
Everything_array twice(Everything value) {
    Everything_array pair = {NULL, 0};
    Everything_array_push(&pair, value);
    Everything_array_push(&pair, value);
    return pair;
}

Everything zero(void) { return (Everything){0}; }

marine_string literal(void) { return MARINE_TEXT("not a block"); }

/* The elements point into the argument. */
marine_string_array pieces(marine_string text, uint32_t size) {
    marine_string_array found = {NULL, 0};
    for (uint32_t start = 0; size && start < text.count; start += size) {
        uint32_t left = text.count - start;
        marine_string_array_push(&found, (marine_string){text.data + start, left < size ? left : size});
    }
    return found;
}

marine_u32_array count_up(uint32_t count) {
    marine_u32_array numbers = {NULL, 0};
    for (uint32_t i = 0; i < count; i++) marine_u32_array_push(&numbers, i);
    return numbers;
}

/* What is kept outlives the calls: here without a copy, block by block. */
static marine_string_array texts_kept;

uint32_t keep(marine_string text) {
    bool first = texts_kept.count == 0;
    marine_take(text.data);
    marine_string_array_push(&texts_kept, text);
    if (first) marine_take(texts_kept.data);
    return texts_kept.count;
}

marine_string_array kept(void) { return texts_kept; }

void forget(void) {
    marine_string_array_free(texts_kept);
    texts_kept = (marine_string_array){NULL, 0};
}

/* And here as copies of whole values. */
static Everything_array values_kept;
static Tree tree_kept;

uint32_t keep_value(Everything value) {
    Everything_array_keep_push(&values_kept, value);
    return values_kept.count;
}

Everything_array kept_values(void) { return values_kept; }

void forget_values(void) {
    Everything_array_free(values_kept);
    values_kept = (Everything_array){NULL, 0};
}

void keep_tree(Tree value) {
    Tree_free(tree_kept);
    tree_kept = Tree_keep(value);
}

Tree kept_tree(void) { return tree_kept; }

marine_string format(int64_t number, marine_string text) {
    return marine_format("%lld, %.*s", (long long)number, MARINE_ARG(text));
}

/* 0 when there is no block of this size; marine_alloc would trap. */
uint32_t exhaust(uint32_t size) { return marine_try_alloc(size, 16) != NULL; }

void free_literal(void) { marine_free(MARINE_TEXT("neither a block nor the end of one").data + 16); }

void free_twice(marine_string text) {
    marine_free(text.data);
    marine_free(text.data);
}
