/* TCP connection events: the processes that open, read and close connections.
 *
 * Three small programs at one tracepoint, sock:inet_sock_set_state, run when a connection changes
 * its state: a few times per connection. The current task is used only where its own system call
 * changes the state (on loopback everything else happens in the context of the process that sent
 * the packet):
 *
 *   CLOSE -> SYN_SENT          connect(2); no local port is assigned at this point, so the process
 *                              is stored until the next change
 *   ESTABLISHED -> FIN_WAIT1   close(2) or shutdown(2) by the last process that has the socket, or
 *                              the exit of that process
 *   CLOSE_WAIT -> LAST_ACK     the same, after the other end closed
 *   ... -> CLOSE               close(2) or exit with unread data, or after a shutdown(2) of both
 *                              directions
 *
 * One more program runs at tcp:tcp_rcv_space_adjust, where a process has copied received data. It
 * must be fast, because it runs for each read of each connection: its state is in the socket's own
 * storage.
 *
 * tests/bpf compiles this file; the object file next to it is the one that lcap loads. No kernel
 * headers are used: fields are located by name in the kernel's own type information when the object
 * file is loaded.
 */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))
#define MAP(member, value) int(*member)[value]
#define OF(member, type) type *member

#define MAP_ARRAY 2
#define MAP_LRU_HASH 9
#define MAP_SK_STORAGE 24
#define MAP_RINGBUF 27

static void *(*const map_lookup)(const void *map, const void *key) = (void *)1;
static long (*const map_update)(const void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*const map_delete)(const void *map, const void *key) = (void *)3;
static u64 (*const ktime_ns)(void) = (void *)5;
static u64 (*const current_uid_gid)(void) = (void *)15;
static void *(*const sk_storage)(const void *map, void *sk, void *value, u64 flags) = (void *)107;
static long (*const read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static void *(*const ringbuf_reserve)(void *ring, u64 size, u64 flags) = (void *)131;
static void (*const ringbuf_submit)(void *data, u64 flags) = (void *)132;
static struct task_struct *(*const current_task)(void) = (void *)158;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	u32 inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	u8 in6_u[16];
};

struct sock_common {
	u32 skc_daddr;
	u32 skc_rcv_saddr;
	u16 skc_dport;
	u16 skc_family;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	u16 sk_protocol;
	u8 sk_shutdown;
};

struct inet_sock {
	u16 inet_sport;
};

struct mm_struct {
	unsigned long end_code;
};

struct task_struct {
	u32 flags;
	struct mm_struct *mm;
	int tgid;
	u64 start_boottime;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	char comm[16];
};

#pragma clang attribute pop

/* include/net/tcp_states.h, include/linux/socket.h, include/linux/sched.h,
 * include/uapi/linux/in.h */
enum { ESTABLISHED = 1, SYN_SENT = 2, FIN_WAIT1 = 4, CLOSE = 7, CLOSE_WAIT = 8, LAST_ACK = 9 };
#define AF_INET 2
#define AF_INET6 10
#define BOTH_DIRECTIONS 3
/* include/uapi/linux/bpf.h */
#define NO_PREALLOC 1
#define STORAGE_CREATE 1
#define PF_KTHREAD 0x00200000
#define TCP 6

/* A process, in the layout that socket_events.rs parses. */
struct task {
	u64 start_boottime;
	u32 tgid;
	u32 parent;
	u32 uid;
	u32 unused;
	char comm[16];
};

enum kind { EVENT_CONNECTED = 1, EVENT_CONNECT_FAILED = 2, EVENT_CLOSED = 3, EVENT_READ = 4 };

/* An event, in the same layout. Times are in nanoseconds of CLOCK_MONOTONIC, ports are in network
 * byte order. */
struct event {
	u64 requested_at;
	u64 time;
	struct task task;
	u8 local[16];
	u8 remote[16];
	u16 local_port;
	u16 remote_port;
	u16 family;
	u16 kind;
};

/* A process that called connect(2). */
struct client {
	u64 time;
	u64 has_result;
	struct task task;
};

/* The process that read from a socket last, and the number of read events of the socket. */
struct reader {
	u32 tgid;
	u32 event_count;
};

/* The limit for the number of read events of a socket, where processes read in turns. */
#define MAX_READ_EVENTS 4

/* The inode of the network namespace to report on; set before the programs are loaded. */
volatile const u32 NETNS = 0;

/* Processes that called connect(2), by the address of struct sock, until they close the socket. */
struct {
	MAP(type, MAP_LRU_HASH);
	MAP(max_entries, 16384);
	OF(key, u64);
	OF(value, struct client);
} CLIENTS SEC(".maps");

struct {
	MAP(type, MAP_SK_STORAGE);
	MAP(map_flags, NO_PREALLOC);
	OF(key, int);
	OF(value, struct reader);
} READERS SEC(".maps");

struct {
	MAP(type, MAP_RINGBUF);
	MAP(max_entries, 1 << 20);
} EVENTS SEC(".maps");

/* The number of events that were lost because a map was full. */
struct {
	MAP(type, MAP_ARRAY);
	MAP(max_entries, 1);
	OF(key, u32);
	OF(value, u64);
} LOST SEC(".maps");

static inline __attribute__((always_inline)) void describe_task(struct task_struct *task, struct task *to)
{
	struct task_struct *leader = task->group_leader;

	to->start_boottime = leader->start_boottime;
	to->tgid = task->tgid;
	to->parent = leader->real_parent->tgid;
	to->uid = (u32)current_uid_gid();
	to->unused = 0;
	read_kernel(to->comm, sizeof(to->comm), &leader->comm);
}

static inline __attribute__((always_inline)) void count_lost(void)
{
	u32 first = 0;
	u64 *lost = map_lookup(&LOST, &first);

	if (lost)
		__sync_fetch_and_add(lost, 1);
}

static inline __attribute__((always_inline)) void emit(struct sock *sk, enum kind kind, const struct client *process)
{
	struct event *event = ringbuf_reserve(&EVENTS, sizeof(*event), 0);

	if (!event) {
		count_lost();
		return;
	}
	event->requested_at = process->time;
	event->time = ktime_ns();
	event->task = process->task;
	event->kind = kind;
	event->family = sk->__sk_common.skc_family;
	event->remote_port = sk->__sk_common.skc_dport;
	read_kernel(&event->local_port, sizeof(event->local_port), &((struct inet_sock *)sk)->inet_sport);
	if (event->family == AF_INET) {
		__builtin_memset(event->local, 0, sizeof(event->local));
		__builtin_memset(event->remote, 0, sizeof(event->remote));
		*(u32 *)event->local = sk->__sk_common.skc_rcv_saddr;
		*(u32 *)event->remote = sk->__sk_common.skc_daddr;
	} else {
		read_kernel(event->local, sizeof(event->local), &sk->__sk_common.skc_v6_rcv_saddr);
		read_kernel(event->remote, sizeof(event->remote), &sk->__sk_common.skc_v6_daddr);
	}
	ringbuf_submit(event, 0);
}

static inline __attribute__((always_inline)) int is_of_interest(struct sock *sk)
{
	return sk->sk_protocol == TCP && sk->__sk_common.skc_net.net->ns.inum == NETNS;
}

SEC("tp_btf/inet_sock_set_state")
int state_change(u64 *arguments)
{
	struct sock *sk = (struct sock *)arguments[0];
	int from = (int)arguments[1], to = (int)arguments[2];
	u64 key = (u64)sk;
	struct task_struct *task;
	struct client process;

	if (to != SYN_SENT && to != FIN_WAIT1 && to != LAST_ACK && to != CLOSE)
		return 0;
	if (!is_of_interest(sk))
		return 0;
	if (to == CLOSE && !((from == ESTABLISHED || from == CLOSE_WAIT) && sk->sk_shutdown == BOTH_DIRECTIONS)) {
		/* A failed connect(2) is reported and deleted by connect_result(). Any other entry is
		 * deleted here, because another socket can soon have the same address. */
		if (from != SYN_SENT)
			map_delete(&CLIENTS, &key);
		return 0;
	}
	task = current_task();
	if (task->flags & PF_KTHREAD)
		return 0;
	/* During execve(2) a child closes sockets that it only inherited. Its new memory has no code
	 * at that point; an exiting process, which does count, has no memory at all. */
	if (task->mm && !task->mm->end_code)
		return 0;
	if (to != SYN_SENT) {
		struct client *client = map_lookup(&CLIENTS, &key);
		int is_client = client && client->task.tgid == (u32)task->tgid;

		if (client)
			map_delete(&CLIENTS, &key);
		/* The result of the connect(2) already identified this process. */
		if (is_client)
			return 0;
	}
	process.time = ktime_ns();
	process.has_result = 0;
	describe_task(task, &process.task);
	if (to != SYN_SENT)
		emit(sk, EVENT_CLOSED, &process);
	else if (map_update(&CLIENTS, &key, &process, 0))
		count_lost();
	return 0;
}

static inline __attribute__((always_inline)) int handle_connect_result(u64 *arguments)
{
	struct sock *sk = (struct sock *)arguments[0];
	u64 key = (u64)sk;
	struct client *client;

	if ((int)arguments[1] != SYN_SENT || !is_of_interest(sk))
		return 0;
	client = map_lookup(&CLIENTS, &key);
	if (!client || client->has_result)
		return 0;
	client->has_result = 1;
	if ((int)arguments[2] == CLOSE) {
		emit(sk, EVENT_CONNECT_FAILED, client);
		map_delete(&CLIENTS, &key);
	} else {
		emit(sk, EVENT_CONNECTED, client);
	}
	return 0;
}

/* An interrupt can deliver a result while another result is being handled. The kernel does not run
 * a program inside itself: then the second copy runs. */

SEC("tp_btf/inet_sock_set_state")
int connect_result(u64 *arguments)
{
	return handle_connect_result(arguments);
}

SEC("tp_btf/inet_sock_set_state")
int connect_nested(u64 *arguments)
{
	return handle_connect_result(arguments);
}

SEC("tp_btf/tcp_rcv_space_adjust")
int data_read(u64 *arguments)
{
	struct sock *sk = (struct sock *)arguments[0];
	u64 key = (u64)sk;
	struct task_struct *task = current_task();
	struct reader *reader;
	struct client *client, process;

	if (!is_of_interest(sk))
		return 0;
	reader = sk_storage(&READERS, sk, 0, STORAGE_CREATE);
	if (!reader || reader->tgid == (u32)task->tgid || reader->event_count == MAX_READ_EVENTS || task->flags & PF_KTHREAD)
		return 0;
	reader->tgid = task->tgid;
	client = map_lookup(&CLIENTS, &key);
	/* The result of the connect(2) already identified this process. */
	if (client && client->task.tgid == (u32)task->tgid)
		return 0;
	reader->event_count++;
	process.time = ktime_ns();
	describe_task(task, &process.task);
	emit(sk, EVENT_READ, &process);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
