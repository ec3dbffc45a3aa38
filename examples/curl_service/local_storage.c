/* Keeps named contents in the module's own memory, for as long as the service lives. */
#include "marine.h"

typedef struct entry {
    struct entry *next;
    marine_string name;
    marine_bytes content;
} entry;

static entry *entries;

static entry *find(marine_string name) {
    for (entry *candidate = entries; candidate; candidate = candidate->next)
        if (marine_string_equal(candidate->name, name)) return candidate;
    return NULL;
}

void MARINE_EXPORT(put)(char *name, uint32_t name_size, uint8_t *content, uint32_t content_size) {
    entry *target = find((marine_string){name, name_size});
    if (target) {
        free(name);
        marine_bytes_free(target->content);
    } else {
        target = marine_new(1, sizeof *target);
        target->next = entries;
        target->name = (marine_string){name, name_size};
        entries = target;
    }
    target->content = (marine_bytes){content, content_size};
    marine_string_return(MARINE_TEXT("Ok"));
}

void MARINE_EXPORT(get)(char *name, uint32_t name_size) {
    static const char absent[] = "error while reading file";
    entry *source = find((marine_string){name, name_size});
    free(name);
    /* The host reads the result before anything else can run here, so the stored block itself serves. */
    marine_bytes_return(source ? source->content : (marine_bytes){(uint8_t *)absent, sizeof absent - 1});
}
