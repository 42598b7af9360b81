//! What lcap does, seen from outside: one binary, its modules in reading order.

// clippy knows functions with #[test] as tests, and not what they call.
#![allow(clippy::unwrap_used, clippy::panic)]

mod command;
mod craft;

mod cli;

mod cases;

mod flows;

mod tcpdump;

mod reports;
mod rows;

mod conversations;

mod tidy;

mod doctor;
mod files;
mod hostile;
mod live;
mod pipes;
mod threads;
