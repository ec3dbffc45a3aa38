/* What both arguments_passing modules do: the serialised form of `all_types`, and the doubling of strings. */
#ifndef ALL_TYPES_H
#define ALL_TYPES_H

#include "marine.h"

/* The parameters of all_types and all_ref_types, with the carriers that Wasm has for them. */
#define ALL_TYPES_PARAMETERS                                                                                       \
    int32_t arg_0, int32_t arg_1, int32_t arg_2, int64_t arg_3, uint32_t arg_4, uint32_t arg_5, uint32_t arg_6,    \
        uint64_t arg_7, float arg_8, double arg_9, char *arg_10, uint32_t arg_10_size, uint8_t *arg_11,            \
        uint32_t arg_11_size
#define ALL_TYPES_ARGUMENTS                                                                                        \
    arg_0, arg_1, arg_2, arg_3, arg_4, arg_5, arg_6, arg_7, arg_8, arg_9, arg_10, arg_10_size, arg_11, arg_11_size

static void put_bytes(marine_bytes *out, const void *data, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) marine_bytes_push(out, ((const uint8_t *)data)[i]);
}

static void put_little(marine_bytes *out, uint64_t bits, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) marine_bytes_push(out, (uint8_t)(bits >> (8 * i)));
}

static void put_big(marine_bytes *out, uint64_t bits, uint32_t count) {
    while (count--) marine_bytes_push(out, (uint8_t)(bits >> (8 * count)));
}

/* Appends integers in little-endian order and floats in big-endian order, then the string and the bytes. */
static void put_all_types(marine_bytes *out, ALL_TYPES_PARAMETERS) {
    uint32_t float_bits;
    uint64_t double_bits;
    memcpy(&float_bits, &arg_8, sizeof arg_8);
    memcpy(&double_bits, &arg_9, sizeof arg_9);
    put_little(out, (uint64_t)arg_0, 1);
    put_little(out, (uint64_t)arg_1, 2);
    put_little(out, (uint64_t)arg_2, 4);
    put_little(out, (uint64_t)arg_3, 8);
    put_little(out, arg_4, 1);
    put_little(out, arg_5, 2);
    put_little(out, arg_6, 4);
    put_little(out, arg_7, 8);
    put_big(out, float_bits, 4);
    put_big(out, double_bits, 8);
    put_bytes(out, arg_10, arg_10_size);
    put_bytes(out, arg_11, arg_11_size);
}

/* `s_s`, as a block that the caller owns. */
static marine_string doubled(const char *text, uint32_t size) {
    if (size > INT32_MAX / 2) __builtin_trap();
    marine_string whole = {marine_new(2 * size + 1, 1), 2 * size + 1};
    if (size) memcpy(whole.data, text, size);
    whole.data[size] = '_';
    if (size) memcpy(whole.data + size + 1, text, size);
    return whole;
}

#endif
