/* An Extism plug-in that does what the guests greeting and bench_effector do, written against the kernel's imports. */
#include <stdint.h>

#define KERNEL(NAME) __attribute__((import_module("extism:host/env"), import_name(#NAME))) extern
#define EXPORT(NAME) __attribute__((export_name(#NAME)))

KERNEL(input_length) uint64_t input_length(void);
KERNEL(input_load_u64) uint64_t input_load_u64(uint64_t offset);
KERNEL(input_load_u8) uint8_t input_load_u8(uint64_t offset);
KERNEL(alloc) uint64_t kernel_alloc(uint64_t size);
KERNEL(store_u8) void store_u8(uint64_t address, uint8_t value);
KERNEL(store_u64) void store_u64(uint64_t address, uint64_t value);
KERNEL(output_set) void output_set(uint64_t address, uint64_t size);

/* The kernel's memory can't be reached but word by word. */
static void copy_input(uint64_t to, uint64_t size) {
    uint64_t done = 0;
    for (; done + 8 <= size; done += 8) store_u64(to + done, input_load_u64(done));
    for (; done < size; done++) store_u8(to + done, input_load_u8(done));
}

EXPORT(echo) int32_t echo(void) {
    uint64_t size = input_length(), output = kernel_alloc(size);
    copy_input(output, size);
    output_set(output, size);
    return 0;
}

EXPORT(greet) int32_t greet(void) {
    static const char head[] = {'H', 'i', ',', ' '};
    uint64_t size = input_length(), output = kernel_alloc(size + sizeof head);
    for (uint64_t i = 0; i < sizeof head; i++) store_u8(output + i, (uint8_t)head[i]);
    copy_input(output + sizeof head, size);
    output_set(output, size + sizeof head);
    return 0;
}
