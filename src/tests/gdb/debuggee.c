/* What gdb is tried on: its first argument says what it does. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int counter, watched, spins, ready;
volatile int go_on;
double ratio = 0.5;
struct point { int x, y; } here = { 3, 4 };
int pipe_ends[2];

__attribute__((noinline)) int square(int x)
{
    int r = x * x;
    counter += r;
    return r;
}

__attribute__((noinline)) double scale(double by)
{
    return ratio * by;
}

__attribute__((noinline)) int outer(int x)
{
    int y = square(x) + 1;
    return y;
}

static void on_signal(int sig)
{
    counter += 1000 * sig;
}

__attribute__((noinline)) void reached(void)
{
    __asm__ volatile("");
}

static void *worker(void *arg)
{
    char c;
    __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
    /* Mostly asleep in a call when the others stop. */
    while (read(pipe_ends[0], &c, 1) < 0 && errno == EINTR)
        ;
    return arg;
}

static void calls(void)
{
    printf("outer(5) = %d\n", outer(5));
    printf("scale(8) = %g\n", scale(8));
    for (int i = 1; i <= 3; i++) {
        watched = i;
        counter += watched;
    }
    printf("counter = %d\n", counter);
}

static pthread_t t[2];

static void start_threads(void)
{
    if (pipe(pipe_ends))
        exit(2);
    for (long i = 0; i < 2; i++)
        pthread_create(&t[i], 0, worker, (void *)i);
    while (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) < 2)
        usleep(1000);
    usleep(10000);
}

static void aborts(void)
{
    start_threads();
    ratio = scale(5);
    abort();
}

static void threads(void)
{
    start_threads();
    reached();
    if (write(pipe_ends[1], "ab", 2) != 2)
        exit(2);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], 0);
    puts("joined");
}

static void signals(void)
{
    signal(SIGUSR1, on_signal);
    signal(SIGUSR2, on_signal);
    raise(SIGUSR1);
    raise(SIGUSR2);
    printf("handled %d\n", counter);
}

static void forks(char *self)
{
    int status;
    pid_t child = fork();
    if (!child) {
        square(7);
        _exit(3);
    }
    waitpid(child, &status, 0);
    printf("child %d\n", WEXITSTATUS(status));
    child = vfork();
    if (!child) {
        execl(self, self, "calls", (char *)0);
        _exit(9);
    }
    waitpid(child, &status, 0);
    printf("executed %d\n", WEXITSTATUS(status));
}

static void spin(void)
{
    printf("spinning\n");
    fflush(stdout);
    while (!go_on)
        spins++;
    printf("went on\n");
}

static void crash(void)
{
    square(2);
    *(volatile int *)16 = 1;
}

/* The code is read as data: a breakpoint must not be in it. */
static void sum(void)
{
    unsigned total = 0;
    reached();
    for (int i = 0; i < 16; i++)
        total += ((unsigned char *)square)[i];
    printf("sum %u\n", total);
    square(1);
}

int main(int argc, char **argv)
{
    char *what = argc > 1 ? argv[1] : "calls";
    setvbuf(stdout, 0, _IOLBF, 0);
    if (!strcmp(what, "calls"))
        calls();
    else if (!strcmp(what, "threads"))
        threads();
    else if (!strcmp(what, "signals"))
        signals();
    else if (!strcmp(what, "forks"))
        forks(argv[0]);
    else if (!strcmp(what, "spin"))
        spin();
    else if (!strcmp(what, "crash"))
        crash();
    else if (!strcmp(what, "aborts"))
        aborts();
    else if (!strcmp(what, "sum"))
        sum();
    return 0;
}
