/* expect
end of a child told as an illegal instruction 1
*/
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int told, enough;
static void on_ill(int s) { told = 1; }
static void *nothing(void *a) { return 0; }
static void *makes_threads(void *set)
{
    pthread_sigmask(SIG_UNBLOCK, set, 0);
    for (pthread_t t; !enough;)
        if (pthread_create(&t, 0, nothing, 0) == 0)
            pthread_join(t, 0);
    return 0;
}

/* A signal that looks like a fault, for whichever thread does not block it: often one that just starts. */
int main(void)
{
    sigset_t set;
    pthread_t t;
    sigemptyset(&set);
    sigaddset(&set, SIGILL);
    pthread_sigmask(SIG_BLOCK, &set, 0);
    signal(SIGILL, on_ill);
    pthread_create(&t, 0, makes_threads, &set);
    for (int i = 0; i < 300; i++) {
        pid_t pid = syscall(SYS_clone, SIGILL, 0, 0, 0, 0);
        if (pid == 0)
            syscall(SYS_exit_group, 0);
        waitpid(pid, 0, __WALL);
    }
    enough = 1;
    pthread_join(t, 0);
    printf("end of a child told as an illegal instruction %d\n", told);
    return 0;
}
