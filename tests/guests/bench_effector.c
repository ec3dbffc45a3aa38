/* The callee of the module-to-module measurement: as little work as an owned string in and out can be. */
#include "marine.h"

void MARINE_EXPORT(echo)(char *text, uint32_t size) { marine_return_string((marine_string){text, size}); }

/* The same for bytes, for the measurement of bulk data: the block goes back as it came. */
void MARINE_EXPORT(echo_bytes)(uint8_t *data, uint32_t size) { marine_return_bytes((marine_bytes){data, size}); }
