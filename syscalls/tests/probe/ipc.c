#include "probe.h"
#include <mqueue.h>
#include <sys/msg.h>
#include <sys/sem.h>

void ipc(void) {
    union {
        int val;
        struct semid_ds *ds;
        unsigned short *array;
    } arg;
    struct semid_ds ds;
    unsigned short values[2];
    int sem = semget(IPC_PRIVATE, 2, 0600);
    arg.val = 4;
    R(semctl(sem, 1, SETVAL, arg));
    arg.ds = &ds;
    R(semctl(sem, 0, IPC_STAT, arg));
    SAY("semaphores %lu mode %o changed %d\n", (unsigned long)ds.sem_nsems, ds.sem_perm.mode, ds.sem_ctime > 0);
    ds.sem_perm.mode = 0640;
    R(semctl(sem, 0, IPC_SET, arg));
    R(semctl(sem, 0, IPC_STAT, arg));
    SAY("mode %o\n", ds.sem_perm.mode);
    struct sembuf op = {1, -2, 0};
    R(semop(sem, &op, 1));
    arg.array = values;
    R(semctl(sem, 0, GETALL, arg));
    SAY("%d %d\n", values[0], values[1]);
    op.sem_op = -9;
    R(semtimedop(sem, &op, 1, &(struct timespec){0, 1000}));
    R(semctl(sem, 0, IPC_RMID));

    struct {
        long type;
        char text[8];
    } m = {3, "abc"};
    struct msqid_ds mds;
    int q = msgget(IPC_PRIVATE, 0600);
    R(msgsnd(q, &m, 4, 0));
    R(msgctl(q, IPC_STAT, &mds));
    SAY("messages %lu bytes %lu\n", (unsigned long)mds.msg_qnum, (unsigned long)mds.msg_qbytes > 0);
    R(msgrcv(q, &m, 8, 3, IPC_NOWAIT));
    R(msgrcv(q, &m, 8, 3, IPC_NOWAIT));
    R(msgctl(q, IPC_RMID, 0));

    char name[64], text[64];
    unsigned prio = 0;
    sprintf(name, "/remu-probe-%d", getpid());
    struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 64};
    mqd_t mq = mq_open(name, O_CREAT | O_RDWR | O_NONBLOCK, 0600, &attr);
    SAY("queue %d\n", mq != (mqd_t)-1);
    R(mq_send(mq, "hi", 2, 7));
    R(mq_receive(mq, text, sizeof text, &prio));
    SAY("priority %u\n", prio);
    R(mq_receive(mq, text, sizeof text, &prio));
    R(mq_getattr(mq, &attr));
    SAY("flags %lx size %ld\n", attr.mq_flags, attr.mq_msgsize);
    R(mq_unlink(name));
    R(mq_close(mq));
}
