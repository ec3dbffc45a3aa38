/* Logs one line per call: at a fixed level without target, or as the caller says. */
#include "marine.h"

static void log_text(uint32_t level, marine_string text) { marine_log(level, 0, text.data, text.count); }

void MARINE_EXPORT(log_error)(void) { log_text(MARINE_ERROR, MARINE_TEXT("error")); }
void MARINE_EXPORT(log_warn)(void) { log_text(MARINE_WARN, MARINE_TEXT("warn")); }
void MARINE_EXPORT(log_info)(void) { log_text(MARINE_INFO, MARINE_TEXT("info")); }
void MARINE_EXPORT(log_debug)(void) { log_text(MARINE_DEBUG, MARINE_TEXT("debug")); }
void MARINE_EXPORT(log_trace)(void) { log_text(MARINE_TRACE, MARINE_TEXT("trace")); }

void MARINE_EXPORT(log_line)(uint32_t level, uint32_t target, char *text, uint32_t size) {
    marine_log(level, target, text, size);
    free(text);
}

/* The message is not UTF-8. */
void MARINE_EXPORT(log_garbage)(void) { log_text(MARINE_INFO, MARINE_TEXT("ab\xff")); }

/* The message lies outside the memory. */
void MARINE_EXPORT(log_outside)(void) { marine_log(MARINE_INFO, 0, (const char *)0xFFFFFFF0u, 64); }
