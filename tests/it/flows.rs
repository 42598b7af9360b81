//! Flows out of scripted packets: how they begin and end, what their segments say, and what they never do.

mod script;
mod wire;

mod beginnings;
mod bounds;
mod conversation;
mod datagrams;
mod endings;
mod fragments;
mod mutated;
mod segments;
mod times;
