/* expect
counted 80000
sum 28
directed 1 others 0
cancelled 1
robust: owner died 1
sequence 300
barrier 1
storm ok
bad lists of futexes 3
fork from a thread: 5
main gone first
*/
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static int counter;
static pthread_t hit;
static volatile sig_atomic_t hits;
static void *count(void *a)
{
    for (int i = 0; i < 10000; i++) {
        pthread_mutex_lock(&m);
        counter++;
        pthread_mutex_unlock(&m);
    }
    return a;
}
static void on_usr1(int s) { hit = pthread_self(); hits++; }
static void *sleeper(void *a) { pause(); return 0; }
static void *forever(void *a) { for (;;) pause(); }
static pthread_mutex_t robust;
static void *die_holding(void *a) { pthread_mutex_lock(&robust); return 0; }
static void *nothing(void *a) { return a; }
/* Nothing can be read there when the thread ends. */
static void *bad_list(void *a) { syscall(SYS_set_robust_list, a, 24); return 0; }
static pthread_barrier_t barrier;
static void *meet(void *a) { for (int i = 0; i < 200; i++) pthread_barrier_wait(&barrier); return 0; }
static atomic_int stop;
static void *spin(void *a) { unsigned long n = 0; while (!stop) n++; return 0; }
static void *forker(void *a)
{
    int st;
    pid_t c = fork();
    if (!c)
        exit(5);
    waitpid(c, &st, 0);
    return (void *)(long)WEXITSTATUS(st);
}
static void *late(void *a)
{
    pthread_join(*(pthread_t *)a, 0);
    puts("main gone first");
    exit(0);
}

int main(void)
{
    setvbuf(stdout, 0, _IONBF, 0);
    pthread_t t[8];
    long sum = 0;
    for (long i = 0; i < 8; i++)
        pthread_create(&t[i], 0, count, (void *)i);
    for (int i = 0; i < 8; i++) {
        void *r;
        pthread_join(t[i], &r);
        sum += (long)r;
    }
    printf("counted %d\nsum %ld\n", counter, sum);
    signal(SIGUSR1, on_usr1);
    pthread_create(&t[0], 0, sleeper, 0);
    usleep(30000);
    pthread_kill(t[0], SIGUSR1);
    pthread_join(t[0], 0);
    printf("directed %d others %d\n", pthread_equal(hit, t[0]) != 0, hits - 1);
    pthread_create(&t[0], 0, forever, 0);
    usleep(30000);
    void *res;
    pthread_cancel(t[0]);
    pthread_join(t[0], &res);
    printf("cancelled %d\n", res == PTHREAD_CANCELED);
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &a);
    pthread_create(&t[0], 0, die_holding, 0);
    pthread_join(t[0], 0);
    printf("robust: owner died %d\n", pthread_mutex_lock(&robust) == EOWNERDEAD);
    int n = 0;
    for (int i = 0; i < 300; i++) {
        pthread_create(&t[0], 0, nothing, 0);
        n += pthread_join(t[0], 0) == 0;
    }
    printf("sequence %d\n", n);
    pthread_barrier_init(&barrier, 0, 4);
    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], 0, meet, 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], 0);
    printf("barrier 1\n");
    /* Many signals to running threads, as a preempting language runtime sends them. */
    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], 0, spin, 0);
    for (int k = 0; k < 2000; k++)
        pthread_kill(t[k % 4], SIGUSR1);
    stop = 1;
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], 0);
    printf("storm %s\n", hits > 4 ? "ok" : "lost");
    void *lists[] = { (void *)8, (void *)-4096l, (void *)0x7ffffffff000 };
    for (n = 0; n < 3 && pthread_create(&t[0], 0, bad_list, lists[n]) == 0; n++)
        pthread_join(t[0], 0);
    printf("bad lists of futexes %d\n", n);
    pthread_create(&t[0], 0, forker, 0);
    pthread_join(t[0], &res);
    printf("fork from a thread: %ld\n", (long)res);
    static pthread_t self;
    self = pthread_self();
    pthread_create(&t[0], 0, late, &self);
    pthread_exit(0);
}
