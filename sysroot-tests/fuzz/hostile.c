/* Random system calls with hostile arguments: what a guest may do to its runner.
 *
 * Arguments: seed, seconds. Each round is a child with a generator of its own that makes calls until
 * one ends it or their number is reached; any end of it is right but one that shows that the runner
 * broke. Prints one line per round that ended by SIGABRT or status 101, which a panic gives, then the
 * number of rounds and calls. Run it in namespaces of its own: as nobody: it makes itself a user namespace, in which it may do more. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CALLS = 150, NUMBERS = 480, AREA = 4 * 4096 };

static uint64_t state;
static uint64_t next(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}
static uint64_t below(uint64_t n)
{
    return next() % n;
}

static unsigned char *area, *read_only, *executable;
static const char *const names[] = {
    ".", "a", "b/c", "", "/proc/self/mem", "/proc/self/exe", "/proc/self/maps", "/proc/self/fd",
    "/proc/self/stat", "/proc/cpuinfo", "/proc/self", "/dev/null", "/dev/zero", "/dev/ptmx", "/", "user.x",
    "proc", "tmpfs", "\xff\xfe", "/proc/thread-self/auxv",
};

/* Memory with strings, small structures and pointers in it. */
static void fill(void)
{
    for (int i = 0; i < AREA; i += 8) {
        uint64_t v = 0;
        switch (below(8)) {
        case 0: v = next(); break;
        case 1: v = below(64); break;
        case 2: v = (uintptr_t)area + below(AREA); break;
        case 3: v = ~0ull; break;
        case 4: v = below(20) | below(64) << 32; break;
        }
        memcpy(area + i, &v, 8);
    }
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        strcpy((char *)area + 64 * i, names[i]);
}

static uint64_t pointer(void)
{
    switch (below(14)) {
    case 0: return 0;
    case 1: return below(4096);
    case 2: return (uintptr_t)area + AREA - below(16);
    case 3: return (uintptr_t)area + AREA - 8 * below(32);
    case 4: return (uintptr_t)read_only + below(4096);
    case 5: return 0xffff800000000000 + next() % (1ull << 40);
    case 6: return 0x0000800000000000 - below(4096);
    case 7: return next();
    case 8: return (uintptr_t)executable + below(4096);
    case 9: return (uintptr_t)area + 64 * below(sizeof names / sizeof *names);
    default: return (uintptr_t)area + 8 * below(AREA / 8);
    }
}

static uint64_t argument(void)
{
    static const uint64_t sizes[] = {
        0, 1, 4, 7, 8, 12, 16, 24, 32, 48, 64, 88, 112, 120, 128, 136, 144, 4095, 4096, 4097, 65536, 1 << 20,
        -1ull, 1ull << 63, 1ull << 47, 0x7fffffff, 0xffffffff, 1ull << 32,
    };
    switch (below(9)) {
    case 0: case 1: case 2: return pointer();
    case 3: return below(28);
    case 4: return -1ull - below(110);
    case 5: return sizes[below(sizeof sizes / sizeof *sizes)];
    case 6: return 1ull << below(33);
    case 7: return below(0x10000);
    default: return (uint32_t)(next() & next());
    }
}

/* Signals that end nothing: the child must not fake the end that a broken runner has. */
static uint64_t harmless(void)
{
    static const int signals[] = { 0, SIGCHLD, SIGURG, SIGWINCH, SIGCONT };
    return signals[below(5)];
}

static void round_of_calls(void)
{
    alarm(1);
    /* A signal that a call chose is not a broken runner: that one ends in spite of this. */
    signal(SIGABRT, SIG_IGN);
    struct rlimit small = { 1 << 20, 1 << 20 }, processes = { 200, 200 };
    setrlimit(RLIMIT_FSIZE, &small);
    setrlimit(RLIMIT_NPROC, &processes);
    int p[2];
    pipe2(p, O_NONBLOCK);
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p);
    open("a", O_RDWR | O_CREAT, 0600);
    epoll_create1(0);
    eventfd(3, EFD_NONBLOCK);
    timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    memfd_create("m", 0);
    open(".", O_RDONLY | O_DIRECTORY);
    inotify_init1(IN_NONBLOCK);
    open("/proc/self/maps", O_RDONLY);
    sigset_t none;
    sigemptyset(&none);
    signalfd(-1, &none, SFD_NONBLOCK);
    socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
    fill();
    pid_t self = getpid();
    for (int i = 0; i < CALLS; i++) {
        long nr = below(NUMBERS);
        uint64_t a[6];
        for (int k = 0; k < 6; k++)
            a[k] = argument();
        switch (nr) {
        /* The end of the round, and what takes long by itself. */
        case SYS_exit: case SYS_exit_group: case SYS_sync:
            continue;
        case SYS_kill: case SYS_tkill:
            a[1] = harmless();
            break;
        case SYS_tgkill:
            a[2] = harmless();
            break;
        case SYS_rt_sigqueueinfo: case SYS_pidfd_send_signal:
            a[1] = harmless();
            break;
        case SYS_rt_tgsigqueueinfo:
            a[2] = harmless();
            break;
        /* Not to one's parent: that is how the rounds are counted. */
        case SYS_ptrace:
            a[1] = self;
            break;
        case SYS_prlimit64:
            a[0] = 0;
            break;
        }
        syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
        if (syscall(SYS_getpid) != self)
            syscall(SYS_exit_group, 0);
        if (below(16) == 0)
            fill();
    }
    syscall(SYS_exit_group, 0);
}

static void nap(int milliseconds)
{
    struct timespec t = { 0, milliseconds * 1000000l };
    nanosleep(&t, NULL);
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    int seconds = argc > 2 ? atoi(argv[2]) : 5;
    int rounds = 0, broken = 0, late = 0, killed = 0;
    setvbuf(stdout, 0, _IONBF, 0);
    char dir[] = "/tmp/hostile-XXXXXX";
    mkdtemp(dir);
    chmod(dir, 0777);
    chdir(dir);
    /* Whatever the calls do, they do it as nobody. */
    if (getuid() == 0)
        return 3;
    int spaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID;
    if (unshare(spaces))
        return 4;
    int rw = PROT_READ | PROT_WRITE, anon = MAP_PRIVATE | MAP_ANONYMOUS;
    unsigned char *m = mmap(0, AREA + 4096, rw, anon, -1, 0);
    munmap(m + AREA, 4096);
    area = m;
    read_only = mmap(0, 4096, PROT_READ, anon, -1, 0);
    executable = mmap(0, 4096, rw | PROT_EXEC, anon, -1, 0);
    time_t end = time(NULL) + seconds;
    /* The first child of a process namespace is its process 1 and must stay. */
    pid_t first = fork();
    if (first == 0) {
        while (time(NULL) < end || rounds == 0) {
            state = seed * 1000003 + rounds++;
            pid_t pid = fork();
            if (pid == 0) {
                setpgid(0, 0);
                int null = open("/dev/null", O_RDWR);
                dup2(null, 0);
                dup2(null, 1);
                round_of_calls();
            }
            int status = 0, waited = 0;
            pid_t done;
            while ((done = waitpid(pid, &status, WNOHANG)) == 0 && waited < 3000) {
                int step = waited < 20 ? 1 : 20;
                nap(step);
                waited += step;
            }
            if (done == 0) {
                late++;
                kill(pid, SIGKILL);
                waitpid(pid, &status, 0);
            }
            /* Children of the child, in its groups or out of them. */
            kill(-1, SIGKILL);
            while (waitpid(-1, NULL, WNOHANG) > 0)
                ;
            killed += WIFSIGNALED(status);
            if ((WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) || (WIFEXITED(status) && WEXITSTATUS(status) == 101)) {
                broken++;
                printf("broken: seed %llu round %d status %x\n", (unsigned long long)seed, rounds - 1, status);
            }
        }
        printf("rounds %d calls up to %d ended by signals %d late %d broken %d\n", rounds, rounds * CALLS, killed, late, broken);
        _exit(broken != 0);
    }
    int status;
    waitpid(first, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}
