//! Which connection an owner belongs to: tuples are used again.

use super::*;
use crate::host::processes::{Identity, More, Process};
use crate::owners::How;
use crate::owners::entries::{Had, MOST};
use crate::packet::TCP;

const SECOND: i64 = 1_000_000_000;

fn tuple(from: u16, to: u16) -> Tuple {
    let end = |port| ([127, 0, 0, 1], port).into();
    Tuple {
        src: end(from),
        dst: end(to),
        proto: TCP,
    }
}

fn owner(uid: u32) -> Owner {
    Owner {
        processes: Vec::new(),
        how: How::Gone,
        uid: Some(uid),
        looked_up: Timestamp(0),
    }
}

/// Notes a connection whose originator and responder have these users.
fn note(directory: &Directory, tuple: Tuple, seconds: i64, isn: u32, uids: [u32; 2]) -> bool {
    let time = Timestamp(seconds * SECOND);
    let question = Question {
        tuple,
        time,
        about: About::Responder,
    };
    let is_new = directory.begin(&tuple, time, isn);
    if is_new {
        directory.originator(&question, owner(uids[0]));
        directory.responder(&question, owner(uids[1]));
        directory.is_settled(&question);
    }
    is_new
}

fn uids(owners: Option<Owners>) -> Option<[u32; 2]> {
    let owners = owners?;
    let uid = |owner: Option<Arc<Owner>>| owner.and_then(|owner| owner.uid);
    Some([uid(owners.orig)?, uid(owners.resp)?])
}

#[test]
fn owners_stay_with_their_connection() {
    let (directory, _asked) = Directory::new().expect("a pipe");
    let (there, back) = (tuple(40_000, 80), tuple(80, 40_000));
    assert!(note(&directory, there, 10, 1, [1, 2]));
    // The SYN again, then the tuple again, then the other way round.
    assert!(!note(&directory, there, 11, 1, [7, 7]));
    assert!(note(&directory, there, 20, 2, [3, 4]));
    assert!(note(&directory, back, 30, 3, [5, 6]));
    let packet =
        |tuple, seconds| uids(directory.of_packet(&tuple, Timestamp(seconds * SECOND), Which::Any));
    assert_eq!(packet(there, 9), None);
    assert_eq!(packet(there, 15), Some([1, 2]));
    assert_eq!(packet(back, 15), Some([2, 1]));
    assert_eq!(packet(there, 29), Some([3, 4]));
    assert_eq!(packet(there, 31), Some([6, 5]));
    assert_eq!(packet(back, 31), Some([5, 6]));
    let flow = |tuple, seconds| uids(directory.of_flow(&tuple, Timestamp(seconds * SECOND)));
    assert_eq!(flow(there, 10), Some([1, 2]));
    assert_eq!(flow(back, 10), Some([2, 1]));
    assert_eq!(flow(there, 20), Some([3, 4]));
    assert_eq!(flow(there, 15), None);
    assert_eq!(flow(tuple(1, 2), 10), None);
}

#[test]
fn what_is_too_much_is_forgotten() {
    let (directory, _asked) = Directory::new().expect("a pipe");
    for at in 0..MOST as u32 + 10 {
        let tuple = tuple((at % 60_000) as u16, (at / 60_000) as u16);
        assert!(note(&directory, tuple, 1, at, [at, at]));
    }
    let shared = directory.lock();
    assert_eq!(shared.order.len(), MOST);
    assert_eq!(shared.entries.values().map(Vec::len).sum::<usize>(), MOST);
    assert!(!shared.entries.contains_key(&tuple(9, 0)));
    assert!(shared.entries.contains_key(&tuple(10, 0)));
}

#[test]
fn who_cannot_be_asked_about_is_not_waited_for() {
    let (directory, asked) = Directory::new().expect("a pipe");
    let ask = |port| directory.ask(&tuple(port, 80), Timestamp(0), Which::Any);
    (0..60_000).for_each(ask);
    assert_eq!(directory.lock().pending, questions::MOST);
    assert_eq!(asked.take().len(), questions::MOST);
    drop(asked);
    ask(60_001);
    assert_eq!(directory.lock().pending, questions::MOST);
}

/// Somebody asks because of a packet, and a moment later the kernel tells; or the other way round.
#[test]
fn what_is_told_counts_more_than_what_was_asked() {
    let (directory, asked) = Directory::new().expect("a pipe");
    let (tuple, begun) = (tuple(1, 2), Timestamp(SECOND));
    let owner = |uid| Owner::unknown(How::Gone, Some(uid));
    let between = |second: i64| [second, second + 1].map(|at| Timestamp(at * SECOND));
    directory.ask(&tuple, begun, Which::First);
    let by_packet = asked.take().pop_front().expect("a question");
    // The answer to a SYN may take as long as it takes.
    let (told, was_asked) = directory.is_told_of(&tuple, between(0), owner(1));
    assert_eq!((told.time, was_asked), (by_packet.time, Asked::Already));
    directory.originator(&by_packet, owner(9));
    directory.responder_at_least(&told, owner(2));
    let both = |time| uids(directory.of_packet(&tuple, Timestamp(time), Which::Any));
    assert_eq!(both(begun.0), Some([1, 2]));
    directory.ask(&tuple, begun, Which::First);
    assert!(asked.take().is_empty());
    // Nothing is pending, and a look that began earlier ends later.
    directory.is_settled(&told);
    directory.responder_so_far(&told, owner(9));
    assert_eq!(directory.lock().pending, 0);
    assert_eq!(both(begun.0), Some([1, 2]));
    // The same ends, later: another connection.
    let (again, was_asked) = directory.is_told_of(&tuple, between(3), owner(3));
    assert_eq!(was_asked, Asked::NotYet);
    directory.responder(&again, owner(4));
    assert_eq!(both(begun.0), Some([1, 2]));
    assert_eq!(both(again.time.0), Some([3, 4]));
    let (last, _) = directory.last(&tuple).expect("a connection");
    assert_eq!(last.time, again.time);
}

/// Two processes that use the same ends within a moment, and the kernel tells late: each has its own packets.
#[test]
fn ends_that_are_used_again_at_once() {
    let (directory, _asked) = Directory::new().expect("a pipe");
    let tuple = tuple(1, 2);
    let begun = [1, 2].map(|times| Timestamp(SECOND + times * 20_000_000));
    for (uid, at) in [1, 2].into_iter().zip(begun) {
        let owner = Owner::unknown(How::Gone, Some(uid));
        let (question, asked) = directory.is_told_of(&tuple, [at, Timestamp(at.0 + 1000)], owner);
        assert_eq!(asked, Asked::NotYet);
        directory.responder(&question, Owner::unknown(How::Gone, Some(uid * 10)));
    }
    for (pids, at) in [[1, 10], [2, 20]].into_iter().zip(begun) {
        for which in [Which::First, Which::Any] {
            assert_eq!(uids(directory.of_packet(&tuple, at, which)), Some(pids));
        }
        let later = Timestamp(at.0 + 10_000_000);
        assert_eq!(
            uids(directory.of_packet(&tuple, later, Which::Any)),
            Some(pids)
        );
    }
    // Who comes next is not one of them.
    let next = Timestamp(2 * SECOND);
    assert_eq!(directory.of_packet(&tuple, next, Which::First), None);
}

/// What is told of who had the end counts when it is known who listens, and of who let go of it once.
#[test]
fn who_had_it_is_told_from_who_listens() {
    let with = |how, pids: &[u32]| Owner {
        processes: pids.iter().map(|pid| Arc::new(process(*pid))).collect(),
        ..Owner::unknown(how, None)
    };
    type Note = fn(Owner) -> Had;
    let (read, let_go): (Note, Note) = (Had::Read, Had::LetGo);
    for (known, who, had, how, pids) in [
        (
            with(How::Listener, &[1, 2]),
            2,
            let_go,
            How::Acceptor,
            vec![2],
        ),
        (with(How::Listener, &[1]), 3, let_go, How::Socket, vec![3]),
        (with(How::Acceptor, &[1]), 1, let_go, How::Acceptor, vec![1]),
        (
            with(How::Acceptor, &[1]),
            3,
            let_go,
            How::Socket,
            vec![3, 1],
        ),
        (with(How::Socket, &[3]), 3, let_go, How::Socket, vec![3]),
        (with(How::Listener, &[1]), 7, let_go, How::Listener, vec![1]),
        (with(How::Acceptor, &[1]), 7, let_go, How::Acceptor, vec![1]),
        (with(How::Gone, &[]), 3, let_go, How::Acceptor, vec![3]),
        (with(How::Missed, &[]), 3, let_go, How::Acceptor, vec![3]),
        (
            with(How::Listener, &[1, 2]),
            2,
            read,
            How::Acceptor,
            vec![2],
        ),
        (with(How::Listener, &[1]), 3, read, How::Socket, vec![3]),
        (with(How::Acceptor, &[1]), 3, read, How::Socket, vec![3, 1]),
        (with(How::Acceptor, &[1]), 7, read, How::Socket, vec![7, 1]),
        (with(How::Socket, &[3]), 3, read, How::Socket, vec![3]),
        (with(How::Missed, &[]), 3, read, How::Socket, vec![3]),
    ] {
        for is_known_first in [true, false] {
            let (directory, _asked) = Directory::new().expect("a pipe");
            let client = with(How::Socket, &[9]);
            let (question, _) = directory.is_told_of(&tuple(1, 2), [Timestamp(0); 2], client);
            if is_known_first {
                directory.responder_at_least(&question, known.clone());
            }
            directory.responder_had(&question, had(with(How::Socket, &[who])));
            if !is_known_first {
                directory.responder_at_least(&question, known.clone());
            }
            let found = || {
                let found = directory.known_responder(&question).expect("it");
                let pids: Vec<u32> = found.processes.iter().map(|one| one.pid).collect();
                (found.how, pids)
            };
            assert_eq!(found(), (how, pids.clone()), "{known:?}");
            let is_over = matches!(had(known.clone()), Had::LetGo(_));
            assert_eq!(directory.is_pending(&question), !is_over);
            if is_over {
                // The same ends again, of which only the end was told.
                directory.responder_had(&question, Had::LetGo(with(How::Socket, &[8])));
            } else {
                // What is found later takes nothing away.
                directory.responder_so_far(&question, known.clone());
            }
            assert_eq!(found(), (how, pids.clone()), "{known:?}");
        }
    }
}

/// The third is a child of the first.
fn process(pid: u32) -> Process {
    let identity = Identity {
        pid,
        start_time: 1,
        parent: if pid == 3 { 1 } else { 0 },
        ..Identity::default()
    };
    Process::new(identity, More::default())
}
