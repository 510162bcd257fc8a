/* expect
sizes 80 24 64
second listener -1 16
flags -1 22
number 1 arch 1 argument 1 thread 1
value 77
error -1 1
goes on 1
descriptor added 1 reads hello
restarted after a signal: 78, handled 1
executed program asks: 79
supervisor gone -1 38
*/
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__riscv)
#define ARCH 0xc00000f3
#else
#define ARCH 0xc00000b7
#endif
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define CALL(nr, action) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), BPF_STMT(BPF_RET | BPF_K, action)

static int listener;
static pid_t supervised;

static int install(int flags)
{
    struct sock_filter f[] = {
        LOAD(nr),
        CALL(SYS_getpriority, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog p = { sizeof f / sizeof *f, f };
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
}


/* What each call gets is said by its argument. */
static void *supervise(void *arg)
{
    int first = 1;
    for (;;) {
        struct seccomp_notif n;
        memset(&n, 0, sizeof n);
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n))
            continue;
        if (first)
            printf("number %d arch %d argument %d thread %d\n", n.data.nr == SYS_getpriority,
                   n.data.arch == ARCH, n.data.args[1] == 1, (int)n.pid == supervised);
        first = 0;
        struct seccomp_notif_resp r = { .id = n.id };
        struct seccomp_notif_addfd add = { .id = n.id, .flags = SECCOMP_ADDFD_FLAG_SEND };
        switch (n.data.args[1]) {
        case 1: r.val = 77; break;
        case 2: r.error = -EPERM; break;
        case 3: r.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE; break;
        case 4:
            add.srcfd = memfd_create("added", 0);
            write(add.srcfd, "hello", 5);
            lseek(add.srcfd, 0, SEEK_SET);
            if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0)
                perror("addfd");
            close(add.srcfd);
            continue;
        case 5:
            /* The first time a signal comes first. */
            if (arg) {
                arg = NULL;
                kill(n.pid, SIGUSR1);
                continue;
            }
            r.val = 78;
            break;
        case 6: r.val = 79; break;
        default: return NULL;
        }
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
    }
}

static long ask(int what)
{
    errno = 0;
    return syscall(SYS_getpriority, 0, what);
}

static volatile int handled;
static void on_usr1(int sig)
{
    handled++;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, 0, _IONBF, 0);
    if (argc > 1) {
        printf("executed program asks: %ld\n", ask(6));
        return 0;
    }
    struct seccomp_notif_sizes sizes;
    syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes);
    printf("sizes %d %d %d\n", sizes.seccomp_notif, sizes.seccomp_notif_resp, sizes.seccomp_data);
    int pair[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    supervised = fork();
    if (supervised == 0) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        int fd = install(SECCOMP_FILTER_FLAG_NEW_LISTENER);
        int r = install(SECCOMP_FILTER_FLAG_NEW_LISTENER);
        printf("second listener %d %d\n", r, errno);
        r = install(SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC);
        printf("flags %d %d\n", r, errno);
        write(pair[1], &fd, sizeof fd);
        char c;
        read(pair[1], &c, 1);
        close(fd);
        printf("value %ld\n", ask(1));
        long v = ask(2);
        printf("error %ld %d\n", v, errno);
        printf("goes on %d\n", ask(3) > 0);
        long got = ask(4);
        char text[8] = "";
        read(got, text, 5);
        printf("descriptor added %d reads %s\n", got > 2, text);
        struct sigaction sa = { .sa_handler = on_usr1, .sa_flags = SA_RESTART };
        sigaction(SIGUSR1, &sa, NULL);
        v = ask(5);
        printf("restarted after a signal: %ld, handled %d\n", v, handled);
        if (fork() == 0) {
            execl("/proc/self/exe", "notify", "again", NULL);
            _exit(1);
        }
        wait(NULL);
        v = ask(99);
        printf("supervisor gone %ld %d\n", v, errno);
        _exit(0);
    }
    int remote, pidfd = syscall(SYS_pidfd_open, supervised, 0);
    read(pair[0], &remote, sizeof remote);
    listener = syscall(SYS_pidfd_getfd, pidfd, remote, 0);
    write(pair[0], "x", 1);
    pthread_t t;
    pthread_create(&t, NULL, supervise, &t);
    pthread_join(t, NULL);
    close(listener);
    waitpid(supervised, NULL, 0);
    return 0;
}
