//! Tests of the built program on real sockets.
//!
//! Traffic over loopback is displayed, saved and counted completely, however the capture ends.
//!
//! Capturing requires CAP_NET_RAW. Without it these tests print `skipped: …` on standard error and
//! pass, unless the environment variable `LCAP_LIVE` is `required`: then they fail. Tests of
//! features that some machines lack (namespaces, file capabilities) are skipped in the same way
//! even with `required`, and fail only with `LCAP_LIVE=everything`.

mod attribution;
mod blocked_readers;
mod bpf;
mod bridge;
mod caller_rights;
mod container;
mod device_removal;
mod devices;
mod display;
mod drain;
mod flows;
mod follow;
mod fork_events;
mod fragments;
mod least_privilege;
mod losses;
pub(crate) mod netns;
pub(crate) mod privileges;
mod refused_datagrams;
mod requests;
mod requests_http;
mod requests_postgresql;
mod requests_redis;
mod roles;
mod rotation;
mod run_command;
mod run_lifecycle;
mod run_processes;
mod saved;
mod self_connections;
mod servers;
pub(crate) mod session;
mod signals;
mod stop_conditions;
mod sudo;
mod system_calls;
mod traffic;
