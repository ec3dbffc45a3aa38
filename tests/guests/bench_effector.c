/* The callee of the module-to-module measurement: as little work as an owned string in and out can be. */
#include "marine.h"

void MARINE_EXPORT(echo)(char *text, uint32_t size) { marine_return_string((marine_string){text, size}); }
