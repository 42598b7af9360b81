/* Socket events: the processes that open, use and close TCP connections, and those that send and
 * receive UDP datagrams.
 *
 * sock:inet_sock_set_state runs when a TCP connection changes its state: a few times per
 * connection. The current task is used only where its own system call changes the state (on
 * loopback everything else happens in the context of the process that sent the packet):
 *
 *   CLOSE -> SYN_SENT          connect(2); no local port is assigned at this point, so the process
 *                              is stored until the next change
 *   ESTABLISHED -> FIN_WAIT1   close(2) or shutdown(2) by the last process that has the socket, or
 *                              the exit of that process
 *   CLOSE_WAIT -> LAST_ACK     the same, after the other end closed
 *   ... -> CLOSE               close(2) or exit with unread data, or after a shutdown(2) of both
 *                              directions
 *
 * sock:sock_send_length and sock:sock_recv_length run at the end of each system call that sends or
 * receives, in the context of its process. They must be fast: for TCP, the last process is in the
 * socket's own storage, and only a change is an event. Kernels before 6.3 have neither; there,
 * tcp:tcp_rcv_space_adjust reports the processes that read from TCP connections.
 *
 * net:net_dev_start_xmit and net:netif_rx run when a packet enters the loopback device and when the
 * device queues it for reception, both in the system call that sends a UDP datagram. At the second
 * one, the packet has the time that captures of it have.
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
#define MAP_PERCPU_ARRAY 6
#define MAP_SK_STORAGE 24
#define MAP_RINGBUF 27

static void *(*const map_lookup)(const void *map, const void *key) = (void *)1;
static u64 (*const current_uid_gid)(void) = (void *)15;
static void *(*const sk_storage)(const void *map, void *sk, void *value, u64 flags) = (void *)107;
static long (*const read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static void *(*const ringbuf_reserve)(void *ring, u64 size, u64 flags) = (void *)131;
static void (*const ringbuf_submit)(void *data, u64 flags) = (void *)132;
static struct task_struct *(*const current_task)(void) = (void *)158;
static u64 (*const tai_ns)(void) = (void *)208;

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

struct socket {
	void *file;
};

struct sock {
	struct sock_common __sk_common;
	u16 sk_protocol;
	u8 sk_shutdown;
	struct socket *sk_socket;
};

struct inet_sock {
	u16 inet_sport;
};

struct mm_struct {
	unsigned long end_code;
	unsigned long arg_start;
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

struct Qdisc {
	void *enqueue;
};

struct netdev_queue {
	struct Qdisc *qdisc;
};

struct net_device {
	unsigned int flags;
	possible_net_t nd_net;
	struct netdev_queue *_tx;
};

struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	long long tstamp;
	u16 transport_header;
	u16 network_header;
	unsigned char *head;
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
#define IFF_LOOPBACK 8
#define MSG_PEEK 2
#define TCP 6
#define UDP 17

/* A process, in the layout that socket_events.rs parses. arg_start, the address of its arguments,
 * differs after each execve(2). */
struct task {
	u64 start_boottime;
	u64 arg_start;
	u32 tgid;
	u32 parent;
	u32 uid;
	u32 membership;
	char comm[16];
};

/* The relation of a process to the command of lcap run. */
enum membership {
	OTHER = 0,
	MEMBER = 1,
	/* There are too many ancestors. */
	UNKNOWN = 2,
};

enum kind {
	EVENT_CONNECTED = 1,
	EVENT_CONNECT_FAILED = 2,
	EVENT_CLOSED = 3,
	EVENT_READ = 4,
	EVENT_WRITTEN = 5,
	EVENT_DATAGRAM_SENT = 6,
	EVENT_DATAGRAM_RECEIVED = 7,
};

/* An event, in the same layout. Times are in nanoseconds of CLOCK_TAI, except that of a datagram
 * that was sent, which is in CLOCK_REALTIME. Ports are in network byte order. */
struct event {
	u64 since;
	u64 time;
	struct task task;
	u8 local[16];
	u8 remote[16];
	u16 local_port;
	u16 remote_port;
	u16 family;
	u16 kind;
	u32 length;
	/* 1 if the socket is in another network namespace than NETNS. */
	u32 is_foreign;
};

/* The use of a TCP socket. */
struct usage {
	/* The time of connect(2), and the process; 0 for the socket of a server. */
	u64 connected_at;
	u64 has_result;
	struct task client;
	/* The process that used the socket last, and the time of its last use. */
	u64 last_use;
	u64 arg_start;
	u64 tgid;
};

/* The inode of the network namespace to report on, and 1 to report on the TCP connections of all
 * others, too; set before the programs are loaded. */
volatile const u32 NETNS = 0;
volatile const u32 ALL_NAMESPACES = 0;

/* The PID of lcap run: its descendants are the processes of its command. It is the subreaper of
 * orphaned descendants (prctl(2)), so it remains their ancestor. 0 if there is no command; set
 * before the programs are loaded. */
volatile const u32 RUN_ROOT = 0;
#define MAX_ANCESTORS 64

struct {
	MAP(type, MAP_SK_STORAGE);
	MAP(map_flags, NO_PREALLOC);
	OF(key, int);
	OF(value, struct usage);
} USAGES SEC(".maps");

/* The address of the UDP packet that this processor passes to the loopback device. */
struct {
	MAP(type, MAP_PERCPU_ARRAY);
	MAP(max_entries, 1);
	OF(key, u32);
	OF(value, u64);
} SENDING SEC(".maps");

struct {
	MAP(type, MAP_RINGBUF);
	MAP(max_entries, 1 << 22);
} EVENTS SEC(".maps");

/* The number of events that were lost because a map was full. */
struct {
	MAP(type, MAP_ARRAY);
	MAP(max_entries, 1);
	OF(key, u32);
	OF(value, u64);
} LOST SEC(".maps");

#define INLINE static inline __attribute__((always_inline))
/* Reads a field of a kernel structure; 0 if it cannot be read. For a pointer, a direct access would be
 * as good, but for each one the verifier searches the kernel's types for several names, which takes
 * a millisecond. */
#define READ(field) \
	({ \
		__typeof__(field) value_ = 0; \
		read_kernel(&value_, sizeof(value_), &(field)); \
		value_; \
	})

INLINE u64 arg_start(struct task_struct *task)
{
	struct mm_struct *mm = READ(task->mm);

	return mm ? READ(mm->arg_start) : 0;
}

/* Not inlined: the verifier checks the loop once for each caller, and there are several. The fields
 * are read by the helper, because each direct access costs the verifier a millisecond. */
static __attribute__((noinline)) u32 run_membership(u64 task)
{
	for (int i = 0; i < MAX_ANCESTORS; i++) {
		u64 parent = 0;
		u32 tgid = 0;

		if (read_kernel(&parent, sizeof(parent), &((struct task_struct *)task)->real_parent))
			return UNKNOWN;
		if (read_kernel(&tgid, sizeof(tgid), &((struct task_struct *)parent)->tgid))
			return UNKNOWN;
		if (tgid == RUN_ROOT)
			return MEMBER;
		/* PID 1 and the kernel's threads have no further ancestors. */
		if (tgid <= 1)
			return OTHER;
		task = parent;
	}
	return UNKNOWN;
}

INLINE void describe_task(struct task_struct *task, struct task *to)
{
	struct task_struct *leader = READ(task->group_leader);
	struct task_struct *parent = READ(leader->real_parent);

	to->start_boottime = READ(leader->start_boottime);
	to->arg_start = arg_start(task);
	to->tgid = task->tgid;
	to->parent = READ(parent->tgid);
	to->uid = (u32)current_uid_gid();
	to->membership = RUN_ROOT ? run_membership((u64)leader) : OTHER;
	read_kernel(to->comm, sizeof(to->comm), &leader->comm);
}

INLINE void count_lost(void)
{
	u32 first = 0;
	u64 *lost = map_lookup(&LOST, &first);

	if (lost)
		__sync_fetch_and_add(lost, 1);
}

/* Reserves an event, with everything except the addresses. */
INLINE struct event *new_event(enum kind kind, u64 since, u64 time, const struct task *task, u32 length)
{
	struct event *event = ringbuf_reserve(&EVENTS, sizeof(*event), 0);

	if (!event) {
		count_lost();
		return event;
	}
	event->since = since;
	event->time = time;
	event->task = *task;
	event->kind = kind;
	event->length = length;
	event->is_foreign = 0;
	__builtin_memset(event->local, 0, sizeof(event->local));
	__builtin_memset(event->remote, 0, sizeof(event->remote));
	return event;
}

INLINE int is_in_namespace(struct sock *sk)
{
	struct net *net = READ(sk->__sk_common.skc_net.net);

	return READ(net->ns.inum) == NETNS;
}

INLINE int is_visible(struct sock *sk)
{
	return ALL_NAMESPACES || is_in_namespace(sk);
}

INLINE int is_of_interest(struct sock *sk)
{
	return sk->sk_protocol == TCP && is_visible(sk);
}

INLINE void emit(struct sock *sk, enum kind kind, u64 since, u64 time, const struct task *task, u32 length)
{
	struct event *event = new_event(kind, since, time, task, length);

	if (!event)
		return;
	event->is_foreign = ALL_NAMESPACES && !is_in_namespace(sk);
	event->family = sk->__sk_common.skc_family;
	event->remote_port = sk->__sk_common.skc_dport;
	event->local_port = READ(((struct inet_sock *)sk)->inet_sport);
	if (event->family == AF_INET) {
		*(u32 *)event->local = sk->__sk_common.skc_rcv_saddr;
		*(u32 *)event->remote = sk->__sk_common.skc_daddr;
	} else {
		read_kernel(event->local, sizeof(event->local), &sk->__sk_common.skc_v6_rcv_saddr);
		read_kernel(event->remote, sizeof(event->remote), &sk->__sk_common.skc_v6_daddr);
	}
	ringbuf_submit(event, 0);
}

INLINE int is_ip(struct sock *sk)
{
	u16 family = sk->__sk_common.skc_family;

	return family == AF_INET || family == AF_INET6;
}

/* Records that a process uses a connected socket; returns 1 if its last user was another one. */
INLINE int record_use(struct usage *usage, struct task_struct *task, u64 now)
{
	u32 tgid = task->tgid;
	u64 arguments = arg_start(task);

	usage->last_use = now;
	if (usage->tgid == tgid && usage->arg_start == arguments)
		return 0;
	usage->tgid = tgid;
	usage->arg_start = arguments;
	return 1;
}

INLINE int is_kernel_thread(struct task_struct *task)
{
	return task->flags & PF_KTHREAD;
}

SEC("tp_btf/inet_sock_set_state")
int state_change(u64 *arguments)
{
	struct sock *sk = (struct sock *)arguments[0];
	int from = (int)arguments[1], to = (int)arguments[2];
	struct task_struct *task;
	struct mm_struct *mm;
	struct usage *usage;
	struct task process;
	u64 now;

	if (to != SYN_SENT && to != FIN_WAIT1 && to != LAST_ACK && to != CLOSE)
		return 0;
	if (!is_of_interest(sk))
		return 0;
	/* A failed connect(2) is reported by connect_result(). */
	if (to == CLOSE && !((from == ESTABLISHED || from == CLOSE_WAIT) && sk->sk_shutdown == BOTH_DIRECTIONS))
		return 0;
	task = current_task();
	if (is_kernel_thread(task))
		return 0;
	/* During execve(2) a child closes sockets that it only inherited. Its new memory has no code
	 * at that point; an exiting process, which does count, has no memory at all. */
	mm = READ(task->mm);
	if (mm && !READ(mm->end_code))
		return 0;
	now = tai_ns();
	usage = sk_storage(&USAGES, sk, 0, to == SYN_SENT ? STORAGE_CREATE : 0);
	if (to == SYN_SENT) {
		if (!usage) {
			count_lost();
			return 0;
		}
		usage->connected_at = now;
		usage->has_result = 0;
		describe_task(task, &usage->client);
		record_use(usage, task, now);
		return 0;
	}
	/* An earlier event already identified the process of a client's socket. */
	if (usage && usage->connected_at && usage->tgid == (u32)task->tgid)
		return 0;
	describe_task(task, &process);
	emit(sk, EVENT_CLOSED, usage ? usage->last_use : 0, now, &process, 0);
	return 0;
}

INLINE int handle_connect_result(u64 *arguments)
{
	struct sock *sk = (struct sock *)arguments[0];
	struct usage *usage;
	struct task client;

	if ((int)arguments[1] != SYN_SENT || !is_of_interest(sk))
		return 0;
	usage = sk_storage(&USAGES, sk, 0, 0);
	if (!usage || !usage->connected_at || usage->has_result)
		return 0;
	usage->has_result = 1;
	client = usage->client;
	emit(sk, (int)arguments[2] == CLOSE ? EVENT_CONNECT_FAILED : EVENT_CONNECTED, usage->connected_at, tai_ns(), &client, 0);
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

/* Handles the use of a TCP socket by the current process. */
INLINE int handle_use(struct sock *sk, enum kind kind)
{
	struct task_struct *task = current_task();
	struct usage *usage;
	struct task process;
	u64 now, last_use;

	if (!is_visible(sk) || is_kernel_thread(task))
		return 0;
	usage = sk_storage(&USAGES, sk, 0, STORAGE_CREATE);
	if (!usage) {
		count_lost();
		return 0;
	}
	now = tai_ns();
	last_use = usage->last_use;
	if (!record_use(usage, task, now))
		return 0;
	describe_task(task, &process);
	emit(sk, kind, last_use, now, &process, 0);
	return 0;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int data_read(u64 *arguments)
{
	struct sock *sk = (struct sock *)arguments[0];

	return sk->sk_protocol == TCP ? handle_use(sk, EVENT_READ) : 0;
}

SEC("tp_btf/sock_send_length")
int data_sent(u64 *arguments)
{
	struct sock *sk = (struct sock *)arguments[0];

	if ((int)arguments[1] <= 0 || sk->sk_protocol != TCP || !is_ip(sk))
		return 0;
	return handle_use(sk, EVENT_WRITTEN);
}

SEC("tp_btf/sock_recv_length")
int data_received(u64 *arguments)
{
	struct sock *sk = (struct sock *)arguments[0];
	int length = (int)arguments[1];
	struct task_struct *task;
	struct task process;

	if (length < 0 || !is_ip(sk))
		return 0;
	if (sk->sk_protocol == TCP)
		return length ? handle_use(sk, EVENT_READ) : 0;
	if (sk->sk_protocol != UDP || (int)arguments[2] & MSG_PEEK || !is_in_namespace(sk))
		return 0;
	task = current_task();
	if (is_kernel_thread(task))
		return 0;
	describe_task(task, &process);
	emit(sk, EVENT_DATAGRAM_RECEIVED, 0, tai_ns(), &process, length);
	return 0;
}

INLINE int has_queue(struct net_device *dev)
{
	struct netdev_queue *queue = READ(dev->_tx);
	struct Qdisc *qdisc = READ(queue->qdisc);

	return READ(qdisc->enqueue) != 0;
}

/* Notes a UDP packet that the current process sends. A packet of a socket without a file is sent by
 * the kernel. If the device has a queue, e.g. of tc-netem(8), another process may send it. */
SEC("tp_btf/net_dev_start_xmit")
int datagram_begins(u64 *arguments)
{
	struct sk_buff *skb = (struct sk_buff *)arguments[0];
	struct net_device *dev = (struct net_device *)arguments[1];
	struct sock *sk = skb->sk;
	struct socket *socket;
	u32 first = 0;
	u64 *sending;

	if (!(dev->flags & IFF_LOOPBACK) || !sk)
		return 0;
	sending = map_lookup(&SENDING, &first);
	if (!sending)
		return 0;
	*sending = 0;
	if (sk->sk_protocol != UDP || !is_in_namespace(sk))
		return 0;
	socket = READ(sk->sk_socket);
	if (socket && READ(socket->file) && !has_queue(dev))
		*sending = (u64)skb;
	return 0;
}

SEC("tp_btf/netif_rx")
int datagram_sent(u64 *arguments)
{
	struct sk_buff *skb = (struct sk_buff *)arguments[0];
	struct task_struct *task = current_task();
	u32 first = 0;
	u64 *sending = map_lookup(&SENDING, &first);
	struct event *event;
	struct task process;
	u8 header[40], *head;
	u16 ports[2];

	if (!sending || *sending != (u64)skb)
		return 0;
	*sending = 0;
	if (is_kernel_thread(task))
		return 0;
	head = READ(skb->head);
	if (read_kernel(header, sizeof(header), head + skb->network_header))
		return 0;
	/* Only the first fragment of a datagram has ports. */
	if (header[0] >> 4 == 4 && (header[6] & 0x1f || header[7]))
		return 0;
	if (read_kernel(ports, sizeof(ports), head + skb->transport_header))
		return 0;
	describe_task(task, &process);
	event = new_event(EVENT_DATAGRAM_SENT, 0, skb->tstamp, &process, 0);
	if (!event)
		return 0;
	event->local_port = ports[0];
	event->remote_port = ports[1];
	if (header[0] >> 4 == 4) {
		event->family = AF_INET;
		__builtin_memcpy(event->local, header + 12, 4);
		__builtin_memcpy(event->remote, header + 16, 4);
	} else {
		event->family = AF_INET6;
		__builtin_memcpy(event->local, header + 8, 16);
		__builtin_memcpy(event->remote, header + 24, 16);
	}
	ringbuf_submit(event, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
