//! LRU lists of flows, one per timeout class.
//!
//! Doubly linked lists over the slots of the flows. The links are in a separate array, so moving a
//! flow touches little memory.

/// Timeout class of a flow; it depends on the protocol and the TCP state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub(super) enum TimeoutClass {
    /// TCP, opening, or closing mid-stream: only one side has sent packets.
    Opening = 0,
    /// TCP, established, or first captured mid-stream.
    Open = 1,
    /// TCP, ended.
    Ended = 2,
    /// UDP and ICMP.
    #[default]
    Datagram = 3,
}

impl TimeoutClass {
    pub(super) const ALL: [TimeoutClass; 4] = [
        TimeoutClass::Opening,
        TimeoutClass::Open,
        TimeoutClass::Ended,
        TimeoutClass::Datagram,
    ];

    /// Returns the idle timeout of this class in nanoseconds; `linger_ns` is the setting for ended
    /// flows.
    ///
    /// A SYN is retransmitted after 1, 2, 4 … 64 s (tcp(7), `tcp_syn_retries`), and a FIN after at
    /// most 120 s (RFC 9293 section 3.8.1, `TCP_RTO_MAX`). Zeek's timeouts are
    /// shorter: 5 s, and 5 minutes for established connections. Here an idle connection is kept for
    /// the time after which keep-alives are sent on it by default (`tcp_keepalive_time`).
    pub(super) fn timeout_ns(self, linger_ns: i64) -> i64 {
        match self {
            TimeoutClass::Opening => 130_000_000_000,
            TimeoutClass::Open => 7200 * 1_000_000_000,
            TimeoutClass::Ended => linger_ns,
            TimeoutClass::Datagram => 60_000_000_000,
        }
    }
}

/// LRU lists of flow slots.
#[derive(Debug)]
pub(super) struct IdleLists {
    links: Vec<ListLink>,
    /// Per class: the oldest flow (in `newer`) and the newest flow (in `older`).
    lists: [ListLink; TimeoutClass::ALL.len()],
}

#[derive(Debug, Clone, Copy)]
struct ListLink {
    older: u32,
    newer: u32,
}

/// Number that refers to no slot.
const NO_SLOT: u32 = u32::MAX;

impl Default for IdleLists {
    fn default() -> IdleLists {
        const EMPTY_LIST: ListLink = ListLink {
            older: NO_SLOT,
            newer: NO_SLOT,
        };
        IdleLists {
            links: Vec::new(),
            lists: [EMPTY_LIST; TimeoutClass::ALL.len()],
        }
    }
}

impl IdleLists {
    /// Returns the least recently active flow of a class.
    pub(super) fn oldest(&self, class: TimeoutClass) -> Option<u32> {
        let at = self.lists[class as usize].newer;
        (at != NO_SLOT).then_some(at)
    }

    /// Appends a flow, which must not be in any list, as the most recently active of its class.
    #[inline]
    pub(super) fn push(&mut self, class: TimeoutClass, at: u32) {
        if self.links.len() <= at as usize {
            self.grow(at as usize + 1);
        }
        // A list is a ring closed by its entry in `lists`: `newer` leads to the oldest flow,
        // `older` to the newest.
        let newest = self.lists[class as usize].older;
        self.links[at as usize] = ListLink {
            older: newest,
            newer: NO_SLOT,
        };
        self.lists[class as usize].older = at;
        *self.newer_mut(class, newest) = at;
    }

    /// Extends the links to this number of flows.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, flows: usize) {
        let unused = ListLink {
            older: NO_SLOT,
            newer: NO_SLOT,
        };
        self.links.resize(flows, unused);
    }

    /// Removes a flow from the list of its class.
    #[inline]
    pub(super) fn remove(&mut self, class: TimeoutClass, at: u32) {
        let ListLink { older, newer } = self.links[at as usize];
        *self.newer_mut(class, older) = newer;
        match newer {
            NO_SLOT => self.lists[class as usize].older = older,
            newer => self.links[newer as usize].older = older,
        }
    }

    /// Moves a flow to the end of its list, as the most recently active of its class.
    #[inline]
    pub(super) fn touch(&mut self, class: TimeoutClass, at: u32) {
        if self.lists[class as usize].older != at {
            self.remove(class, at);
            self.push(class, at);
        }
    }

    #[inline]
    fn newer_mut(&mut self, class: TimeoutClass, at: u32) -> &mut u32 {
        match at {
            NO_SLOT => &mut self.lists[class as usize].newer,
            at => &mut self.links[at as usize].newer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    fn drain_oldest(lists: &mut IdleLists, class: TimeoutClass) -> Vec<u32> {
        std::iter::from_fn(|| {
            let at = lists.oldest(class)?;
            lists.remove(class, at);
            Some(at)
        })
        .collect()
    }

    #[test]
    fn an_idle_list_is_a_queue_with_removal_anywhere() {
        let mut lists = IdleLists::default();
        let mut model = VecDeque::new();
        let mut random = 1_u32;
        for _ in 0..2000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = random >> 16 & 31;
            let is_listed = model.contains(&at);
            match random >> 28 {
                0..8 if is_listed => {
                    lists.touch(TimeoutClass::Open, at);
                    model.retain(|&other| other != at);
                    model.push_back(at);
                }
                0..8 => {
                    lists.push(TimeoutClass::Open, at);
                    model.push_back(at);
                }
                _ if is_listed => {
                    lists.remove(TimeoutClass::Open, at);
                    model.retain(|&other| other != at);
                }
                _ => {}
            }
            assert_eq!(lists.oldest(TimeoutClass::Open), model.front().copied());
            assert_eq!(lists.oldest(TimeoutClass::Ended), None);
        }
        assert_eq!(
            drain_oldest(&mut lists, TimeoutClass::Open),
            Vec::from(model)
        );
    }
}
