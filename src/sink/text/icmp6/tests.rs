//! Tests of ICMPv6 messages against the lines that tcpdump 4.99.3 prints.

use super::super::icmp::tests::{octets, print_to_string};

/// Returns a message with an IPv6 header, from fd00::1 to fd00::2.
fn packet(message: &[u8]) -> Vec<u8> {
    let mut packet = octets("60000000");
    packet.extend_from_slice(&(message.len() as u16).to_be_bytes());
    packet.extend_from_slice(&octets(
        "3a40fd000000000000000000000000000001fd000000000000000000000000000002",
    ));
    packet.extend_from_slice(message);
    packet
}

/// Number of `-v` options, message, and expected line from the checksum or `ICMP6` on.
#[rustfmt::skip]
const MESSAGES: &[(u8, &str, &str)] = &[
    (0, "8000d9ee1a2b00016162636465666768", "ICMP6, echo request, id 6699, seq 1, length 16"),
    (1, "8100d8ee1a2b00016162636465666768", "[icmp6 sum ok] ICMP6, echo reply, id 6699, seq 1"),
    (1, "8000123400010001", "[bad icmp6 cksum 0x1234 -> 0x85b6!] ICMP6, echo request, id 1, seq 1"),
    (0, "80006b8c1a", "ICMP6, echo request [|icmp6]"),
    (0, "0100c3220000000060000000000c1140fe80000000000000020000fffe000001fd000000000000000000000000000002cf84270f000cfe1f70696e67", "ICMP6, destination unreachable, unreachable route fd00::2, length 60"),
    (0, "0101c3210000000060000000000c1140fe80000000000000020000fffe000001fd000000000000000000000000000002cf84270f000cfe1f70696e67", "ICMP6, destination unreachable,  unreachable prohibited fd00::2, length 60"),
    (0, "0102c3200000000060000000000c1140fe80000000000000020000fffe000001fd000000000000000000000000000002cf84270f000cfe1f70696e67", "ICMP6, destination unreachable, beyond scope fd00::2, source address fe80::200:ff:fe00:1, length 60"),
    (0, "0103c31f0000000060000000000c1140fe80000000000000020000fffe000001fd000000000000000000000000000002cf84270f000cfe1f70696e67", "ICMP6, destination unreachable, unreachable address fd00::2, length 60"),
    (0, "0104c31e0000000060000000000c1140fe80000000000000020000fffe000001fd000000000000000000000000000002cf84270f000cfe1f70696e67", "ICMP6, destination unreachable, unreachable port, fd00::2 udp port 9999, length 60"),
    (0, "0105c31d0000000060000000000c1140fe80000000000000020000fffe000001fd000000000000000000000000000002cf84270f000cfe1f70696e67", "ICMP6, destination unreachable, unknown unreach code (5)\n\t0x0000:  0105 c31d 0000 0000 6000 0000 000c 1140\n\t0x0010:  fe80 0000 0000 0000 0200 00ff fe00 0001\n\t0x0020:  fd00 0000 0000 0000 0000 0000 0000 0002\n\t0x0030:  cf84 270f 000c fe1f 7069 6e67"),
    (0, "010446d5000000006000000000140640fe80000000000000020000fffe000001fd000000000000000000000000000002cf84270e00000001000000005002020012340000", "ICMP6, destination unreachable, unreachable port, fd00::2 tcp port 9998, length 68"),
    (0, "0104970d000000006000000000142c40fe80000000000000020000fffe000001fd0000000000000000000000000000021100000000000001cf84270f000cfe1f70696e67", "ICMP6, destination unreachable, unreachable port, fd00::2 udp port 9999, length 68"),
    (0, "01049a1e0000000060000000000c3a40fe80000000000000020000fffe000001fd000000000000000000000000000002cf84270f000cfe1f70696e67", "ICMP6, destination unreachable, unreachable port [|icmp6]"),
    (0, "010091d80000000060000000000c1140fe80000000000000020000ff", "ICMP6, destination unreachable, unreachable route [|icmp6]"),
    (0, "0200bd220000050060000000000c1140fe80000000000000020000fffe000001fd000000000000000000000000000002cf84270f000cfe1f70696e67", "ICMP6, packet too big, mtu 1280, length 60"),
    (0, "0300c1220000000060000000000c1140fe80000000000000020000fffe000001fd000000000000000000000000000002cf84270f000cfe1f70696e67", "ICMP6, time exceeded in-transit for fd00::2, length 60"),
    (0, "0301c1210000000060000000000c1140fe80000000000000020000fffe000001fd000000000000000000000000000002cf84270f000cfe1f70696e67", "ICMP6, time exceeded in-transit (reassembly), length 60"),
    (0, "0302c1200000000060000000000c1140fe80000000000000020000fffe000001fd000000000000000000000000000002cf84270f000cfe1f70696e67", "ICMP6, time exceeded in-transit, unknown code (2), length 60"),
    (0, "0400bffa0000002860000000000c1140fe80000000000000020000fffe000001fd000000000000000000000000000002cf84270f000cfe1f70696e67", "ICMP6, parameter problem, erroneous - octet 40, length 60"),
    (0, "0401bff90000002860000000000c1140fe80000000000000020000fffe000001fd000000000000000000000000000002cf84270f000cfe1f70696e67", "ICMP6, parameter problem, next header - octet 40, length 60"),
    (0, "0402bff80000002860000000000c1140fe80000000000000020000fffe000001fd000000000000000000000000000002cf84270f000cfe1f70696e67", "ICMP6, parameter problem, option - octet 40, length 60"),
    (0, "0403bff70000002860000000000c1140fe80000000000000020000fffe000001fd000000000000000000000000000002cf84270f000cfe1f70696e67", "ICMP6, parameter problem, incomplete header chain - octet 40, length 60"),
    (0, "0404bff60000002860000000000c1140fe80000000000000020000fffe000001fd000000000000000000000000000002cf84270f000cfe1f70696e67", "ICMP6, parameter problem, code-#4, length 60"),
    (1, "04008ed80000000060000000000c1140fe80000000000000020000ff", "[icmp6 sum ok] ICMP6, parameter problem [|icmp6]"),
    (0, "82005c982710000000000000000000000000000000000000", "ICMP6, multicast listener querymax resp delay: 10000 addr: ::, length 24"),
    (2, "8200c3cc87100000ff0200000000000000000000000000fb0aff000120010db8000000000000000000000000", "[icmp6 sum ok] ICMP6, multicast listener query v2 [max resp delay=47232] [gaddr ff02::fb sflag robustness=2 qqi=31744 { 2001:db8:: }]"),
    (0, "820083a600000000000000000000000000000000000000000000", "ICMP6, multicast listener query unknown-version (len 26) , length 26"),
    (0, "830082aa00000000ff0200000000000000000000000000fb", "ICMP6, multicast listener reportmax resp delay: 0 addr: ff02::fb, length 24"),
    (0, "840081aa00000000ff0200000000000000000000000000fb", "ICMP6, multicast listener donemax resp delay: 0 addr: ff02::fb, length 24"),
    (1, "8f003bc80000000204000000ff0200000000000000000000000000fb09000001ff0200000000000000000000000000fb20010db8000000000000000000000000", "[icmp6 sum ok] ICMP6, multicast listener report v2, 2 group record(s) [gaddr ff02::fb to_ex, 0 source(s)] [gaddr ff02::fb  [v2-report-#9], 1 source(s)]"),
    (2, "8f0041bf0000000206000001ff0200000000000000000000000000fb20010db800000000000000000000000001000009ff0200000000000000000000000000fb", "[icmp6 sum ok] ICMP6, multicast listener report v2, 2 group record(s) [gaddr ff02::fb block { 2001:db8:: }] [gaddr ff02::fb is_in [invalid number of sources 9]"),
    (1, "85007fae000000000101000000000001", "[icmp6 sum ok] ICMP6, router solicitation, length 16\n\t  source link-address option (1), length 8 (1): 00:00:00:00:00:01"),
    (1, "860064b540c807080000000a00000014030440c0ffffffff000151800000000020010db800000000000000000000000005010000000005dc1802400800000e1020010db8000000001903000000000e1020010db80000000000000000000000001f03000000000e10036c6162076578616d706c650000000007010000000013880801000000010e10", "[icmp6 sum ok] ICMP6, router advertisement, length 136\n\thop limit 64, Flags [managed, other stateful], pref high, router lifetime 1800s, reachable time 10ms, retrans timer 20ms\n\t  prefix info option (3), length 32 (4): 2001:db8::/64, Flags [onlink, auto], valid time infinity, pref. time 86400s\n\t  mtu option (5), length 8 (1):  1500\n\t  route info option (24), length 16 (2):  2001:db8::/64, pref=high, lifetime=3600s\n\t  rdnss option (25), length 24 (3):  lifetime 3600s, addr: 2001:db8::\n\t  dnssl option (31), length 24 (3):  lifetime 3600s, domain(s): lab.example.\n\t  advertisement interval option (7), length 8 (1):  5000ms\n\t  homeagent information option (8), length 8 (1):  preference 1, lifetime 3600"),
    (1, "87007e1c00000000fe80000000000000020000fffe0000010101000000000001", "[icmp6 sum ok] ICMP6, neighbor solicitation, length 32, who has fe80::200:ff:fe00:1\n\t  source link-address option (1), length 8 (1): 00:00:00:00:00:01"),
    (2, "88001c1c60000000fe80000000000000020000fffe0000010201000000000001", "[icmp6 sum ok] ICMP6, neighbor advertisement, length 32, tgt is fe80::200:ff:fe00:1, Flags [solicited, override]\n\t  destination link-address option (2), length 8 (1): 00:00:00:00:00:01\n\t    0x0000:  0000 0000 0001"),
    (0, "88007e2600000000fe80000000000000020000fffe000001", "ICMP6, neighbor advertisement, tgt is fe80::200:ff:fe00:1, length 24"),
    (1, "8900e1c000000000fe80000000000000020000fffe000001fd00000000000000000000000000000204020000000000006000000000003a40", "[icmp6 sum ok] ICMP6, redirect, length 56, fd00::2 to fe80::200:ff:fe00:1\n\t  redirected header option (4), length 16 (2): \n\t    0x0000:  0402 0000 0000 0000 6000 0000 0000 3a40"),
    (1, "8700681100000000fe80000000000000020000fffe0000010e01010203040506", "[icmp6 sum ok] ICMP6, neighbor solicitation, length 32, who has fe80::200:ff:fe00:1\n\t  unknown option (14), length 8 (1): \n\t  0x0000:  0102 0304 0506"),
    (1, "87007e2400000000fe80000000000000020000fffe0000010100", "[icmp6 sum ok] ICMP6, neighbor solicitation, length 26, who has fe80::200:ff:fe00:1 [|icmp6]"),
    (1, "860035a40000000000000000000000001f020000000000010341c2e9036c6162", "[icmp6 sum ok] ICMP6, router advertisement, length 32\n\thop limit 0, Flags [none], pref medium, router lifetime 0s, reachable time 0ms, retrans timer 0ms\n\t  dnssl option (31), length 16 (2):  lifetime 1s, domain(s): AM-BM-i.lab. [|icmp6]"),
    (1, "8600a19b0000000000000000000000001f0200000000000104411b007fc02000", "[icmp6 sum ok] ICMP6, router advertisement, length 32\n\thop limit 0, Flags [none], pref medium, router lifetime 0s, reachable time 0ms, retrans timer 0ms\n\t  dnssl option (31), length 16 (2):  lifetime 1s, domain(s): A^[^@^?.<BAD PTR> [|icmp6]"),
    (2, "8a00beb90000000101c0000a00000000010701200304000020010db80000000000000000000000000810c040ffffffff0000003cc0000000fe80000000000000020000fffe000001", "[icmp6 sum ok] ICMP6, router renumbering, length 72"),
    (0, "8a017bb5000000000000", "ICMP6, router renumbering, length 10\n\t0x0000:  8a01 7bb5 0000 0000 0000"),
    (0, "8b007d66000300340000000000000000fd000000000000000000000000000002", "ICMP6, who-are-you request, length 32\n\t0x0000:  8b00 7d66 0003 0034 0000 0000 0000 0000\n\t0x0010:  fd00 0000 0000 0000 0000 0000 0000 0002"),
    (1, "8c00927a0002000100000000000000000000003c036c6162021b800000", "[icmp6 sum ok] ICMP6, who-are-you reply, length 29\n\t0x0000:  8c00 927a 0002 0001 0000 0000 0000 0000\n\t0x0010:  0000 003c 036c 6162 021b 8000 00"),
    (0, "8d0078b800000000", "ICMP6, inverse neighbor solicitation, length 8"),
    (0, "90005b8d1a2b0000", "ICMP6, ha discovery request, length 8\n\t0x0000:  9000 5b8d 1a2b 0000"),
    (1, "91005afb1a2b0000fe80000000000000020000fffe000001", "[icmp6 sum ok] ICMP6, ha discovery reply, length 24\n\t0x0000:  9100 5afb 1a2b 0000 fe80 0000 0000 0000\n\t0x0010:  0200 00ff fe00 0001"),
    (1, "93008da71a2bc00005010000000005dc", "[icmp6 sum ok] ICMP6, mobile router advertisement, length 16\n\t0x0000:  9300 8da7 1a2b c000 0501 0000 0000 05dc"),
    (3, "9b01ed27010203008800000020010db8000000000000000000000000000102aabb0604010203", "[icmp6 sum ok] ICMP6, RPL, length 38"),
    (1, "9b0364b501000500", "[icmp6 sum ok] ICMP6, RPL, length 8\n\t0x0000:  9b03 64b5 0100 0500"),
    (0, "c9003cb800000000", "ICMP6, mtrace message, length 8\n\t0x0000:  c900 3cb8 0000 0000"),
    (1, "c8003db800000000", "[icmp6 sum ok] ICMP6, mtrace response, length 8\n\t0x0000:  c800 3db8 0000 0000"),
];

#[test]
fn lines_match_tcpdump() {
    for (verbose, hex, line) in MESSAGES {
        let packet = packet(&octets(hex));
        let bytes = &packet[40..];
        let shown = print_to_string(*verbose, |p| {
            super::print(p, bytes, bytes.len(), &packet, false)
        });
        assert_eq!(shown, *line, "{hex}");
    }
}

#[test]
fn truncated_messages_do_not_panic() {
    for (verbose, hex, _) in MESSAGES {
        let packet = packet(&octets(hex));
        for end in 40..packet.len() {
            let (whole, cut) = (&packet[..end], &packet[40..end]);
            let length = packet.len() - 40;
            print_to_string(*verbose, |p| super::print(p, cut, length, whole, false));
        }
    }
}

#[test]
fn empty_message_prints_length_0() {
    let packet = packet(&[]);
    let shown = print_to_string(0, |p| super::print(p, &[], 0, &packet, false));
    assert_eq!(shown, "ICMP6, length 0 (invalid)");
}

/// Returns the printed search list of a router advertisement that contains `octets`.
fn search_list(octets: &[u8]) -> String {
    let mut message = vec![134, 0];
    message.resize(16, 0);
    message.extend_from_slice(&[31, 1 + octets.len().div_ceil(8) as u8]);
    message.resize(24, 0);
    message.extend_from_slice(octets);
    message.resize(message.len().next_multiple_of(8), 0);
    let packet = packet(&message);
    let line = print_to_string(1, |p| {
        super::print(p, &message, message.len(), &packet, true)
    });
    let (_, names) = line.split_once("domain(s):").expect("a search list");
    names.to_owned()
}

#[test]
fn domain_names_are_printed_with_markers_for_faults() {
    assert_eq!(search_list(b"\x04a\x1b[m\x00"), " a^[[m.");
    assert_eq!(search_list(b"\x02\x80\x9b\x01\x7f\x00"), " M-^@M-^[.^?.");
    assert_eq!(search_list(b"\x03lab\x00\x01a\xc0\x08"), " lab. a.lab.");
    assert_eq!(search_list(b"\x01a\xc0\x08"), " a.<BAD PTR> [|icmp6]");
    assert_eq!(search_list(b"\x80"), " <BAD LABEL TYPE> [|icmp6]");
    assert_eq!(search_list(b"\x42"), " <ELT 2> [|icmp6]");
    assert_eq!(search_list(b"\x41\x0c\xab\xcd\x00"), " \\[xabc/12].");
    let long = [b"\x3f".as_slice(), &[b'a'; 63]].concat().repeat(5);
    let name = format!("{}.", "a".repeat(63)).repeat(4);
    let shown = search_list(&[long.as_slice(), b"\x00"].concat());
    assert_eq!(shown, format!(" {name}<DOMAIN NAME TOO LONG>"));
}

#[test]
fn compression_pointer_loops_are_bounded() {
    let bits = b"\x41\x08\xff".repeat(250);
    let repeated = search_list(&[&bits, b"\x00".as_slice(), &b"\xc0\x08".repeat(400)].concat());
    assert!(repeated.ends_with(" [|icmp6]") && repeated.len() < 32 * 1024);

    let mut chain = b"\x01a\x00".to_vec();
    chain.extend([0xc0, 8]);
    for at in 0..600_u16 {
        chain.extend_from_slice(&(0xc000 | (11 + 2 * at)).to_be_bytes());
    }
    let chained = search_list(&chain);
    assert!(chained.ends_with("<BAD PTR> [|icmp6]"));
}
