/* expect
header 1 named in maps 1
functions found 4 absent 0
clock agrees 1 bad clock -22
time of day agrees 1
resolution agrees 1
handler returns through it 1
*/
/* Looks functions up in the vdso as C libraries do: hash table, symbols, version. */
#define _GNU_SOURCE
#include <elf.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#if defined(__riscv)
#define PREFIX "__vdso_"
#define VERSION "LINUX_4.15"
#else
#define PREFIX "__kernel_"
#define VERSION "LINUX_2.6.39"
#endif

static char *base;
static size_t size;

static void *find(const char *name)
{
    Elf64_Ehdr *e = (Elf64_Ehdr *)base;
    Elf64_Phdr *ph = (Elf64_Phdr *)(base + e->e_phoff);
    Elf64_Dyn *dyn = NULL;
    for (int i = 0; i < e->e_phnum; i++) {
        if (ph[i].p_type == PT_DYNAMIC)
            dyn = (Elf64_Dyn *)(base + ph[i].p_vaddr);
        if (ph[i].p_type == PT_LOAD)
            size = ph[i].p_memsz;
    }
    uint32_t *hash = NULL;
    Elf64_Sym *sym = NULL;
    char *str = NULL;
    uint16_t *versym = NULL;
    Elf64_Verdef *def = NULL;
    for (; dyn->d_tag; dyn++) {
        char *at = base + dyn->d_un.d_ptr;
        switch (dyn->d_tag) {
        case DT_HASH: hash = (uint32_t *)at; break;
        case DT_SYMTAB: sym = (Elf64_Sym *)at; break;
        case DT_STRTAB: str = at; break;
        case DT_VERSYM: versym = (uint16_t *)at; break;
        case DT_VERDEF: def = (Elf64_Verdef *)at; break;
        }
    }
    for (uint32_t i = hash[2]; i; i = hash[2 + hash[0] + i]) {
        if (strcmp(str + sym[i].st_name, name))
            continue;
        Elf64_Verdef *d = def;
        while (d->vd_ndx != versym[i] && d->vd_next)
            d = (Elf64_Verdef *)((char *)d + d->vd_next);
        Elf64_Verdaux *aux = (Elf64_Verdaux *)((char *)d + d->vd_aux);
        if (d->vd_ndx == versym[i] && !strcmp(str + aux->vda_name, VERSION))
            return base + sym[i].st_value;
    }
    return NULL;
}

static char *returns_to;

static void handler(int sig)
{
    returns_to = __builtin_return_address(0);
}

int main(void)
{
    base = (char *)getauxval(AT_SYSINFO_EHDR);
    char line[512];
    int named = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps))
        named += strtoull(line, NULL, 16) == (uintptr_t)base && strstr(line, " r-xp ") && strstr(line, "[vdso]");
    printf("header %d named in maps %d\n", base && !memcmp(base, ELFMAG, SELFMAG), named);
    int (*gettime)(int, struct timespec *) = find(PREFIX "clock_gettime");
    int (*getres)(int, struct timespec *) = find(PREFIX "clock_getres");
    int (*tod)(struct timeval *, void *) = find(PREFIX "gettimeofday");
    char *sigreturn = find(PREFIX "rt_sigreturn");
    printf("functions found %d absent %d\n", !!gettime + !!getres + !!tod + !!sigreturn, !!find(PREFIX "none"));
    struct timespec a, b, c;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &a);
    int r = gettime(CLOCK_MONOTONIC, &b);
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &c);
#define NS(t) ((t).tv_sec * 1000000000ll + (t).tv_nsec)
    printf("clock agrees %d bad clock %d\n", r == 0 && NS(a) <= NS(b) && NS(b) <= NS(c), gettime(77, &b));
    struct timeval tv;
    r = tod(&tv, NULL);
    printf("time of day agrees %d\n", r == 0 && llabs(tv.tv_sec - time(NULL)) <= 1);
    r = getres(CLOCK_MONOTONIC, &a);
    printf("resolution agrees %d\n", r == 0 && a.tv_sec == 0 && a.tv_nsec == 1);
    struct sigaction sa = { .sa_handler = handler };
    sigaction(SIGUSR1, &sa, NULL);
    raise(SIGUSR1);
    printf("handler returns through it %d\n", returns_to == sigreturn && sigreturn < base + size);
    return 0;
}
