/* io_uring and Linux AIO, by the kernel's own interface. */
#include "probe.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What <linux/io_uring.h> of an old cross compiler lacks. */
struct sq_off { uint32_t head, tail, mask, entries, flags, dropped, array, r; uint64_t user; };
struct cq_off { uint32_t head, tail, mask, entries, overflow, cqes, flags, r; uint64_t user; };
struct params { uint32_t sq, cq, flags, cpu, idle, features, wq, resv[3]; struct sq_off s; struct cq_off c; };
struct sqe { uint8_t op, flags; uint16_t prio; int32_t fd; uint64_t off, addr; uint32_t len, rw; uint64_t data; uint64_t pad[3]; };
struct cqe { uint64_t data; int32_t res; uint32_t flags; };

static struct params p;
static int ring;
static char *sq, *cq;
static struct sqe *sqes;

#define U32(base, off) ((volatile uint32_t *)((base) + (off)))

static int make(unsigned flags)
{
    memset(&p, 0, sizeof p);
    p.flags = flags;
    ring = syscall(__NR_io_uring_setup, 8, &p);
    if (ring < 0)
        return -errno;
    sq = mmap(0, p.s.array + p.sq * 4, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, 0);
    cq = mmap(0, p.c.cqes + p.cq * 16, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, 0x8000000);
    sqes = mmap(0, p.sq * 64, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, 0x10000000);
    return 0;
}

static struct sqe *add(int op, int fd, uint64_t addr, unsigned len, uint64_t off)
{
    uint32_t tail = *U32(sq, p.s.tail), i = tail & *U32(sq, p.s.mask);
    struct sqe *e = &sqes[i];
    memset(e, 0, sizeof *e);
    e->op = op; e->fd = fd; e->addr = addr; e->len = len; e->off = off; e->data = tail;
    U32(sq, p.s.array)[i] = i;
    __atomic_store_n(U32(sq, p.s.tail), tail + 1, __ATOMIC_RELEASE);
    return e;
}

static int result(void)
{
    uint32_t head = *U32(cq, p.c.head);
    if (head == __atomic_load_n(U32(cq, p.c.tail), __ATOMIC_ACQUIRE))
        return -9999;
    struct cqe *c = (struct cqe *)(cq + p.c.cqes) + (head & *U32(cq, p.c.mask));
    int res = c->res;
    __atomic_store_n(U32(cq, p.c.head), head + 1, __ATOMIC_RELEASE);
    return res;
}

static int submit(int n, int wait)
{
    int r = syscall(__NR_io_uring_enter, ring, n, wait, wait ? 1 : 0, 0, 0);
    return r < 0 ? -errno : r;
}

static void rings(void)
{
    char name[] = "/tmp/probe-uring-XXXXXX", buf[64];
    int made = make(0);
    printf("io_uring_setup %d %u %u\n", made, p.sq, p.cq);
    if (made)
        return;
    int fd = mkstemp(name);
    add(23, fd, (uint64_t)"hello ring", 10, 0);
    printf("write %d", submit(1, 1));
    printf(" %d\n", result());
    memset(buf, 0, sizeof buf);
    add(22, fd, (uint64_t)buf, 64, 6);
    add(0, -1, 0, 0, 0);
    printf("read and nop %d", submit(2, 2));
    printf(" %d", result());
    printf(" %d %s\n", result(), buf);

    /* Flags whose values differ between processors; the entry stays as it was. */
    struct sqe *e = add(18, AT_FDCWD, (uint64_t)"/tmp", 0, 0);
    e->rw = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    struct sqe before = *e;
    printf("openat folder %d", submit(1, 1));
    int folder = result();
    printf(" %d same %d\n", folder >= 0, !memcmp(&before, e, sizeof before));
    e = add(18, AT_FDCWD, (uint64_t)name, 0, 0);
    e->rw = O_RDONLY | O_DIRECTORY;
    submit(1, 1);
    printf("openat no folder %d\n", result());
    struct { uint64_t flags, mode, resolve; } how = { O_RDONLY | O_DIRECTORY, 0, 0 };
    add(28, AT_FDCWD, (uint64_t)name, sizeof how, (uint64_t)&how);
    submit(1, 1);
    printf("openat2 no folder %d\n", result());

    /* The event is packed on one side only. */
    int ep = epoll_create1(0), ev = eventfd(1, 0);
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = 0x1122334455667788 }, got = { 0 };
    add(29, ep, (uint64_t)&event, EPOLL_CTL_ADD, ev);
    submit(1, 1);
    printf("epoll_ctl %d", result());
    int n = epoll_wait(ep, &got, 1, 0);
    printf(" %d %x %llx\n", n, got.events, (unsigned long long)got.data.u64);

    struct timespec soon = { 0, 1000000 };
    add(11, -1, (uint64_t)&soon, 1, 0);
    submit(1, 1);
    printf("timeout %d\n", result());
    add(22, -1, (uint64_t)buf, 1, 0);
    add(22, fd, 8, 1, 0);
    submit(2, 2);
    printf("bad descriptor %d", result());
    printf(" bad address %d\n", result());
    add(19, fd, 0, 0, 0);
    submit(1, 1);
    printf("close %d %d\n", result(), fcntl(fd, F_GETFD));
    unlink(name);
    close(ring);

    /* A kernel thread takes the entries. */
    if (make(2) == 0) {
        add(0, -1, 0, 0, 0);
        printf("polled %d", syscall(__NR_io_uring_enter, ring, 1, 1, 1 | 2, 0, 0) >= 0);
        printf(" %d flags %x\n", result(), p.flags);
        close(ring);
    }
}

struct update { uint32_t index, reserved; uint64_t ring; };

static int enter_index(int index, int n)
{
    int r = syscall(__NR_io_uring_enter, index, n, n, 1 | 16, 0, 0);
    return r < 0 ? -errno : r;
}

static int operate(int fd, unsigned what, struct update *u)
{
    int r = syscall(__NR_io_uring_register, fd, what, u, 1);
    return r < 0 ? -errno : r;
}

/* Flags of openat differ between processors: not a folder, if they arrive. */
static void add_openat(void)
{
    add(18, AT_FDCWD, (uint64_t)"/dev/null", 0, 0)->rw = O_RDONLY | O_DIRECTORY;
}

static void *of_another_thread(void *index)
{
    return (void *)(intptr_t)enter_index((intptr_t)index, 0);
}

/* Rings named by an index of the thread, and by copies of their descriptor. */
static void registered(void)
{
    if (make(0))
        return;
    struct update u = { -1u, 0, ring }, bad = { 99, 0, ring }, other = { -1u, 0, 1 };
    int copy = dup(ring);
    add_openat();
    printf("copy %ld", syscall(__NR_io_uring_enter, copy, 1, 1, 1, 0, 0));
    printf(" %d\n", result());
    printf("register %d", operate(ring, 20, &u));
    printf(" index %u", u.index);
    printf(" bad %d", operate(ring, 20, &bad));
    printf(" no ring %d\n", operate(ring, 20, &other));
    add_openat();
    printf("by index %d", enter_index(u.index, 1));
    printf(" %d\n", result());
    close(copy);
    close(ring);
    add_openat();
    printf("closed %d", enter_index(u.index, 1));
    printf(" %d others %d %d\n", result(), enter_index(u.index + 1, 0), enter_index(77, 0));

    pthread_t t;
    void *in_thread;
    pthread_create(&t, 0, of_another_thread, (void *)(intptr_t)u.index);
    pthread_join(t, &in_thread);
    int status = 0, pid = fork();
    if (pid == 0)
        _exit(-enter_index(u.index, 0));
    waitpid(pid, &status, 0);
    printf("thread %d child %d\n", (int)(intptr_t)in_thread, WEXITSTATUS(status));

    char probe[16 + 8 * 64] = "";
    printf("operation by index %ld\n", syscall(__NR_io_uring_register, u.index, 8u | 1u << 31, probe, 64));
    u.ring = 0;
    printf("unregister %d", operate(u.index, 21u | 1u << 31, &u));
    printf(" then %d\n", enter_index(u.index, 0));
    munmap(sqes, p.sq * 64);
    munmap(cq, p.c.cqes + p.cq * 16);
    munmap(sq, p.s.array + p.sq * 4);

    /* In memory of our own and without a descriptor. */
    char *own = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memset(&p, 0, sizeof p);
    p.flags = 1 << 14 | 1 << 15;
    p.s.user = (uint64_t)own;
    p.c.user = (uint64_t)own + 4096;
    int index = syscall(__NR_io_uring_setup, 8, &p);
    printf("without descriptor %d", index);
    if (index >= 0) {
        sq = cq = own + 4096;
        sqes = (struct sqe *)own;
        add_openat();
        printf(" %d", enter_index(index, 1));
        printf(" %d", result());
        u.index = index;
        printf(" %d", operate(index, 21u | 1u << 31, &u));
    }
    printf("\n");
}

static void aio(void)
{
    char name[] = "/tmp/probe-aio-XXXXXX", buf[16] = "";
    aio_context_t ctx = 0;
    int fd = mkstemp(name), ev = eventfd(0, 0);
    printf("io_setup %ld\n", syscall(__NR_io_setup, 4, &ctx));
    struct iocb w = { .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = fd, .aio_buf = (uint64_t)"async", .aio_nbytes = 5, .aio_data = 7,
                      .aio_flags = IOCB_FLAG_RESFD, .aio_resfd = ev };
    struct iocb r = { .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = fd, .aio_buf = (uint64_t)buf, .aio_nbytes = 16, .aio_data = 8 };
    struct iocb *list[] = { &w };
    struct io_event events[4];
    printf("io_submit %ld", syscall(__NR_io_submit, ctx, 1, list));
    printf(" io_getevents %ld", syscall(__NR_io_getevents, ctx, 1, 4, events, 0));
    printf(" %lld %lld\n", (long long)events[0].data, (long long)events[0].res);
    list[0] = &r;
    uint64_t count = 0;
    read(ev, &count, 8);
    syscall(__NR_io_submit, ctx, 1, list);
    sigset_t set;
    sigemptyset(&set);
    struct { sigset_t *set; size_t size; } mask = { &set, 8 };
    printf("io_pgetevents %ld", syscall(__NR_io_pgetevents, ctx, 1, 4, events, 0, &mask));
    printf(" %lld %s %d\n", (long long)events[0].res, buf, (int)count);
    r.aio_fildes = -1;
    printf("bad descriptor %ld", syscall(__NR_io_submit, ctx, 1, list));
    printf(" %d", errno);
    printf(" io_destroy %ld\n", syscall(__NR_io_destroy, ctx));
    printf("io_destroy again %ld", syscall(__NR_io_destroy, ctx));
    printf(" %d\n", errno);
    unlink(name);
}

void uring(void)
{
    rings();
    registered();
    aio();
    fflush(stdout);
}
