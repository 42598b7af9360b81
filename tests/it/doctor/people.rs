//! Whoever asks: root sees all; a plain user is told what cannot be seen, and why.

use super::room::Room;
use crate::command::run;

#[test]
fn a_plain_user_is_told_what_is_hidden() {
    let Some(room) = Room::new() else { return };
    let server = room.part("127.0.0.1:62893");
    room.doctor(&["62893"])
        .is("healthy", "accepted", &[&server.shown()])
        .is_without("listener-hidden");
    let said = room.doctor_of_nobody(&["62893"]);
    said.is("healthy", "accepted", &["sudo lcap doctor localhost:62893"])
        .finds("unknown", "listener-hidden", &["uid 0"])
        .finds("note", "other-user", &[])
        .is_without("dropped");
    assert!(!said.text.contains(&server.shown()), "{}", said.text);
}

#[test]
fn a_port_for_the_privileged() {
    let Some(room) = Room::new() else { return };
    let words = ["to listen on 81 takes root", "cap_net_bind_service"];
    room.doctor_of_nobody(&["81"])
        .is("problem", "nothing-listens", &[])
        .finds("note", "privileged-port", &words);
    room.doctor(&["81"]).finds("ok", "privileged-port", &[]);
}

#[test]
fn lcap_itself() {
    let Some(room) = Room::new() else { return };
    room.doctor(&[])
        .finds("ok", "libpcap", &["Linux"])
        .finds("ok", "sockets", &[]);
    let program = room.copy();
    let remedy = format!("sudo setcap cap_net_raw=ep {}", program.display());
    room.doctor_of_nobody(&[])
        .is("problem", "may-not-capture", &[&remedy]);
}

#[test]
fn what_is_no_port() {
    for (words, message) in [
        (&["doctor", "localhost"][..], "62893"),
        (&["doctor", "0"], "1 to 65535"),
        (&["doctor", "::1:1"], "in brackets"),
        (&["doctor", "--talk"], "PORT"),
        (&["doctor", "1", "--watch", "0"], "0"),
        (&["ports", "--free", "x"], "x"),
        (&["ports", "--free", "--watch"], "cannot be used"),
    ] {
        run(words).refused(2, &words.join(" "), message);
    }
}
