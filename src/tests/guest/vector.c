/* expect
to the end of a page: 0 wrong, 0 faults
across two pages: 0 wrong, 0 faults
loads that fault: 0 wrong, 0 elsewhere, 128 faults
stores that fault: 0 wrong, 0 elsewhere, 128 faults
bytes before, below and in place: 0 wrong
*/
/* Copies of 0 to 128 bytes, by vectors where the architecture counts their elements. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, MOST = 128 };

#if defined(__riscv)
static void copy(unsigned char *to, const unsigned char *from, unsigned long n)
{
    unsigned long vl;
    asm volatile(".option push\n\t.option arch, +v\n\t"
                 "vsetvli %0, %3, e8, m8, tu, mu\n\tvle8.v v8, (%2)\n\tvse8.v v8, (%1)\n\t"
                 ".option pop"
                 : "=&r"(vl) : "r"(to), "r"(from), "r"(n) : "memory");
}
static void copy_words(unsigned char *to, const unsigned char *from, unsigned long n)
{
    unsigned long vl;
    asm volatile(".option push\n\t.option arch, +v\n\t"
                 "vsetvli %0, %3, e32, m4, tu, mu\n\tvle32.v v8, (%2)\n\tvse32.v v8, (%1)\n\t"
                 ".option pop"
                 : "=&r"(vl) : "r"(to), "r"(from), "r"(n / 4) : "memory");
}
#else
static void copy(unsigned char *to, const unsigned char *from, unsigned long n)
{
    for (unsigned long i = 0; i < n; i++)
        ((volatile unsigned char *)to)[i] = ((const volatile unsigned char *)from)[i];
}
static void copy_words(unsigned char *to, const unsigned char *from, unsigned long n)
{
    copy(to, from, n > 64 ? 64 : n & ~3ul);
}
#endif

static unsigned char *volatile shut;
static volatile int faults, elsewhere;
static void open_page(int s, siginfo_t *i, void *u)
{
    faults++;
    elsewhere += (unsigned char *)i->si_addr != shut;
    mprotect(shut, PAGE, PROT_READ | PROT_WRITE);
}
static unsigned char *pages(void)
{
    unsigned char *p = mmap(0, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(p + 2 * PAGE, PAGE, PROT_NONE);
    return p;
}
static int differs(unsigned char *to, const unsigned char *want, int n)
{
    return memcmp(to, want, n) != 0 || to[-1] != 0xee || to[n] != 0xee;
}

int main(void)
{
    unsigned char want[MOST];
    for (int i = 0; i < MOST; i++)
        want[i] = i + 1;
    struct sigaction sa = { .sa_sigaction = open_page, .sa_flags = SA_SIGINFO };
    sigaction(SIGSEGV, &sa, 0);
    unsigned char *a = pages(), *b = pages(), *end = a + 2 * PAGE, *to = b + 2 * PAGE;

    int wrong = 0;
    for (int n = 0; n <= MOST; n++) {
        memset(to - 2 * MOST, 0xee, 2 * MOST);
        memcpy(end - n, want, n);
        copy(to - n, end - n, n);
        wrong += memcmp(to - n, want, n) != 0 || to[-n - 1] != 0xee;
        copy_words(to - n, end - n, n);
    }
    printf("to the end of a page: %d wrong, %d faults\n", wrong, faults);

    wrong = 0;
    for (int n = 0; n <= MOST; n++)
        for (int before = 0; before <= n; before++) {
            unsigned char *from = a + PAGE - before, *at = b + PAGE - (n - before);
            memset(at - 1, 0xee, n + 2);
            memcpy(from, want, n);
            copy(at, from, n);
            wrong += differs(at, want, n);
        }
    printf("across two pages: %d wrong, %d faults\n", wrong, faults);

    for (int store = 0; store < 2; store++) {
        wrong = faults = elsewhere = 0;
        shut = store ? b + PAGE : a + PAGE;
        for (int n = 1; n <= MOST; n++) {
            /* The first byte that is not there is any of them. */
            int before = n * 5 % 16 % n;
            unsigned char *from = store ? a + 64 : a + PAGE - before;
            unsigned char *at = store ? b + PAGE - before : b + 64;
            memcpy(from, want, n);
            memset(at - 1, 0xee, n + 2);
            mprotect(shut, PAGE, PROT_NONE);
            copy(at, from, n);
            wrong += differs(at, want, n);
        }
        printf("%s that fault: %d wrong, %d elsewhere, %d faults\n", store ? "stores" : "loads",
               wrong, elsewhere, faults);
    }

    wrong = 0;
    for (int n = 0; n <= MOST; n++)
        for (int at = 0; at < 16; at++) {
            int words = n > 64 ? 64 : n & ~3;
            unsigned char *from = a + 64 + at, *dest = b + 64 + (at * 5 & 15);
            memset(dest - 1, 0xee, MOST + 2);
            memcpy(from, want, n);
            copy_words(dest, from, n);
            wrong += differs(dest, want, words);
        }
    printf("bytes before, below and in place: %d wrong\n", wrong);
    return 0;
}
