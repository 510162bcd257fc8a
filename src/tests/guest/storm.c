/* expect
signals sent and handled agree 1
children of vfork agree 1
threads made and joined agree 1
new code in memory mapped again agree 1
forks beside translating threads agree 1
*/
/* Argument: seconds of the signal storm; 2 when left out. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

/* Real-time signals with a number each: every one must be seen once and in order. */
enum { THREADS = 3 };
static volatile int stop;
static pthread_t thread[THREADS];
static volatile uint64_t handled[THREADS], broken;
static __thread int self = -1;

static void count(int sig, siginfo_t *info, void *context)
{
    uint64_t want = handled[self];
    if ((uint64_t)info->si_value.sival_ptr != want)
        broken++;
    handled[self] = want + 1;
}

static void *busy(void *arg)
{
    self = (int)(intptr_t)arg;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    double d = 1;
    uint64_t sum = 0, round = 0;
    int p[2];
    char byte;
    pipe(p);
    while (!stop) {
        for (int i = 0; i < 2000; i++) {
            sum = sum * 31 + i;
            d = d * 1.0000001 + 1e-9;
        }
        write(p[1], "x", 1);
        read(p[0], &byte, 1);
        if (++round % 64 == 0)
            syscall(SYS_sched_yield);
        if (sum == 1 || d < 0)
            abort();
    }
    return NULL;
}

static void storm(double seconds)
{
    struct sigaction sa = { .sa_sigaction = count, .sa_flags = SA_SIGINFO | SA_RESTART };
    sigset_t set;
    sigaction(SIGRTMIN, &sa, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    for (intptr_t i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, busy, (void *)i);
    uint64_t sent[THREADS] = { 0 };
    double end = now() + seconds;
    while (now() < end) {
        for (int i = 0; i < THREADS; i++) {
            union sigval v = { .sival_ptr = (void *)sent[i] };
            if (pthread_sigqueue(thread[i], SIGRTMIN, v) == 0)
                sent[i]++;
        }
        usleep(700);
    }
    double patience = now() + 10;
    int same;
    do {
        usleep(10000);
        same = 1;
        for (int i = 0; i < THREADS; i++)
            same &= handled[i] == sent[i];
    } while (!same && now() < patience);
    stop = 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    printf("signals sent and handled agree %d\n", same && !broken && sent[0] > 100);
    if (!same || broken)
        printf("sent %llu handled %llu broken %llu\n", (unsigned long long)sent[0],
               (unsigned long long)handled[0], (unsigned long long)broken);
}

static void vforks(const char *self_path)
{
    int good = 0, n = 60;
    for (int i = 0; i < n; i++) {
        pid_t pid = vfork();
        if (pid == 0) {
            if (i % 2)
                execl(self_path, "storm", "exit", NULL);
            _exit(7);
        }
        int status;
        waitpid(pid, &status, 0);
        good += WIFEXITED(status) && WEXITSTATUS(status) == 7;
    }
    printf("children of vfork agree %d\n", good == n);
}

static void *one(void *arg)
{
    return (char *)arg + 1;
}

static void threads(void)
{
    uintptr_t sum = 0;
    int n = 2000;
    for (int i = 0; i < n / 8; i++) {
        pthread_t t[8];
        for (int k = 0; k < 8; k++)
            pthread_create(&t[k], NULL, one, (void *)(uintptr_t)k);
        for (int k = 0; k < 8; k++) {
            void *r;
            pthread_join(t[k], &r);
            sum += (uintptr_t)r;
        }
    }
    printf("threads made and joined agree %d\n", sum == (uintptr_t)n / 8 * 36);
}

static uint32_t returns(int n)
{
#if defined(__riscv)
    return 0x00000513 | n << 20; /* li a0, n */
#else
    return 0x52800000 | n << 5; /* mov w0, #n */
#endif
}
#if defined(__riscv)
static const uint32_t ret = 0x00008067;
#else
static const uint32_t ret = 0xd65f03c0;
#endif

static void changed(uint32_t *p, int n)
{
#if defined(__riscv)
    /* Says that something has changed, not what. */
    if (n % 2) {
        __asm__ volatile("fence.i" ::: "memory");
        return;
    }
#endif
    __builtin___clear_cache((char *)p, (char *)(p + 2));
}

static void write_code(uint32_t *p, int n)
{
    p[0] = returns(n);
    p[1] = ret;
    changed(p, n);
}

static void code(void)
{
    int good = 0, n = 300, rw = PROT_READ | PROT_WRITE, rx = PROT_READ | PROT_EXEC;
    int anon = MAP_PRIVATE | MAP_ANONYMOUS;
    int fd = memfd_create("code", 0);
    ftruncate(fd, 4096);
    uint32_t *view = mmap(0, 4096, rw, MAP_SHARED, fd, 0);
    uint32_t *run = mmap(0, 4096, rx, MAP_SHARED, fd, 0);
    uint32_t *both = mmap(0, 8192, rw | PROT_EXEC, anon, -1, 0);
    uint32_t *fixed = mmap(0, 4096, rw, anon, -1, 0);
    for (int i = 0; i < n; i++) {
        /* The same address, mapped anew. */
        uint32_t *p = mmap(fixed, 4096, rw, anon | MAP_FIXED, -1, 0);
        write_code(p, i);
        mprotect(p, 4096, rx);
        int a = ((int (*)(void))p)();
        mprotect(p, 4096, rw);
        write_code(p, i + 1);
        mprotect(p, 4096, rx);
        int b = ((int (*)(void))p)();
        /* Where the last round's was unmapped, or elsewhere. */
        uint32_t *u = mmap(0, 4096, rw, anon, -1, 0);
        write_code(u, i);
        mprotect(u, 4096, rx);
        a += ((int (*)(void))u)() - i;
        munmap(u, 4096);
        /* Memory that stays writable and executable. */
        write_code(both, i + 2);
        int c = ((int (*)(void))both)();
        write_code(both + 1024, i + 3);
        int d = ((int (*)(void))(both + 1024))();
        /* One file seen twice: written here, executed there. */
        view[0] = returns(i + 4);
        view[1] = ret;
        changed(run, i);
        int e = ((int (*)(void))run)();
        /* Code that the kernel writes. */
        int q[2];
        pipe(q);
        uint32_t insn = returns(i + 5);
        write(q[1], &insn, 4);
        read(q[0], both, 4);
        close(q[0]);
        close(q[1]);
        changed(both, i);
        int f = ((int (*)(void))both)();
        good += a == i && b == i + 1 && c == i + 2 && d == i + 3 && e == i + 4 && f == i + 5;
    }
    printf("new code in memory mapped again agree %d\n", good == n);
}

static void *translating(void *arg)
{
    uint32_t *p = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; !stop; i = (i + 1) % 1000) {
        write_code(p, i);
        if (((int (*)(void))p)() != i)
            broken++;
    }
    return NULL;
}

static void forks(void)
{
    pthread_t t[2];
    int good = 0, n = 60;
    stop = broken = 0;
    for (int i = 0; i < 2; i++)
        pthread_create(&t[i], NULL, translating, NULL);
    for (int i = 0; i < n; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(i);
        int status;
        waitpid(pid, &status, 0);
        good += WIFEXITED(status) && WEXITSTATUS(status) == i;
    }
    stop = 1;
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    printf("forks beside translating threads agree %d\n", good == n && !broken);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "exit"))
        return 7;
    setvbuf(stdout, 0, _IONBF, 0);
    storm(argc > 1 ? atof(argv[1]) : 2);
    vforks("/proc/self/exe");
    threads();
    code();
    forks();
    return 0;
}
