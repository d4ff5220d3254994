/* Remembers what a disk would still have after the power failed: what was forced to it.

   After each sync that worked, the folder FLO2_TEST_DISK has, under the file's own name, its size
   when the sync began (journals, which only grow), or its content (the database). A file that is
   deleted is forgotten. All of it only while the folder has a file `.on`: it takes time. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SLOW_MICROSECONDS = 5000 }; /* of each sync of a journal, so that much is at stake */

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static const char *kept_in(void)
{
    char on[PATH_MAX];
    const char *folder = getenv("FLO2_TEST_DISK");
    if (!folder)
        return NULL;
    snprintf(on, sizeof on, "%s/.on", folder);
    return access(on, F_OK) ? NULL : folder;
}

static const char *name_of(int fd, char *place)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, place, PATH_MAX - 1);
    if (size <= 0)
        return NULL;
    place[size] = 0;
    return strrchr(place, '/') ? strrchr(place, '/') + 1 : NULL;
}

static int is_database(const char *name) { return strstr(name, ".sqlite3") != NULL; }
static int is_journal(const char *name) { return strstr(name, ".jnl") || strstr(name, ".new"); }

static void put(const char *folder, const char *name, int fd, off_t size)
{
    char path[PATH_MAX], new[PATH_MAX], block[65536];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(new, sizeof new, "%s/.%s-%d-%ld", folder, name, getpid(), (long)pthread_self());
    int out = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (out < 0)
        abort();
    if (is_journal(name)) {
        int length = snprintf(block, sizeof block, "%lld", (long long)size);
        if (write(out, block, length) != length)
            abort();
    } else {
        /* By the file's own descriptor: closing another one would drop the database's locks. */
        for (off_t at = 0; at < size;) {
            size_t most = size - at < (off_t)sizeof block ? (size_t)(size - at) : sizeof block;
            ssize_t got = pread(fd, block, most, at);
            if (got <= 0)
                break;
            if (write(out, block, got) != got)
                abort();
            at += got;
        }
    }
    close(out);
    if (rename(new, path))
        abort();
}

static int sync_and_remember(int fd, long number)
{
    char place[PATH_MAX];
    struct stat status;
    const char *folder = kept_in();
    const char *name = folder && !fstat(fd, &status) && S_ISREG(status.st_mode)
                           ? name_of(fd, place)
                           : NULL;
    if (!name || !(is_database(name) || is_journal(name)))
        return (int)syscall(number, fd);
    if (is_journal(name)) { /* its owner syncs it, one sync after the other */
        usleep(SLOW_MICROSECONDS);
        int failed = (int)syscall(number, fd);
        if (!failed)
            put(folder, name, fd, status.st_size);
        return failed;
    }
    char lock[PATH_MAX];
    snprintf(lock, sizeof lock, "%s/.lock", folder);
    pthread_mutex_lock(&one_at_a_time);
    int held = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    flock(held, LOCK_EX);
    int failed = (int)syscall(number, fd);
    if (!failed)
        put(folder, name, fd, status.st_size);
    close(held);
    pthread_mutex_unlock(&one_at_a_time);
    return failed;
}

int fsync(int fd) { return sync_and_remember(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_and_remember(fd, SYS_fdatasync); }

int unlink(const char *path)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    const char *folder = kept_in();
    if (folder && is_database(name)) {
        char kept[PATH_MAX];
        snprintf(kept, sizeof kept, "%s/%s", folder, name);
        syscall(SYS_unlink, kept);
    }
    return (int)syscall(SYS_unlink, path);
}
