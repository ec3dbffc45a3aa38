/* Keeps named contents as files of the directory that the service maps for this module as `sites`.
 *
 * A name is a path below that directory. One that leads out of it is refused by WASI when the file is opened; nothing
 * here looks for such names. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "marine.h"

#define ALIAS "sites"

/* Bits of the configuration's `logging_mask`. */
enum { LOG_WRITES = 1 << 0, LOG_READS = 1 << 1 };

/* "/sites/NAME" as a C string. */
static char *guest_path(marine_string name) {
    static const char directory[] = "/" ALIAS "/";
    char *path = marine_new((size_t)name.count + sizeof directory, 1);
    memcpy(path, directory, sizeof directory);
    if (name.count) memcpy(path + sizeof directory - 1, name.data, name.count);
    path[sizeof directory - 1 + name.count] = 0;
    return path;
}

/* Opens the file called `name`; gives -1 and sets errno when that is not possible. */
static int open_file(marine_string name, int flags) {
    if (name.count && memchr(name.data, 0, name.count)) {
        errno = EINVAL; /* a C string would end there and be the name of another file */
        return -1;
    }
    char *path = guest_path(name);
    int file = open(path, flags, 0666);
    free(path);
    return file;
}

/* Writes everything and closes; gives 0, or the number of the error. */
static int write_and_close(int file, const uint8_t *data, size_t count) {
    int failure = 0;
    while (count && !failure) {
        ssize_t written = write(file, data, count);
        if (written > 0) {
            data += written;
            count -= (size_t)written;
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
    size_t size = failure ? 0 : (size_t)status.st_size, count = 0;
    /* Not marine_new: that a file does not fit into memory is an answer here, and no reason to trap. */
    uint8_t *data = size ? malloc(size) : NULL;
    if (size && !data) failure = ENOMEM;
    while (count < size && !failure) {
        ssize_t got = read(file, data + count, size - count);
        if (got < 0) failure = errno;
        if (got <= 0) break; /* 0: the file became shorter */
        count += (size_t)got;
    }
    close(file);
    if (failure) {
        free(data);
        data = NULL;
        count = 0;
    }
    *content = (marine_bytes){data, (uint32_t)count};
    return failure;
}

static marine_string text_of(const char *text) { return marine_string_copy(text, (uint32_t)strlen(text)); }

/* "VERB NAME: REASON", logged as a warning; the caller owns it. */
static marine_string complain(uint32_t target, marine_string verb, marine_string name, int failure) {
    marine_string reason = text_of(strerror(failure));
    marine_string line = marine_string_append(marine_string_concat(verb, name), MARINE_TEXT(": "));
    line = marine_string_append(line, reason);
    marine_string_free(reason);
    marine_log(MARINE_WARN, target, line.data, line.count);
    return line;
}

/* "VERB COUNT bytes, PATH". The variable named like the alias says where the directory is on the host. */
static void report(uint32_t target, marine_string verb, uint32_t count, marine_string name) {
    const char *directory = getenv(ALIAS);
    marine_string number = marine_string_of(count), place = text_of(directory ? directory : "/" ALIAS);
    marine_string line = marine_string_append(marine_string_concat(verb, number), MARINE_TEXT(" bytes, "));
    line = marine_string_append(marine_string_append(line, place), MARINE_TEXT("/"));
    marine_log_string(MARINE_INFO, target, marine_string_append(line, name));
    marine_string_free(number);
    marine_string_free(place);
}

void MARINE_EXPORT(put)(char *name, uint32_t name_size, uint8_t *content, uint32_t content_size) {
    marine_string called = {name, name_size};
    int file = open_file(called, O_WRONLY | O_CREAT | O_TRUNC);
    int failure = file < 0 ? errno : write_and_close(file, content, content_size);
    if (failure) {
        marine_return_string(complain(LOG_WRITES, MARINE_TEXT("error: can't write "), called, failure));
    } else {
        report(LOG_WRITES, MARINE_TEXT("wrote "), content_size, called);
        marine_string_return(MARINE_TEXT("Ok"));
    }
    free(name);
    free(content);
}

void MARINE_EXPORT(get)(char *name, uint32_t name_size) {
    static const char unreadable[] = "error while reading file";
    marine_string called = {name, name_size};
    marine_bytes content;
    int file = open_file(called, O_RDONLY);
    int failure = file < 0 ? errno : read_and_close(file, &content);
    if (failure) {
        marine_string_free(complain(LOG_READS, MARINE_TEXT("error: can't read "), called, failure));
        marine_bytes_return((marine_bytes){(uint8_t *)unreadable, sizeof unreadable - 1});
    } else {
        report(LOG_READS, MARINE_TEXT("read "), content.count, called);
        marine_return_bytes(content);
    }
    free(name);
}
