#include "probe.h"
#include <poll.h>
#include <pty.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <termios.h>

static void flags_and_locks(void) {
    int fd = open("locked", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    R(fcntl(fd, F_GETFD));
    R(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK));
    R(fcntl(fd, F_GETFL) & (O_APPEND | O_NONBLOCK | O_ACCMODE));
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
    R(fcntl(fd, F_SETLK, &lock));
    lock.l_type = F_RDLCK;
    R(fcntl(fd, F_OFD_GETLK, &lock));
    SAY("lock %d %ld\n", lock.l_type, (long)lock.l_len);
    R(fcntl(fd, F_GETLK, BAD));
    R(fcntl(fd, 4711, 0));
    R(flock(fd, LOCK_EX | LOCK_NB));
    R(dup2(fd, 50));
    R(dup3(fd, fd, 0));
    R(dup3(fd, 51, O_CLOEXEC));
    R(fcntl(51, F_GETFD));
    R(fcntl(fd, F_DUPFD_CLOEXEC, 60));
    R(syscall(SYS_close_range, 50, 60, 0));
    R(fcntl(50, F_GETFD));
    R(close(999));
    R(isatty(fd));
    R(ioctl(fd, FIOCLEX));
    R(close(fd));
    R(unlink("locked"));
}

static void pipes(void) {
    char b[256];
    int a[2], c[2], available;
    R(pipe2(a, O_NONBLOCK | O_CLOEXEC));
    R(pipe(c));
    R(read(a[0], b, 1));
    R(fcntl(a[1], F_GETPIPE_SZ));
    R(write(a[1], "abc", 3));
    R(ioctl(a[0], FIONREAD, &available));
    SAY("available %d\n", available);
    R(tee(a[0], c[1], 2, 0));
    R(splice(a[0], 0, c[1], 0, 3, 0));
    R(read(c[0], b, 100));
    R(close(c[0]));
    signal(SIGPIPE, SIG_IGN);
    R(write(c[1], "x", 1));
    R(close(c[1]));
    R(pipe2(c, O_DIRECT));
    R(fcntl(c[0], F_GETFL) & O_DIRECT ? 1 : 0);
    R(pipe2(c, 0x4));
    R(pipe(BAD));
}

static void waiting(void) {
    int p[2];
    pipe(p);
    struct pollfd pf[2] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}};
    R(poll(pf, 2, 0));
    SAY("events %x %x\n", pf[0].revents, pf[1].revents);
    R(poll(pf, 1, 2));
    fd_set set;
    FD_ZERO(&set);
    FD_SET(p[0], &set);
    struct timeval tv = {0, 1000};
    R(select(p[0] + 1, &set, 0, 0, &tv));
    SAY("left %ld.%ld\n", (long)tv.tv_sec, (long)tv.tv_usec);
    sigset_t none;
    sigemptyset(&none);
    struct timespec ts = {0, 1000};
    R(pselect(0, 0, 0, 0, &ts, &none));
    R(ppoll(pf, 1, &ts, &none));
    R(ppoll(BAD, 1, &ts, &none));

    int ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {EPOLLOUT | EPOLLET, {.u64 = 0x1234567890abcdefULL}}, out[200];
    R(epoll_ctl(ep, EPOLL_CTL_ADD, p[1], &ev));
    ev.events = EPOLLIN;
    ev.data.u64 = 42;
    R(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev));
    R(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev));
    write(p[1], "x", 1);
    R(epoll_wait(ep, out, 200, 10));
    for (int i = 0; i < 2; i++) SAY("event %x %llx\n", out[i].events, (unsigned long long)out[i].data.u64);
    R(epoll_pwait(ep, out, 200, 1, &none));
    R(epoll_wait(ep, out, 0, 1));
    R(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], BAD));
    R(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], 0));

    uint64_t v = 0;
    int ef = eventfd(3, EFD_NONBLOCK);
    R(read(ef, &v, 8));
    R(read(ef, &v, 8));
    int tf = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec its = {{0, 0}, {0, 1000000}};
    R(timerfd_settime(tf, 0, &its, 0));
    R(read(tf, &v, 8));
    SAY("expired %lu\n", (unsigned long)v);
    R(timerfd_gettime(tf, &its));
}

static void copies_in_the_kernel(void) {
    char b[32] = {0};
    int mf = memfd_create("x", MFD_ALLOW_SEALING), other = memfd_create("y", 0);
    R(write(mf, "0123456789", 10));
    R(copy_file_range(mf, (off_t[]){2}, other, (off_t[]){0}, 5, 0));
    R(pread(other, b, 32, 0));
    SAY("[%s]\n", b);
    off_t at = 4;
    R(sendfile(other, mf, &at, 3));
    SAY("offset %ld\n", (long)at);
    R(fcntl(mf, F_ADD_SEALS, F_SEAL_GROW));
    R(fcntl(mf, F_GET_SEALS));
    R(ftruncate(mf, 100));
}

static void terminals(void) {
    int leader, follower;
    char name[64];
    R(openpty(&leader, &follower, name, 0, 0));
    struct termios t;
    R(tcgetattr(follower, &t));
    SAY("flags %x %x %x %x erase %d\n", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag, t.c_cc[VERASE]);
    t.c_lflag &= ~(ECHO | ICANON);
    R(tcsetattr(follower, TCSANOW, &t));
    struct winsize size = {24, 80, 0, 0};
    R(ioctl(follower, TIOCSWINSZ, &size));
    size.ws_row = 0;
    R(ioctl(leader, TIOCGWINSZ, &size));
    SAY("%d rows\n", size.ws_row);
    R(isatty(follower));
    R(write(leader, "k", 1));
    char c = 0;
    R(read(follower, &c, 1));
    R(tcdrain(leader));
    R(ioctl(leader, 0x5555, 0));
    R(close(leader));
    R(close(follower));
}

void descriptors(void) {
    flags_and_locks();
    pipes();
    waiting();
    copies_in_the_kernel();
    terminals();
}
