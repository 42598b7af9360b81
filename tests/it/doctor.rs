//! `lcap doctor` and `lcap ports` on real sockets, firewalls, names and users, each set up in a
//! separate network namespace.
//!
//! The namespaces require root. Without root, these tests print `skipped: …` and pass, like the
//! live tests.

mod sandbox;
mod test_server;

mod address_families;
mod backlogs;
mod conflicts;
mod firewalls;
mod listeners;
mod name_resolution;
mod ports;
mod service_probes;
mod users;
