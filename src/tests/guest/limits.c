/* expect
limits over exec 1
landlock: write refused 1, read elsewhere refused 1, here 1
landlock: executes what it may 7, not what it may not 13
may not be executed 13
*/
/* Limits that runners hand on, and landlock(7), which binds the runner as well. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int run(const char *path, const char *arg)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl(path, path, arg, NULL);
        _exit(errno);
    }
    int status;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void copy(const char *from, const char *to)
{
    static char data[1 << 22];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    ssize_t n = read(in, data, sizeof data);
    write(out, data, n);
    close(in);
    close(out);
}

static void allow(int set, const char *path, uint64_t what)
{
    struct landlock_path_beneath_attr a = { .allowed_access = what, .parent_fd = open(path, O_PATH) };
    if (syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &a, 0))
        perror("landlock_add_rule");
    close(a.parent_fd);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, 0, _IONBF, 0);
    struct rlimit r;
    if (argc > 1 && !strcmp(argv[1], "limits")) {
        getrlimit(RLIMIT_AS, &r);
        int as = r.rlim_cur == 1ull << 40 && r.rlim_max == 1ull << 41;
        getrlimit(RLIMIT_DATA, &r);
        return as && r.rlim_cur == 1ull << 39;
    }
    if (argc > 1)
        return 7;
    if (fork() == 0) {
        r = (struct rlimit){ 1ull << 40, 1ull << 41 };
        setrlimit(RLIMIT_AS, &r);
        r.rlim_cur = 1ull << 39;
        setrlimit(RLIMIT_DATA, &r);
        printf("limits over exec %d\n", run("/proc/self/exe", "limits"));
        _exit(0);
    }
    wait(NULL);

    char dir[] = "/tmp/remu-limits-XXXXXX", good[64], bad[64], data[64], noexec[64];
    mkdtemp(dir);
    sprintf(good, "%s/good", dir);
    sprintf(bad, "%s/bad", dir);
    sprintf(data, "%s/data", dir);
    sprintf(noexec, "%s/noexec", dir);
    copy("/proc/self/exe", good);
    copy("/proc/self/exe", bad);
    copy("/proc/self/exe", noexec);
    chmod(noexec, 0644);
    close(open(data, O_WRONLY | O_CREAT, 0644));
    pid_t pid = fork();
    if (pid == 0) {
        struct landlock_ruleset_attr attr = {
            .handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE,
        };
        int set = syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
        allow(set, dir, LANDLOCK_ACCESS_FS_READ_FILE);
        allow(set, good, LANDLOCK_ACCESS_FS_EXECUTE);
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (syscall(SYS_landlock_restrict_self, set, 0))
            perror("landlock_restrict_self");
        int w = open(data, O_WRONLY), we = errno;
        int e = open("/etc/passwd", O_RDONLY), ee = errno;
        printf("landlock: write refused %d, read elsewhere refused %d, here %d\n", w < 0 && we == EACCES,
               e < 0 && ee == EACCES, open(data, O_RDONLY) >= 0);
        printf("landlock: executes what it may %d,", run(good, "x"));
        printf(" not what it may not %d\n", run(bad, "x"));
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    printf("may not be executed %d\n", run(noexec, "x"));
    unlink(good);
    unlink(bad);
    unlink(noexec);
    unlink(data);
    rmdir(dir);
    return 0;
}
