//! Why a port cannot be reached, who has it, and who else can reach it.

mod class;
mod ports;

pub use class::Class;
pub use ports::{Port, Ports, Reach, ports, reach};
