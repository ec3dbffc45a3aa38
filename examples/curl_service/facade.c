/* The face of the service: fetches a page and stores it. */
#include "marine.h"

/* A bit of the configuration's `logging_mask`. */
enum { LOG_JOBS = 1 << 0 };

MARINE_IMPORT("curl", "download") void curl_download(const char *url, uint32_t url_size);
MARINE_IMPORT("local_storage", "put")
void local_storage_put(const char *name, uint32_t name_size, const char *content, uint32_t content_size);

void MARINE_EXPORT(get_n_save)(char *url, uint32_t url_size, char *file_name, uint32_t file_name_size) {
    marine_string line = marine_string_concat(MARINE_TEXT("keeps "), (marine_string){url, url_size});
    line = marine_string_append(line, MARINE_TEXT(" as "));
    marine_log_string(MARINE_INFO, LOG_JOBS, marine_string_append(line, (marine_string){file_name, file_name_size}));

    curl_download(url, url_size);
    marine_string content = marine_string_result();
    local_storage_put(file_name, file_name_size, content.data, content.count);
    marine_string answer = marine_string_result();

    free(url);
    free(file_name);
    marine_string_free(content);
    marine_return_string(answer);
}
