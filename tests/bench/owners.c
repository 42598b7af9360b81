/* A server and clients that report the true process IDs of both ends, for tests/bench/owners.
 *
 *   owners server PORT children|threads FILE
 *       Serves each connection in a child process or in a thread. Appends one line per connection
 *       to FILE: the client's port, the client's process ID, the server's process ID.
 *   owners clients PORT COUNT AT_A_TIME INTERVAL forks|programs
 *       Runs COUNT clients, at most AT_A_TIME concurrently, as forked children or as separately
 *       executed programs, and starts them at least INTERVAL microseconds apart: a machine that is
 *       much faster than the interval would exceed the CPU budget of lookups. Each client connects,
 *       sends its process ID, reads the reply and exits.
 *   owners client PORT
 *       Runs a single client.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Minimum lifetime of a client, in microseconds. */
#define CLIENT_LIFETIME_US 333

static int results;
static struct sockaddr_in address;

static void fail(const char *operation)
{
	perror(operation);
	exit(1);
}

struct connection {
	int socket;
	struct sockaddr_in client;
};

static void *serve_connection(void *argument)
{
	struct connection *connection = argument;
	char request[64], line[96];
	ssize_t len = read(connection->socket, request, sizeof request - 1);
	request[len < 0 ? 0 : len] = 0;
	int size = snprintf(line, sizeof line, "%d %d %d\n", ntohs(connection->client.sin_port),
			    atoi(request), getpid());
	if (write(results, line, size) != size || write(connection->socket, "ok\n", 3) != 3)
		fail("reply");
	/* Wait for the FIN: the client closes first. */
	len = read(connection->socket, request, sizeof request);
	close(connection->socket);
	free(connection);
	return NULL;
}

static void serve(int forks)
{
	int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(listener, (void *)&address, sizeof address) || listen(listener, 1024))
		fail("listen");
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		struct connection *connection = malloc(sizeof *connection);
		socklen_t size = sizeof connection->client;
		connection->socket =
			accept4(listener, (void *)&connection->client, &size, SOCK_CLOEXEC);
		if (connection->socket < 0)
			fail("accept");
		pthread_t thread;
		if (!forks) {
			if (pthread_create(&thread, NULL, serve_connection, connection))
				fail("pthread_create");
			pthread_detach(thread);
		} else if (!fork()) {
			close(listener);
			serve_connection(connection);
			_exit(0);
		} else {
			close(connection->socket);
			free(connection);
		}
	}
}

static long long now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void run_client(void)
{
	char buffer[64];
	long long end = now_us() + CLIENT_LIFETIME_US;
	int size = snprintf(buffer, sizeof buffer, "%d\n", getpid());
	int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(connection, (void *)&address, sizeof address))
		fail("connect");
	if (write(connection, buffer, size) != size || read(connection, buffer, sizeof buffer) < 0)
		fail("request");
	while (now_us() < end)
		;
	_exit(0);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	address.sin_family = AF_INET;
	address.sin_port = htons(atoi(argv[2]));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!strcmp(argv[1], "client"))
		run_client();
	if (argc < 5)
		return 2;
	if (!strcmp(argv[1], "server")) {
		results = open(argv[4], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);
		serve(!strcmp(argv[3], "children"));
	}
	if (argc < 7)
		return 2;
	int remaining = atoi(argv[3]), free_slots = atoi(argv[4]), interval = atoi(argv[5]);
	int programs = !strcmp(argv[6], "programs");
	for (long long next = now_us(); remaining > 0; remaining--, next += interval) {
		while (now_us() < next)
			usleep(interval / 4);
		if (!free_slots) {
			wait(NULL);
			free_slots++;
		}
		free_slots--;
		if (!fork()) {
			if (programs)
				execl("/proc/self/exe", "owners", "client", argv[2], (char *)NULL);
			run_client();
		}
	}
	while (wait(NULL) > 0)
		;
	return 0;
}
