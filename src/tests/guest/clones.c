/* expect
children that did all: 400
*/
/* Processes that fork(2) cannot make, cloned while other threads open files, run new code, and begin and end. Their children do the
 * same: an emulator whose allocator was in use when the child was made would have them wait for ever. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int enough;

/* Longer than what allocators keep ready for a thread. More threads open it than the C library gives heaps of their own. */
static char path[3000];
enum { OPENERS = 24 };

static int opens(void)
{
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);
    if (fd >= 0)
        syscall(SYS_close, fd);
    return fd >= 0;
}

/* A function of a fresh page: returns at once. */
static void runs_new_code(void)
{
#if defined(__riscv)
    static const unsigned code[] = { 0x00008067 };
#else
    static const unsigned code[] = { 0xd65f03c0 };
#endif
    char *page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(page, code, sizeof code);
    mprotect(page, 4096, PROT_READ | PROT_EXEC);
    __builtin___clear_cache(page, page + 4096);
    ((void (*)(void))page)();
    munmap(page, 4096);
}

static void *opens_files(void *a)
{
    while (!enough) {
        for (int i = 0; i < 10; i++)
            opens();
        usleep(2000);
    }
    return 0;
}

static void *begins_threads(void *a)
{
    for (pthread_t t; !enough;)
        if (pthread_create(&t, 0, (void *(*)(void *))opens, 0) == 0)
            pthread_join(t, 0);
    return 0;
}

static void *makes_code(void *a)
{
    while (!enough) {
        runs_new_code();
        usleep(200);
    }
    return 0;
}

static int thread(void *a)
{
    syscall(SYS_exit, !opens());
    return 0;
}

/* Without the guest's own C library, whose locks may be held here as well. */
static int child(void)
{
    static char stack[1 << 14] __attribute__((aligned(16)));
    static volatile int tid = -1;
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;
    int ok = opens();
    runs_new_code();
    ok &= clone(thread, stack + sizeof stack, flags, 0, 0, 0, &tid) > 0;
    while (tid != 0)
        syscall(SYS_futex, &tid, FUTEX_WAIT, -1, 0, 0, 0);
    return ok && opens();
}

int main(void)
{
    pthread_t t[OPENERS + 2];
    int n = 0;
    memset(path, '/', sizeof path);
    strcpy(path + sizeof path - 9, "dev/null");
    for (int i = 0; i < OPENERS; i++)
        pthread_create(&t[i], 0, opens_files, 0);
    pthread_create(&t[OPENERS], 0, begins_threads, 0);
    pthread_create(&t[OPENERS + 1], 0, makes_code, 0);
    for (int i = 0; i < 400; i++) {
        /* No signal at the end. */
        pid_t pid = syscall(SYS_clone, 0, 0, 0, 0, 0);
        if (pid == 0)
            syscall(SYS_exit_group, child() ? 7 : 1);
        int status = 0;
        n += waitpid(pid, &status, __WALL) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7;
    }
    enough = 1;
    for (int i = 0; i < OPENERS + 2; i++)
        pthread_join(t[i], 0);
    printf("children that did all: %d\n", n);
    return 0;
}
