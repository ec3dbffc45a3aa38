/* Downloads with what the service provides under the name `curl`: a mounted program, or a function of the host. */
#include "marine.h"

/* A bit of the configuration's `logging_mask`. */
enum { LOG_DOWNLOADS = 1 << 0 };

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

/* Runs curl; the result belongs to the caller. */
static mounted_binary_result *run_curl(marine_string url) {
    const marine_string args[] = {
        MARINE_TEXT("--disable"), /* as the first: no settings from the host's ~/.curlrc */
        MARINE_TEXT("--silent"),
        MARINE_TEXT("--show-error"),
        MARINE_TEXT("--fail"), /* an answer of 400 and above is a failure */
        MARINE_TEXT("--location"),
        MARINE_TEXT("--globoff"), /* braces and brackets are part of the address */
        MARINE_TEXT("--proto"),
        MARINE_TEXT("=file,http,https"),
        MARINE_TEXT("--max-time"),
        MARINE_TEXT("30"),
        MARINE_TEXT("--max-filesize"),
        MARINE_TEXT("1048576"),
        MARINE_TEXT("--"), /* an address that begins with a dash is no option */
        url,
    };
    mounted_curl(args, sizeof args / sizeof *args);
    return marine_record_result();
}

/* "error: curl ended with code CODE: WHY", where WHY is the host's reason, else what curl wrote to stderr. */
static marine_string describe_failure(const mounted_binary_result *result) {
    marine_string code = marine_string_of(result->ret_code), why = result->error;
    marine_string text = marine_string_concat(MARINE_TEXT("error: curl ended with code "), code);
    marine_string_free(code);
    if (why.count == 0) why = (marine_string){(char *)result->stderr_bytes.data, result->stderr_bytes.count};
    if (!is_utf8((uint8_t *)why.data, why.count)) why = MARINE_TEXT("(not UTF-8 text)");
    while (why.count && why.data[why.count - 1] == '\n') why.count--;
    if (why.count == 0) return text;
    return marine_string_append(marine_string_append(text, MARINE_TEXT(": ")), why);
}

void MARINE_EXPORT(download)(char *url, uint32_t url_size) {
    marine_string address = {url, url_size};
    marine_log_string(MARINE_INFO, LOG_DOWNLOADS, marine_string_concat(MARINE_TEXT("downloads "), address));

    mounted_binary_result *result = run_curl(address);
    marine_bytes page = result->stdout_bytes;
    marine_string answer;
    bool is_page = result->ret_code == 0 && is_utf8(page.data, page.count);
    if (is_page) {
        answer = (marine_string){(char *)page.data, page.count};
    } else {
        answer = result->ret_code
                     ? describe_failure(result)
                     : marine_string_concat(MARINE_TEXT("error: "), MARINE_TEXT("the page is not UTF-8 text"));
        marine_log(MARINE_WARN, LOG_DOWNLOADS, answer.data, answer.count);
        marine_bytes_free(page);
    }
    marine_string_free(result->error);
    marine_bytes_free(result->stderr_bytes);
    free(result);
    free(url);
    marine_return_string(answer);
}
