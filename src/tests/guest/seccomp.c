/* expect
actions known 0 -1 95
filter without privileges -1 13
filter for bad program -1 22 bad pointer -1 14
mode 2
errno 42, 0
argument seen -1 1, other 0
trap SIGSYS code 1 errno 77 call agrees 1 arch agrees 1 pc agrees 1
after the trap 5
thread inherits -1 42, made before -1 42
child inherits -1 42
executed program inherits -1 42
most severe wins -1 43
killed by signal 31
thread killed, process lives 1
strict: killed by signal 9
strict: status 3
*/
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__riscv)
#define ARCH 0xc00000f3
#define PC(u) ((u)->uc_mcontext.__gregs[0])
#else
#define ARCH 0xc00000b7
#define PC(u) ((u)->uc_mcontext.pc)
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define CALL(nr, action) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), BPF_STMT(BPF_RET | BPF_K, action)
#define ALLOWED BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static int add(struct sock_filter *f, size_t bytes, int flags)
{
    struct sock_fprog p = { bytes / sizeof *f, f };
    int r = syscall(SYS_seccomp, 1, flags, &p);
    return r;
}

static volatile int trapped;
static void on_sys(int sig, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    printf("trap SIGSYS code %d errno %d call agrees %d arch agrees %d pc agrees %d\n", info->si_code,
           info->si_errno, info->si_syscall == SYS_getpgid, (unsigned)info->si_arch == ARCH,
           (uintptr_t)PC(u) == (uintptr_t)info->si_call_addr);
#if defined(__riscv)
    u->uc_mcontext.__gregs[10] = 5;
#else
    u->uc_mcontext.regs[0] = 5;
#endif
}

static int forbidden(void)
{
    errno = 0;
    return syscall(SYS_getpriority, 0, 0);
}

static pthread_barrier_t barrier;
static int early, early_errno;
static void *waits(void *arg)
{
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    early = forbidden();
    early_errno = errno;
    return NULL;
}

static void *late(void *arg)
{
    int r = forbidden();
    printf("thread inherits %d %d, made before %d %d\n", r, errno, early, early_errno);
    return NULL;
}

static void *dies(void *arg)
{
    syscall(SYS_getpgid, 0);
    return arg;
}

static void report(const char *what, pid_t pid);

static void strict(void)
{
    for (int good = 0; good < 2; good++) {
        pid_t pid = fork();
        if (pid == 0) {
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
            if (!good)
                syscall(SYS_getppid);
            syscall(SYS_exit, 3);
        }
        report("strict: ", pid);
    }
}

static void report(const char *what, pid_t pid)
{
    int status;
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status))
        printf("%skilled by signal %d\n", what, WTERMSIG(status));
    else
        printf("%sstatus %d\n", what, WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
    setvbuf(stdout, 0, _IONBF, 0);
    if (argc > 1) {
        int r = forbidden();
        printf("executed program inherits %d %d\n", r, errno);
        return 0;
    }
    int go[2];
    pipe(go);
    pid_t unfiltered = fork();
    if (unfiltered == 0) {
        char c;
        close(go[1]);
        read(go[0], &c, 1);
        strict();
        _exit(0);
    }
    unsigned allow = SECCOMP_RET_ALLOW, odd = 0x12340000;
    int known = syscall(SYS_seccomp, 2, 0, &allow), r = syscall(SYS_seccomp, 2, 0, &odd);
    printf("actions known %d %d %d\n", known, r, errno);
    struct sock_filter first[] = {
        LOAD(nr),
        CALL(SYS_getpriority, SECCOMP_RET_ERRNO | 42),
        CALL(SYS_getpgid, SECCOMP_RET_TRAP | 77),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getsid, 0, 4),
        LOAD(args[0]),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x1234, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
        ALLOWED,
        ALLOWED,
    };
    if (fork() == 0) {
        /* No privileges, and may gain some. */
        setresuid(65534, 65534, 65534);
        r = add(first, sizeof first, 0);
        printf("filter without privileges %d %d\n", r, errno);
        _exit(0);
    }
    wait(NULL);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    struct sock_filter bad[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), ALLOWED };
    r = add(bad, sizeof bad, 0);
    printf("filter for bad program %d %d", r, errno);
    r = syscall(SYS_seccomp, 1, 1, NULL);
    printf(" bad pointer %d %d\n", r, errno);

    pthread_t t;
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&t, NULL, waits, NULL);
    pthread_barrier_wait(&barrier);
    if (add(first, sizeof first, SECCOMP_FILTER_FLAG_TSYNC))
        printf("no filter: %s\n", strerror(errno));
    printf("mode %d\n", prctl(PR_GET_SECCOMP));
    r = forbidden();
    printf("errno %d, %d\n", errno, (int)syscall(SYS_getsid, 0) < 0);
    r = syscall(SYS_getsid, 0x1234);
    printf("argument seen %d %d, other %d\n", r, errno, getsid(0) < 0);
    struct sigaction sa = { .sa_sigaction = on_sys, .sa_flags = SA_SIGINFO };
    sigaction(SIGSYS, &sa, NULL);
    r = syscall(SYS_getpgid, 0);
    printf("after the trap %d\n", r);
    pthread_barrier_wait(&barrier);
    pthread_join(t, NULL);
    pthread_create(&t, NULL, late, NULL);
    pthread_join(t, NULL);
    pid_t pid = fork();
    if (pid == 0) {
        r = forbidden();
        printf("child inherits %d %d\n", r, errno);
        execl("/proc/self/exe", "seccomp", "again", NULL);
        _exit(1);
    }
    waitpid(pid, NULL, 0);
    pid = fork();
    if (pid == 0) {
        struct sock_filter second[] = { LOAD(nr), CALL(SYS_getpriority, SECCOMP_RET_ERRNO | 43), CALL(SYS_getpgid, SECCOMP_RET_KILL_PROCESS), ALLOWED };
        add(second, sizeof second, 0);
        r = forbidden();
        printf("most severe wins %d %d\n", r, errno);
        syscall(SYS_getpgid, 0);
        _exit(4);
    }
    report("", pid);
    pid = fork();
    if (pid == 0) {
        struct sock_filter third[] = { LOAD(nr), CALL(SYS_getpgid, SECCOMP_RET_KILL_THREAD), ALLOWED };
        add(third, sizeof third, 0);
        void *result = &pid;
        pthread_create(&t, NULL, dies, &trapped);
        pthread_join(t, &result);
        printf("thread killed, process lives %d\n", result != &trapped);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    write(go[1], "x", 1);
    waitpid(unfiltered, NULL, 0);
    return 0;
}
