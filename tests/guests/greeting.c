/* One string in, one string out. */
#include "marine.h"

void MARINE_EXPORT(greeting)(char *name, uint32_t size) {
    marine_string answer = marine_string_concat(MARINE_TEXT("Hi, "), (marine_string){name, size});
    free(name);
    marine_return_string(answer);
}
