//! The table of all analyzers.

use super::analyzer::AnalyzerEntry;
use super::{http, postgresql, redis, turns};

/// All analyzers.
pub(super) const ANALYZERS: &[AnalyzerEntry] = &[http::ENTRY, postgresql::ENTRY, redis::ENTRY];

/// The analyzer of all other protocols.
pub(super) const OTHER: AnalyzerEntry = turns::ENTRY;

/// Returns the analyzer of a detected service.
pub(super) fn analyzer_of(service: &str) -> Option<&'static AnalyzerEntry> {
    ANALYZERS
        .iter()
        .find(|entry| entry.services.contains(&service))
}
