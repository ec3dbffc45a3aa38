/* Downloads with what the service provides under the name `curl`: a mounted program, or a function of the host. */
#include "curl_glue.h"

/* A bit of the configuration's `logging_mask`. */
enum { LOG_DOWNLOADS = 1 << 0 };

static MountedBinaryResult run_curl(marine_string url) {
    marine_string arguments[] = {
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
    return host_curl((marine_string_array){arguments, sizeof arguments / sizeof *arguments});
}

/* "error: curl ended with code CODE: WHY", where WHY is the host's reason, else what curl wrote to stderr. */
static marine_string describe_failure(MountedBinaryResult result) {
    marine_string text = marine_concat(MARINE_TEXT("error: curl ended with code "), marine_number(result.ret_code));
    marine_string why = result.error.count ? result.error : marine_string_of(result.stderr_);
    if (!marine_is_utf8(why.data, why.count)) why = MARINE_TEXT("(not UTF-8 text)");
    while (why.count && why.data[why.count - 1] == '\n') why.count--;
    return why.count ? MARINE_JOIN(text, MARINE_TEXT(": "), why) : text;
}

marine_string download(marine_string url) {
    marine_log(MARINE_INFO, LOG_DOWNLOADS, marine_concat(MARINE_TEXT("downloads "), url));

    MountedBinaryResult result = run_curl(url);
    marine_string page = marine_string_of(result.stdout_);
    /* Results of type string must be UTF-8, and what a program prints may be anything. */
    if (result.ret_code == 0 && marine_is_utf8(page.data, page.count)) return page;

    marine_string answer = MARINE_TEXT("error: the page is not UTF-8 text");
    if (result.ret_code) answer = describe_failure(result);
    marine_log(MARINE_WARN, LOG_DOWNLOADS, answer);
    return answer;
}
