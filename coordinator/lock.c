#include "lock.h"
#include "coordinator/file.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct holder {
    char host[256], job[64];
    long long pid, started; /* started: clock ticks since boot, so that a recycled pid is not taken for the holder; 0 unknown */
};

/* What the kernel says of a process, from /proc/PID/stat: state is field 3, the start field 22. The name in field 2 may hold spaces, so
 * counting begins after its ')'. All zero where /proc does not tell. */
struct process {
    char state;
    long long started;
};

static struct process process_read(long long pid)
{
    char path[64], line[1024];
    struct process p = { 0 };
    (void)snprintf(path, sizeof path, "/proc/%lld/stat", pid);
    FILE *f = fopen(path, "re");
    if (f == NULL) return p;
    const size_t n = fread(line, 1, sizeof line - 1, f);
    (void)fclose(f);
    line[n] = '\0';
    const char *at = strrchr(line, ')');
    for (int field = 2; at != NULL && field < 22; field++) {
        at = strchr(at + 1, ' ');
        if (field == 2 && at != NULL) p.state = at[1];
    }
    if (at != NULL) p.started = strtoll(at, NULL, 10);
    return p;
}

static struct holder me(void)
{
    struct holder h = { .pid = getpid() };
    const char *node = getenv("SLURMD_NODENAME"), *job = getenv("SLURM_JOB_ID"), *restarts = getenv("SLURM_RESTART_COUNT");
    if (node != NULL)
        (void)snprintf(h.host, sizeof h.host, "%s", node);
    else
        (void)gethostname(h.host, sizeof h.host - 1);
    (void)snprintf(h.job, sizeof h.job, "%s%s%s", job != NULL ? job : "-", job != NULL && restarts != NULL ? "/" : "",
                   job != NULL && restarts != NULL ? restarts : ""); /* "77", and "77/1" when requeued */
    h.started = process_read(h.pid).started;
    return h;
}

static bool holder_read(const char *path, struct holder *out)
{
    struct text text = { 0 };
    const bool good =
        file_read(path, 4096, &text) == ST_OK && text.length > 0 &&
        sscanf(text.data, "host %255s\npid %lld\nstarted %lld\njob %63s", out->host, &out->pid, &out->started, out->job) == 4 &&
        out->pid > 0 && out->pid <= INT_MAX; /* others mean whole groups to kill(2) */
    text_free(&text);
    return good;
}

static bool is_me(const struct holder *h)
{
    const struct holder mine = me();
    return strcmp(h->host, mine.host) == 0 && h->pid == mine.pid && h->started == mine.started;
}

/* A zombie is gone too: ranks whose launcher died first wait for init to collect them, which in a container may never happen. */
static bool gone(const struct holder *h)
{
    if (kill((pid_t)h->pid, 0) != 0 && errno == ESRCH) return true;
    const struct process p = process_read(h->pid);
    return p.state == 'Z' || p.state == 'X' || (h->started != 0 && p.started != 0 && p.started != h->started);
}

/* Was this job requeued since? Slurm does that when it has ended what the job was, or has given up its node: who died there cannot unlock.
 */
static bool is_earlier_start(const struct holder *h, const struct holder *us)
{
    const size_t n = strcspn(us->job, "/");
    if (us->job[n] == '\0' || strncmp(h->job, us->job, n) != 0 || (h->job[n] != '\0' && h->job[n] != '/')) return false;
    return strtol(h->job + n + (h->job[n] == '/'), NULL, 10) < strtol(us->job + n + 1, NULL, 10);
}

/* true: the lock is ours. false with ST_OK: somebody has it. */
static enum status try_create(const char *path, bool *mine)
{
    char text[512];
    const struct holder h = me();
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    *mine = fd >= 0;
    if (fd < 0 && errno == EEXIST) return ST_OK;
    if (fd < 0) FAIL(ST_IO, "%s: the lock cannot be created: %s", path, strerror(errno));
    const int n = snprintf(text, sizeof text, "host %s\npid %lld\nstarted %lld\njob %s\n", h.host, h.pid, h.started, h.job);
    const bool written = write(fd, text, (size_t)n) == n;
    (void)close(fd);
    if (written) return ST_OK;
    (void)unlink(path);
    FAIL(ST_IO, "%s: the lock cannot be written: %s", path, strerror(errno));
}

/* Renaming is atomic, so of two processes that find the same dead holder one moves its lock away; should the other move the winner's new
 * lock instead, it sees that by its contents and puts it back. */
static enum status take_over(const char *path, const struct holder *dead)
{
    char aside[PATH_BYTES + 64];
    struct holder moved = { 0 };
    (void)snprintf(aside, sizeof aside, "%s.stale-%ld", path, (long)getpid());
    if (rename(path, aside) != 0) return ST_OK; /* gone already: try again */
    const bool same = holder_read(aside, &moved) && moved.pid == dead->pid && moved.started == dead->started;
    if (!same && link(aside, path) != 0 && errno != EEXIST) FAIL(ST_IO, "%s: %s", path, strerror(errno));
    (void)unlink(aside);
    return ST_OK;
}

enum status lock_take(const char *folder, struct text *said)
{
    char path[PATH_BYTES];
    bool mine = false;
    if (snprintf(path, sizeof path, "%s/lock", folder) >= (int)sizeof path) FAIL(ST_IO, "%s: the path is too long", folder);
    for (int attempt = 0; attempt < 10; attempt++) {
        struct holder h = { 0 };
        const struct holder us = me();
        TRY(try_create(path, &mine));
        if (mine) return ST_OK;
        if (!holder_read(path, &h)) { /* being written just now, or left empty by a full disk */
            (void)usleep(100000);
            continue;
        }
        const bool earlier = is_earlier_start(&h, &us);
        if (strcmp(h.host, us.host) != 0 && !earlier)
            FAIL(ST_BUSY, "%s: process %lld on %s (job %s) holds this run; if it is dead, remove %s and run again", folder, h.pid, h.host,
                 h.job, path);
        if (!earlier && !gone(&h))
            FAIL(ST_BUSY, "%s: process %lld on this host (job %s) is working in this run; wait for it, or stop it with kill -USR1 %lld",
                 folder, h.pid, h.job, h.pid);
        TRY(take_over(path, &h));
        if (earlier)
            text_add(said, "took over the lock of process %lld on %s, from an earlier start of this job", h.pid, h.host);
        else
            text_add(said, "took over the lock of process %lld, which is gone", h.pid);
    }
    FAIL(ST_BUSY, "%s: cannot be read or changes hands all the time; if no process works in this run, remove it", path);
}

void lock_release(const char *folder)
{
    char path[PATH_BYTES];
    struct holder h = { 0 };
    if (snprintf(path, sizeof path, "%s/lock", folder) >= (int)sizeof path) return;
    if (holder_read(path, &h) && is_me(&h)) (void)unlink(path);
}
