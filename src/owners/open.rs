//! Connections whose responder may become better known, and when they are asked about next.

use std::cmp::Ordering;
use std::iter::repeat_n;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::directory::{About, Question};
use crate::host::processes::Process;

/// How long after the last question the next one follows.
const AGAIN: [Duration; 9] = [
    Duration::ZERO,
    Duration::from_micros(100),
    Duration::from_micros(200),
    Duration::from_micros(700),
    Duration::from_millis(2),
    Duration::from_millis(7),
    Duration::from_millis(20),
    Duration::from_millis(70),
    Duration::from_millis(400),
];
/// Where the kernel tells nothing, it is asked so often whether somebody has accepted a connection, who may be done with it soon: so many
/// times, once in so long, before the pauses become longer than that.
const OFTEN: (usize, Duration) = (80, Duration::from_micros(250));
/// A process and its child are asked so many times, once in so long, who of them keeps a connection that both have.
const BOTH: (usize, Duration) = (20, Duration::from_micros(30));
/// The first of the longer pauses.
const SELDOM: usize = 5;
/// A child that takes a connection over mostly does so before it was looked so often, which takes a tenth of a second.
const HANDED_ON: usize = 7;
/// A connection whose responder may become better known.
pub(super) struct Open {
    pub(super) question: Question,
    /// How long after it is known who listens it is asked who has accepted.
    pub(super) pause: Option<Duration>,
    /// How often it was asked whether anybody has accepted it,
    pub(super) asked: usize,
    /// how often it was looked whether it was handed on since, and how often that is to be looked at most.
    pub(super) looked: usize,
    pub(super) until: usize,
    /// Whether the kernel tells who accepts it.
    pub(super) is_told: bool,
    /// Who listens.
    pub(super) listening: Vec<Arc<Process>>,
    /// Who had the connection when that was asked last.
    pub(super) had: Vec<Arc<Process>>,
    pub(super) is_accepted: bool,
    /// Its socket's inode and user, once somebody has it.
    pub(super) inode: u32,
    pub(super) uid: Option<u32>,
    /// How often a process and its child were asked who keeps it.
    asked_both: usize,
    /// The number that was given to a process last before the first question.
    pub(super) since: u32,
    pub(super) due: Instant,
}

/// The one that is due first is the greatest.
impl Ord for Open {
    fn cmp(&self, other: &Open) -> Ordering {
        other.due.cmp(&self.due)
    }
}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Open) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Open {
    fn eq(&self, other: &Open) -> bool {
        self.due == other.due
    }
}

impl Eq for Open {}

impl Open {
    /// Nothing is known of it yet. What has begun without anybody seeing it is first asked about a while later, where it may have an answer
    /// by then.
    pub(super) fn new(question: Question, first_after: Duration, since: u32) -> Open {
        let is_told = !first_after.is_zero();
        Open {
            question,
            pause: (question.about == About::Responder && is_told).then_some(first_after),
            asked: 0,
            looked: 0,
            until: HANDED_ON,
            is_told,
            listening: Vec::new(),
            had: Vec::new(),
            is_accepted: false,
            inode: 0,
            uid: None,
            asked_both: 0,
            since,
            due: match question.about {
                About::Both => Instant::now() + first_after,
                About::Responder | About::Originator => Instant::now(),
            },
        }
    }

    /// Whether it is asked about now for the first time.
    pub(super) fn is_first(&self) -> bool {
        self.asked + self.looked == 0 && self.pause.is_none()
    }

    /// Whether a child of this process may have it from it.
    pub(super) fn may_have_handed_on(&self, pid: u32) -> bool {
        let mut all = match self.is_accepted {
            true => self.had.iter(),
            false => self.listening.iter(),
        };
        all.any(|process| process.pid == pid)
    }

    /// Whether a process and its child had it a moment ago: mostly one of them is about to close it.
    pub(super) fn is_being_handed_on(&self) -> bool {
        let is_child = |child: &Arc<Process>| self.had.iter().any(|own| own.pid == child.parent);
        self.asked_both < BOTH.0 && self.inode != 0 && self.had.iter().any(is_child)
    }

    /// Puts that question off for a moment; whether there is to be one more.
    pub(super) fn wait_for_one(&mut self) -> bool {
        let (most, pause) = BOTH;
        self.asked_both += 1;
        self.due = Instant::now() + pause;
        self.asked_both < most
    }

    /// Puts the next question off; whether there is to be one.
    pub(super) fn wait(&mut self) -> bool {
        let after = match self.is_accepted {
            true => {
                self.looked += 1;
                let after = AGAIN.get(self.looked);
                after.filter(|_| self.looked <= self.until).copied()
            }
            false => {
                self.asked += 1;
                again(self.asked, !self.is_told)
            }
        };
        let Some(after) = after else {
            return false;
        };
        self.due = Instant::now() + after;
        true
    }
}

/// How long after the last question whether anybody has accepted it the next one follows.
fn again(asked: usize, often: bool) -> Option<Duration> {
    if !often {
        return AGAIN.get(asked).copied();
    }
    let (count, pause) = OFTEN;
    let soon = AGAIN.into_iter().take_while(|after| *after < pause);
    let often = soon.chain(repeat_n(pause, count));
    often.chain(AGAIN.into_iter().skip(SELDOM)).nth(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_told_asks_often_at_first() {
        let pauses = |often| (1..).map_while(move |asked| again(asked, often));
        assert_eq!(pauses(false).collect::<Vec<Duration>>(), AGAIN[1..]);
        let (count, pause) = OFTEN;
        let often: Vec<Duration> = pauses(true).collect();
        assert!(often.is_sorted());
        assert_eq!(often.iter().filter(|own| **own == pause).count(), count);
        assert!(often.ends_with(&AGAIN[SELDOM..]));
    }
}
