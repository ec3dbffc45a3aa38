/* Uses everything that a host offers to C. */
#include "host_glue.h"

MARINE_MOUNTED_BINARY(program)

Caller caller(void) {
    marine_call_parameters given = marine_get_call_parameters();
    marine_string_array_array functions = marine_string_array_array_new(given.tetraplets.count);
    for (uint32_t i = 0; i < given.tetraplets.count; i++) {
        marine_tetraplet_array from = given.tetraplets.data[i];
        for (uint32_t j = 0; j < from.count; j++)
            marine_string_array_push(&functions.data[i], from.data[j].function_name);
    }
    return (Caller){
        .particle = given.particle.id,
        .timestamp = given.particle.timestamp,
        .ttl = given.particle.ttl,
        .signature = given.particle.signature,
        .host = given.host_id,
        .functions = functions,
    };
}

void say(uint32_t level, uint32_t target, marine_string text) { marine_log(level, target, text); }

void report(int32_t number) {
    MARINE_LOG_DEBUG("not shown at the level info");
    MARINE_LOG_WARN("number %d", number);
}

marine_string execute(marine_string_array arguments) {
    marine_mounted_result result = program(arguments);
    if (!marine_is_utf8(result.stdout_bytes.data, result.stdout_bytes.count)) return MARINE_TEXT("not UTF-8");
    return marine_format("%d:%.*s:%.*s", result.ret_code, MARINE_ARG(result.error), MARINE_ARG(result.stdout_bytes));
}

marine_string joined(marine_string_array parts) { return host_join(parts, true); }
