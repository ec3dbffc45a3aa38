/* The caller of the module-to-module measurement: one import called in a loop, and the same without a module border. */
#include "marine.h"

MARINE_IMPORT("bench_effector", "echo") void effector_echo(const char *text, uint32_t size);

uint32_t MARINE_EXPORT(call_many)(uint32_t n, char *text, uint32_t size) {
    uint32_t total = 0;
    while (n--) {
        effector_echo(text, size);
        marine_string answer = marine_string_result();
        total += answer.count;
        marine_string_free(answer);
    }
    free(text);
    return total;
}

/* What bench_effector.echo does. The barrier keeps the compiler from seeing through the call. */
__attribute__((noinline)) static void local_echo(char *text, uint32_t size) {
    __asm__ volatile("" ::: "memory");
    marine_return_string((marine_string){text, size});
}

/* The work that both guests do per call of call_many, in one module: the callee's block for the argument, the call,
 * the caller's block for the result, the release, the free. The copies between memories are glue, not guest work, and
 * are left out. */
uint32_t MARINE_EXPORT(plain)(uint32_t n, char *text, uint32_t size) {
    uint32_t total = 0;
    while (n--) {
        local_echo(allocate(size, 1), size);
        uint32_t count = marine_result_size;
        char *answer = allocate(count, 1);
        release_objects();
        total += count;
        free(answer);
    }
    free(text);
    return total;
}

MARINE_IMPORT("bench_effector", "echo_bytes") void effector_echo_bytes(const uint8_t *data, uint32_t size);

/* Bulk data there and back, n times: two copies between memories a round, and hardly any guest work. */
uint32_t MARINE_EXPORT(bytes_many)(uint32_t n, uint8_t *data, uint32_t size) {
    uint32_t total = 0;
    while (n--) {
        effector_echo_bytes(data, size);
        marine_bytes answer = marine_bytes_result();
        total += answer.count;
        marine_bytes_free(answer);
    }
    free(data);
    return total;
}
