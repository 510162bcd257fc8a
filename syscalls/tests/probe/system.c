#include "probe.h"
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/utsname.h>

void system_calls(void) {
    char b[4096];
    struct utsname u;
    struct sysinfo si;
    struct timespec t, t2;
    struct timeval tv;
    R(uname(&u));
    SAY("%s\n", u.sysname);
    R(sysinfo(&si));
    SAY("memory %d\n", si.totalram > 0);
    R(getrandom(b, 16, 0));
    R(getrandom(b, 16, 0xff00));
    R(clock_getres(CLOCK_MONOTONIC, &t));
    SAY("%ld\n", t.tv_nsec);
    R(clock_gettime(CLOCK_MONOTONIC, &t));
    R(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t2));
    R(clock_gettime(4711, &t));
    R(syscall(SYS_clock_gettime, CLOCK_REALTIME, BAD));
    R(gettimeofday(&tv, 0));
    R(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0));
    R(clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){0, 2000000000}, 0));
    R(sysconf(_SC_PAGESIZE));
    R(syscall(5000));
    int fd = open("/proc/self/cmdline", O_RDONLY);
    long n = read(fd, b, sizeof b);
    SAY("own name is the first argument %d\n", n > 0 && strstr(b, "probe") != 0);
    close(fd);
    FILE *maps = fopen("/proc/self/maps", "r");
    int own = 0, stack = 0;
    while (fgets(b, sizeof b, maps)) {
        unsigned long from, to;
        sscanf(b, "%lx-%lx", &from, &to);
        own += (unsigned long)system_calls >= from && (unsigned long)system_calls < to;
        stack += (unsigned long)&fd >= from && (unsigned long)&fd < to && strstr(b, "[stack]");
    }
    fclose(maps);
    SAY("maps show the code %d and the stack %d\n", own, stack);
    fd = open("/proc/self/auxv", O_RDONLY);
    unsigned long auxv[64] = {0};
    read(fd, auxv, sizeof auxv);
    close(fd);
    for (int i = 0; i < 64 && auxv[i]; i += 2)
        if (auxv[i] == 6) SAY("page size %lu\n", auxv[i + 1]);
}
