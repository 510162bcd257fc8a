#include "probe.h"
#include <poll.h>
#include <setjmp.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <ucontext.h>

static volatile sig_atomic_t got, count;
static sigjmp_buf back;

static void note(int s) {
    got = s;
    count++;
}

static void inform(int s, siginfo_t *i, void *context) {
    sigset_t *mask = &((ucontext_t *)context)->uc_sigmask;
    got = s;
    SAY("signal %d code %d value %d own %d usr1 blocked before %d\n", s - (s > 32 ? SIGRTMIN : 0), i->si_code, i->si_value.sival_int,
        i->si_pid == getpid(), sigismember(mask, SIGUSR1));
}

static void fault(int s, siginfo_t *i, void *context) {
    (void)context;
    SAY("fault %d code %d address %lx\n", s, i->si_code, (long)i->si_addr & 0xfff);
    siglongjmp(back, 1);
}

static void on_stack(int s) {
    stack_t st;
    sigaltstack(0, &st);
    SAY("signal %d, on the other stack %d, inside %d\n", s, st.ss_flags, (char *)&st > (char *)st.ss_sp && (char *)&st < (char *)st.ss_sp + st.ss_size);
}

static void install(int s, void (*h)(int), int flags) {
    struct sigaction sa = {.sa_handler = h, .sa_flags = flags};
    sigaction(s, &sa, 0);
}

static void alarm_in_2ms(void) { setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 2000}}, 0); }

static void queues(void) {
    struct sigaction sa = {.sa_sigaction = inform, .sa_flags = SA_SIGINFO}, old;
    sigset_t set, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    sigaddset(&set, SIGRTMIN + 2);
    R(sigaction(SIGRTMIN + 1, &sa, 0));
    R(sigaction(SIGRTMIN + 2, &sa, 0));
    R(sigaction(SIGRTMIN + 2, 0, &old));
    SAY("same handler %d flags %x\n", old.sa_sigaction == inform, old.sa_flags & ~0x04000000);
    R(sigaction(SIGKILL, &sa, 0));
    R(sigaction(99, &sa, 0));
    sigprocmask(SIG_BLOCK, &set, 0);
    sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = 3});
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 1});
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 2});
    sigpending(&pending);
    SAY("pending %d %d %d\n", sigismember(&pending, SIGRTMIN + 1), sigismember(&pending, SIGRTMIN + 2), sigismember(&pending, SIGUSR1));
    sigprocmask(SIG_UNBLOCK, &set, 0);

    struct timespec soon = {0, 1000};
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, 0);
    kill(getpid(), SIGUSR2);
    kill(getpid(), SIGUSR2);
    R(sigtimedwait(&set, &info, &soon));
    R(sigtimedwait(&set, &info, &soon));
    int fd = signalfd(-1, &set, SFD_NONBLOCK);
    struct signalfd_siginfo si;
    kill(getpid(), SIGUSR2);
    R(read(fd, &si, sizeof si));
    SAY("signalfd %d\n", si.ssi_signo);
    R(read(fd, &si, sizeof si));
    R(close(fd));
}

static void interruptions(void) {
    char c;
    int p[2];
    pipe(p);
    install(SIGALRM, note, 0);
    alarm_in_2ms();
    R(pause());
    SAY("got %d\n", got);
    alarm_in_2ms();
    struct timespec five = {5, 0};
    R(nanosleep(&five, &five));
    SAY("about five left %d\n", five.tv_sec == 4);
    alarm_in_2ms();
    R(read(p[0], &c, 1));
    alarm_in_2ms();
    R(poll(&(struct pollfd){p[0], POLLIN, 0}, 1, 5000));
    sigset_t all, none, old;
    sigfillset(&all);
    sigemptyset(&none);
    sigprocmask(SIG_BLOCK, &all, &old);
    alarm_in_2ms();
    R(sigsuspend(&none));
    alarm_in_2ms();
    R(ppoll(0, 0, 0, &none));
    int ep = epoll_create1(0);
    struct epoll_event ev;
    alarm_in_2ms();
    R(epoll_pwait(ep, &ev, 1, 5000, &none));
    raise(SIGALRM);
    got = 0;
    R(pselect(0, 0, 0, 0, 0, &none));
    SAY("got %d\n", got);
    sigprocmask(SIG_SETMASK, &old, 0);
    close(ep);

    /* SA_RESTART: the read goes on and sees the byte the child writes later. */
    install(SIGALRM, note, SA_RESTART);
    count = 0;
    alarm_in_2ms();
    if (!fork()) {
        usleep(20000);
        write(p[1], "z", 1);
        _exit(0);
    }
    R(read(p[0], &c, 1));
    SAY("alarms %d\n", count);
    signal(SIGCHLD, SIG_DFL);
}

static void storm(void) {
    /* Many signals while calls are made and code runs: none may be lost or spoil a register. */
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    install(SIGUSR1, note, SA_RESTART);
    count = 0;
    uint64_t sum = 0;
    for (int i = 0; i < 2000; i++) {
        if (i % 4 == 0) raise(SIGUSR1);
        sum = sum * 31 + getpid() / getpid() + i;
    }
    SAY("handled %d sum %lx\n", count, (unsigned long)sum);
    install(SIGPROF, note, SA_RESTART);
    count = 0;
    setitimer(ITIMER_PROF, &(struct itimerval){{0, 1000}, {0, 1000}}, 0);
    double x = 1;
    uint64_t h = 1;
    while (count < 5)
        for (int i = 0; i < 1000; i++) {
            x = x * 1.0000001 + 0.5;
            h = h * 6364136223846793005ull + 1;
            if (x > 1e6) x = 1;
        }
    setitimer(ITIMER_PROF, &(struct itimerval){{0, 0}, {0, 0}}, 0);
    SAY("odd %d\n", (int)(h & 1));
}

static void faults(void) {
    struct sigaction sa = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO}, old;
    sigaction(SIGSEGV, &sa, &old);
    sigaction(SIGBUS, &sa, 0);
    volatile char *p = (volatile char *)0x123;
    if (!sigsetjmp(back, 1)) *p = 1;
    volatile char *ro = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!sigsetjmp(back, 1)) ro[0x45] = 1;
    if (!sigsetjmp(back, 1)) SAY("read %d\n", ro[0x45]);
    int fd = memfd_create("empty", 0);
    volatile char *beyond = mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0);
    if (!sigsetjmp(back, 1)) SAY("read %d\n", beyond[0x67]);
    close(fd);
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);

    stack_t st = {.ss_sp = malloc(65536), .ss_size = 65536}, before;
    R(sigaltstack(&st, &before));
    SAY("before: flags %d\n", before.ss_flags);
    install(SIGUSR1, on_stack, SA_ONSTACK);
    raise(SIGUSR1);
    st.ss_size = 100;
    R(sigaltstack(&st, 0));
    st.ss_flags = 77;
    R(sigaltstack(&st, 0));
    st = (stack_t){.ss_flags = SS_DISABLE};
    R(sigaltstack(&st, 0));
}

static void timers(void) {
    timer_t id;
    struct sigevent se = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 5};
    struct itimerspec its = {{0, 0}, {0, 1000}};
    R(timer_create(CLOCK_MONOTONIC, &se, &id));
    R(timer_settime(id, 0, &its, 0));
    usleep(3000);
    R(timer_gettime(id, &its));
    R(timer_delete(id));
}

void signals(void) {
    queues();
    interruptions();
    storm();
    faults();
    timers();
}
