//! Where threads meet: they find stretches of the file together, and hand on what they made of each. Nobody is far ahead of who takes it.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::Portion;
use super::stretch::{Finder, Stretch};
use crate::error::Result;

/// What threads tell each other.
pub(super) struct Board<'a> {
    /// Who has it finds the next stretch.
    finder: Mutex<Finder<'a>>,
    state: Mutex<State>,
    /// So many stretches may be found before the first of them is done with.
    ahead: usize,
    /// For threads that are too far ahead.
    taken: Condvar,
    /// For who takes.
    complete: Condvar,
}

#[derive(Default)]
struct State {
    /// Stretches that were found and are not done with.
    found: VecDeque<Arc<Stretch>>,
    /// How many were done with before them.
    done: u64,
    /// How the file ends: known once its last stretch is found, until that is taken.
    end: Option<Result<()>>,
    /// What each thread handed on and nobody has taken yet.
    made: Vec<VecDeque<Portion>>,
    /// To be used again.
    used: Vec<Portion>,
    spare: Vec<Stretch>,
    /// Nobody takes anything any more, or a thread is gone.
    over: bool,
}

impl<'a> Board<'a> {
    /// For so many threads, which may be so many stretches ahead.
    pub(super) fn new(threads: usize, finder: Finder<'a>, ahead: usize) -> Board<'a> {
        let state = State {
            made: (0..threads).map(|_| VecDeque::new()).collect(),
            ..State::default()
        };
        Board {
            finder: Mutex::new(finder),
            ahead,
            state: Mutex::new(state),
            taken: Condvar::new(),
            complete: Condvar::new(),
        }
    }

    /// A stretch, counted from 0, and a portion to fill with what is made of it; none where nobody takes it any more.
    pub(super) fn begin(&self, number: u64) -> Option<(Arc<Stretch>, Portion)> {
        loop {
            let mut state = lock(&self.state);
            // What is not found yet is found by who needs it, unless too much is found already.
            while number - state.done >= self.ahead as u64 && !state.over {
                state = wait(&self.taken, state);
            }
            if state.over {
                return None;
            }
            let index = (number - state.done) as usize;
            if let Some(stretch) = state.found.get(index) {
                let stretch = Arc::clone(stretch);
                return Some((stretch, state.used.pop().unwrap_or_default()));
            }
            drop(state);
            self.find(&mut lock(&self.finder), number);
        }
    }

    /// A thread has done with a stretch. If it is early, it finds another one for all.
    pub(super) fn hand_on(&self, thread: usize, number: u64, portion: Portion) {
        let mut state = lock(&self.state);
        state.made[thread].push_back(portion);
        let complete = state.made.iter().map(VecDeque::len).min().unwrap_or(0);
        let is_all = state.end.is_some() && complete == state.found.len();
        drop(state);
        // To wake a thread costs more than it takes to put a stretch in order: who takes is woken for some at once.
        if complete >= self.ahead / 3 || is_all {
            self.complete.notify_one();
        }
        if let Ok(mut finder) = self.finder.try_lock() {
            self.find(&mut finder, number + 3);
        }
    }

    /// Finds a stretch, unless it was found, or there are enough, or there is none.
    fn find(&self, finder: &mut Finder, number: u64) {
        let mut state = lock(&self.state);
        let next = state.done + state.found.len() as u64;
        if next > number || state.found.len() >= self.ahead || state.end.is_some() || state.over {
            return;
        }
        let mut stretch = state.spare.pop().unwrap_or_default();
        drop(state);
        let end = finder.find(&mut stretch);
        let mut state = lock(&self.state);
        state.found.push_back(Arc::new(stretch));
        state.end = end;
    }

    /// What all threads made of the next stretch, once it is there, and how the file ends, if it ends there; none if a thread is gone.
    pub(super) fn take(&self) -> Option<(Vec<Portion>, Option<Result<()>>)> {
        let mut state = lock(&self.state);
        while !state.over && state.made.iter().any(VecDeque::is_empty) {
            state = wait(&self.complete, state);
        }
        let portions = state.made.iter_mut().map(VecDeque::pop_front);
        let portions = portions.collect::<Option<Vec<Portion>>>()?;
        let stretch = state.found.pop_front().and_then(Arc::into_inner);
        state.spare.extend(stretch);
        state.done += 1;
        let end = match state.found.is_empty() {
            true => state.end.take(),
            false => None,
        };
        // There is nothing to be found behind the end.
        state.over |= end.is_some();
        drop(state);
        self.taken.notify_all();
        Some((portions, end))
    }

    /// What was taken was used.
    pub(super) fn give_back(&self, portions: Vec<Portion>) {
        let cleared = portions.into_iter().map(Portion::cleared);
        lock(&self.state).used.extend(cleared);
    }

    /// Nobody takes anything any more.
    pub(super) fn close(&self) {
        lock(&self.state).over = true;
        self.taken.notify_all();
        self.complete.notify_all();
    }
}

fn wait<'s>(for_what: &Condvar, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
    let waited = for_what.wait(state);
    waited.unwrap_or_else(PoisonError::into_inner)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Closes a board if its thread ends by a panic, so that nobody waits for it.
pub(super) struct Presence<'a, 'b>(pub(super) &'a Board<'b>);

impl Drop for Presence<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.close();
        }
    }
}
