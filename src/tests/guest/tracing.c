/* expect
enter: status 857f op 1 getppid 1 register 1 pc 1 sp 1
exit: status 857f op 2 parent 1 error 0
failed: rval -9 error 1
siginfo: 5 code 85
last call has argument 5
exit status 5
peek 41
breakpoint: status 57f here 1 code 1 argument 50
breakpoint: status 57f here 1 code 1 argument 51
exit status 53
signal: status a7f code -6 from itself 1
left out: a7f
ignored: 1c7f
fault: b7f code 1 address 8
exit status 3
killed by 15
event 1 child 137f result 0, exit events 1, ended 100
event 2 child 137f result 0, exit events 1, ended 200
event 5 registers 1
event 3 child 137f result 0, exit events 1, ended 0
event 4 registers 1
event 6 message 700
ended: 7
trap follows end of call 1
calls of execve 1 traps 1, ended 7
attach 0
attached: 137f in 1
detach 0
seize 0
interrupt 0
interrupted: 80057f in read 1
857f op 1 nr 1
857f op 2 rval -512
857f op 1 nr 1
857f op 2 rval 1
exit status 33
spinning: 80057f stands still 1
stop signal: 137f, stopped: 80137f, woken: 80057f, continued: 127f
called: b7f result 100 at 16
exit status 34
filter: 7057f message 77 op 3 nr 1
exit status 8
waitid: code 4 status 85, again 1 85
nothing more 0
gone: -1 1
orphan: 1
*/
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__riscv)
struct regs { uint64_t pc, ra, sp, gp, tp, t[3], s[2], a[8], r[14]; };
#define ARG(r, n) (r).a[n]
#define NR(r) (r).a[7]
#define FPREGS 264
#define BREAK 0x00100073u
#elif defined(__aarch64__)
struct regs { uint64_t x[31], sp, pc, pstate; };
#define ARG(r, n) (r).x[n]
#define NR(r) (r).x[8]
#define FPREGS 528
#define BREAK 0xd4200000u
#endif

static struct regs get(pid_t p)
{
    struct regs r;
    struct iovec v = { &r, sizeof r };
    if (ptrace(PTRACE_GETREGSET, p, NT_PRSTATUS, &v) || v.iov_len != sizeof r)
        printf("registers: %d, %zu bytes\n", errno, v.iov_len);
    return r;
}
static void put(pid_t p, struct regs r)
{
    struct iovec v = { &r, sizeof r };
    if (ptrace(PTRACE_SETREGSET, p, NT_PRSTATUS, &v))
        perror("set registers");
}
static int next(pid_t p, int how, int sig)
{
    int st = -1;
    if (ptrace(how, p, 0, sig))
        perror("resume");
    if (waitpid(p, &st, __WALL) != p)
        perror("wait");
    return st;
}
static int wait_for(pid_t p)
{
    int st = -1;
    if (waitpid(p, &st, __WALL) != p)
        perror("wait");
    return st;
}
static struct __ptrace_syscall_info info_of(pid_t p)
{
    struct __ptrace_syscall_info i;
    memset(&i, 0, sizeof i);
    if (ptrace(PTRACE_GET_SYSCALL_INFO, p, sizeof i, &i) < 0)
        perror("info");
    return i;
}
static pid_t start(void (*f)(void))
{
    fflush(stdout);
    pid_t p = fork();
    if (!p) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        f();
        _exit(0);
    }
    int st = wait_for(p);
    if (st != (SIGSTOP << 8 | 0x7f))
        printf("first stop %x\n", st);
    ptrace(PTRACE_SETOPTIONS, p, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
    return p;
}
static void end(pid_t p)
{
    kill(p, SIGKILL);
    int st = wait_for(p);
    if (!WIFSIGNALED(st) || WTERMSIG(st) != SIGKILL)
        printf("end %x\n", st);
}

/* Calls, their arguments and results, changed on the way. */
static void calls(void)
{
    syscall(SYS_getppid);
    int r = syscall(SYS_write, -1, "x", 1);
    syscall(SYS_exit_group, r == 17 ? 5 : 6);
}
static void test_calls(void)
{
    pid_t p = start(calls);
    int st = next(p, PTRACE_SYSCALL, 0);
    struct __ptrace_syscall_info i = info_of(p);
    struct regs r = get(p);
    printf("enter: status %x op %d getppid %d register %d pc %d sp %d\n", st, i.op, i.entry.nr == SYS_getppid,
           NR(r) == SYS_getppid, i.instruction_pointer == r.pc, i.stack_pointer == r.sp);
    st = next(p, PTRACE_SYSCALL, 0);
    i = info_of(p);
    printf("exit: status %x op %d parent %d error %d\n", st, i.op, i.exit.rval == getpid(), i.exit.is_error);
    next(p, PTRACE_SYSCALL, 0);
    st = next(p, PTRACE_SYSCALL, 0);
    i = info_of(p);
    printf("failed: rval %d error %d\n", (int)i.exit.rval, i.exit.is_error);
    r = get(p);
    ARG(r, 0) = 17;
    put(p, r);
    siginfo_t si;
    ptrace(PTRACE_GETSIGINFO, p, 0, &si);
    printf("siginfo: %d code %x\n", si.si_signo, si.si_code);
    st = next(p, PTRACE_SYSCALL, 0);
    printf("last call has argument %d\n", (int)info_of(p).entry.args[0]);
    st = next(p, PTRACE_CONT, 0);
    printf("exit status %d\n", WEXITSTATUS(st));
}

/* Memory, and code that changes under the thread. */
static volatile long word = 41;
__attribute__((noinline, aligned(64))) static long target(long n) { asm volatile("" : "+r"(n)); return n + 1; }
static void runs(void)
{
    for (int n = 0; n < 3; n++)
        word = target(word);
    _exit(word);
}
static void test_breakpoint(void)
{
    pid_t p = start(runs);
    printf("peek %ld\n", ptrace(PTRACE_PEEKDATA, p, &word, 0));
    ptrace(PTRACE_POKEDATA, p, &word, 50);
    long code = ptrace(PTRACE_PEEKTEXT, p, (void *)target, 0);
    long with = (code & ~0xffffffffl) | BREAK;
    for (int n = 0; n < 2; n++) {
        ptrace(PTRACE_POKETEXT, p, (void *)target, with);
        int st = next(p, PTRACE_CONT, 0);
        struct regs r = get(p);
        siginfo_t si;
        ptrace(PTRACE_GETSIGINFO, p, 0, &si);
        printf("breakpoint: status %x here %d code %d argument %d\n", st, r.pc == (uint64_t)target, si.si_code, (int)ARG(r, 0));
        ptrace(PTRACE_POKETEXT, p, (void *)target, code);
#if defined(__aarch64__)
        st = next(p, PTRACE_SINGLESTEP, 0);
        ptrace(PTRACE_GETSIGINFO, p, 0, &si);
        if (st != (SIGTRAP << 8 | 0x7f) || get(p).pc != r.pc + 4 || si.si_code != TRAP_TRACE)
            printf("step: %x from %lx to %lx code %d\n", st, (long)r.pc, (long)get(p).pc, si.si_code);
#else
        if (ptrace(PTRACE_SINGLESTEP, p, 0, 0) != -1 || errno != EIO)
            puts("a step that this kernel does not have");
        long back = ptrace(PTRACE_PEEKTEXT, p, r.ra, 0);
        ptrace(PTRACE_POKETEXT, p, r.ra, (back & ~0xffffffffl) | BREAK);
        st = next(p, PTRACE_CONT, 0);
        if (st != (SIGTRAP << 8 | 0x7f) || get(p).pc != r.ra)
            printf("back: %x\n", st);
        ptrace(PTRACE_POKETEXT, p, r.ra, back);
#endif
    }
    printf("exit status %d\n", WEXITSTATUS(next(p, PTRACE_CONT, 0)));
}

/* Signals shown, changed, left out. */
static volatile sig_atomic_t got, value;
static void on(int s, siginfo_t *i, void *u) { got = got * 100 + s; value = i->si_value.sival_int; }
static void signals(void)
{
    struct sigaction sa = { .sa_sigaction = on, .sa_flags = SA_SIGINFO };
    sigaction(SIGUSR1, &sa, 0);
    sigaction(SIGUSR2, &sa, 0);
    signal(SIGWINCH, SIG_IGN);
    raise(SIGUSR1);
    raise(SIGUSR1);
    raise(SIGUSR1);
    raise(SIGWINCH);
    *(volatile int *)8 = 1;
    _exit(got == SIGUSR1 * 100 + SIGUSR2 && value == 7 ? 3 : 4);
}
static void test_signals(void)
{
    pid_t p = start(signals);
    siginfo_t si;
    int st = next(p, PTRACE_CONT, 0);
    ptrace(PTRACE_GETSIGINFO, p, 0, &si);
    printf("signal: status %x code %d from itself %d\n", st, si.si_code, si.si_pid == p);
    st = next(p, PTRACE_CONT, 0);
    printf("left out: %x\n", st);
    st = next(p, PTRACE_CONT, SIGUSR1);
    ptrace(PTRACE_GETSIGINFO, p, 0, &si);
    si.si_signo = SIGUSR2;
    si.si_code = SI_QUEUE;
    si.si_value.sival_int = 7;
    ptrace(PTRACE_SETSIGINFO, p, 0, &si);
    st = next(p, PTRACE_CONT, SIGUSR2);
    printf("ignored: %x\n", st);
    st = next(p, PTRACE_CONT, SIGWINCH);
    ptrace(PTRACE_GETSIGINFO, p, 0, &si);
    printf("fault: %x code %d address %d\n", st, si.si_code, (int)(long)si.si_addr);
    /* The store is left out with its signal by going on behind it. */
    struct regs r = get(p);
    uint32_t insn = ptrace(PTRACE_PEEKTEXT, p, r.pc, 0);
#if defined(__riscv)
    r.pc += (insn & 3) == 3 ? 4 : 2;
#else
    r.pc += 4;
#endif
    put(p, r);
    st = next(p, PTRACE_CONT, 0);
    printf("exit status %d\n", WEXITSTATUS(st));
    p = start(signals);
    next(p, PTRACE_CONT, 0);
    st = next(p, PTRACE_CONT, SIGTERM);
    printf("killed by %d\n", WIFSIGNALED(st) ? WTERMSIG(st) : -1);
}

/* New processes, threads and programs. */
static char *self;
static void *thread(void *a) { return (void *)(long)syscall(SYS_gettid); }
static void children(void)
{
    pid_t c = fork();
    if (!c)
        _exit(1);
    waitpid(c, 0, 0);
    c = vfork();
    if (!c)
        _exit(2);
    waitpid(c, 0, 0);
    pthread_t t;
    pthread_create(&t, 0, thread, 0);
    pthread_join(t, 0);
    execl(self, self, "seven", NULL);
    _exit(9);
}
static void test_children(void)
{
    pid_t p = start(children);
    ptrace(PTRACE_SETOPTIONS, p, 0, PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
           PTRACE_O_TRACEEXIT | PTRACE_O_TRACEVFORKDONE | PTRACE_O_EXITKILL);
    int st = next(p, PTRACE_CONT, 0);
    for (;;) {
        unsigned long msg = 0;
        if (!WIFSTOPPED(st)) {
            printf("ended: %d\n", WEXITSTATUS(st));
            break;
        }
        int event = st >> 16;
        ptrace(PTRACE_GETEVENTMSG, p, 0, &msg);
        if (event >= PTRACE_EVENT_FORK && event <= PTRACE_EVENT_CLONE) {
            int first = wait_for(msg), last = 0, exits = 0;
            struct regs c = get(msg);
            printf("event %d child %x result %d", event, first, (int)ARG(c, 0));
            for (last = next(msg, PTRACE_CONT, 0); WIFSTOPPED(last); last = next(msg, PTRACE_CONT, 0))
                exits += last >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8);
            printf(", exit events %d, ended %x\n", exits, last);
        } else if (event == PTRACE_EVENT_EXIT) {
            printf("event 6 message %lx\n", msg);
        } else if (event) {
            struct regs r = get(p);
            printf("event %d registers %d\n", event, r.sp != 0 && r.pc != 0);
        } else if (WSTOPSIG(st) != SIGCHLD) {
            printf("stop %x\n", st);
        }
        st = next(p, PTRACE_CONT, WSTOPSIG(st) == SIGCHLD ? SIGCHLD : 0);
    }
    /* Without the option a program shows as a signal, behind the end of its call. */
    p = start(children);
    ptrace(PTRACE_SETOPTIONS, p, 0, PTRACE_O_TRACESYSGOOD);
    int execs = 0, traps = 0, last = 0;
    st = next(p, PTRACE_SYSCALL, 0);
    while (WIFSTOPPED(st)) {
        if (st == (SIGTRAP << 8 | 0x7f)) {
            printf("trap follows end of call %d\n", last == 2);
            traps++;
        } else if (st == ((SIGTRAP | 0x80) << 8 | 0x7f)) {
            struct __ptrace_syscall_info i = info_of(p);
            if (i.op == 1 && i.entry.nr == SYS_execve)
                execs++;
            last = i.op;
        }
        st = next(p, PTRACE_SYSCALL, WSTOPSIG(st) == SIGCHLD ? SIGCHLD : 0);
    }
    printf("calls of execve %d traps %d, ended %d\n", execs, traps, WEXITSTATUS(st));
}

/* A thread found in a call that sleeps, and in a loop. */
static int pipes[2];
static volatile long spins;
static void sleeps(void)
{
    struct timespec t = { 0, 300 * 1000 * 1000 };
    char c;
    if (nanosleep(&t, 0))
        _exit(1);
    _exit(read(pipes[0], &c, 1) == 1 ? c : 2);
}
static void spin(void) { for (;;) spins++; }
/* Waits until a process sleeps, or runs, for a while. */
static void sleeping(pid_t p, int wanted)
{
    char name[64], text[512];
    for (int n = 0; n < 10;) {
        sprintf(name, "/proc/%d/stat", p);
        FILE *f = fopen(name, "r");
        text[fread(text, 1, sizeof text - 1, f)] = 0;
        fclose(f);
        n = (strrchr(text, ')')[2] == 'S') == wanted ? n + 1 : 0;
        usleep(5000);
    }
}
static pid_t untraced(void (*f)(void))
{
    fflush(stdout);
    pid_t p = fork();
    if (!p) {
        f();
        _exit(0);
    }
    sleeping(p, f == sleeps);
    return p;
}
static void test_attach(void)
{
    pipe(pipes);
    pid_t p = untraced(sleeps);
    printf("attach %ld\n", ptrace(PTRACE_ATTACH, p, 0, 0));
    int st = wait_for(p);
    struct regs r = get(p);
    printf("attached: %x in %d\n", st, NR(r) == SYS_nanosleep || NR(r) == SYS_clock_nanosleep);
    printf("detach %ld\n", ptrace(PTRACE_DETACH, p, 0, 0));
    usleep(500000);
    printf("seize %ld\n", ptrace(PTRACE_SEIZE, p, 0, PTRACE_O_TRACESYSGOOD));
    printf("interrupt %ld\n", ptrace(PTRACE_INTERRUPT, p, 0, 0));
    st = wait_for(p);
    r = get(p);
    printf("interrupted: %x in read %d\n", st, NR(r) == SYS_read);
    /* Again under a tracer of calls: the end of the call, the stop, its beginning. */
    ptrace(PTRACE_SYSCALL, p, 0, 0);
    st = wait_for(p);
    printf("%x op %d nr %d\n", st, info_of(p).op, info_of(p).entry.nr == SYS_read);
    ptrace(PTRACE_SYSCALL, p, 0, 0);
    sleeping(p, 1);
    ptrace(PTRACE_INTERRUPT, p, 0, 0);
    st = wait_for(p);
    printf("%x op %d rval %d\n", st, info_of(p).op, (int)info_of(p).exit.rval);
    st = next(p, PTRACE_SYSCALL, 0);
    printf("%x op %d nr %d\n", st, info_of(p).op, info_of(p).entry.nr == SYS_read);
    write(pipes[1], "\x21", 1);
    st = next(p, PTRACE_SYSCALL, 0);
    printf("%x op %d rval %d\n", st, info_of(p).op, (int)info_of(p).exit.rval);
    st = next(p, PTRACE_CONT, 0);
    printf("exit status %d\n", WEXITSTATUS(st));

    p = untraced(spin);
    ptrace(PTRACE_SEIZE, p, 0, 0);
    ptrace(PTRACE_INTERRUPT, p, 0, 0);
    st = wait_for(p);
    long before = ptrace(PTRACE_PEEKDATA, p, &spins, 0);
    usleep(20000);
    long still = ptrace(PTRACE_PEEKDATA, p, &spins, 0);
    printf("spinning: %x stands still %d\n", st, before == still && before > 0);
    ptrace(PTRACE_CONT, p, 0, 0);
    kill(p, SIGSTOP);
    st = wait_for(p);
    printf("stop signal: %x", st);
    st = next(p, PTRACE_CONT, SIGSTOP);
    printf(", stopped: %x", st);
    ptrace(PTRACE_LISTEN, p, 0, 0);
    kill(p, SIGCONT);
    st = wait_for(p);
    printf(", woken: %x", st);
    st = next(p, PTRACE_CONT, 0);
    printf(", continued: %x\n", st);
    end(p);
}

/* A call that sleeps is left by setting registers, and made again with the old ones. */
static void test_inferior_call(void)
{
    pipe(pipes);
    pid_t p = untraced(sleeps);
    usleep(400000);
    ptrace(PTRACE_ATTACH, p, 0, 0);
    wait_for(p);
    struct regs old = get(p), r = old;
    r.pc = (uint64_t)target;
    ARG(r, 0) = 99;
#if defined(__riscv)
    r.ra = 0x10;
#else
    r.x[30] = 0x10;
#endif
    put(p, r);
    int st = next(p, PTRACE_CONT, 0);
    r = get(p);
    printf("called: %x result %d at %d\n", st, (int)ARG(r, 0), (int)r.pc);
    put(p, old);
    write(pipes[1], "\x22", 1);
    st = next(p, PTRACE_CONT, 0);
    printf("exit status %d\n", WEXITSTATUS(st));
}

/* Filters that ask the tracer. */
static void filtered(void)
{
    struct sock_filter f[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | 77),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = { 4, f };
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
    _exit(syscall(SYS_getpgid, 0) > 0 ? 8 : 9);
}
static void test_filter(void)
{
    pid_t p = start(filtered);
    ptrace(PTRACE_SETOPTIONS, p, 0, PTRACE_O_TRACESECCOMP);
    int st = next(p, PTRACE_CONT, 0);
    unsigned long msg = 0;
    ptrace(PTRACE_GETEVENTMSG, p, 0, &msg);
    printf("filter: %x message %ld op %d nr %d\n", st, msg, info_of(p).op, info_of(p).seccomp.nr == SYS_getpgid);
    printf("exit status %d\n", WEXITSTATUS(next(p, PTRACE_CONT, 0)));
}

/* Stops found by waitid, which may leave them. */
static void test_waitid(void)
{
    pid_t p = start(calls);
    ptrace(PTRACE_SYSCALL, p, 0, 0);
    siginfo_t a, b;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    waitid(P_PID, p, &a, WSTOPPED | WEXITED | WNOWAIT | __WALL);
    waitid(P_ALL, 0, &b, WSTOPPED | WEXITED | __WALL);
    printf("waitid: code %d status %x, again %d %x\n", a.si_code, a.si_status, b.si_pid == p, b.si_status);
    printf("nothing more %d\n", waitpid(-1, 0, WNOHANG | __WALL));
    end(p);
    long r = ptrace(PTRACE_CONT, p, 0, 0);
    printf("gone: %ld %d\n", r, errno == ESRCH);
}

/* The tracer ends: the tracee goes on. */
static void test_orphan(void)
{
    fflush(stdout);
    pipe(pipes);
    pid_t tracer = fork();
    if (!tracer) {
        pid_t p = fork();
        if (!p) {
            ptrace(PTRACE_TRACEME, 0, 0, 0);
            raise(SIGSTOP);
            for (int n = 0; n < 100; n++)
                syscall(SYS_getppid);
            raise(SIGWINCH);
            write(pipes[1], "z", 1);
            _exit(0);
        }
        wait_for(p);
        next(p, PTRACE_SYSCALL, 0);
        _exit(0);
    }
    waitpid(tracer, 0, 0);
    char c = 0;
    printf("orphan: %zd\n", read(pipes[0], &c, 1));
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "seven"))
        return 7;
    self = argv[0];
    setvbuf(stdout, 0, _IOLBF, 1 << 12);
    test_calls();
    test_breakpoint();
    test_signals();
    test_children();
    test_attach();
    test_inferior_call();
    test_filter();
    test_waitid();
    test_orphan();
    return 0;
}
