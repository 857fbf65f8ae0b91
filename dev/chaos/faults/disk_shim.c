/* Faults of one folder's disk, and of the clock, for a process that is started with this library in LD_PRELOAD.
 *
 * SAK_DISK_SHIM_FOLDER is the folder. SAK_DISK_SHIM_CONTROL is a file of five int64, which other processes change at
 * any time: see `struct control`.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000LL
#define SLICE_NS 5000000LL /* a sleeping sync notices within this time that its fault is over */

struct control {
    int64_t sync_delay_ns;
    int64_t sync_errors_per_million;
    int64_t is_full; /* files cannot grow */
    int64_t clock_offset_ns;
    int64_t write_delay_ns;
};

static const struct control no_faults;
static const volatile struct control *control = &no_faults;
static char folder[PATH_MAX];

static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void load(void)
{
    real_clock_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    const char *path = getenv("SAK_DISK_SHIM_CONTROL"), *name = getenv("SAK_DISK_SHIM_FOLDER");
    if (path == NULL || name == NULL)
        return;
    snprintf(folder, sizeof folder, "%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof(struct control), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED)
        control = mapped;
}

static int is_on_disk(int fd)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0 || folder[0] == '\0')
        return 0;
    path[length] = '\0';
    size_t prefix = strlen(folder);
    return strncmp(path, folder, prefix) == 0 && (path[prefix] == '/' || path[prefix] == '\0');
}

/* Waits as long as the fault says, which may end meanwhile. */
static void wait_for(const volatile int64_t *delay_ns)
{
    const struct timespec slice = {0, SLICE_NS};
    for (int64_t slept = 0; slept < *delay_ns; slept += SLICE_NS)
        nanosleep(&slice, NULL);
}

/* Waits as long as a sync takes; returns whether it then fails. */
static int sync_fails(int fd)
{
    static uint64_t draws;
    if ((control->sync_delay_ns <= 0 && control->sync_errors_per_million <= 0) || !is_on_disk(fd))
        return 0;
    wait_for(&control->sync_delay_ns);
    /* splitmix64 of a counter: evenly spread, without a lock */
    uint64_t drawn = __atomic_add_fetch(&draws, 0x9E3779B97F4A7C15ULL, __ATOMIC_RELAXED) + (uint64_t)getpid();
    drawn = (drawn ^ (drawn >> 30)) * 0xBF58476D1CE4E5B9ULL;
    drawn = (drawn ^ (drawn >> 27)) * 0x94D049BB133111EBULL;
    return (int64_t)((drawn ^ (drawn >> 31)) % 1000000) < control->sync_errors_per_million;
}

#define SYNC(name)                                                                                                     \
    int name(int fd)                                                                                                   \
    {                                                                                                                  \
        static int (*real)(int);                                                                                       \
        if (real == NULL)                                                                                              \
            real = (int (*)(int))dlsym(RTLD_NEXT, #name);                                                              \
        if (sync_fails(fd)) {                                                                                          \
            errno = EIO;                                                                                               \
            return -1;                                                                                                 \
        }                                                                                                              \
        return real(fd);                                                                                               \
    }

SYNC(fsync)
SYNC(fdatasync)

/* Whether the file would need another block; offset -1 stands for the file's own position. */
static int lacks_room(int fd, off_t offset, size_t size)
{
    struct stat facts;
    if (!control->is_full || !is_on_disk(fd) || fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode))
        return 0;
    if (offset < 0)
        offset = fcntl(fd, F_GETFL) & O_APPEND ? facts.st_size : lseek(fd, 0, SEEK_CUR);
    off_t allocated = facts.st_blocks * 512;
    return offset + (off_t)size > (allocated > facts.st_size ? allocated : facts.st_size);
}

static size_t total(const struct iovec *parts, int count)
{
    size_t size = 0;
    for (int index = 0; index < count; index++)
        size += parts[index].iov_len;
    return size;
}

/* A function whose arguments are `parameters`, delayed, and refused with ENOSPC where the file needs `size` bytes at `offset`. */
#define GROWING(type, name, parameters, arguments, offset, size)                                                       \
    type name parameters                                                                                               \
    {                                                                                                                  \
        static type(*real) parameters;                                                                                 \
        if (real == NULL)                                                                                              \
            real = (type(*) parameters)dlsym(RTLD_NEXT, #name);                                                        \
        if (control->write_delay_ns > 0 && is_on_disk(fd))                                                             \
            wait_for(&control->write_delay_ns);                                                                        \
        if (lacks_room(fd, offset, size)) {                                                                            \
            errno = ENOSPC;                                                                                            \
            return -1;                                                                                                 \
        }                                                                                                              \
        return real arguments;                                                                                         \
    }

GROWING(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size), -1, size)
GROWING(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at), at, size)
GROWING(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at), at, size)
GROWING(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count), -1, total(parts, count))
GROWING(ssize_t, pwritev, (int fd, const struct iovec *parts, int count, off_t at), (fd, parts, count, at), at,
        total(parts, count))
GROWING(ssize_t, pwritev64, (int fd, const struct iovec *parts, int count, off64_t at), (fd, parts, count, at), at,
        total(parts, count))
GROWING(int, fallocate, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size), at, size)
GROWING(int, fallocate64, (int fd, int mode, off64_t at, off64_t size), (fd, mode, at, size), at, size)

static int64_t shifted_ns(void)
{
    struct timespec now;
    real_clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec + control->clock_offset_ns;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (real_clock_gettime == NULL) /* called before our constructor */
        load();
    int result = real_clock_gettime(clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t shifted = shifted_ns();
        now->tv_sec = shifted / SECOND_NS;
        now->tv_nsec = shifted % SECOND_NS;
    }
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    (void)zone;
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result != NULL)
        *result = now.tv_sec;
    return now.tv_sec;
}
