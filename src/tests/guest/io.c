/* expect
pipe: hello, whole write 200000 of 200000, sum 1
socket: whole write 300000 of 300000, sum 1
timeout: EAGAIN 1 after 1
not blocking: EAGAIN 1
broken pipe: EPIPE 1 SIGPIPE 1
accept from 1 flags 1
datagram: 5 bytes, truncated 1
file: 3 at 7, position 3 end 0
interrupted: EINTR 1 restarted 1
child reads: 1
threads of a child: listed 1, counted 1 1
many threads: 4000
cancelled: 1
*/
/* Calls that may sleep, with every kind of file whose differences a ring could show. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char big[300000], back[300000];

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

/* Writes all with one call against a slow reader. */
static void whole(const char *what, int r, int w, size_t n)
{
    for (size_t i = 0; i < n; i++)
        big[i] = i * 7 + i / 251;
    pid_t pid = fork();
    if (pid == 0) {
        close(r);
        ssize_t done = write(w, big, n);
        _exit(done == (ssize_t)n ? 0 : 1);
    }
    close(w);
    usleep(20000);
    size_t have = 0;
    ssize_t k;
    while (have < n && (k = read(r, back + have, 4000)) > 0)
        have += k;
    int status;
    waitpid(pid, &status, 0);
    printf("%swhole write %zu of %zu, sum %d\n", what, WEXITSTATUS(status) ? 0 : have, n, !memcmp(big, back, n));
    close(r);
}

/* A file of this process; only the kernel's threads that work for a ring can read some of them. */
static char *contents(const char *path)
{
    static char text[8192];
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    close(fd);
    return text;
}

static void count_threads(void)
{
    int listed = 0, status = 0, stat = 0;
    contents("/proc/version");
    sscanf(strstr(contents("/proc/self/status"), "Threads:"), "Threads: %d", &status);
    const char *word = strrchr(contents("/proc/self/stat"), ')');
    for (int i = 2; i < 20; i++)
        word = strchr(word + 1, ' ');
    stat = atoi(word);
    DIR *all = opendir("/proc/self/task");
    for (struct dirent *d; (d = readdir(all));)
        listed += d->d_name[0] != '.';
    closedir(all);
    printf("threads of a child: listed %d, counted %d %d\n", listed, status, stat);
    fflush(stdout);
}

static volatile int handled;
static void handler(int sig)
{
    handled++;
}

static void *sends(void *arg)
{
    pthread_t *t = arg;
    usleep(50000);
    pthread_kill(*t, SIGUSR1);
    return NULL;
}

static void *writes_later(void *arg)
{
    usleep(150000);
    write((int)(intptr_t)arg, "x", 1);
    return NULL;
}

static void *pingpong(void *arg)
{
    int p[2], q[2];
    char c;
    uintptr_t n = 0;
    pipe(p);
    socketpair(AF_UNIX, SOCK_STREAM, 0, q);
    for (int i = 0; i < 500; i++) {
        n += write(p[1], "a", 1) == 1 && read(p[0], &c, 1) == 1;
        n += send(q[0], "b", 1, 0) == 1 && recv(q[1], &c, 1, 0) == 1;
    }
    close(p[0]), close(p[1]), close(q[0]), close(q[1]);
    return (void *)n;
}

static void *sleeps(void *arg)
{
    char c;
    read((int)(intptr_t)arg, &c, 1);
    return NULL;
}

int main(void)
{
    int p[2], q[2];
    char text[16] = "";
    setvbuf(stdout, 0, _IONBF, 0);
    pipe(p);
    write(p[1], "hello", 5);
    read(p[0], text, 16);
    printf("pipe: %s, ", text);
    whole("", p[0], p[1], 200000);
    socketpair(AF_UNIX, SOCK_STREAM, 0, q);
    whole("socket: ", q[0], q[1], 300000);

    socketpair(AF_UNIX, SOCK_STREAM, 0, q);
    struct timeval tv = { 0, 100000 };
    setsockopt(q[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    double start = now();
    ssize_t n = recv(q[0], text, 1, 0);
    printf("timeout: EAGAIN %d after %d\n", n == -1 && errno == EAGAIN, now() - start > 0.08);
    pipe2(p, O_NONBLOCK);
    n = read(p[0], text, 1);
    printf("not blocking: EAGAIN %d\n", n == -1 && errno == EAGAIN);
    signal(SIGPIPE, handler);
    close(p[0]);
    n = write(p[1], "x", 1);
    printf("broken pipe: EPIPE %d SIGPIPE %d\n", n == -1 && errno == EPIPE, handled);
    close(p[1]);

    int l = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = { AF_INET, 0, { htonl(INADDR_LOOPBACK) } }, from = { 0 };
    socklen_t len = sizeof a;
    bind(l, (void *)&a, len);
    getsockname(l, (void *)&a, &len);
    listen(l, 1);
    int c = socket(AF_INET, SOCK_STREAM, 0);
    connect(c, (void *)&a, sizeof a);
    len = sizeof from;
    int s = accept4(l, (void *)&from, &len, SOCK_CLOEXEC);
    printf("accept from %d flags %d\n", len == sizeof from && from.sin_addr.s_addr == htonl(INADDR_LOOPBACK),
           fcntl(s, F_GETFD));
    close(q[0]), close(q[1]);
    socketpair(AF_UNIX, SOCK_DGRAM, 0, q);
    struct iovec v = { "12345678", 8 };
    struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
    sendmsg(q[0], &m, 0);
    v = (struct iovec){ text, 5 };
    n = recvmsg(q[1], &m, 0);
    printf("datagram: %zd bytes, truncated %d\n", n, !!(m.msg_flags & MSG_TRUNC));

    FILE *tmp = tmpfile();
    int fd = fileno(tmp);
    pwrite(fd, "abc", 3, 7);
    write(fd, "xyz", 3);
    n = pread(fd, text, 16, 7);
    off_t at = lseek(fd, 0, SEEK_CUR);
    lseek(fd, 0, SEEK_END);
    printf("file: %zd at 7, position %d end %zd\n", n, (int)at, read(fd, text, 1));

    struct sigaction sa = { .sa_handler = handler };
    sigaction(SIGUSR1, &sa, NULL);
    pthread_t me = pthread_self(), t, u;
    pipe(p);
    pthread_create(&t, NULL, sends, &me);
    n = read(p[0], text, 1);
    int interrupted = n == -1 && errno == EINTR;
    pthread_join(t, NULL);
    sa.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &sa, NULL);
    handled = 0;
    pthread_create(&t, NULL, sends, &me);
    pthread_create(&u, NULL, writes_later, (void *)(intptr_t)p[1]);
    n = read(p[0], text, 1);
    printf("interrupted: EINTR %d restarted %d\n", interrupted, n == 1 && handled == 1);
    pthread_join(t, NULL);
    pthread_join(u, NULL);

    pid_t pid = fork();
    if (pid == 0)
        _exit(read(p[0], text, 1) == 1);
    write(p[1], "y", 1);
    int status;
    waitpid(pid, &status, 0);
    printf("child reads: %d\n", WEXITSTATUS(status));
    fflush(stdout);
    if (fork() == 0) {
        count_threads();
        _exit(0);
    }
    wait(NULL);

    pthread_t many[4];
    uintptr_t sum = 0;
    for (int i = 0; i < 4; i++)
        pthread_create(&many[i], NULL, pingpong, NULL);
    for (int i = 0; i < 4; i++) {
        void *r;
        pthread_join(many[i], &r);
        sum += (uintptr_t)r;
    }
    printf("many threads: %zu\n", sum);
    void *r = NULL;
    pthread_create(&t, NULL, sleeps, (void *)(intptr_t)p[0]);
    usleep(30000);
    pthread_cancel(t);
    pthread_join(t, &r);
    printf("cancelled: %d\n", r == PTHREAD_CANCELED);
    return 0;
}
