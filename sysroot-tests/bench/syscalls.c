/* Pairs of getppid and a one-byte read. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
    long pairs = argc > 1 ? atol(argv[1]) : 1000000;
    int fd = open("/dev/zero", O_RDONLY);
    char byte;
    for (long i = 0; i < pairs; i++) {
        syscall(SYS_getppid);
        if (read(fd, &byte, 1) != 1) return 1;
    }
    return 0;
}
