#include "probe.h"
#include <stdint.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/uio.h>

void memory(void) {
    char b[16] = {0};
    int fd = memfd_create("m", 0);
    R(ftruncate(fd, 8192));
    char *m = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
    strcpy(m, "shared");
    R(pread(fd, b, 7, 4096));
    SAY("%s\n", b);
    R(msync(m, 4096, MS_SYNC));
    R(mprotect(m, 4096, PROT_READ));
    R(read(fd, m, 1));
    R(munmap(m, 4096));
    R(munmap((char *)m + 1, 4096));
    R(mmap(0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    R(mmap(0, 4096, PROT_READ, MAP_PRIVATE, 999, 0) == MAP_FAILED);
    R(mmap(0, 4096, PROT_READ, MAP_PRIVATE, fd, 1) == MAP_FAILED);

    m = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    m[0] = 7;
    R(mmap(m, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED);
    R(mmap(m + 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == m + 4096);
    R(munmap(m + 8192, 4096));
    R(mprotect(m, 3 * 4096, PROT_READ));
    R(mprotect(m, 4096, PROT_READ | PROT_WRITE));
    m = mremap(m, 4096, 65536, MREMAP_MAYMOVE);
    SAY("moved %d\n", m[0]);
    R(mremap(m, 65536, 4096, 0) == m);
    R(mremap(m + 65536, 4096, 8192, 0) == MAP_FAILED);
    R(madvise(m, 4096, MADV_DONTNEED));
    SAY("%d\n", m[0]);
    unsigned char present[4];
    R(mincore(m, 4096, present));
    R(mlock(m, 4096));
    R(madvise(m, 4096, 4711));
    R(munmap(m, 4096));

    void *top = sbrk(0);
    R(sbrk(10000) == top);
    memset(top, 1, 10000);
    R(sbrk(-10000) != (void *)-1);
    R(sbrk(0) == top);

    char x = 5, y = 0;
    struct iovec here = {&y, 1}, there = {&x, 1};
    R(process_vm_readv(getpid(), &here, 1, &there, 1, 0));
    SAY("%d\n", y);

    int id = shmget(IPC_PRIVATE, 4096, 0600);
    char *s = shmat(id, 0, 0);
    s[5] = 9;
    struct shmid_ds ds;
    R(shmctl(id, IPC_STAT, &ds));
    SAY("segment %lu attached %lu\n", (unsigned long)ds.shm_segsz, (unsigned long)ds.shm_nattch);
    R(shmdt(s));
    R(shmdt(s));
    R(shmctl(id, IPC_RMID, 0));
    R(close(fd));
}
