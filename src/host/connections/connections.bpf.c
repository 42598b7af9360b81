/* What the kernel says of TCP connections: who asked for one, who read from it, and who let go of it.
 *
 * Three small programs at one tracepoint, sock:inet_sock_set_state, which run where a connection changes its state, a few times in its
 * life. Trusted is only who is on the processor where the state changes because of a system call of its own (on loopback everything
 * else happens in the context of whoever sent the packet):
 *
 *   CLOSE -> SYN_SENT               connect(2); the port is not chosen yet, so who it was is kept until the next change
 *   ESTABLISHED -> FIN_WAIT1        close(2) or shutdown(2), by whoever has the socket last; or the end of that process
 *   CLOSE_WAIT -> LAST_ACK          the same, after the other end
 *   ... -> CLOSE                    the same with data unread, if both directions were shut down before
 *
 * And one at tcp:tcp_rcv_space_adjust, where a process has copied out what it received. It has to be quick: it runs for each read of
 * each connection, and looks at what it noted at the socket itself.
 *
 * Built by tests/bpf; the object beside this file is what is used. No header of a kernel: fields are found by their names, in the
 * kernel's own type information, when the object is loaded.
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

/* include/net/tcp_states.h, include/linux/socket.h, include/linux/sched.h, include/uapi/linux/in.h */
enum { ESTABLISHED = 1, SYN_SENT = 2, FIN_WAIT1 = 4, CLOSE = 7, CLOSE_WAIT = 8, LAST_ACK = 9 };
#define AF_INET 2
#define AF_INET6 10
#define BOTH_DIRECTIONS 3
/* include/uapi/linux/bpf.h */
#define NO_PREALLOC 1
#define STORAGE_CREATE 1
#define PF_KTHREAD 0x00200000
#define TCP 6

/* A process, as src/host/connections.rs reads it. */
struct task {
	u64 start_boottime;
	u32 tgid;
	u32 parent;
	u32 uid;
	u32 unused;
	char comm[16];
};

enum what { ANSWERED = 1, ENDED = 2, LET_GO = 3, READ = 4 };

/* One event, likewise. Times are of CLOCK_MONOTONIC, in nanoseconds; ports in the order of the network. */
struct event {
	u64 asked;
	u64 time;
	struct task task;
	u8 local[16];
	u8 remote[16];
	u16 local_port;
	u16 remote_port;
	u16 family;
	u16 what;
};

struct asked {
	u64 time;
	u64 is_answered;
	struct task task;
};

/* Who read from a socket last, and how often that was told. */
struct reader {
	u32 tgid;
	u32 told;
};

/* Processes that take turns at a socket are told of so often. */
#define TURNS 4

/* The network namespace that is of interest; set before this is loaded. */
volatile const u32 NETNS = 0;

/* Who asked for a connection, by the socket's address, until he lets go of it. */
struct {
	MAP(type, MAP_LRU_HASH);
	MAP(max_entries, 16384);
	OF(key, u64);
	OF(value, struct asked);
} ASKED SEC(".maps");

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

/* How much there was no room for. */
struct {
	MAP(type, MAP_ARRAY);
	MAP(max_entries, 1);
	OF(key, u32);
	OF(value, u64);
} LOST SEC(".maps");

static inline __attribute__((always_inline)) void describe(struct task_struct *task, struct task *to)
{
	struct task_struct *leader = task->group_leader;

	to->start_boottime = leader->start_boottime;
	to->tgid = task->tgid;
	to->parent = leader->real_parent->tgid;
	to->uid = (u32)current_uid_gid();
	to->unused = 0;
	read_kernel(to->comm, sizeof(to->comm), &leader->comm);
}

/* Counts what is not told. */
static inline __attribute__((always_inline)) void lose(void)
{
	u32 first = 0;
	u64 *lost = map_lookup(&LOST, &first);

	if (lost)
		__sync_fetch_and_add(lost, 1);
}

static inline __attribute__((always_inline)) void tell(struct sock *sk, enum what what, const struct asked *who)
{
	struct event *event = ringbuf_reserve(&EVENTS, sizeof(*event), 0);

	if (!event) {
		lose();
		return;
	}
	event->asked = who->time;
	event->time = ktime_ns();
	event->task = who->task;
	event->what = what;
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
int acts(u64 *arguments)
{
	struct sock *sk = (struct sock *)arguments[0];
	int from = (int)arguments[1], to = (int)arguments[2];
	u64 key = (u64)sk;
	struct task_struct *task;
	struct asked who;

	if (to != SYN_SENT && to != FIN_WAIT1 && to != LAST_ACK && to != CLOSE)
		return 0;
	if (!is_of_interest(sk))
		return 0;
	if (to == CLOSE && !((from == ESTABLISHED || from == CLOSE_WAIT) && sk->sk_shutdown == BOTH_DIRECTIONS)) {
		/* Answers are told of before that, or have been. The address may be another socket's soon. */
		if (from != SYN_SENT)
			map_delete(&ASKED, &key);
		return 0;
	}
	task = current_task();
	if (task->flags & PF_KTHREAD)
		return 0;
	/* A child that becomes another program lets go of what it only has from its parent. It has no code yet; who ends has no memory. */
	if (task->mm && !task->mm->end_code)
		return 0;
	if (to != SYN_SENT) {
		struct asked *asked = map_lookup(&ASKED, &key);
		int is_known = asked && asked->task.tgid == (u32)task->tgid;

		if (asked)
			map_delete(&ASKED, &key);
		/* Nothing that was not told when it was asked for. */
		if (is_known)
			return 0;
	}
	who.time = ktime_ns();
	who.is_answered = 0;
	describe(task, &who.task);
	if (to != SYN_SENT)
		tell(sk, LET_GO, &who);
	else if (map_update(&ASKED, &key, &who, 0))
		lose();
	return 0;
}

static inline __attribute__((always_inline)) int answer(u64 *arguments)
{
	struct sock *sk = (struct sock *)arguments[0];
	u64 key = (u64)sk;
	struct asked *asked;

	if ((int)arguments[1] != SYN_SENT || !is_of_interest(sk))
		return 0;
	asked = map_lookup(&ASKED, &key);
	if (!asked || asked->is_answered)
		return 0;
	asked->is_answered = 1;
	if ((int)arguments[2] == CLOSE) {
		tell(sk, ENDED, asked);
		map_delete(&ASKED, &key);
	} else {
		tell(sk, ANSWERED, asked);
	}
	return 0;
}

/* An answer may come in an interrupt of an answer, and the kernel runs no program inside of itself: the other one runs then. */

SEC("tp_btf/inet_sock_set_state")
int answers(u64 *arguments)
{
	return answer(arguments);
}

SEC("tp_btf/inet_sock_set_state")
int answers_too(u64 *arguments)
{
	return answer(arguments);
}

SEC("tp_btf/tcp_rcv_space_adjust")
int reads(u64 *arguments)
{
	struct sock *sk = (struct sock *)arguments[0];
	u64 key = (u64)sk;
	struct task_struct *task = current_task();
	struct reader *reader;
	struct asked *asked, who;

	if (!is_of_interest(sk))
		return 0;
	reader = sk_storage(&READERS, sk, 0, STORAGE_CREATE);
	if (!reader || reader->tgid == (u32)task->tgid || reader->told == TURNS || task->flags & PF_KTHREAD)
		return 0;
	reader->tgid = task->tgid;
	asked = map_lookup(&ASKED, &key);
	/* Nothing that was not told when it was asked for. */
	if (asked && asked->task.tgid == (u32)task->tgid)
		return 0;
	reader->told++;
	who.time = ktime_ns();
	describe(task, &who.task);
	tell(sk, READ, &who);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
