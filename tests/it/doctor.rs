//! What the doctor says of real sockets, firewalls, names and users, each set up in network namespaces of the test's own.
//!
//! That takes root. Without it these tests say `skipped: …` and pass, as live tests do.

mod parts;
mod room;

mod listeners;

mod families;

mod queues;

mod walls;

mod conflicts;

mod names;

mod people;

mod talking;

mod listing;
