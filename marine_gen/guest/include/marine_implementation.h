/* What marine.h declares, once per module: the glue defines MARINE_IMPLEMENTATION and includes it through marine.h.
 * What a module does not use is not linked. */
#include <stdio.h>
#include <stdlib.h>

/* ---- Blocks ---------------------------------------------------------------------------------------------------- */

/* In front of every block; 16 bytes, so that blocks are aligned as those of malloc. */
typedef struct marine_block {
    struct marine_block *previous, *next; /* itself when it was taken */
    size_t capacity;
    uint32_t mark;
} marine_block;

_Static_assert(sizeof(marine_block) == 16, "blocks are aligned for every type");

#define MARINE_MARK 0x4D61726Du

static marine_block marine_call_blocks = {&marine_call_blocks, &marine_call_blocks, 0, 0};
static marine_block marine_lent_blocks = {&marine_lent_blocks, &marine_lent_blocks, 0, 0};
static bool marine_importing;

/* The size of a block with its head; false when there can't be one. No C object is larger than PTRDIFF_MAX. */
static bool marine_block_size(size_t count, size_t size, size_t *bytes) {
    return !__builtin_mul_overflow(count, size, bytes) && *bytes <= PTRDIFF_MAX - sizeof(marine_block);
}

/* A block at the front of `list`; NULL when memory can't be had. */
static void *marine_block_new(marine_block *list, size_t bytes, bool zeroed) {
    marine_block *block = zeroed ? calloc(1, sizeof *block + bytes) : malloc(sizeof *block + bytes);
    if (!block) return NULL;
    *block = (marine_block){list, list->next, bytes, MARINE_MARK};
    list->next->previous = block;
    list->next = block;
    return block + 1;
}

static void *marine_block_zeroed(marine_block *list, size_t count, size_t size) {
    size_t bytes;
    return marine_block_size(count, size, &bytes) && bytes ? marine_block_new(list, bytes, true) : NULL;
}

/* The same, but trapping when there should be a block and is none. */
static void *marine_block_or_trap(marine_block *list, size_t count, size_t size) {
    void *block = marine_block_zeroed(list, count, size);
    return count && size ? marine_needed(block) : NULL;
}

/* The head of a block. What is not one, or was freed, is a mistake in the module. */
static marine_block *marine_head(void *block) {
    marine_block *head = (marine_block *)block - 1;
    if ((uintptr_t)block % _Alignof(marine_block) || head->mark != MARINE_MARK) __builtin_trap();
    return head;
}

static void marine_unlink(marine_block *head) {
    head->previous->next = head->next;
    head->next->previous = head->previous;
    head->previous = head->next = head;
}

static void marine_release(marine_block *list) {
    while (list->next != list) marine_free(list->next + 1);
}

void *marine_alloc(size_t count, size_t size) { return marine_block_or_trap(&marine_call_blocks, count, size); }
void *marine_try_alloc(size_t count, size_t size) { return marine_block_zeroed(&marine_call_blocks, count, size); }
void *marine_lend(size_t count, size_t size) { return marine_block_or_trap(&marine_lent_blocks, count, size); }

void *marine_take(void *block) {
    if (block) marine_unlink(marine_head(block));
    return block;
}

void marine_free(void *block) {
    if (!block) return;
    marine_block *head = marine_head(block);
    marine_unlink(head);
    head->mark = 0;
    free(head);
}

void *marine_grow(void *block, size_t count, size_t size) {
    size_t bytes;
    if (!block) return marine_alloc(count, size);
    if (!marine_block_size(count, size, &bytes)) __builtin_trap();
    marine_block *head = marine_head(block);
    if (bytes <= head->capacity) return block;
    if (head->capacity <= (PTRDIFF_MAX - sizeof *head) / 2 && bytes < 2 * head->capacity) bytes = 2 * head->capacity;
    bool taken = head->next == head;
    head = marine_needed(realloc(head, sizeof *head + bytes));
    head->capacity = bytes;
    if (taken) {
        head->previous = head->next = head;
    } else {
        head->previous->next = head;
        head->next->previous = head;
    }
    return head + 1;
}

marine_scope marine_scope_begin(void) {
    return marine_head(marine_needed(marine_block_new(&marine_call_blocks, 0, false)));
}

void marine_scope_end(marine_scope scope) {
    while (marine_call_blocks.next != scope) {
        if (marine_call_blocks.next == &marine_call_blocks) __builtin_trap(); /* it ended already */
        marine_free(marine_call_blocks.next + 1);
    }
    marine_free(scope + 1);
}

/* ---- Calls ----------------------------------------------------------------------------------------------------- */

void marine_call_begin(void) { marine_importing = false; }

void marine_call_end(void) {
    marine_release(&marine_lent_blocks);
    marine_release(&marine_call_blocks);
}

void marine_import_begin(void) {
    marine_importing = true;
    marine_return(NULL, 0);
}

void marine_import_end(void) {
    marine_importing = false;
    marine_release(&marine_lent_blocks);
}

/* ---- Service functions ----------------------------------------------------------------------------------------- */

void *marine_result_ptr;
uint32_t marine_result_size;

/* Room for `count` elements of the type that `tag` names. 0 also when memory is exhausted: the host can tell its user,
 * a trap could not. */
MARINE_EXPORT("allocate") void *marine_service_allocate(uint32_t count, uint32_t tag) {
    /* bool, u8 to u64, s8 to s64, f32, f64 */
    static const uint8_t sizes[] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 4, 8};
    size_t bytes;
    if (count == 0 || tag >= sizeof sizes || !marine_block_size(count, sizes[tag], &bytes)) return NULL;
    return marine_block_new(&marine_call_blocks, bytes, false);
}

/* The host has read what was lent. While an import runs the call goes on, and so does what it holds. */
MARINE_EXPORT("release_objects") void marine_service_release_objects(void) {
    marine_release(&marine_lent_blocks);
    if (!marine_importing) marine_release(&marine_call_blocks);
}

MARINE_EXPORT("get_result_size") uint32_t marine_service_get_result_size(void) { return marine_result_size; }
MARINE_EXPORT("get_result_ptr") void *marine_service_get_result_ptr(void) { return marine_result_ptr; }
MARINE_EXPORT("set_result_size") void marine_service_set_result_size(uint32_t size) { marine_result_size = size; }
MARINE_EXPORT("set_result_ptr") void marine_service_set_result_ptr(void *pointer) { marine_result_ptr = pointer; }

/* ---- Strings --------------------------------------------------------------------------------------------------- */

marine_string marine_format_list(const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    int count = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (count < 0) __builtin_trap();
    char *data = marine_alloc((size_t)count + 1, 1);
    vsnprintf(data, (size_t)count + 1, format, arguments);
    return (marine_string){data, (uint32_t)count};
}

marine_string marine_format(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    marine_string text = marine_format_list(format, arguments);
    va_end(arguments);
    return text;
}

marine_string marine_join(const marine_string *parts, size_t count) {
    uint32_t size = 0, end = 0;
    for (size_t i = 0; i < count; i++)
        if (__builtin_add_overflow(size, parts[i].count, &size)) __builtin_trap();
    marine_string joined = marine_string_new(size);
    for (size_t i = 0; i < count; end += parts[i++].count)
        if (parts[i].count) memcpy(joined.data + end, parts[i].data, parts[i].count);
    return joined;
}

marine_string marine_concat(marine_string left, marine_string right) { return MARINE_JOIN(left, right); }

marine_string marine_number(int64_t number) {
    char digits[20];
    uint32_t first = sizeof digits;
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    do digits[--first] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0) digits[--first] = '-';
    return marine_string_copy((marine_string){digits + first, sizeof digits - first});
}

char *marine_c_string(marine_string text) {
    char *copy = marine_alloc((size_t)text.count + 1, 1);
    if (text.count) memcpy(copy, text.data, text.count);
    return copy;
}

bool marine_is_utf8(const void *data, uint32_t count) {
    const uint8_t *bytes = data;
    for (uint32_t i = 0; i < count;) {
        uint8_t lead = bytes[i++];
        if (lead < 0x80) continue;
        if (lead < 0xC2 || lead > 0xF4) return false;
        uint32_t tail = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
        if (count - i < tail) return false;
        /* The first continuation byte rules out overlong forms, surrogates and values above U+10FFFF. */
        uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
        uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
        if (bytes[i] < low || bytes[i] > high) return false;
        for (i++; --tail; i++)
            if ((bytes[i] & 0xC0) != 0x80) return false;
    }
    return true;
}

/* ---- Logging --------------------------------------------------------------------------------------------------- */

MARINE_IMPORT(MARINE_HOST_API, "log_utf8_string")
void marine_log_utf8_string(uint32_t level, uint32_t target, const char *data, uint32_t count);

void marine_log(uint32_t level, uint32_t target, marine_string text) {
    marine_log_utf8_string(level, target, text.data, text.count);
}

static bool marine_is_word(const char *text, const char *word) {
    while (*word && (*text | 0x20) == *word) text++, word++;
    return !*text && !*word;
}

static uint32_t marine_log_limit(void) {
    static const char words[][6] = {"off", "error", "warn", "info", "debug", "trace"};
    static uint32_t limit = UINT32_MAX;
    if (limit == UINT32_MAX) {
        const char *wanted = getenv("WASM_LOG");
        limit = MARINE_INFO;
        for (uint32_t level = 0; wanted && level < sizeof words / sizeof *words; level++)
            if (marine_is_word(wanted, words[level])) limit = level;
    }
    return limit;
}

void marine_log_format(uint32_t level, uint32_t target, const char *format, ...) {
    if (level > marine_log_limit()) return;
    va_list arguments;
    va_start(arguments, format);
    marine_string text = marine_format_list(format, arguments);
    va_end(arguments);
    marine_log(level, target, text);
    marine_free(text.data);
}

/* ---- Call parameters ------------------------------------------------------------------------------------------- */

typedef struct MARINE_PACKED {
    marine_string id, init_peer_id;
    uint64_t timestamp;
    uint32_t ttl;
    marine_string script;
    marine_bytes signature;
    marine_string token;
} marine_raw_particle;

typedef struct MARINE_PACKED {
    marine_raw_particle *particle;
    marine_string service_id, service_creator_peer_id, host_id, worker_id;
    marine_raw_array tetraplets;
} marine_raw_call_parameters;

MARINE_IMPORT(MARINE_HOST_API, "get_call_parameters") void marine_raw_get_call_parameters(void);

static marine_tetraplet_array marine_read_tetraplets(marine_raw_array raw) {
    marine_tetraplet_array array = marine_tetraplet_array_new(raw.count);
    marine_tetraplet *const *bodies = raw.data; /* four strings: nothing to convert */
    for (uint32_t i = 0; i < raw.count; i++) array.data[i] = *(marine_tetraplet *)marine_needed(bodies[i]);
    return array;
}

marine_call_parameters marine_get_call_parameters(void) {
    marine_import_begin();
    marine_raw_get_call_parameters();
    marine_import_end();
    const marine_raw_call_parameters *raw = marine_needed(marine_result_ptr);
    const marine_raw_particle *particle = marine_needed(raw->particle);
    marine_call_parameters parameters = {
        .particle = {particle->id, particle->init_peer_id, particle->timestamp, particle->ttl, particle->script,
                     particle->signature, particle->token},
        .service_id = raw->service_id,
        .service_creator_peer_id = raw->service_creator_peer_id,
        .host_id = raw->host_id,
        .worker_id = raw->worker_id,
        .tetraplets = marine_tetraplet_array_array_new(raw->tetraplets.count),
    };
    const marine_raw_array *arrays = raw->tetraplets.data;
    for (uint32_t i = 0; i < raw->tetraplets.count; i++)
        parameters.tetraplets.data[i] = marine_read_tetraplets(arrays[i]);
    return parameters;
}
