/* Greets, and lets donkey greet too: an import with a string result, an export with a vector of strings. */
#include "marine.h"

MARINE_IMPORT("donkey", "greeting") void donkey_greeting(const char *name, uint32_t size);

void MARINE_EXPORT(greeting)(char *name, uint32_t size) {
    marine_strings answers = {NULL, 0};
    marine_strings_push(&answers, marine_string_concat(MARINE_TEXT("Shrek: hi, "), (marine_string){name, size}));
    donkey_greeting(name, size);
    marine_strings_push(&answers, marine_string_result());
    free(name);

    marine_strings_visit(answers, marine_park);
    marine_strings_return(answers);
}
