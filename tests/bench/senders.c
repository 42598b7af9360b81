/* Processes that send their own process IDs over TCP and UDP, for tests/bench/senders.
 *
 *   senders server PORT
 *       Answers each datagram, and each request on a connection, with its process ID. A connection
 *       is served by a child process.
 *   senders KIND PORT COUNT INTERVAL
 *       Sends COUNT times, INTERVAL microseconds apart, from new processes:
 *
 *       udp            a datagram from a process that exits at once
 *       udp-port       two datagrams from one port, each from a process of its own
 *       udp-group      datagrams from the members of a group that shares a port (SO_REUSEPORT)
 *       udp-source     a datagram with an address that another process has bound (IP_PKTINFO)
 *       tcp            a connection of a process that exits at once
 *       tcp-port       two connections from one port, each of a process of its own
 *       tcp-inherited  a connection that a child process uses after its parent has exited
 *       tcp-passed     a connection that another process receives and uses (SCM_RIGHTS)
 *       tcp-turns      a connection that a parent and its child use in turns
 *       tcp-exec       a connection that a process uses after execve(2)
 *
 * Each message is "I am PID." with the process ID of its sender.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GROUP_SIZE 4
/* The address that another process has bound. */
#define OTHER_ADDRESS 0x7f000005

static struct sockaddr_in server;
static char *self, *port_text;

static void fail(const char *operation)
{
	perror(operation);
	exit(1);
}

static struct sockaddr_in at(unsigned address, int port)
{
	struct sockaddr_in result = { .sin_family = AF_INET, .sin_port = htons(port) };
	result.sin_addr.s_addr = htonl(address);
	return result;
}

static int message(char *text, size_t size)
{
	return snprintf(text, size, "I am %d.\n", getpid());
}

/* Returns a socket that is bound to a port, 0 for any. */
static int bound(int type, int port)
{
	struct sockaddr_in address = at(INADDR_LOOPBACK, port);
	int on = 1, result = socket(AF_INET, type, 0);
	setsockopt(result, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	/* The port of a connection that was just reset can be busy for a moment. */
	for (int attempt = 0; bind(result, (void *)&address, sizeof address); attempt++)
		if (attempt == 1000)
			fail("bind");
		else
			usleep(100);
	return result;
}

static void send_datagram(int from)
{
	char text[64];
	int size = message(text, sizeof text);
	if (sendto(from, text, size, 0, (void *)&server, sizeof server) != size)
		fail("sendto");
}

static int connected(int port)
{
	int result = bound(SOCK_STREAM, port);
	if (connect(result, (void *)&server, sizeof server))
		fail("connect");
	return result;
}

/* Sends a request on a connection, and waits for the answer. */
static void request(int connection)
{
	char text[64];
	int size = message(text, sizeof text);
	if (write(connection, text, size) != size || read(connection, text, sizeof text) <= 0)
		fail("request");
}

/* Closes a connection with a reset, so that its port can be used again. */
static void reset(int connection)
{
	struct linger linger = { .l_onoff = 1 };
	setsockopt(connection, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	close(connection);
}

static void serve(int port)
{
	char text[64];
	int datagrams = bound(SOCK_DGRAM, port), listener = bound(SOCK_STREAM, port);
	if (listen(listener, 1024))
		fail("listen");
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		struct pollfd fds[] = { { datagrams, POLLIN, 0 }, { listener, POLLIN, 0 } };
		poll(fds, 2, -1);
		if (fds[0].revents) {
			struct sockaddr_in from;
			socklen_t length = sizeof from;
			recvfrom(datagrams, text, sizeof text, 0, (void *)&from, &length);
			sendto(datagrams, text, message(text, sizeof text), 0, (void *)&from, length);
		}
		if (fds[1].revents) {
			int connection = accept(listener, NULL, NULL);
			if (!fork()) {
				while (read(connection, text, sizeof text) > 0)
					if (write(connection, text, message(text, sizeof text)) < 0)
						break;
				_exit(0);
			}
			close(connection);
		}
	}
}

/* Sends a datagram with a source address that this process has not bound. */
static void send_from_other_address(void)
{
	char text[64], control[CMSG_SPACE(sizeof(struct in_pktinfo))] = "";
	struct iovec part = { text, message(text, sizeof text) };
	struct msghdr header = { .msg_name = &server, .msg_namelen = sizeof server, .msg_iov = &part,
				 .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);
	struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(OTHER_ADDRESS) };
	cmsg->cmsg_level = IPPROTO_IP;
	cmsg->cmsg_type = IP_PKTINFO;
	cmsg->cmsg_len = CMSG_LEN(sizeof info);
	memcpy(CMSG_DATA(cmsg), &info, sizeof info);
	int on = 1, from = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in any = at(INADDR_ANY, ntohs(server.sin_port) + 1);
	setsockopt(from, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(from, (void *)&any, sizeof any) || sendmsg(from, &header, 0) < 0)
		fail("sendmsg");
}

/* Runs `action` in a new process, and waits for it. */
#define IN_CHILD(action)                 \
	do {                             \
		pid_t child = fork();    \
		if (!child) {            \
			action;          \
			_exit(0);        \
		}                        \
		waitpid(child, NULL, 0); \
	} while (0)

static void pass(int channel, int descriptor)
{
	char control[CMSG_SPACE(sizeof descriptor)] = "", byte = 0;
	struct iovec part = { &byte, 1 };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
				 .msg_controllen = sizeof control };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof descriptor);
	memcpy(CMSG_DATA(cmsg), &descriptor, sizeof descriptor);
	if (sendmsg(channel, &header, 0) < 0)
		fail("pass");
}

static int receive(int channel)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec part = { &byte, 1 };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
				 .msg_controllen = sizeof control };
	int descriptor;
	if (recvmsg(channel, &header, 0) <= 0)
		fail("receive");
	memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof descriptor);
	return descriptor;
}

static void send_once(const char *kind)
{
	int port = ntohs(server.sin_port) + 1, channel[2];
	if (!strcmp(kind, "udp")) {
		IN_CHILD(send_datagram(socket(AF_INET, SOCK_DGRAM, 0)));
	} else if (!strcmp(kind, "udp-port")) {
		IN_CHILD(send_datagram(bound(SOCK_DGRAM, port)));
		IN_CHILD(send_datagram(bound(SOCK_DGRAM, port)));
	} else if (!strcmp(kind, "udp-source")) {
		IN_CHILD(send_from_other_address());
	} else if (!strcmp(kind, "tcp")) {
		IN_CHILD(request(connected(0)));
	} else if (!strcmp(kind, "tcp-port")) {
		for (int nth = 0; nth < 2; nth++)
			IN_CHILD(int connection = connected(port); request(connection); reset(connection));
	} else if (!strcmp(kind, "tcp-inherited")) {
		int connection;
		IN_CHILD(connection = connected(0); if (!fork()) {
			usleep(500);
			request(connection);
		});
	} else if (!strcmp(kind, "tcp-passed")) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, channel))
			fail("socketpair");
		pid_t receiver = fork();
		if (!receiver) {
			request(receive(channel[0]));
			_exit(0);
		}
		IN_CHILD(pass(channel[1], connected(0)));
		waitpid(receiver, NULL, 0);
		close(channel[0]);
		close(channel[1]);
	} else if (!strcmp(kind, "tcp-turns")) {
		int connection;
		IN_CHILD(connection = connected(0); for (int nth = 0; nth < 3; nth++) {
			request(connection);
			IN_CHILD(request(connection));
		});
	} else if (!strcmp(kind, "tcp-exec")) {
		char text[16];
		IN_CHILD(snprintf(text, sizeof text, "%d", connected(0));
			 execl(self, "renamed", "request", port_text, text, (char *)NULL));
	} else {
		fail(kind);
	}
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	self = "/proc/self/exe";
	port_text = argv[2];
	int port = atoi(argv[2]);
	server = at(INADDR_LOOPBACK, port);
	if (!strcmp(argv[1], "server"))
		serve(port);
	if (!strcmp(argv[1], "request") && argc == 4) {
		request(atoi(argv[3]));
		return 0;
	}
	if (argc < 5)
		return 2;
	int count = atoi(argv[3]), interval = atoi(argv[4]);
	if (!strcmp(argv[1], "udp-source")) {
		struct sockaddr_in other = at(OTHER_ADDRESS, port + 1);
		int on = 1, holder = socket(AF_INET, SOCK_DGRAM, 0);
		setsockopt(holder, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		if (bind(holder, (void *)&other, sizeof other))
			fail("bind");
	}
	if (!strcmp(argv[1], "udp-group")) {
		for (int member = 0; member < GROUP_SIZE; member++) {
			if (fork())
				continue;
			struct sockaddr_in group = at(INADDR_LOOPBACK, port + 1);
			int on = 1, from = socket(AF_INET, SOCK_DGRAM, 0);
			setsockopt(from, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
			if (bind(from, (void *)&group, sizeof group))
				fail("bind");
			for (int nth = 0; nth < count / GROUP_SIZE; nth++) {
				send_datagram(from);
				usleep(interval);
			}
			_exit(0);
		}
		while (wait(NULL) > 0)
			;
		return 0;
	}
	for (int nth = 0; nth < count; nth++) {
		send_once(argv[1]);
		usleep(interval);
	}
	return 0;
}
