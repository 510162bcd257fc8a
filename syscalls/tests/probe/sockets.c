#include "probe.h"
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

static void descriptors_and_credentials(void) {
    int sv[2], fd = open("/dev/null", O_RDONLY), one = 1;
    char text[8] = "fd", control[64] = {0};
    R(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv));
    struct iovec iv = {text, 2};
    struct msghdr m = {.msg_iov = &iv, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    R(sendmsg(sv[0], &m, 0));
    memset(control, 0, sizeof control);
    R(recvmsg(sv[1], &m, MSG_CMSG_CLOEXEC));
    memcpy(&fd, CMSG_DATA(c), sizeof fd);
    SAY("type %d flags %x close-on-exec %d\n", c->cmsg_type, m.msg_flags, fcntl(fd, F_GETFD));
    R(setsockopt(sv[1], SOL_SOCKET, SO_PASSCRED, &one, 4));
    struct ucred cred;
    socklen_t len = sizeof cred;
    R(getsockopt(sv[0], SOL_SOCKET, SO_PEERCRED, &cred, &len));
    SAY("credentials %d %d\n", cred.pid == getpid(), cred.uid == getuid());
    R(recvmsg(sv[1], BAD, MSG_DONTWAIT));
    R(send(sv[0], BAD, 4, 0));
    R(close(sv[0]));
    R(recv(sv[1], text, 1, 0) >= -1);
}

static void tcp(void) {
    char b[64];
    int one = 1, ls = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    R(setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &one, 4));
    R(bind(ls, (void *)&a, len));
    R(listen(ls, 5));
    R(getsockname(ls, (void *)&a, &len));
    int c = socket(AF_INET, SOCK_STREAM, 0);
    R(connect(c, (void *)&a, len));
    int s = accept4(ls, 0, 0, SOCK_NONBLOCK);
    R(recv(s, b, 1, 0));
    struct timeval wait = {0, 20000};
    R(setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait));
    wait.tv_usec = 0;
    len = sizeof wait;
    R(getsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &wait, &len));
    SAY("timeout %ld.%06ld\n", (long)wait.tv_sec, (long)wait.tv_usec);
    R(recv(c, b, 1, 0));
    R(setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, 4));
    struct linger linger = {1, 3}, got;
    R(setsockopt(c, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    len = sizeof got;
    R(getsockopt(c, SOL_SOCKET, SO_LINGER, &got, &len));
    SAY("linger %d %d\n", got.l_onoff, got.l_linger);
    struct tcp_info info;
    len = sizeof info;
    R(getsockopt(c, IPPROTO_TCP, TCP_INFO, &info, &len));
    SAY("state %d\n", info.tcpi_state);
    int file = open("/etc/passwd", O_RDONLY);
    R(sendfile(c, file, (off_t[]){0}, 5));
    close(file);
    usleep(2000);
    R(recv(s, b, sizeof b, MSG_PEEK));
    struct iovec iv = {b, 3};
    struct mmsghdr mm[2] = {{{.msg_iov = &iv, .msg_iovlen = 1}, 0}};
    R(recvmmsg(s, mm, 1, 0, 0));
    SAY("length %u\n", mm[0].msg_len);
    R(sendmmsg(s, mm, 1, 0));
    R(shutdown(c, SHUT_RDWR));
    R(getpeername(ls, (void *)&a, &len));
    R(getsockopt(c, SOL_SOCKET, 4711, &one, &len));
    R(socket(4711, SOCK_STREAM, 0));
    close(c), close(s), close(ls);
}

static void datagrams(void) {
    char b[64], control[256];
    int one = 1, s = socket(AF_INET6, SOCK_DGRAM, 0);
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t len = sizeof a;
    if (s < 0 || bind(s, (void *)&a, len)) {
        close(s);
        s = socket(AF_INET, SOCK_DGRAM, 0);
        struct sockaddr_in *v4 = (void *)&a;
        *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        bind(s, (void *)&a, sizeof *v4);
    }
    getsockname(s, (void *)&a, &len);
    R(setsockopt(s, SOL_SOCKET, SO_TIMESTAMPNS, &one, 4));
    R(sendto(s, "datagram", 8, 0, (void *)&a, len));
    struct iovec iv = {b, sizeof b};
    struct msghdr m = {.msg_iov = &iv, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    R(recvmsg(s, &m, 0));
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    SAY("control %d %d length %ld\n", c->cmsg_level, c->cmsg_type, (long)c->cmsg_len);
    R(recvfrom(s, b, sizeof b, MSG_DONTWAIT, (void *)&a, &len));
    close(s);

    int n = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    struct sockaddr_nl nl = {.nl_family = AF_NETLINK};
    R(bind(n, (void *)&nl, sizeof nl));
    close(n);

    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "sock"};
    int u = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    R(bind(u, (void *)&un, offsetof(struct sockaddr_un, sun_path) + 5));
    struct stat st;
    R(stat("sock", &st));
    SAY("socket file %d\n", S_ISSOCK(st.st_mode));
    R(unlink("sock"));
    close(u);
}

void sockets(void) {
    descriptors_and_credentials();
    tcp();
    datagrams();
}
