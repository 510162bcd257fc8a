/* Prints what calls return. The same program, native and translated, must print the same text. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A line of facts, out at once so that forks do not repeat it. */
#define SAY(...)             \
    do {                     \
        printf(__VA_ARGS__); \
        fflush(stdout);      \
    } while (0)

/* The call's text, its result and its error. */
#define R(call)                                                                   \
    ({                                                                            \
        errno = 0;                                                                \
        long result_ = (long)(call);                                              \
        int error_ = errno;                                                       \
        SAY("%-60.90s %ld %s\n", #call, result_, result_ < 0 ? strerror(error_) : ""); \
        result_;                                                                  \
    })

/* An address where nothing is mapped. */
#define BAD ((void *)8)

void files(void);
void descriptors(void);
void memory(void);
void signals(void);
void processes(void);
void sockets(void);
void ipc(void);
void threads(void);
void system_calls(void);
void uring(void);
