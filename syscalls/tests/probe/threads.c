#include "probe.h"
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long total;
static int ready;
static __thread int mine = 5;
static volatile sig_atomic_t handled_by;

static void *add(void *arg) {
    for (int i = 0; i < 20000; i++) {
        pthread_mutex_lock(&lock);
        total += (long)arg;
        pthread_mutex_unlock(&lock);
        __atomic_fetch_add(&total, 0, __ATOMIC_SEQ_CST);
    }
    mine += (int)(long)arg;
    return (void *)(long)mine;
}

static void *wait_for_ready(void *arg) {
    pthread_mutex_lock(&lock);
    while (!ready) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    return arg;
}

static void note_thread(int s) {
    (void)s;
    handled_by = syscall(SYS_gettid) != getpid();
}

static void *sleep_until_signal(void *arg) {
    __atomic_store_n((int *)arg, 1, __ATOMIC_SEQ_CST);
    struct timespec long_time = {10, 0};
    int r = nanosleep(&long_time, 0);
    return (void *)(long)(r == -1 && errno == EINTR);
}

static void *die_with_lock(void *arg) {
    pthread_mutex_lock(arg);
    return 0;
}

void threads(void) {
    pthread_t t[8];
    void *result;
    for (long i = 0; i < 8; i++) pthread_create(&t[i], 0, add, (void *)(i + 1));
    for (int i = 0; i < 8; i++) {
        pthread_join(t[i], &result);
        SAY("thread %d own value %ld\n", i, (long)result);
    }
    SAY("total %ld, mine %d\n", total, mine);

    for (int i = 0; i < 3; i++) pthread_create(&t[i], 0, wait_for_ready, 0);
    usleep(1000);
    pthread_mutex_lock(&lock);
    ready = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < 3; i++) pthread_join(t[i], 0);

    struct sigaction sa = {.sa_handler = note_thread};
    sigaction(SIGUSR1, &sa, 0);
    int started = 0;
    pthread_create(&t[0], 0, sleep_until_signal, &started);
    while (!__atomic_load_n(&started, __ATOMIC_SEQ_CST)) usleep(100);
    usleep(5000);
    R(pthread_kill(t[0], SIGUSR1));
    pthread_join(t[0], &result);
    SAY("interrupted %ld in its own thread %d\n", (long)result, handled_by);

    pthread_mutexattr_t attr;
    pthread_mutex_t m;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&m, &attr);
    R(pthread_mutex_lock(&m));
    R(pthread_mutex_unlock(&m));
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&m, &attr);
    pthread_create(&t[0], 0, die_with_lock, &m);
    pthread_join(t[0], 0);
    SAY("owner died %d\n", pthread_mutex_lock(&m) == EOWNERDEAD);
    R(pthread_mutex_consistent(&m));
    R(pthread_mutex_unlock(&m));

    /* The same across processes, the owner killed. */
    pthread_mutex_t *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(shared, &attr);
    pid_t child = fork();
    if (!child) {
        pthread_mutex_lock(shared);
        raise(SIGKILL);
    }
    waitpid(child, 0, 0);
    SAY("owner killed %d\n", pthread_mutex_lock(shared) == EOWNERDEAD);

    uint32_t word = 1;
    struct timespec soon = {0, 1000000};
    R(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 1, &soon, 0, 0));
    R(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &soon, 0, 0));
    R(syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
    R(syscall(SYS_futex, BAD, FUTEX_WAIT, 0, &soon, 0, 0));

    /* A process of several threads forks and ends. */
    pthread_create(&t[0], 0, sleep_until_signal, &started);
    child = fork();
    if (!child) _exit(11);
    int status;
    R(waitpid(child, &status, 0) == child);
    SAY("exit %d\n", WEXITSTATUS(status));
    child = fork();
    if (!child) {
        for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, sleep_until_signal, &started);
        exit(12);
    }
    R(waitpid(child, &status, 0) == child);
    SAY("exit %d\n", WEXITSTATUS(status));
    pthread_kill(t[0], SIGUSR1);
    pthread_join(t[0], 0);
}
