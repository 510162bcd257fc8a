#include "probe.h"

int main(int argc, char **argv) {
    if (argc > 1) { /* as `processes` executes it */
        SAY("executed with %d arguments, last \"%s\", PROBE=%s\n", argc, argv[argc - 1], getenv("PROBE"));
        return 7;
    }
    char dir[] = "/tmp/remu-probe-XXXXXX";
    if (!mkdtemp(dir) || chdir(dir)) {
        perror(dir);
        return 1;
    }
    files();
    descriptors();
    memory();
    signals();
    processes();
    sockets();
    ipc();
    threads();
    system_calls();
    uring();
    chdir("/");
    return R(rmdir(dir)) == 0 ? 5 : 1;
}
