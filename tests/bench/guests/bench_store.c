/* A store of strings under strings, spoken to as Redis is: `SET key value` answers `OK`, `GET key` the value. */
#include "../../guests/marine.h"

enum { BUCKETS = 1024 };

typedef struct entry {
    struct entry *next;
    marine_string key, value;
} entry;

static entry *table[BUCKETS];

static entry **find(marine_string key) {
    uint32_t hash = 2166136261u;
    for (uint32_t i = 0; i < key.count; i++) hash = (hash ^ (uint8_t)key.data[i]) * 16777619u;
    entry **place = &table[hash % BUCKETS];
    while (*place && !marine_string_equal((*place)->key, key)) place = &(*place)->next;
    return place;
}

/* The text up to the next space, which is taken off `rest`. */
static marine_string word(marine_string *rest) {
    uint32_t count = 0;
    while (count < rest->count && rest->data[count] != ' ') count++;
    marine_string found = {rest->data, count};
    uint32_t taken = count < rest->count ? count + 1 : count;
    *rest = (marine_string){rest->data + taken, rest->count - taken};
    return found;
}

static marine_string copy(marine_string text) { return marine_string_copy(text.data, text.count); }

static void set(marine_string key, marine_string value) {
    entry **place = find(key);
    if (*place) {
        marine_string_free((*place)->value);
    } else {
        *place = marine_new(1, sizeof(entry));
        **place = (entry){NULL, copy(key), {NULL, 0}};
    }
    (*place)->value = copy(value);
}

static marine_string answer(marine_string request) {
    marine_string command = word(&request), key = word(&request);
    if (marine_string_equal(command, MARINE_TEXT("SET"))) {
        set(key, request);
        return copy(MARINE_TEXT("OK"));
    }
    if (marine_string_equal(command, MARINE_TEXT("GET"))) {
        entry *found = *find(key);
        return copy(found ? found->value : MARINE_TEXT("(nil)"));
    }
    return copy(MARINE_TEXT("ERR unknown command"));
}

/* There is one entry from the start, so that a `GET` alone finds something. */
static bool ready;

void MARINE_EXPORT(execute)(char *request, uint32_t size) {
    if (!ready) set(MARINE_TEXT("greeting"), MARINE_TEXT("hello"));
    ready = true;
    marine_string result = answer((marine_string){request, size});
    free(request);
    marine_return_string(result);
}
