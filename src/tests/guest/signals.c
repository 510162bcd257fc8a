/* expect
raise: 1 code -6 self 1
kill: 2 code 0
queue: 3 value 42
order: 34 35 36
read interrupted: -1 EINTR 1, handler 1
read restarted: 1, handler 1
blocked: 0 pending 1
suspend: 1 EINTR 1 mask kept 1
sigwait: 1
nested: 12 inner 10
nodefer depth: 3
resethand: 1 default 1
altstack: on 1 after 0
registers: kept 1
ignored: 0
timer: at least 50 1
ppoll: EINTR 1 handler 1
*/
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t got, depth, first, inner, on_stack;
static siginfo_t last;
static int order[3];

static void note(int s, siginfo_t *i, void *u) { got++; last = *i; }
static void ordered(int s, siginfo_t *i, void *u) { order[got++] = s; }
static void outer(int s, siginfo_t *i, void *u) { raise(SIGUSR1); first = s; }
static void within(int s, siginfo_t *i, void *u) { if (!first) inner = s; }
static void again(int s, siginfo_t *i, void *u) { if (++depth < 3) raise(s); }
static char stack[65536];
static void where(int s, siginfo_t *i, void *u)
{
    char here;
    stack_t ss;
    sigaltstack(0, &ss);
    on_stack = &here >= stack && &here < stack + sizeof stack && ss.ss_flags == SS_ONSTACK;
}
static void set(int s, void (*f)(int, siginfo_t *, void *), int flags)
{
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_sigaction = f;
    sa.sa_flags = SA_SIGINFO | flags;
    sigaction(s, &sa, 0);
}
static void alarm_in(int ms)
{
    struct itimerval it = {{0, 0}, {0, ms * 1000}};
    setitimer(ITIMER_REAL, &it, 0);
}

int main(void)
{
    setvbuf(stdout, 0, _IONBF, 0);
    set(SIGUSR1, note, 0);
    raise(SIGUSR1);
    printf("raise: %d code %d self %d\n", got, last.si_code, last.si_pid == getpid());
    kill(getpid(), SIGUSR1);
    printf("kill: %d code %d\n", got, last.si_code);
    union sigval v = {.sival_int = 42};
    set(SIGRTMIN, note, 0);
    sigqueue(getpid(), SIGRTMIN, v);
    printf("queue: %d value %d\n", got, last.si_value.sival_int);

    sigset_t all, old, one;
    sigfillset(&all);
    got = 0;
    for (int n = 0; n < 3; n++) {
        struct sigaction sa;
        memset(&sa, 0, sizeof sa);
        sa.sa_sigaction = ordered;
        sa.sa_flags = SA_SIGINFO;
        sigfillset(&sa.sa_mask);
        sigaction(SIGRTMIN + n, &sa, 0);
    }
    sigprocmask(SIG_BLOCK, &all, &old);
    for (int n = 2; n >= 0; n--)
        sigqueue(getpid(), SIGRTMIN + n, v);
    sigprocmask(SIG_SETMASK, &old, 0);
    printf("order: %d %d %d\n", order[0], order[1], order[2]);

    int fd[2], r, status;
    char b;
    pipe(fd);
    set(SIGALRM, note, 0);
    got = 0;
    alarm_in(30);
    r = read(fd[0], &b, 1);
    printf("read interrupted: %d EINTR %d, handler %d\n", r, errno == EINTR, got);
    set(SIGALRM, note, SA_RESTART);
    got = 0;
    pid_t child = fork();
    if (!child) {
        usleep(300000);
        write(fd[1], "x", 1);
        _exit(0);
    }
    alarm_in(30);
    r = read(fd[0], &b, 1);
    printf("read restarted: %d, handler %d\n", r, got);
    waitpid(child, &status, 0);

    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    sigprocmask(SIG_BLOCK, &one, &old);
    got = 0;
    raise(SIGUSR1);
    sigset_t pending;
    sigpending(&pending);
    printf("blocked: %d pending %d\n", got, sigismember(&pending, SIGUSR1));
    r = sigsuspend(&old);
    int eintr = errno == EINTR;
    sigset_t now;
    sigprocmask(SIG_BLOCK, 0, &now);
    printf("suspend: %d EINTR %d mask kept %d\n", got, eintr, sigismember(&now, SIGUSR1));
    raise(SIGUSR1);
    siginfo_t si;
    printf("sigwait: %d\n", sigwaitinfo(&one, &si) == SIGUSR1);
    sigprocmask(SIG_SETMASK, &old, 0);

    set(SIGUSR2, outer, 0);
    set(SIGUSR1, within, 0);
    raise(SIGUSR2);
    printf("nested: %d inner %d\n", first, inner);
    set(SIGUSR1, again, SA_NODEFER);
    raise(SIGUSR1);
    printf("nodefer depth: %d\n", depth);
    set(SIGUSR1, note, SA_RESETHAND);
    got = 0;
    raise(SIGUSR1);
    struct sigaction sa;
    sigaction(SIGUSR1, 0, &sa);
    printf("resethand: %d default %d\n", got, sa.sa_handler == SIG_DFL);

    stack_t ss = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&ss, 0);
    set(SIGUSR1, where, SA_ONSTACK);
    raise(SIGUSR1);
    sigaltstack(0, &ss);
    printf("altstack: on %d after %d\n", on_stack, ss.ss_flags);

    /* A busy loop keeps its registers, floating point included, over many signals. */
    set(SIGALRM, note, 0);
    struct itimerval it = {{0, 1000}, {0, 1000}};
    setitimer(ITIMER_REAL, &it, 0);
    got = 0;
    double d = 0;
    unsigned long x = 1, n = 0;
    while (got < 50) {
        x = x * 6364136223846793005ul + 1442695040888963407ul;
        d += 0.5;
        n++;
    }
    alarm_in(0);
    unsigned long y = 1;
    double e = 0;
    for (unsigned long k = 0; k < n; k++) {
        y = y * 6364136223846793005ul + 1442695040888963407ul;
        e += 0.5;
    }
    printf("registers: kept %d\n", x == y && d == e);

    signal(SIGUSR1, SIG_IGN);
    got = 0;
    raise(SIGUSR1);
    kill(getpid(), SIGCHLD);
    printf("ignored: %d\n", got);

    struct timespec t = {0, 50000000}, a, c;
    clock_gettime(CLOCK_MONOTONIC, &a);
    nanosleep(&t, 0);
    clock_gettime(CLOCK_MONOTONIC, &c);
    long ms = (c.tv_sec - a.tv_sec) * 1000 + (c.tv_nsec - a.tv_nsec) / 1000000;
    printf("timer: at least 50 %d\n", ms >= 50);

    sigaddset(&one, SIGALRM);
    sigprocmask(SIG_BLOCK, &one, &old);
    got = 0;
    alarm_in(20);
    usleep(60000);
    struct timespec ten = {10, 0};
    r = ppoll(0, 0, &ten, &old);
    printf("ppoll: EINTR %d handler %d\n", r == -1 && errno == EINTR, got);
    return 0;
}
