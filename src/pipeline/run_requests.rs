//! Requests of connections of which it is undecided whether they belong to the command of `lcap
//! run`.

use std::collections::BTreeMap;

use crate::process::Owners;
use crate::request::Request;

/// Maximum number of requests that are held. Above it, they are reported like the packets of
/// unknown processes.
const MAX_HELD_REQUESTS: usize = 10_000;

/// Requests that are held until their connections are decided, and the number of reported ones.
#[derive(Debug, Default)]
pub(super) struct RunRequests {
    /// Requests, by flow number.
    held: BTreeMap<u64, Vec<Request>>,
    len: usize,
    reported: u64,
}

impl RunRequests {
    /// Holds a request. Returns false if too many are held.
    pub(super) fn hold(&mut self, request: &Request) -> bool {
        if self.len >= MAX_HELD_REQUESTS {
            return false;
        }
        self.len += 1;
        let of_flow = self.held.entry(request.flow.number).or_default();
        of_flow.push(request.clone());
        true
    }

    /// Returns the first request of each flow whose requests are held.
    pub(super) fn first_of_each(&self) -> impl Iterator<Item = &Request> {
        self.held.values().filter_map(|requests| requests.first())
    }

    /// Removes the requests of a flow, and returns them with these owners of the flow.
    pub(super) fn take(&mut self, flow: u64, owners: &Owners) -> Vec<Request> {
        let mut requests = self.held.remove(&flow).unwrap_or_default();
        self.len -= requests.len();
        for request in &mut requests {
            request.owners = owners.clone();
        }
        requests
    }

    /// Returns the request with the next number of those that are reported.
    pub(super) fn number(&mut self, mut request: Request) -> Request {
        self.reported += 1;
        request.number = self.reported;
        request
    }

    /// Returns the number of requests that are held.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns the number of reported requests.
    pub(super) fn reported(&self) -> u64 {
        self.reported
    }
}
