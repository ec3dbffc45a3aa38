/* The face of the service: fetches a page and stores it. */
#include "facade_glue.h"

/* A bit of the configuration's `logging_mask`. */
enum { LOG_JOBS = 1 << 0 };

marine_string get_n_save(marine_string url, marine_string file_name) {
    marine_log(MARINE_INFO, LOG_JOBS, MARINE_JOIN(MARINE_TEXT("keeps "), url, MARINE_TEXT(" as "), file_name));
    return local_storage_put(file_name, marine_bytes_of(curl_download(url)));
}
