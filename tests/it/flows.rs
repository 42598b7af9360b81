//! Flow table: openings, endings, segment analysis, limits and invariants, tested with scripted
//! packets.

pub(crate) mod script;
pub(crate) mod wire;

mod datagrams;
mod drops;
mod endings;
mod events;
mod fallbacks;
mod fragments;
mod limits;
mod midstream;
mod mutations;
mod openings;
mod segments;
mod self_connections;
mod stream_properties;
mod times;
