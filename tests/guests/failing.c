/* Traps on every call. */
#include "marine.h"

void MARINE_EXPORT(failing)(void) { __builtin_trap(); }
