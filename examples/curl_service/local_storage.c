/* Keeps named contents as files of the directory that the service maps for this module as `sites`.
 *
 * A name is a path below that directory. One that leads out of it is refused by WASI when the file is opened; nothing
 * here looks for such names. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "local_storage_glue.h"

#define ALIAS "sites"

/* Bits of the configuration's `logging_mask`. */
enum { LOG_WRITES = 1 << 0, LOG_READS = 1 << 1 };

/* Opens the file called `name`; gives -1 and sets errno when that is not possible. */
static int open_file(marine_string name, int flags) {
    if (name.count && memchr(name.data, 0, name.count)) {
        errno = EINVAL; /* a C string would end there and be the name of another file */
        return -1;
    }
    return open(marine_c_string(marine_concat(MARINE_TEXT("/" ALIAS "/"), name)), flags, 0666);
}

/* Writes everything and closes; gives 0, or the number of the error. */
static int write_and_close(int file, marine_bytes content) {
    int failure = 0;
    while (content.count && !failure) {
        ssize_t written = write(file, content.data, content.count);
        if (written > 0) {
            content.data += written;
            content.count -= (uint32_t)written;
        } else {
            failure = written ? errno : EIO;
        }
    }
    return close(file) && !failure ? errno : failure;
}

/* Reads up to the end and closes; gives 0, or the number of the error and an empty `content`. */
static int read_and_close(int file, marine_bytes *content) {
    struct stat status;
    int failure = fstat(file, &status) ? errno : S_ISDIR(status.st_mode) ? EISDIR : 0;
    if (!failure && status.st_size > PTRDIFF_MAX) failure = EFBIG;
    size_t size = failure ? 0 : (size_t)status.st_size;
    /* That a file does not fit into memory is an answer here, and no reason to trap. */
    *content = (marine_bytes){marine_try_alloc(size, 1), 0};
    if (size && !content->data) failure = ENOMEM;
    while (content->count < size && !failure) {
        ssize_t got = read(file, content->data + content->count, size - content->count);
        if (got < 0) failure = errno;
        if (got <= 0) break; /* 0: the file became shorter */
        content->count += (uint32_t)got;
    }
    close(file);
    if (failure) content->count = 0;
    return failure;
}

/* "VERB NAME: REASON", logged as a warning. */
static marine_string complain(uint32_t target, marine_string verb, marine_string name, int failure) {
    marine_string line = MARINE_JOIN(verb, name, MARINE_TEXT(": "), marine_text(strerror(failure)));
    marine_log(MARINE_WARN, target, line);
    return line;
}

/* "VERB COUNT bytes, PATH". The variable named like the alias says where the directory is on the host. */
static void report(uint32_t target, marine_string verb, uint32_t count, marine_string name) {
    const char *directory = getenv(ALIAS);
    marine_string place = marine_text(directory ? directory : "/" ALIAS);
    marine_string line =
        MARINE_JOIN(verb, marine_number(count), MARINE_TEXT(" bytes, "), place, MARINE_TEXT("/"), name);
    marine_log(MARINE_INFO, target, line);
}

marine_string put(marine_string name, marine_bytes content) {
    int file = open_file(name, O_WRONLY | O_CREAT | O_TRUNC);
    int failure = file < 0 ? errno : write_and_close(file, content);
    if (failure) return complain(LOG_WRITES, MARINE_TEXT("error: can't write "), name, failure);
    report(LOG_WRITES, MARINE_TEXT("wrote "), content.count, name);
    return MARINE_TEXT("Ok");
}

marine_bytes get(marine_string name) {
    marine_bytes content;
    int file = open_file(name, O_RDONLY);
    int failure = file < 0 ? errno : read_and_close(file, &content);
    if (failure) {
        complain(LOG_READS, MARINE_TEXT("error: can't read "), name, failure);
        return marine_bytes_of(MARINE_TEXT("error while reading file"));
    }
    report(LOG_READS, MARINE_TEXT("read "), content.count, name);
    return content;
}
