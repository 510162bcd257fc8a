/* expect
script: 3 arguments: -x with spaces, script, last
script of a script: 3 arguments: -x with spaces, script, outer
no interpreter: ENOENT 1
endless: ELOOP 1
no program: ENOEXEC 1
host's program: 4
by descriptor: 7
script by descriptor: 3 arguments: -x with spaces, fd, more
script by a closed descriptor: ENOENT 1
by folder: 7
link not followed: ELOOP 1
argument list empty: 0
not for reading, as nobody: 1
too long: E2BIG 1
*/
/* Every kind of file that execve(2) and execveat(2) take. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/remu-exec-XXXXXX";
extern char **environ;

static char *at(const char *name)
{
    static char path[8][128];
    static int n;
    char *p = path[n++ % 8];
    sprintf(p, "%s/%s", dir, name);
    return p;
}

static char *file(const char *name, const char *text, int mode)
{
    int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC, 0700);
    write(fd, text, strlen(text));
    close(fd);
    chmod(at(name), mode);
    return at(name);
}

/* The status of a child that executes, or the error as 100 and more. */
static int run(int dirfd, const char *path, int flags, char *const argv[])
{
    pid_t pid = fork();
    if (pid == 0) {
        syscall(SYS_execveat, dirfd, path, argv, environ, flags);
        _exit(100 + errno);
    }
    int status;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int simply(const char *path, char *arg)
{
    char *argv[] = { "name", arg, NULL };
    return run(AT_FDCWD, path, 0, argv);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, 0, _IONBF, 0);
    if (argc == 0)
        return 0;
    if (argc == 4) {
        char *third = strrchr(argv[3], '/');
        printf("%d arguments: %s, %s, %s\n", argc - 1, argv[1],
               strncmp(argv[2], "/dev/fd/", 8) ? strrchr(argv[2], '/') + 1 : "fd", third ? third + 1 : argv[3]);
        return 0;
    }
    if (argc > 1 || !strcmp(argv[0], "seven"))
        return 7;
    if (!strcmp(argv[0], ""))
        return 0;
    mkdtemp(dir);
    chmod(dir, 0755);
    char self[256], text[512];
    self[readlink("/proc/self/exe", self, 255)] = 0;
    sprintf(text, "#!  %s   -x with spaces  \n", self);
    file("script", text, 0755);
    printf("script: ");
    simply(at("script"), "last");
    /* What the second line hands on is the first script's name. */
    sprintf(text, "#!%s\n", at("script"));
    file("outer", text, 0755);
    sprintf(text, "#!%s -x with spaces\n", self);
    file("script", text, 0755);
    printf("script of a script: ");
    simply(at("outer"), NULL);
    printf("no interpreter: ENOENT %d\n", simply(file("none", "#!/nowhere/at/all\n", 0755), "x") == 100 + ENOENT);
    sprintf(text, "#!%s\n", at("endless"));
    printf("endless: ELOOP %d\n", simply(file("endless", text, 0755), "x") == 100 + ELOOP);
    printf("no program: ENOEXEC %d\n", simply(file("text", "just text\n", 0755), "x") == 100 + ENOEXEC);
    char *shell[] = { "sh", "-c", "exit 4", NULL };
    printf("host's program: %d\n", run(AT_FDCWD, "/bin/sh", 0, shell));
    char *seven[] = { "seven", NULL };
    int fd = open(self, O_RDONLY | O_CLOEXEC);
    printf("by descriptor: %d\n", run(fd, "", AT_EMPTY_PATH, seven));
    int s = open(at("script"), O_RDONLY);
    printf("script by descriptor: ");
    char *more[] = { "name", "more", NULL };
    run(s, "", AT_EMPTY_PATH, more);
    close(s);
    s = open(at("script"), O_RDONLY | O_CLOEXEC);
    printf("script by a closed descriptor: ENOENT %d\n", run(s, "", AT_EMPTY_PATH, more) == 100 + ENOENT);
    symlink(self, at("link"));
    int folder = open(dir, O_RDONLY | O_DIRECTORY);
    printf("by folder: %d\n", run(folder, "link", 0, seven));
    printf("link not followed: ELOOP %d\n", run(folder, "link", AT_SYMLINK_NOFOLLOW, seven) == 100 + ELOOP);
    char *nothing[] = { NULL };
    printf("argument list empty: %d\n", run(AT_FDCWD, self, 0, nothing));
    /* The kernel runs it; a runner that the kernel does not know cannot open it. */
    sprintf(text, "cp %s %s; chmod 711 %s", self, at("secret"), at("secret"));
    system(text);
    pid_t pid = fork();
    if (pid == 0) {
        setresuid(65534, 65534, 65534);
        int r = simply(at("secret"), "x");
        _exit(r == 7 || r == 100 + EACCES);
    }
    int status;
    waitpid(pid, &status, 0);
    printf("not for reading, as nobody: %d\n", WEXITSTATUS(status));
    static char big[200000];
    memset(big, 'a', sizeof big - 1);
    printf("too long: E2BIG %d\n", simply(self, big) == 100 + E2BIG);
    sprintf(text, "rm -rf %s", dir);
    system(text);
    return 0;
}
