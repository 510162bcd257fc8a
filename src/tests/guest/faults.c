/* expect
null: 11 code 1 addr 1
read-only: 11 code 2 addr 1
execute data: 11 code 2 addr 1 pc 1
execute nothing: 11 code 1 addr 1
beyond file: 7 code 2 addr 1
illegal: 4 pc 1
trap: 5
return from handler: 5
flags after a repaired fault: 1 0
stack overflow: 11
call with bad pointer: EFAULT 1
default: 11
ignored still kills: 11
blocked still kills: 11
abort: 6
*/
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static sigjmp_buf back;
static siginfo_t last;
static unsigned long pc;
static char *volatile page;
#if defined(__riscv)
#define PC(u) ((u)->uc_mcontext.__gregs[REG_PC])
#define ILLEGAL ".4byte 0xffffffff"
#define TRAP "ebreak"
#elif defined(__aarch64__)
#define PC(u) ((u)->uc_mcontext.pc)
#define ILLEGAL ".4byte 0x00000000"
#define TRAP "brk #0"
#endif

static void jump(int s, siginfo_t *i, void *u)
{
    last = *i;
    pc = PC((ucontext_t *)u);
    siglongjmp(back, s);
}
static void open_page(int s, siginfo_t *i, void *u) { mprotect(page, 4096, PROT_READ | PROT_WRITE); }
static void set(int s, void (*f)(int, siginfo_t *, void *), int flags)
{
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_sigaction = f;
    sa.sa_flags = SA_SIGINFO | flags;
    sigaction(s, &sa, 0);
}
/* Whether a > b, with a store between the comparison and what is made of it. */
static long greater(long a, long b, char *p)
{
#if defined(__aarch64__)
    long r;
    asm volatile("cmp %1, %2\n\tstrb wzr, [%3]\n\tcset %0, gt\n\tcmp %0, %0" : "=&r"(r) : "r"(a), "r"(b), "r"(p) : "cc", "memory");
    return r;
#else
    *(volatile char *)p = 0;
    return a > b;
#endif
}
static int deep(int n) { volatile char a[1000]; a[n % 1000] = n; return deep(n + 1) + a[5]; }
static int death(void (*f)(void))
{
    int st;
    pid_t c = fork();
    if (!c) {
        f();
        _exit(0);
    }
    waitpid(c, &st, 0);
    return WIFSIGNALED(st) ? WTERMSIG(st) : 0;
}
static void by_default(void) { signal(SIGSEGV, SIG_DFL); *(volatile char *)8 = 1; }
static void ignored(void) { signal(SIGSEGV, SIG_IGN); *(volatile char *)8 = 1; }
static void blocked(void)
{
    sigset_t s;
    sigfillset(&s);
    sigprocmask(SIG_BLOCK, &s, 0);
    *(volatile char *)8 = 1;
}

int main(void)
{
    setvbuf(stdout, 0, _IONBF, 0);
    for (int s = 1; s < 12; s++)
        if (s == SIGSEGV || s == SIGBUS || s == SIGILL || s == SIGTRAP)
            set(s, jump, SA_ONSTACK);
    int s;
    if (!(s = sigsetjmp(back, 1)))
        *(volatile int *)24 = 1;
    printf("null: %d code %d addr %d\n", s, last.si_code, last.si_addr == (void *)24);
    char *p = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page = p;
    if (!(s = sigsetjmp(back, 1)))
        p[100] = 1;
    printf("read-only: %d code %d addr %d\n", s, last.si_code, last.si_addr == p + 100);
    if (!(s = sigsetjmp(back, 1)))
        ((void (*)(void))p)();
    printf("execute data: %d code %d addr %d pc %d\n", s, last.si_code, last.si_addr == p, pc == (unsigned long)p);
    if (!(s = sigsetjmp(back, 1)))
        ((void (*)(void))4096)();
    printf("execute nothing: %d code %d addr %d\n", s, last.si_code, last.si_addr == (void *)4096);
    FILE *f = tmpfile();
    char *q = mmap(0, 4096, PROT_READ, MAP_SHARED, fileno(f), 0);
    if (!(s = sigsetjmp(back, 1)))
        *(volatile char *)(q + 5);
    printf("beyond file: %d code %d addr %d\n", s, last.si_code, last.si_addr == q + 5);
    if (!(s = sigsetjmp(back, 1)))
        asm volatile(ILLEGAL);
    printf("illegal: %d pc %d\n", s, (unsigned long)last.si_addr == pc);
    if (!(s = sigsetjmp(back, 1)))
        asm volatile(TRAP);
    printf("trap: %d\n", s);
    set(SIGSEGV, open_page, 0);
    p[7] = 5;
    printf("return from handler: %d\n", p[7]);
    mprotect(page, 4096, PROT_READ);
    int more = greater(2, 1, page);
    mprotect(page, 4096, PROT_READ);
    int less = greater(1, 2, page);
    printf("flags after a repaired fault: %d %d\n", more, less);
    stack_t ss = {.ss_sp = malloc(65536), .ss_size = 65536};
    sigaltstack(&ss, 0);
    set(SIGSEGV, jump, SA_ONSTACK);
    if (!(s = sigsetjmp(back, 1)))
        deep(0);
    printf("stack overflow: %d\n", s);
    int fd[2];
    pipe(fd);
    printf("call with bad pointer: EFAULT %d\n", write(fd[1], (void *)8, 4) == -1 && errno == EFAULT);
    printf("default: %d\n", death(by_default));
    printf("ignored still kills: %d\n", death(ignored));
    printf("blocked still kills: %d\n", death(blocked));
    printf("abort: %d\n", death(abort));
    return 0;
}
