/* Greets; used by the module shrek. */
#include "marine.h"

void MARINE_EXPORT(greeting)(char *name, uint32_t size) {
    marine_string answer = marine_string_concat(MARINE_TEXT("Donkey: hi, "), (marine_string){name, size});
    free(name);
    marine_return_string(answer);
}
