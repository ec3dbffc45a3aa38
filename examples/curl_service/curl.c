/* Downloads with the program that the service mounts under the name `curl`. */
#include "marine.h"

typedef struct MARINE_PACKED {
    int32_t ret_code;
    marine_string error;
    marine_bytes stdout_bytes;
    marine_bytes stderr_bytes;
} mounted_binary_result;

MARINE_IMPORT(MARINE_HOST_API, "curl") void mounted_curl(const marine_string *args, uint32_t count);

/* Results of type string must be UTF-8, and what a program prints may be anything. */
static bool is_utf8(const uint8_t *data, uint32_t count) {
    for (uint32_t i = 0; i < count;) {
        uint8_t lead = data[i++];
        if (lead < 0x80) continue;
        if (lead < 0xC2 || lead > 0xF4) return false;
        uint32_t tail = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
        if (count - i < tail) return false;
        /* The first continuation byte rules out overlong forms, surrogates and values above U+10FFFF. */
        uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
        uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
        if (data[i] < low || data[i] > high) return false;
        for (i++; --tail; i++)
            if ((data[i] & 0xC0) != 0x80) return false;
    }
    return true;
}

/* Takes over `left`, borrows `right`. */
static marine_string append(marine_string left, marine_string right) {
    marine_string joined = marine_string_concat(left, right);
    marine_string_free(left);
    return joined;
}

static marine_string as_text(marine_bytes bytes) {
    if (!is_utf8(bytes.data, bytes.count)) return MARINE_TEXT("(not UTF-8 text)");
    return (marine_string){(char *)bytes.data, bytes.count};
}

void MARINE_EXPORT(download)(char *url, uint32_t url_size) {
    marine_string address = {url, url_size};
    marine_string message = marine_string_concat(MARINE_TEXT("download called with url "), address);
    marine_log(MARINE_INFO, 0, message.data, message.count);
    marine_string_free(message);

    const marine_string args[] = {MARINE_TEXT("-sS"), MARINE_TEXT("-L"), address};
    mounted_curl(args, sizeof args / sizeof *args);
    mounted_binary_result *result = marine_record_result();

    marine_string answer;
    if (result->ret_code == 0 && is_utf8(result->stdout_bytes.data, result->stdout_bytes.count)) {
        answer = (marine_string){(char *)result->stdout_bytes.data, result->stdout_bytes.count};
    } else if (result->ret_code == 0) {
        answer = marine_string_concat(MARINE_TEXT("error: the answer is not UTF-8 text"), (marine_string){NULL, 0});
        marine_bytes_free(result->stdout_bytes);
    } else {
        answer = marine_string_concat(MARINE_TEXT("error: "), result->error);
        answer = append(answer, MARINE_TEXT(", stderr: "));
        answer = append(answer, as_text(result->stderr_bytes));
        marine_bytes_free(result->stdout_bytes);
    }
    marine_string_free(result->error);
    marine_bytes_free(result->stderr_bytes);
    free(result);
    free(url);
    marine_return_string(answer);
}
