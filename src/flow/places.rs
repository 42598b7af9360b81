//! Where flows stand, by their keys: a hash table with linear probing (D. Knuth, The Art of Computer Programming, volume 3, section
//! 6.4, algorithms L and R).
//!
//! A slot is a key's hash and a place in one word, so that a look-up touches one line of the table and one of the flow; keys that differ
//! are told apart without a look at the flow, and a table that grows needs none.
//!
//! A system hands out its ephemeral ports nearly one after the other, Linux every second one (ip(7), `ip_local_port_range`;
//! `inet_hash_connect`). So flows whose larger ports are the 2nd, 4th … from each other are mostly met one after the other too: eight of them
//! share a home of a cache line's size.

use std::hash::BuildHasher;

use super::key::FlowKey;
use super::tracked_flow::TrackedFlow;
use crate::prefetch::prefetch;

/// Places by key.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// A power of two of them, at most half of which are used; or none at all.
    slots: Vec<Slot>,
    used: usize,
    hasher: foldhash::fast::RandomState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    hash: u32,
    /// [`EMPTY`], or where the flow stands.
    at: u32,
}

const EMPTY: Slot = Slot {
    hash: 0,
    at: u32::MAX,
};
const SMALLEST: usize = 64;
/// The bits of half of a port, and of a hash, that tell neighbours apart.
const NEIGHBOURS: u32 = 7;

impl Places {
    /// A key's hash; seeded, because addresses and ports are anybody's to choose.
    #[inline]
    pub(super) fn hash(&self, key: &FlowKey) -> u32 {
        let (neighbours, own) = key.neighbours(NEIGHBOURS);
        self.hasher.hash_one(neighbours) as u32 & !NEIGHBOURS | own
    }

    /// Where the flow of a key stands among these.
    #[inline]
    pub(super) fn find(&self, hash: u32, key: &FlowKey, flows: &[TrackedFlow]) -> Option<u32> {
        let mut index = self.home(hash);
        loop {
            let slot = *self.slots.get(index)?;
            if slot.hash == hash
                && let Some(flow) = flows.get(slot.at as usize)
                && flow.key == *key
            {
                return Some(slot.at);
            }
            if slot.at == EMPTY.at {
                return None;
            }
            index = self.behind(index);
        }
    }

    /// Asks for the memory that [`find`](Self::find) begins with.
    #[inline]
    pub(super) fn prefetch(&self, hash: u32) {
        if let Some(slot) = self.slots.get(self.home(hash)) {
            prefetch(slot);
        }
    }

    /// Where the flow stands whose key has this hash, or another one with the same hash.
    #[inline]
    pub(super) fn likely(&self, hash: u32) -> Option<u32> {
        let mut index = self.home(hash);
        loop {
            let slot = *self.slots.get(index)?;
            if slot.at == EMPTY.at {
                return None;
            }
            if slot.hash == hash {
                return Some(slot.at);
            }
            index = self.behind(index);
        }
    }

    /// A flow stands here from now on; its key is not in the table.
    pub(super) fn insert(&mut self, hash: u32, at: u32) {
        if self.slots.len() <= self.used * 2 {
            self.grow();
        }
        self.used += 1;
        self.put(Slot { hash, at });
    }

    /// The flow that stands here is gone.
    pub(super) fn remove(&mut self, hash: u32, at: u32) {
        let mut hole = self.home(hash);
        while self.slots[hole].at != at {
            if self.slots[hole] == EMPTY {
                return;
            }
            hole = self.behind(hole);
        }
        self.used -= 1;
        // Who stands behind the hole only because it was taken moves up.
        let mut index = hole;
        loop {
            index = self.behind(index);
            let slot = self.slots[index];
            if slot == EMPTY {
                break;
            }
            let mask = self.slots.len() - 1;
            let from_home = index.wrapping_sub(self.home(slot.hash)) & mask;
            let from_hole = index.wrapping_sub(hole) & mask;
            if from_home >= from_hole {
                self.slots[hole] = slot;
                hole = index;
            }
        }
        self.slots[hole] = EMPTY;
    }

    /// All flows are gone.
    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.used = 0;
    }

    /// How many flows there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// Where a hash belongs.
    #[inline]
    fn home(&self, hash: u32) -> usize {
        hash as usize & self.slots.len().wrapping_sub(1)
    }

    #[inline]
    fn behind(&self, index: usize) -> usize {
        (index + 1) & (self.slots.len() - 1)
    }

    fn put(&mut self, slot: Slot) {
        let mut index = self.home(slot.hash);
        while self.slots[index] != EMPTY {
            index = self.behind(index);
        }
        self.slots[index] = slot;
    }

    #[cold]
    fn grow(&mut self) {
        let larger = (self.slots.len() * 2).max(SMALLEST);
        let old = std::mem::replace(&mut self.slots, vec![EMPTY; larger]);
        for slot in old.into_iter().filter(|slot| *slot != EMPTY) {
            self.put(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::key::Directionality;
    use crate::packet::{TCP, Tuple};
    use std::collections::BTreeSet;

    fn flow(port: u16) -> TrackedFlow {
        let src = ([127, 0, 0, 1], port).into();
        let tuple = Tuple {
            src,
            dst: ([127, 0, 0, 1], 80).into(),
            proto: TCP,
        };
        let (key, end) = FlowKey::from_tuple(&tuple, Directionality::TwoWay);
        let mut flow = TrackedFlow::default();
        flow.start(key, end, 1, 0);
        flow
    }

    /// Hashes are cut short so that many keys share a home and runs wrap around the end.
    #[test]
    fn as_a_map_even_where_hashes_are_alike() {
        let flows: Vec<TrackedFlow> = (0..3000).map(flow).collect();
        for mask in [u32::MAX, 0xff, 0x7, 0xffff_ffc0] {
            let mut places = Places::default();
            let mut there = BTreeSet::new();
            let hash = |places: &Places, at: u32| places.hash(&flows[at as usize].key) & mask;
            let mut random = 7_u32;
            for _ in 0..6000 {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = (random >> 8) % if mask == u32::MAX { 3000 } else { 150 };
                let own = hash(&places, at);
                if there.insert(at) {
                    places.insert(own, at);
                } else {
                    there.remove(&at);
                    places.remove(own, at);
                    // Once more changes nothing.
                    places.remove(own, at);
                }
                assert_eq!(places.len(), there.len());
            }
            for at in 0..3000 {
                let found = places.find(hash(&places, at), &flows[at as usize].key, &flows);
                assert_eq!(found, there.contains(&at).then_some(at));
                if mask == u32::MAX {
                    assert_eq!(places.likely(hash(&places, at)), found);
                }
            }
        }
    }

    #[test]
    fn neighbouring_ports_share_a_line_each_in_its_own_slot() {
        let places = Places::default();
        for first in [96, 97, 40_000] {
            let ports = (first..first + 16).step_by(2);
            let hashes = ports.map(|port| places.hash(&flow(port).key));
            let hashes: BTreeSet<u32> = hashes.collect();
            assert_eq!(hashes.len(), 8);
            let lines: BTreeSet<u32> = hashes.iter().map(|hash| hash & !NEIGHBOURS).collect();
            assert_eq!(lines.len(), 1, "{first}");
        }
    }
}
