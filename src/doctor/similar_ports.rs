//! Port numbers that differ by one typing error: a digit that is added, missing or replaced, or two
//! adjacent digits that are swapped.

use crate::host::sockets::sock_diag::SocketInfo;

/// Returns the sockets whose port is similar to `port`.
pub(super) fn listeners(sockets: &[SocketInfo], port: u16) -> Vec<&SocketInfo> {
    let is_candidate = |socket: &&SocketInfo| is_similar(socket.local.port(), port);
    sockets.iter().filter(is_candidate).collect()
}

/// True if the numbers differ by one typing error.
fn is_similar(a: u16, b: u16) -> bool {
    let (a, b) = (a.to_string().into_bytes(), b.to_string().into_bytes());
    if a.len() < b.len() {
        return is_one_deletion(&b, &a);
    }
    if a.len() > b.len() {
        return is_one_deletion(&a, &b);
    }
    let different: Vec<usize> = (0..a.len()).filter(|&at| a[at] != b[at]).collect();
    match different[..] {
        [_] => true,
        [i, j] => j == i + 1 && a[i] == b[j] && a[j] == b[i],
        _ => false,
    }
}

fn is_one_deletion(long: &[u8], short: &[u8]) -> bool {
    let prefix_len = long.iter().zip(short).take_while(|(a, b)| a == b).count();
    long.len() == short.len() + 1 && long[prefix_len + 1..] == short[prefix_len..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_ports_differ_by_one_typo() {
        for (a, b, expected) in [
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
            assert_eq!(is_similar(a, b), expected, "{a} {b}");
        }
    }
}
