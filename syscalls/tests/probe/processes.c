#include "probe.h"
#include <linux/sched.h>
#include <sched.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/wait.h>

extern char **environ;

static void children(void) {
    int status;
    pid_t child = fork();
    if (!child) _exit(9);
    R(waitpid(child, &status, 0) == child);
    SAY("exit %d\n", WEXITSTATUS(status));
    child = fork();
    if (!child) raise(SIGKILL);
    siginfo_t info = {0};
    R(waitid(P_PID, child, &info, WEXITED));
    SAY("killed: code %d status %d signal %d same %d\n", info.si_code, info.si_status, info.si_signo, info.si_pid == child);
    child = fork();
    if (!child) abort();
    R(waitpid(child, &status, 0) == child);
    SAY("signalled %d by %d\n", WIFSIGNALED(status), WTERMSIG(status));
    child = fork();
    if (!child) {
        *(volatile int *)0x40 = 1;
        _exit(0);
    }
    R(waitpid(child, &status, 0) == child);
    SAY("signalled %d by %d\n", WIFSIGNALED(status), WTERMSIG(status));
    child = fork();
    if (!child) {
        raise(SIGSTOP);
        _exit(4);
    }
    R(waitpid(child, &status, WUNTRACED) == child);
    SAY("stopped %d by %d\n", WIFSTOPPED(status), WSTOPSIG(status));
    kill(child, SIGCONT);
    R(waitpid(child, &status, 0) == child);
    SAY("exit %d\n", WEXITSTATUS(status));
    volatile int shared = 1;
    child = vfork();
    if (!child) {
        shared = 2;
        _exit(3);
    }
    R(waitpid(child, &status, 0) == child);
    SAY("vfork: exit %d, memory shared %d\n", WEXITSTATUS(status), shared);
    R(waitpid(-1, &status, WNOHANG) <= 0);
    int pidfd = -1;
    struct clone_args args = {.flags = CLONE_PIDFD, .pidfd = (unsigned long)&pidfd, .exit_signal = SIGCHLD};
    child = syscall(SYS_clone3, &args, sizeof args);
    if (!child) _exit(6);
    R(waitid(P_PIDFD, pidfd, &info, WEXITED));
    SAY("status %d\n", info.si_status);
    R(close(pidfd));
}

static void programs(void) {
    int status;
    pid_t child;
    char self[4096] = {0};
    R(readlink("/proc/self/exe", self, sizeof self) > 0);
    char *args[] = {"probe", "with some", "", "arguments", 0}, *env[] = {"PROBE=yes", 0};
    child = fork();
    if (!child) {
        execve(self, args, env);
        _exit(100);
    }
    R(waitpid(child, &status, 0) == child);
    SAY("exit %d\n", WEXITSTATUS(status));
    /* The child prints while posix_spawn returns: nothing may be said between. */
    int spawned = posix_spawn(&child, self, 0, 0, args, environ);
    waitpid(child, &status, 0);
    SAY("spawned %d, exit %d\n", spawned, WEXITSTATUS(status));
    R(execve("/missing", args, env));
    R(execve("/", args, env));
    R(execve(BAD, args, env));
    R(execve(self, BAD, env));
    close(open("plain", O_CREAT | O_WRONLY, 0600));
    R(execve("plain", args, env));
    R(unlink("plain"));
    R(system("exit 3"));
}

static void limits(void) {
    struct rlimit l;
    struct rusage u;
    struct tms t;
    cpu_set_t cpus;
    char name[20];
    R(getrlimit(RLIMIT_NOFILE, &l));
    l.rlim_cur = 256;
    R(setrlimit(RLIMIT_NOFILE, &l));
    R(getrlimit(RLIMIT_NOFILE, &l));
    SAY("files %lu\n", (unsigned long)l.rlim_cur);
    R(prlimit(0, 99, 0, &l));
    l.rlim_cur = 1 << 30;
    R(setrlimit(RLIMIT_AS, &l) <= 0);
    R(getrusage(RUSAGE_SELF, &u));
    R(getrusage(99, &u));
    R(times(&t) > 0);
    R(sched_getaffinity(0, sizeof cpus, &cpus));
    SAY("processors %d\n", CPU_COUNT(&cpus));
    R(sched_yield());
    R(sched_getscheduler(0));
    R(getpriority(PRIO_PROCESS, 0));
    R(prctl(PR_SET_NAME, "a name"));
    R(prctl(PR_GET_NAME, name));
    SAY("%s\n", name);
    R(prctl(PR_SET_PDEATHSIG, 0));
    R(prctl(4711, 0));
    R(getpgid(0) > 0);
    R(setpgid(0, 99999999));
    R(getsid(0) >= 0);
    R(getgroups(-1, 0));
    R(setuid(getuid()));
}

void processes(void) {
    children();
    programs();
    limits();
}
