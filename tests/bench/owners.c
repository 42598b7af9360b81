/* Processes that say themselves who has both ends of each connection, for tests/bench/owners.
 *
 *   owners server PORT children|threads FILE   answers each connection in a child or in a thread; a line for each goes to FILE:
 *                                              the client's port, its process, the server's process
 *   owners clients PORT COUNT AT_A_TIME forks|programs
 *                                              so many clients that connect, say who they are, read the answer and end
 *   owners client PORT                         one of them, as a program of its own
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

/* Microseconds from one client to the next, or longer: a fast machine has no more of them in a second, 1 250, than others have. What lookups
 * may take of a processor is enough for so many. */
#define PACE 800
/* Microseconds that a client lives at least. */
#define LIFE 333

static int results;
static struct sockaddr_in address;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

struct connection {
	int socket;
	struct sockaddr_in client;
};

static void *answer(void *given)
{
	struct connection *own = given;
	char question[64], line[96];
	ssize_t len = read(own->socket, question, sizeof question - 1);
	question[len < 0 ? 0 : len] = 0;
	int size = snprintf(line, sizeof line, "%d %d %d\n", ntohs(own->client.sin_port), atoi(question), getpid());
	if (write(results, line, size) != size || write(own->socket, "so\n", 3) != 3)
		fail("answer");
	/* The client closes first. */
	len = read(own->socket, question, sizeof question);
	close(own->socket);
	free(own);
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
		struct connection *one = malloc(sizeof *one);
		socklen_t size = sizeof one->client;
		one->socket = accept4(listener, (void *)&one->client, &size, SOCK_CLOEXEC);
		if (one->socket < 0)
			fail("accept");
		pthread_t thread;
		if (!forks) {
			if (pthread_create(&thread, NULL, answer, one))
				fail("pthread_create");
			pthread_detach(thread);
		} else if (!fork()) {
			close(listener);
			answer(one);
			_exit(0);
		} else {
			close(one->socket);
			free(one);
		}
	}
}

static long long micros(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void ask(void)
{
	char own[64];
	long long until = micros() + LIFE;
	int size = snprintf(own, sizeof own, "%d\n", getpid()), asks = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(asks, (void *)&address, sizeof address))
		fail("connect");
	if (write(asks, own, size) != size || read(asks, own, sizeof own) < 0)
		fail("ask");
	while (micros() < until)
		;
	_exit(0);
}

int main(int count, char **words)
{
	if (count < 3)
		return 2;
	address.sin_family = AF_INET;
	address.sin_port = htons(atoi(words[2]));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!strcmp(words[1], "client"))
		ask();
	if (count < 5)
		return 2;
	if (!strcmp(words[1], "server")) {
		results = open(words[4], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);
		serve(!strcmp(words[3], "children"));
	}
	int left = atoi(words[3]), room = atoi(words[4]), programs = count > 5 && !strcmp(words[5], "programs");
	for (long long next = micros(); left > 0; left--, next += PACE) {
		while (micros() < next)
			usleep(PACE / 4);
		if (!room) {
			wait(NULL);
			room++;
		}
		room--;
		if (!fork()) {
			if (programs)
				execl("/proc/self/exe", "owners", "client", words[2], (char *)NULL);
			ask();
		}
	}
	while (wait(NULL) > 0)
		;
	return 0;
}
