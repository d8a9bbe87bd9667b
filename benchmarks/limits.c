/* The physical limits: what inotify costs when nothing is done with what it says.
 *
 *   limits watch DIR    watch every directory below DIR
 *   limits leaf DIR     the same; a directory with two links is not listed (ext4, xfs, tmpfs)
 *   limits follow DIR   as watch; new directories are watched, too
 *   limits fanotify DIR one mark on the whole file system that DIR is on (Linux 5.17, root)
 *
 * Says "ready WATCHES"; then, for each line on standard input, reads what is queued and says
 * "EVENTS NANOSECONDS", the CPU time of just that. Ends with the input.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int queue, leaf, follow, fan;
static long watches;
static char **paths; /* by watch descriptor, when new directories are followed */
static int room;

static const unsigned mask = IN_ATTRIB | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MODIFY |
                             IN_MOVED_FROM | IN_MOVED_TO | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW;

static void remember(int wd, const char *path)
{
    while (wd >= room) {
        room = room ? 2 * room : 1024;
        paths = realloc(paths, room * sizeof *paths);
        if (!paths)
            abort();
    }
    paths[wd] = strdup(path);
}

static void watch(char *path, size_t length)
{
    int wd = inotify_add_watch(queue, path, mask);
    if (wd < 0) {
        if (errno == ENOENT)
            return;
        perror(path);
        exit(1);
    }
    watches++;
    if (follow)
        remember(wd, path);
    struct stat status;
    if (leaf && lstat(path, &status) == 0 && status.st_nlink == 2)
        return;
    DIR *directory = opendir(path);
    if (!directory)
        return;
    struct dirent *entry;
    while ((entry = readdir(directory))) {
        const char *name = entry->d_name;
        if (entry->d_type != DT_DIR || !strcmp(name, ".") || !strcmp(name, ".."))
            continue;
        size_t more = strlen(name);
        if (length + more + 2 > PATH_MAX)
            continue;
        path[length] = '/';
        memcpy(path + length + 1, name, more + 1);
        watch(path, length + 1 + more);
        path[length] = 0;
    }
    closedir(directory);
}

static long long cpu(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static long drain(void)
{
    static char buffer[1 << 20] __attribute__((aligned(8)));
    long events = 0;
    ssize_t got;
    while ((got = read(queue, buffer, sizeof buffer)) > 0) {
        if (fan) {
            struct fanotify_event_metadata *event = (void *)buffer;
            for (; FAN_EVENT_OK(event, got); event = FAN_EVENT_NEXT(event, got))
                events++;
            continue;
        }
        for (char *at = buffer; at < buffer + got;) {
            struct inotify_event *event = (struct inotify_event *)at;
            at += sizeof *event + event->len;
            events++;
            if (event->mask & IN_Q_OVERFLOW) {
                fputs("overflow\n", stderr);
                exit(1);
            }
            if (follow && event->mask & IN_CREATE && event->mask & IN_ISDIR) {
                char path[PATH_MAX];
                int length = snprintf(path, sizeof path, "%s/%s", paths[event->wd], event->name);
                watch(path, length);
            }
        }
    }
    return events;
}

static void mark(const char *path)
{
    queue = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_NONBLOCK | FAN_CLOEXEC |
                              FAN_UNLIMITED_QUEUE,
                          O_RDONLY);
    unsigned long long kinds = FAN_ATTRIB | FAN_CLOSE_WRITE | FAN_CREATE | FAN_DELETE | FAN_MODIFY |
                               FAN_MOVED_FROM | FAN_MOVED_TO | FAN_ONDIR;
    if (queue < 0 ||
        fanotify_mark(queue, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, kinds, AT_FDCWD, path) < 0) {
        perror("fanotify");
        exit(1);
    }
}

int main(int count, char **words)
{
    if (count != 3) {
        fputs("usage: limits watch|leaf|follow|fanotify DIR\n", stderr);
        return 2;
    }
    leaf = !strcmp(words[1], "leaf");
    follow = !strcmp(words[1], "follow");
    fan = !strcmp(words[1], "fanotify");
    queue = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (queue < 0) {
        perror("inotify_init1");
        return 1;
    }
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", words[2]);
    if (fan)
        mark(path);
    else
        watch(path, strlen(path));
    printf("ready %ld\n", watches);
    fflush(stdout);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        long long before = cpu();
        long events = drain();
        printf("%ld %lld\n", events, cpu() - before);
        fflush(stdout);
    }
    return 0;
}
