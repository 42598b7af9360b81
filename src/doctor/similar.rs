//! Ports that somebody may have meant: one digit more, less or other, or two in the other order.

use crate::host::listing::Listed;

/// Those of the sockets that listen on a port that looks like this one.
pub(super) fn listening(all: &[Listed], port: u16) -> Vec<&Listed> {
    let alike = |socket: &&Listed| is_similar(socket.local.port(), port);
    all.iter().filter(alike).collect()
}

/// Whether one is the other with one slip of the finger.
fn is_similar(a: u16, b: u16) -> bool {
    let (a, b) = (a.to_string().into_bytes(), b.to_string().into_bytes());
    if a.len() < b.len() {
        return is_without_one(&b, &a);
    }
    if a.len() > b.len() {
        return is_without_one(&a, &b);
    }
    let other: Vec<usize> = (0..a.len()).filter(|&at| a[at] != b[at]).collect();
    match other[..] {
        [_] => true,
        [i, j] => j == i + 1 && a[i] == b[j] && a[j] == b[i],
        _ => false,
    }
}

fn is_without_one(long: &[u8], short: &[u8]) -> bool {
    let same = long.iter().zip(short).take_while(|(a, b)| a == b).count();
    long.len() == short.len() + 1 && long[same + 1..] == short[same..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger() {
        for (a, b, similar) in [
            (62893, 62892, true),
            (62893, 6289, true),
            (6289, 62893, true),
            (62893, 62983, true),
            (62893, 26893, true),
            (62893, 62893, false),
            (62893, 289, false),
            (62893, 62784, false),
            (80, 8080, false),
            (8080, 808, true),
            (80, 8, true),
        ] {
            assert_eq!(is_similar(a, b), similar, "{a} {b}");
        }
    }
}
