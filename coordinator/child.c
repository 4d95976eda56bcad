#include "child.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child, where only calls that are safe in a signal handler may be made: other threads were not copied. Returns why it failed. */
static int become(char *const argv[], int null, int log, pid_t parent)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGCONT, SIG_DFL); /* what was caught is reset by exec, what was ignored is not */
    (void)setsid();
    if (prctl(PR_SET_PDEATHSIG, SIGUSR1) != 0) return errno;
    if (getppid() != parent) return ESRCH; /* it died before that */
    if (dup2(null, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0) return errno;
    (void)execvp(argv[0], argv);
    return errno;
}

/* A pipe that exec closes tells whether it came to that. */
static enum status start(char *const argv[], int null, int log, const int report[2], struct child *out)
{
    const pid_t parent = getpid(), pid = fork();
    int why = errno;
    if (pid == 0) {
        why = become(argv, null, log, parent);
        (void)!write(report[1], &why, sizeof why);
        _exit(127);
    }
    (void)close(report[1]);
    if (pid < 0) FAIL(ST_LAUNCH, "%s cannot be started: %s", argv[0], strerror(why));
    ssize_t n;
    while ((n = read(report[0], &why, sizeof why)) < 0 && errno == EINTR) continue;
    if (n == (ssize_t)sizeof why) {
        (void)waitpid(pid, NULL, 0);
        FAIL(ST_LAUNCH, "%s cannot be started: %s", argv[0], strerror(why));
    }
    *out = (struct child){ pid };
    return ST_OK;
}

enum status child_start(char *const argv[], const char *log, struct child *out)
{
    int report[2] = { -1, -1 };
    const int file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    if (file < 0) FAIL(ST_IO, "%s: cannot be opened: %s", log, strerror(errno));
    const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    enum status s;
    if (null < 0 || pipe2(report, O_CLOEXEC) != 0)
        s = status_fail(ST_LAUNCH, __FILE__, __LINE__, "%s cannot be started: %s", argv[0], strerror(errno));
    else
        s = start(argv, null, file, report, out);
    (void)close(file);
    if (null >= 0) (void)close(null);
    if (report[0] >= 0) (void)close(report[0]);
    return s;
}

bool child_ended(const struct child *c, int *code)
{
    int how = 0;
    if (waitpid((pid_t)c->pid, &how, WNOHANG) != (pid_t)c->pid) return false;
    *code = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
    return true;
}

void child_signal(const struct child *c, int signal, bool group) { (void)kill(group ? (pid_t)-c->pid : (pid_t)c->pid, signal); }
