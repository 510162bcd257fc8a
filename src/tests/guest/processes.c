/* expect
exit 7
killed 9
vfork shares 5
spawn missing: ENOENT 1
spawn self: 3 handler kept 1
exec arguments: a [] b c
exec environment: X=1 only 1
exec keeps ignored 1 mask 1 resets handler 1
exec missing: ENOENT 1
exec directory: EACCES 1
exec text: ENOEXEC 1
script: self script arg
exec by descriptor: 4
shell: 6
own name: 1
orphan pipe: done
clone3: 8
many: 50
*/
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char *self;
static int wait_for(pid_t c)
{
    int st;
    waitpid(c, &st, 0);
    return WIFSIGNALED(st) ? -WTERMSIG(st) : WEXITSTATUS(st);
}
static int run(char *path, char **argv, char **env)
{
    pid_t c = fork();
    if (!c) {
        execve(path, argv, env);
        _exit(99);
    }
    return wait_for(c);
}
static volatile sig_atomic_t got;
static void handler(int s) { got = 1; }

static int child(int argc, char **argv)
{
    if (!strcmp(argv[1], "status"))
        return atoi(argv[2]);
    if (!strcmp(argv[1], "args"))
        return printf("exec arguments: %s [%s] %s %s\n", argv[0], argv[2], argv[3], argv[4]) < 0;
    if (!strcmp(argv[1], "env")) {
        printf("exec environment: %s only %d\n", environ[0], environ[1] == 0);
        return 0;
    }
    if (!strcmp(argv[1], "signals")) {
        struct sigaction u1, u2;
        sigset_t mask;
        sigaction(SIGUSR1, 0, &u1);
        sigaction(SIGUSR2, 0, &u2);
        sigprocmask(SIG_BLOCK, 0, &mask);
        printf("exec keeps ignored %d mask %d resets handler %d\n", u1.sa_handler == SIG_IGN,
               sigismember(&mask, SIGTERM), u2.sa_handler == SIG_DFL);
        return 0;
    }
    if (!strcmp(argv[1], "-x")) {
        printf("script: self %s %s\n", strrchr(argv[2], '/') + 1, argv[3]);
        return 0;
    }
    return 98;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, 0, _IONBF, 0);
    if (argc > 1)
        return child(argc, argv);
    self = argv[0];
    pid_t c = fork();
    if (!c)
        _exit(7);
    printf("exit %d\n", wait_for(c));
    c = fork();
    if (!c)
        kill(getpid(), SIGKILL);
    printf("killed %d\n", -wait_for(c));
    volatile int shared = 0;
    c = vfork();
    if (!c) {
        shared = 5;
        _exit(0);
    }
    wait_for(c);
    printf("vfork shares %d\n", shared);
    char *none[] = {"none", 0};
    pid_t pid;
    printf("spawn missing: ENOENT %d\n", posix_spawn(&pid, "/no/such", 0, 0, none, environ) == ENOENT);
    char *status3[] = {self, "status", "3", 0};
    int r;
    signal(SIGUSR2, handler);
    posix_spawn(&pid, self, 0, 0, status3, environ);
    r = wait_for(pid);
    got = 0;
    raise(SIGUSR2);
    printf("spawn self: %d handler kept %d\n", r, got);
    char *args[] = {"a", "args", "", "b", "c", 0};
    run(self, args, environ);
    char *env[] = {"X=1", 0}, *enva[] = {self, "env", 0};
    run(self, enva, env);
    c = fork();
    if (!c) {
        sigset_t s;
        sigemptyset(&s);
        sigaddset(&s, SIGTERM);
        sigprocmask(SIG_BLOCK, &s, 0);
        signal(SIGUSR1, SIG_IGN);
        signal(SIGUSR2, handler);
        execl(self, self, "signals", (char *)0);
    }
    wait_for(c);
    execl("/no/such", "x", (char *)0);
    printf("exec missing: ENOENT %d\n", errno == ENOENT);
    execl("/tmp", "x", (char *)0);
    printf("exec directory: EACCES %d\n", errno == EACCES);
    char dir[] = "/tmp/remu-processes-XXXXXX", path[100], line[300];
    mkdtemp(dir);
    snprintf(path, sizeof path, "%s/script", dir);
    int fd = open(path, O_CREAT | O_WRONLY, 0755);
    write(fd, "text\n", 5);
    close(fd);
    execl(path, "x", (char *)0);
    printf("exec text: ENOEXEC %d\n", errno == ENOEXEC);
    fd = open(path, O_WRONLY | O_TRUNC);
    snprintf(line, sizeof line, "#! %s -x\n", self);
    write(fd, line, strlen(line));
    close(fd);
    char *script[] = {"ignored", "arg", 0};
    run(path, script, environ);
    unlink(path);
    rmdir(dir);
    fd = open(self, O_RDONLY);
    c = fork();
    if (!c) {
        char *status4[] = {"any", "status", "4", 0};
        fexecve(fd, status4, environ);
        _exit(97);
    }
    printf("exec by descriptor: %d\n", wait_for(c));
    printf("shell: %d\n", WEXITSTATUS(system("exit 6")));
    char exe[300];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = 0;
    printf("own name: %d\n", !strcmp(exe, self));
    FILE *p = popen("echo done", "r");
    char text[20] = "";
    fgets(text, sizeof text, p);
    pclose(p);
    printf("orphan pipe: %s", text);
    struct { uint64_t flags, pidfd, ctid, ptid, sig, stack, size, tls, a, b, cg; } ca = {0};
    ca.sig = SIGCHLD;
    c = syscall(SYS_clone3, &ca, sizeof ca);
    if (!c)
        _exit(8);
    printf("clone3: %d\n", wait_for(c));
    int good = 0;
    for (int i = 0; i < 50; i++) {
        c = fork();
        if (!c)
            _exit(i);
        good += wait_for(c) == i;
    }
    printf("many: %d\n", good);
    return 0;
}
