//! Tests of ICMP messages against the lines that tcpdump 4.99.3 prints.

use super::super::printer::{PrintResult, Printer, Style};
use super::super::sequence::SeqBaseTable;

/// Returns the output of a printer with this number of `-v` options.
pub(in super::super) fn print_to_string(
    verbose: u8,
    print: impl FnOnce(&mut Printer) -> PrintResult,
) -> String {
    let mut out = Vec::new();
    let style = Style {
        verbose,
        ..Style::default()
    };
    let mut printer = Printer {
        out: &mut out,
        style: &style,
        protocol: "",
        sequences: &mut SeqBaseTable::default(),
        ip_depth: 1,
    };
    if print(&mut printer).is_err() {
        printer.push_truncated();
    }
    String::from_utf8(out).expect("only ASCII")
}

/// Returns the octets of a hexadecimal string.
pub(in super::super) fn octets(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).expect("ASCII"), 16).expect("hex"))
        .collect()
}

/// Number of `-v` options, message, and expected line from `ICMP` on.
#[rustfmt::skip]
const MESSAGES: &[(u8, &str, &str)] = &[
    (0, "08004c3e1a2b00016162636465666768", "ICMP echo request, id 6699, seq 1, length 16"),
    (0, "0000543e1a2b00016162636465666768", "ICMP echo reply, id 6699, seq 1, length 16"),
    (0, "0800ddd31a2b00", " [|icmp]"),
    (1, "08004c3e1a2b00016162636465666768", "ICMP echo request, id 6699, seq 1, length 16"),
    (1, "0800123400010001", "ICMP echo request, id 1, seq 1, length 8 (wrong icmp cksum 1234 (->f7fd)!)"),
    (0, "0300296f00000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP net 127.0.0.1 unreachable, length 40"),
    (0, "0301296e00000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP host 127.0.0.1 unreachable, length 40"),
    (0, "0302296d00000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP 127.0.0.1 protocol 17 unreachable, length 40"),
    (0, "0303296c00000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP 127.0.0.1 udp port 9999 unreachable, length 40"),
    (0, "0304296b00000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP 127.0.0.1 unreachable - need to frag, length 40"),
    (0, "0305296a00000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP 127.0.0.1 unreachable - source route failed, length 40"),
    (0, "0306296900000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP net 127.0.0.1 unreachable - unknown, length 40"),
    (0, "0307296800000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP host 127.0.0.1 unreachable - unknown, length 40"),
    (0, "0308296700000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP 127.0.0.1 unreachable - source host isolated, length 40"),
    (0, "0309296600000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP net 127.0.0.1 unreachable - admin prohibited, length 40"),
    (0, "030a296500000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP host 127.0.0.1 unreachable - admin prohibited, length 40"),
    (0, "030b296400000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP net 127.0.0.1 unreachable - tos prohibited, length 40"),
    (0, "030c296300000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP host 127.0.0.1 unreachable - tos prohibited, length 40"),
    (0, "030d296200000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP host 127.0.0.1 unreachable - admin prohibited filter, length 40"),
    (0, "030e296100000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP host 127.0.0.1 unreachable - host precedence violation, length 40"),
    (0, "030f296000000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP host 127.0.0.1 unreachable - precedence cutoff, length 40"),
    (0, "0310295f00000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP 127.0.0.1 unreachable - #16, length 40"),
    (0, "0303a23200000000450000280001000040067ccd7f0000017f000001cf84270e00000001000000005002020012340000", "ICMP 127.0.0.1 tcp port 9998 unreachable, length 48"),
    (0, "0303a23200000000450000280001000040637c707f0000017f000001cf84270e00000001000000005002020012340000", "ICMP 127.0.0.1 protocol 99 port 9998 unreachable, length 48"),
    (0, "03049c55000005dc450000280001000040067ccd7f0000017f000001cf84270e00000001000000005002020012340000", "ICMP 127.0.0.1 unreachable - need to frag (mtu 1500), length 48"),
    (0, "0303fcfc00000000450000200001000040117cca7f0000017f000001", " [|icmp]"),
    (1, "0303296c00000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP 127.0.0.1 udp port 9999 unreachable, length 40\n\tIP (tos 0x0, ttl 64, id 1, offset 0, flags [none], proto UDP (17), length 32)\n    127.0.0.1.53124 > 127.0.0.1.9999: UDP, length 4"),
    (1, "0303a23200000000450000280001000040067ccd7f0000017f000001cf84270e00000001000000005002020012340000", "ICMP 127.0.0.1 tcp port 9998 unreachable, length 48\n\tIP (tos 0x0, ttl 64, id 1, offset 0, flags [none], proto TCP (6), length 40)\n    127.0.0.1.53124 > 127.0.0.1.9998: Flags [S], cksum 0x1234 (incorrect -> 0xb94c), seq 1, win 512, length 0"),
    (1, "0b00fe6b00000000450000200001000040117cca7f0000017f000001cf84270f", "ICMP time exceeded in-transit, length 32\n\tIP (tos 0x0, ttl 64, id 1, offset 0, flags [none], proto UDP (17), length 32)\n    127.0.0.1.53124 > 127.0.0.1.9999:  [|udp]"),
    (1, "0301fcfe000000004500001c0001000040017cde7f0000017f0000010800ddd31a2b0001", "ICMP host 127.0.0.1 unreachable, length 36\n\tIP (tos 0x0, ttl 64, id 1, offset 0, flags [none], proto ICMP (1), length 28)\n    127.0.0.1 > 127.0.0.1: ICMP echo request, id 6699, seq 1, length 8"),
    (0, "05001d6e0a000001450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP redirect 127.0.0.1 to net 10.0.0.1, length 40"),
    (0, "05011d6d0a000001450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP redirect 127.0.0.1 to host 10.0.0.1, length 40"),
    (0, "05021d6c0a000001450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP redirect-tos 127.0.0.1 to net 10.0.0.1, length 40"),
    (0, "05031d6b0a000001450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP redirect-tos 127.0.0.1 to host 10.0.0.1, length 40"),
    (0, "05041d6a0a000001450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP redirect-#4 127.0.0.1 to 10.0.0.1, length 40"),
    (0, "0400286f00000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP source quench, length 40"),
    (0, "090059f1020207080a000001000000010a00000280000000", "ICMP router advertisement lifetime 30:00 2: {10.0.0.1 1} {10.0.0.2 2147483648}, length 24"),
    (0, "0900ebbf0103003b0a00000100000001", "ICMP router advertisement lifetime 59 1: [size 3], length 16"),
    (0, "0a00f5ff00000000", "ICMP router solicitation, length 8"),
    (0, "0b00216f00000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP time exceeded in-transit, length 40"),
    (0, "0b01216e00000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP ip reassembly time exceeded, length 40"),
    (0, "0b02216d00000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP time exceeded-#2, length 40"),
    (0, "0c000c6f14000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP parameter problem - octet 20, length 40"),
    (0, "0c01206e00000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e67", "ICMP parameter problem - code 1, length 40"),
    (0, "0d00f2f700070001000000000000000000000000", "ICMP time stamp query id 7 seq 1, length 20"),
    (0, "0e007eda00070001000003e800000e1005265bff", "ICMP time stamp reply id 7 seq 1: org 00:00:01.000, recv 00:00:03.600, xmit 23:59:59.999, length 20"),
    (0, "0f00f0ff00000000", "ICMP information request, length 8"),
    (0, "1000efff00000000", "ICMP information reply, length 8"),
    (0, "1100eeff00000000", "ICMP address mask request, length 8"),
    (0, "1200eefe00000000ffffff00", "ICMP address mask is 0xffffff00, length 12"),
    (0, "2a00d5ff00000000", "ICMP type-#42, length 8"),
    (1, "0b00214f00200000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e6700000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000020002f0f000801010001104000080201deadbeef", "ICMP time exceeded in-transit, length 156\n\tIP (tos 0x0, ttl 64, id 1, offset 0, flags [none], proto UDP (17), length 32)\n    127.0.0.1.53124 > 127.0.0.1.9999: UDP, length 4\n\tICMP Multi-Part extension v2, checksum 0x2f0f (correct), length 20\n\t  MPLS Stack Entry Object (1), Class-Type: 1, length 8\n\t    label 17, tc 0, ttl 64\n\t  Interface Identification Object (2), Class-Type: 1, length 8\n\t    0x0000:  dead beef"),
    (1, "0b00225e00000000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e6700000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000020002f0f000801010001104000080201deadbe00", "ICMP time exceeded in-transit, length 156\n\tIP (tos 0x0, ttl 64, id 1, offset 0, flags [none], proto UDP (17), length 32)\n    127.0.0.1.53124 > 127.0.0.1.9999: UDP, length 4"),
    (1, "0b00223e00200000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e6700000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000020002f0f000801010001104000080201deadbe00", "ICMP time exceeded in-transit, length 156\n\tIP (tos 0x0, ttl 64, id 1, offset 0, flags [none], proto UDP (17), length 32)\n    127.0.0.1.53124 > 127.0.0.1.9999: UDP, length 4\n\tICMP Multi-Part extension v2, checksum 0x2f0f (incorrect), length 20\n\t  MPLS Stack Entry Object (1), Class-Type: 1, length 8\n\t    label 17, tc 0, ttl 64\n\t  Interface Identification Object (2), Class-Type: 1, length 8\n\t    0x0000:  dead be00"),
    (1, "0b00314f00200000450000200001000040117cca7f0000017f000001cf84270f000cfe1f70696e6700000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000010002f0f000801010001104000080201deadbeef", "ICMP time exceeded in-transit, length 156\n\tIP (tos 0x0, ttl 64, id 1, offset 0, flags [none], proto UDP (17), length 32)\n    127.0.0.1.53124 > 127.0.0.1.9999: UDP, length 4\n\tICMP Multi-Part extension v1 packet not supported"),
];

#[test]
fn lines_match_tcpdump() {
    for (verbose, hex, line) in MESSAGES {
        let bytes = octets(hex);
        let shown = print_to_string(*verbose, |p| super::print(p, &bytes, bytes.len(), false));
        assert_eq!(shown, *line, "{hex}");
    }
}

#[test]
fn checksum_is_not_verified_for_fragments_and_truncated_messages() {
    let bytes = octets("0800123400010001");
    let line = "ICMP echo request, id 1, seq 1, length ";
    let fragment = print_to_string(1, |p| super::print(p, &bytes, 8, true));
    assert_eq!(fragment, format!("{line}8"));
    let cut = print_to_string(1, |p| super::print(p, &bytes, 64, false));
    assert_eq!(cut, format!("{line}64"));
}

#[test]
fn truncated_messages_do_not_panic() {
    for (verbose, hex, _) in MESSAGES {
        let bytes = octets(hex);
        for end in 0..bytes.len() {
            let cut = &bytes[..end];
            print_to_string(*verbose, |p| super::print(p, cut, bytes.len(), false));
        }
    }
}
