/* expect
memory shared 1 other process 1 parent 1
number in parent 1 and child 1
word cleared 1 status 3
own descriptors: 9
shared descriptors: 1
own handler in the child 1, in the parent 0
both run: 300000
children of the child: 5
executes another program: 7
pidfd: 11
namespace: child is 1, parent sees another 1
killed: 9
*/
/* Processes that share memory and run beside their parent: clone(2) with CLONE_VM alone. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char stack[1 << 16] __attribute__((aligned(16)));
static char *const top = stack + sizeof stack;
static volatile int value, pid_in_child, ppid_in_child;
static atomic_int sum;
static int ptid, ctid;

/* Raw calls only: the child has the parent's thread-local storage. */
static long sys(long nr, long a, long b, long c)
{
    return syscall(nr, a, b, c);
}

static int simple(void *arg)
{
    pid_in_child = sys(SYS_getpid, 0, 0, 0);
    ppid_in_child = sys(SYS_getppid, 0, 0, 0);
    value = 42;
    return 3;
}

static int closes(void *arg)
{
    sys(SYS_close, (long)arg, 0, 0);
    return 9;
}

static volatile int handled_by;
static void handler(int sig)
{
    handled_by = sys(SYS_getpid, 0, 0, 0);
}

static int handles(void *arg)
{
    struct { void *handler; unsigned long flags, mask; } act = { handler, 0, 0 };
#if defined(__aarch64__)
    struct { void *handler; unsigned long flags; void *restorer; unsigned long mask; } act4 = { handler, 0, 0, 0 };
    syscall(SYS_rt_sigaction, SIGUSR1, &act4, NULL, 8);
#else
    syscall(SYS_rt_sigaction, SIGUSR1, &act, NULL, 8);
#endif
    sys(SYS_kill, sys(SYS_getpid, 0, 0, 0), SIGUSR1, 0);
    return 0;
}

static int adds(void *arg)
{
    for (int i = 0; i < 100000; i++)
        atomic_fetch_add(&sum, 1);
    return 0;
}

static int forks(void *arg)
{
    long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        sys(SYS_exit_group, 5, 0, 0);
    int status = 0;
    syscall(SYS_wait4, pid, &status, 0, NULL);
    return WEXITSTATUS(status);
}

static int executes(void *arg)
{
    char *argv[] = { "sharing", "exit", NULL };
    syscall(SYS_execve, "/proc/self/exe", argv, NULL);
    return 1;
}

static int returns(void *arg)
{
    return (int)(intptr_t)arg;
}

static int mypid(void *arg)
{
    return sys(SYS_getpid, 0, 0, 0);
}

static int sleeps(void *arg)
{
    for (;;)
        sys(SYS_sched_yield, 0, 0, 0);
}

static int wait_for(int pid)
{
    int status;
    if (waitpid(pid, &status, 0) != pid)
        return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return 7;
    setvbuf(stdout, 0, _IONBF, 0);
    int flags = CLONE_VM | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD;
    ctid = -1;
    int pid = clone(simple, top, flags, NULL, &ptid, NULL, &ctid);
    int early = ctid, status = wait_for(pid);
    printf("memory shared %d other process %d parent %d\n", value == 42, pid_in_child != getpid() && pid > 0,
           ppid_in_child == getpid());
    printf("number in parent %d and child %d\n", ptid == pid, pid_in_child == pid);
    printf("word cleared %d status %d\n", ctid == 0, status);

    int fd = dup(1);
    pid = clone(closes, top, CLONE_VM | SIGCHLD, (void *)(intptr_t)fd);
    status = wait_for(pid);
    printf("own descriptors: %d\n", fcntl(fd, F_GETFD) == 0 ? status : -1);
    pid = clone(closes, top, CLONE_VM | CLONE_FILES | SIGCHLD, (void *)(intptr_t)fd);
    wait_for(pid);
    printf("shared descriptors: %d\n", fcntl(fd, F_GETFD) == -1 && errno == EBADF);

    pid = clone(handles, top, CLONE_VM | SIGCHLD, NULL);
    wait_for(pid);
    struct sigaction sa;
    sigaction(SIGUSR1, NULL, &sa);
    printf("own handler in the child %d, in the parent %d\n", handled_by == pid, sa.sa_handler == handler);

    static char second[1 << 16] __attribute__((aligned(16)));
    int a = clone(adds, top, CLONE_VM | SIGCHLD, NULL);
    int b = clone(adds, second + sizeof second, CLONE_VM | SIGCHLD, NULL);
    adds(NULL);
    wait_for(a);
    wait_for(b);
    printf("both run: %d\n", sum);

    pid = clone(forks, top, CLONE_VM | SIGCHLD, NULL);
    printf("children of the child: %d\n", wait_for(pid));
    pid = clone(executes, top, CLONE_VM | SIGCHLD, NULL);
    printf("executes another program: %d\n", wait_for(pid));

    int pidfd = -1;
    pid = clone(returns, top, CLONE_VM | CLONE_PIDFD | SIGCHLD, (void *)11, &pidfd);
    siginfo_t info = { 0 };
    waitid(P_PIDFD, pidfd, &info, WEXITED);
    printf("pidfd: %d\n", info.si_pid == pid ? info.si_status : -1);

    pid = clone(mypid, top, CLONE_VM | CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD, NULL);
    int seen = pid > 1;
    printf("namespace: child is %d, parent sees another %d\n", wait_for(pid), seen);

    pid = clone(sleeps, top, CLONE_VM | SIGCHLD, NULL);
    usleep(20000);
    kill(pid, SIGKILL);
    printf("killed: %d\n", wait_for(pid));
    return 0;
}
