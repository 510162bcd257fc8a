#include "probe.h"
#include <dirent.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>

static void reading_and_writing(int fd) {
    char b[256] = {0};
    struct iovec iv[2] = {{b, 3}, {b + 10, 50}};
    R(write(fd, "hello world", 11));
    R(lseek(fd, 0, SEEK_SET));
    R(read(fd, b, 5));
    R(pread(fd, b, 100, 6));
    SAY("[%s]\n", b);
    R(preadv(fd, iv, 2, 1));
    R(pwritev(fd, iv, 1, 20));
    R(pwritev2(fd, iv, 1, 30, RWF_DSYNC));
    R(ftruncate(fd, 100));
    R(lseek(fd, -1, SEEK_SET));
    R(fallocate(fd, 0, 0, 8192));
    R(fsync(fd));
    R(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM));
    R(write(fd, BAD, 4));
    R(read(fd, BAD, 4));
    R(readv(fd, BAD, 4));
}

static void status(int fd) {
    struct stat st;
    struct statx sx;
    struct statfs sf;
    R(fstat(fd, &st));
    SAY("size %ld mode %o links %ld block %ld regular %d\n", (long)st.st_size, st.st_mode, (long)st.st_nlink, (long)st.st_blksize,
        S_ISREG(st.st_mode));
    R(utimensat(AT_FDCWD, "f", (struct timespec[]){{100, 5}, {200, 6}}, 0));
    R(stat("f", &st));
    SAY("times %ld.%ld %ld.%ld\n", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec, (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    R(stat("/dev/null", &st));
    SAY("device %lx character %d\n", (long)st.st_rdev, S_ISCHR(st.st_mode));
    R(statx(AT_FDCWD, "f", 0, STATX_ALL, &sx));
    SAY("statx %o %llu %lld.%u\n", sx.stx_mode, (unsigned long long)sx.stx_size, (long long)sx.stx_mtime.tv_sec, sx.stx_mtime.tv_nsec);
    R(statfs(".", &sf));
    SAY("block %ld longest name %ld\n", (long)sf.f_bsize, (long)sf.f_namelen);
    R(fstat(999, &st));
    R(stat(BAD, &st));
    R(syscall(SYS_fstat, fd, BAD));
}

static void names(int fd) {
    char b[256];
    struct stat st;
    R(symlink("f", "l"));
    R(lstat("l", &st));
    SAY("link %d\n", S_ISLNK(st.st_mode));
    R(readlink("l", b, 100));
    R(readlink("f", b, 100));
    R(open("l", O_RDONLY | O_NOFOLLOW));
    R(open("f", O_RDONLY | O_DIRECTORY));
    R(open(".", O_RDWR));
    R(open("f", O_RDWR | O_CREAT | O_EXCL, 0640));
    R(link("f", "g"));
    R(rename("g", "gg"));
    R(renameat2(AT_FDCWD, "f", AT_FDCWD, "gg", RENAME_NOREPLACE));
    R(mkdir("d", 0755));
    R(mkdir("d", 0755));
    R(mkfifo("d/p", 0600));
    R(rmdir("d"));
    R(unlink("d/p"));
    R(rmdir("d"));
    R(access("missing", R_OK));
    R(faccessat(AT_FDCWD, "f", W_OK, AT_EACCESS));
    R(chmod("f", 0600));
    R(unlink("l"));
    R(unlink("gg"));
    R(umask(022));
    R(getcwd(b, 3) != NULL);
    R(chdir("missing"));
    int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    R(fcntl(dir, F_GETFL) & O_DIRECTORY ? 1 : 0);
    R(fchmodat(dir, "f", 0644, 0));
    struct open_how how = {.flags = O_RDONLY | O_NOFOLLOW, .resolve = RESOLVE_BENEATH};
    int fd2 = syscall(SYS_openat2, dir, "f", &how, sizeof how);
    SAY("openat2 %d\n", fd2 >= 0);
    R(close(fd2));
    how.flags = 1ull << 40;
    R(syscall(SYS_openat2, dir, "f", &how, sizeof how));
    int tmp = open(".", O_TMPFILE | O_RDWR, 0600);
    SAY("nameless %d\n", tmp >= 0);
    R(close(tmp));
    R(close(dir));
    R(setxattr("f", "user.a", "v", 1, 0));
    R(getxattr("f", "user.a", b, 100));
    R(getxattr("f", "user.b", b, 100));
    R(listxattr("f", b, 100));
    R(removexattr("f", "user.a"));
    (void)fd;
}

static void directories(void) {
    char name[32];
    for (int i = 0; i < 300; i++) {
        sprintf(name, "entry-%d", i);
        close(open(name, O_CREAT | O_WRONLY, 0600));
    }
    DIR *dir = opendir(".");
    int n = 0, types = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        n++;
        types += e->d_type == DT_REG;
    }
    SAY("%d entries, %d regular\n", n, types);
    rewinddir(dir);
    n = 0;
    while (readdir(dir)) n++;
    SAY("%d entries again\n", n);
    closedir(dir);
    for (int i = 0; i < 300; i++) {
        sprintf(name, "entry-%d", i);
        unlink(name);
    }
}

static void watching(void) {
    char b[4096];
    int in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    R(inotify_add_watch(in, ".", IN_CREATE | IN_DELETE));
    close(open("seen", O_CREAT | O_WRONLY, 0600));
    unlink("seen");
    R(read(in, b, sizeof b));
    SAY("%s %x\n", ((struct inotify_event *)b)->name, ((struct inotify_event *)b)->mask);
    R(read(in, b, sizeof b));
    R(close(in));
}

void files(void) {
    int fd = open("f", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    SAY("file %d\n", fd >= 0);
    reading_and_writing(fd);
    status(fd);
    names(fd);
    directories();
    watching();
    R(close(fd));
    R(unlink("f"));
}
