//! Tests of ARP packets against the lines that tcpdump 4.99.3 prints.

use super::super::icmp::tests::{octets, print_to_string};

/// Number of `-v` options, packet, and expected line.
#[rustfmt::skip]
const PACKETS: &[(u8, &str, &str)] = &[
    (0, "000108000604000100005e0053010a0000010000000000000a000002", "ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 28"),
    (0, "000108000604000100005e0053010a00000100005e0053020a000002", "ARP, Request who-has 10.0.0.2 (00:00:5e:00:53:02) tell 10.0.0.1, length 28"),
    (0, "000108000604000200005e0053010a00000100005e0053020a000002", "ARP, Reply 10.0.0.1 is-at 00:00:5e:00:53:01, length 28"),
    (1, "000108000604000200005e0053010a00000100005e0053020a000002", "ARP, Ethernet (len 6), IPv4 (len 4), Reply 10.0.0.1 is-at 00:00:5e:00:53:01, length 28"),
    (0, "000108000604000200005e0053010a00000100005e0053020a000002000000000000000000000000000000000000", "ARP, Reply 10.0.0.1 is-at 00:00:5e:00:53:01, length 46"),
    (0, "000108000604000300005e0053010a00000100005e0053020a000002", "ARP, Reverse Request who-is 00:00:5e:00:53:02 tell 00:00:5e:00:53:01, length 28"),
    (0, "000108000604000400005e0053010a00000100005e0053020a000002", "ARP, Reverse Reply 00:00:5e:00:53:02 at 10.0.0.2, length 28"),
    (0, "000108000604000800005e0053010a00000100005e0053020a000002", "ARP, Inverse Request who-is 00:00:5e:00:53:02 tell 00:00:5e:00:53:01, length 28"),
    (0, "000108000604000900005e0053010a00000100005e0053020a000002", "ARP, Inverse Reply 00:00:5e:00:53:01 at 10.0.0.1, length 28"),
    (0, "000108000604000a00005e0053010a00000100005e0053020a000002", "ARP, NACK Reply \n\t0x0000:  0001 0800 0604 000a 0000 5e00 5301 0a00  ..........^.S...\n\t0x0010:  0001 0000 5e00 5302 0a00 0002            ....^.S....."),
    (0, "000186dd0610000100005e005301fd00000000000000000000000000000100005e005302fd000000000000000000000000000002", "ARP, Ethernet (len 6), IPv6 (len 16), length 52"),
    (1, "000612340604000200005e0053010a00000100005e0053020a000002", "ARP, TokenRing (len 6), Unknown Protocol (0x1234) (len 4), Reply <wrong proto type> is-at 00:00:5e:00:53:01, length 28"),
    (1, "006308000600000100005e00530100005e005302", "ARP, Unknown Hardware (99) (len 6), IPv4 (len 0), Request who-has <wrong len> (00:00:5e:00:53:02) tell <wrong len>, length 20"),
    (0, "000108000604000200005e0053010a0000010000", " [|arp]"),
    (0, "000f08000204000818f10a00000118410a000002", "ARP, Inverse Request who-is DLCI 100 tell DLCI 111, length 20"),
    (0, "000f080004040008191111110a000001184090010a000002", "ARP, Inverse Request who-is DLCI 823808 tell <Invalid DLCI>, length 24"),
    (0, "000f0800030400081840040a0000011840050a000002", "ARP, Inverse Request who-is DLCI 6401 tell <Truncated>, length 22"),
    (0, "00130800140000010400000447474747474747474747474747474747474747470a0000010a000002", "ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 40"),
    (0, "00130800140000010402000447474747474747474747474747474747474747470a00000101020a000002", "ARP, Request who-has 10.0.0.2 (01:02) tell 10.0.0.1, length 42"),
    (1, "001308001402000204000004474747474747474747474747474747474747474701020a0000010a000002", "ARP, ATM, IPv4 (len 4/4), Reply 10.0.0.1 is-at 47:47:47:47:47:47:47:47:47:47:47:47:47:47:47:47:47:47:47:47,01:02, length 42"),
    (0, "00130800140000090400000447474747474747474747474747474747474747470a0000010a000002", "ARP, Inverse Reply 47:47:47:47:47:47:47:47:47:47:47:47:47:47:47:47:47:47:47:47at 10.0.0.1, length 40"),
    (0, "00130800140000080400000447474747474747474747474747474747474747470a0000010a000002", "ARP, Inverse Request who-is <No address> tell 47:47:47:47:47:47:47:47:47:47:47:47:47:47:47:47:47:47:47:47, length 40"),
    (0, "001308001400000a0400000447474747474747474747474747474747474747470a0000010a000002", "ARP, NACK Reply for 10.0.0.1, length 40"),
    (0, "00130800140000030400000447474747474747474747474747474747474747470a0000010a000002", "ARP, Reverse Request \n\t0x0000:  0013 0800 1400 0003 0400 0004 4747 4747  ............GGGG\n\t0x0010:  4747 4747 4747 4747 4747 4747 4747 4747  GGGGGGGGGGGGGGGG\n\t0x0020:  0a00 0001 0a00 0002                      ........"),
];

#[test]
fn lines_match_tcpdump() {
    for (verbose, hex, line) in PACKETS {
        let bytes = octets(hex);
        let shown = print_to_string(*verbose, |p| super::print(p, &bytes, bytes.len()));
        assert_eq!(shown, *line, "{hex}");
    }
}

#[test]
fn truncated_packets_print_the_truncation_marker() {
    for (_, hex, _) in PACKETS {
        let bytes = octets(hex);
        let sizes = [usize::from(bytes[4]), usize::from(bytes[5])];
        let whole = match bytes[1] {
            19 => 13,
            _ => 8 + 2 * sizes.iter().sum::<usize>(),
        };
        for end in 0..bytes.len().min(whole) {
            let cut = print_to_string(0, |p| super::print(p, &bytes[..end], bytes.len()));
            assert_eq!(cut, " [|arp]");
        }
    }
}
