/* expect
descriptors listed 4
no descriptor between 1
exe by folder 1
exe by link 1
exe of another process 1
arguments seen by another process 1
environment seen by another process 1
auxiliary vector seen by another process 1
memory seen by another process 1
details of memory seen by another process 1
name of a script 1
setgid in every thread 1
rounding after a handler 1
*/
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static size_t slurp(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY);
    size_t n = 0;
    ssize_t r;
    while (n < size - 1 && (r = read(fd, buf + n, size - 1 - n)) > 0)
        n += r;
    close(fd);
    buf[n] = 0;
    return n;
}

static void descriptors(void)
{
    /* Whatever the test was started with. */
    for (int fd = 3; fd < 4096; fd++)
        close(fd);
    /* Standard input, output, error and the folder itself. */
    DIR *d = opendir("/proc/self/fd");
    int n = 0;
    while (readdir(d))
        n++;
    closedir(d);
    printf("descriptors listed %d\n", n - 2);
    int open_ones = 0;
    for (int fd = 3; fd < 4096; fd++)
        open_ones += fcntl(fd, F_GETFD) >= 0;
    printf("no descriptor between %d\n", open_ones == 0);
}

static void own_program(const char *argv0)
{
    struct stat want, got;
    stat(argv0, &want);
    int dir = open("/proc/self", O_RDONLY | O_DIRECTORY);
    int fd = openat(dir, "exe", O_RDONLY);
    fstat(fd, &got);
    printf("exe by folder %d\n", got.st_ino == want.st_ino);
    close(fd);
    close(dir);
    char link[64];
    sprintf(link, "/tmp/identity-%d", getpid());
    symlink("/proc/self/exe", link);
    fd = open(link, O_RDONLY);
    fstat(fd, &got);
    unlink(link);
    printf("exe by link %d\n", got.st_ino == want.st_ino);
    pid_t other = fork();
    if (!other)
        for (;;)
            pause();
    char name[64], mine[4096], theirs[4096];
    sprintf(name, "/proc/%d/exe", other);
    ssize_t a = readlink("/proc/self/exe", mine, sizeof mine), b = readlink(name, theirs, sizeof theirs);
    stat(name, &got);
    kill(other, SIGKILL);
    waitpid(other, 0, 0);
    printf("exe of another process %d\n", a > 0 && a == b && !memcmp(mine, theirs, a) && got.st_ino == want.st_ino);
    close(fd);
}

static void seen_by_others(char **argv)
{
    int p[2];
    pipe(p);
    pid_t pid = fork();
    if (pid == 0) {
        setenv("MARK", "here", 1);
        dup2(p[1], 1);
        execl("/proc/self/exe", "shown name", "wait", "a b", NULL);
        _exit(1);
    }
    char c, path[64], buf[65536];
    read(p[0], &c, 1);
    sprintf(path, "/proc/%d/cmdline", pid);
    size_t n = slurp(path, buf, sizeof buf);
    printf("arguments seen by another process %d\n", n == 20 && !memcmp(buf, "shown name\0wait\0a b", n));
    sprintf(path, "/proc/%d/environ", pid);
    n = slurp(path, buf, sizeof buf);
    printf("environment seen by another process %d\n", memmem(buf, n, "\0MARK=here", 11) != NULL);
    sprintf(path, "/proc/%d/auxv", pid);
    n = slurp(path, buf, sizeof buf);
    unsigned long *a = (unsigned long *)buf;
    int hwcap = 0;
    for (; a < (unsigned long *)(buf + n) && *a; a += 2)
        hwcap |= a[0] == AT_HWCAP && a[1] == getauxval(AT_HWCAP);
    printf("auxiliary vector seen by another process %d\n", hwcap);
    kill(pid, SIGKILL);
    waitpid(pid, 0, 0);
    close(p[0]);
    close(p[1]);
}

/* The same list as the process sees of itself, and nothing of what carries it. */
static void memory_seen_by_others(void)
{
    static char want[1 << 16], got[1 << 20];
    int p[2];
    pipe(p);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(p[1], 1);
        execl("/proc/self/exe", "maps", "maps", NULL);
        _exit(1);
    }
    close(p[1]);
    size_t n = 0;
    ssize_t r;
    while ((n == 0 || want[n - 1] != '.') && (r = read(p[0], want + n, sizeof want - 1 - n)) > 0)
        n += r;
    want[--n] = 0;
    char path[64];
    sprintf(path, "/proc/%d/maps", pid);
    size_t m = slurp(path, got, sizeof got);
    int whole = n == m && !memcmp(want, got, n);
    if (!whole)
        printf("%s---\n%s", want, got);
    printf("memory seen by another process %d\n", whole && strstr(got, "r-xp") && strstr(got, "[stack]"));
    sprintf(path, "/proc/%d/task/%d/smaps", pid, pid);
    slurp(path, got, sizeof got);
    int same = strstr(got, "\nVmFlags:") != NULL;
    for (char *line = strtok(want, "\n"); line; line = strtok(NULL, "\n"))
        same &= strstr(got, line) != NULL;
    printf("details of memory seen by another process %d\n", same && !strstr(got, "remu-user"));
    kill(pid, SIGKILL);
    waitpid(pid, 0, 0);
    close(p[0]);
}

static void script(const char *argv0)
{
    char name[64], text[4200], path[4096];
    realpath(argv0, path);
    sprintf(name, "/tmp/script-%d", getpid());
    int fd = open(name, O_CREAT | O_WRONLY, 0755);
    write(fd, text, sprintf(text, "#!%s comm\n", path));
    close(fd);
    int p[2];
    pipe(p);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(p[1], 1);
        execl(name, name, NULL);
        _exit(1);
    }
    waitpid(pid, 0, 0);
    text[read(p[0], text, 100)] = 0;
    unlink(name);
    printf("name of a script %d\n", !strncmp(text, name + 5, strlen(name + 5)));
    close(p[0]);
    close(p[1]);
}

static volatile int go;
static gid_t seen;
static void *worker(void *arg)
{
    while (!go)
        usleep(1000);
    seen = syscall(SYS_getegid);
    return NULL;
}

static void setgid_everywhere(void)
{
    pthread_t t;
    pthread_create(&t, NULL, worker, NULL);
    /* The C library sends every thread signal 33, which changes its group. */
    int done = setegid(getuid() == 0 ? 12345 : getegid());
    go = 1;
    pthread_join(t, NULL);
    printf("setgid in every thread %d\n", done == 0 && seen == getegid());
}

static void handler(int sig)
{
    fesetround(FE_UPWARD);
}

static void rounding(void)
{
    volatile double one = 1, three = 3;
    fesetround(FE_DOWNWARD);
    volatile double down = one / three;
    signal(SIGUSR1, handler);
    raise(SIGUSR1);
    volatile double after = one / three;
    fesetround(FE_UPWARD);
    volatile double up = one / three;
    fesetround(FE_TONEAREST);
    printf("rounding after a handler %d\n", down == after && up > down);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, 0, _IONBF, 0);
    if (argc > 1 && !strcmp(argv[1], "wait")) {
        write(1, "x", 1);
        pause();
    }
    if (argc > 1 && !strcmp(argv[1], "maps")) {
        static char maps[1 << 16];
        size_t n = slurp("/proc/self/maps", maps, sizeof maps - 1);
        maps[n] = '.';
        write(1, maps, n + 1);
        pause();
    }
    if (argc > 1 && !strcmp(argv[1], "comm")) {
        char buf[32];
        write(1, buf, slurp("/proc/self/comm", buf, sizeof buf));
        return 0;
    }
    descriptors();
    own_program(argv[0]);
    seen_by_others(argv);
    memory_seen_by_others();
    script(argv[0]);
    setgid_everywhere();
    rounding();
    return 0;
}
