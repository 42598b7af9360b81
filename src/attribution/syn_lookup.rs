//! Lookup of the senders of SYNs, and of the listeners for their connections.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cpu_budget::CpuBudget;
use super::lookup_queue::{LookupRequest, LookupTarget};
use super::lookup_results::LookupResults;
use super::now;
use super::socket_resolver::{SearchScope, SocketResolver};
use crate::packet::Endpoints;

/// Age in nanoseconds beyond which a SYN is not looked up immediately: a short-lived client has
/// exited by then, and other clients connect in the meantime.
const LATE_SYN_NS: i64 = 20_000_000;
/// Number of pending lookups beyond which late SYNs are not looked up.
const MAX_PENDING_FOR_LATE_SYNS: usize = 64;
/// Duration of the pause after the CPU budget is exhausted.
const THROTTLE_PAUSE: Duration = Duration::from_millis(50);

/// Looks up the senders of SYNs while they still exist.
pub(super) struct SynLookup {
    resolver: SocketResolver,
    budget: CpuBudget,
    results: Arc<LookupResults>,
}

impl SynLookup {
    pub(super) fn new(resolver: SocketResolver, results: Arc<LookupResults>) -> SynLookup {
        SynLookup {
            resolver,
            budget: CpuBudget::new(Instant::now()),
            results,
        }
    }

    /// Looks up the connections of SYNs that arrived at the same time.
    pub(super) fn look_up(&mut self, mut batch: Vec<LookupRequest>) {
        let results = Arc::clone(&self.results);
        let now_ns = now().0;
        batch.retain(|request| results.add(request));
        batch.retain(|request| {
            self.budget.record_task(Instant::now());
            let is_late = now_ns - request.time.0 > LATE_SYN_NS;
            if is_late && results.pending_count() > MAX_PENDING_FOR_LATE_SYNS {
                results.mark_not_looked_up(request);
            } else if is_late {
                // If the client still exists, it is found by the lookup for connections whose start
                // was not captured.
                results.enqueue(LookupRequest {
                    target: LookupTarget::Both,
                    ..*request
                });
            }
            !is_late
        });
        let resolver = &mut self.resolver;
        let done = self
            .budget
            .spend(|| resolve_batch(&results, resolver, &batch));
        if done.is_none() {
            let not_looked_up = |request| results.mark_not_looked_up(request);
            batch.iter().for_each(not_looked_up);
        }
        results.flush();
        if done.is_none() {
            // A wake-up for each SYN would cost CPU time beyond the budget. SYNs that arrive during
            // the pause are late.
            std::thread::sleep(THROTTLE_PAUSE);
        }
    }
}

fn resolve_batch(results: &LookupResults, resolver: &mut SocketResolver, batch: &[LookupRequest]) {
    // Another thread looks up the accepting processes, and starts immediately.
    let has_listener = |request: &LookupRequest| {
        let is_listening = resolver.has_listener(&request.endpoints);
        if is_listening {
            results.enqueue(*request);
        }
        is_listening
    };
    let have_listener: Vec<bool> = batch.iter().map(has_listener).collect();
    // The clients are looked up first, because they can exit first; the servers remain.
    let connections: Vec<Endpoints> = batch.iter().map(|request| request.endpoints).collect();
    let owners = resolver.originators_among_candidates(&connections);
    let found = batch.iter().zip(owners).zip(have_listener);
    for ((request, owner), has_listener) in found {
        // Other clients can exit during a scan of all processes, so it is left to the other thread.
        // A refused client is not looked up again, so the scan for it takes place here.
        match owner {
            Some(owner) => results.set_originator(request, &owner),
            None if has_listener => results.enqueue(LookupRequest {
                target: LookupTarget::Originator,
                ..*request
            }),
            None => results.set_originator(request, &resolver.originator(&request.endpoints)),
        }
        if !has_listener {
            let owner = resolver.initial_responder(&request.endpoints, SearchScope::Candidates);
            let is_refused = owner.processes.is_empty();
            results.set_responder(request, owner);
            match is_refused {
                true => results.mark_settled(request),
                false => results.enqueue(*request),
            }
        }
    }
}
