//! Test cases for link headers, dumps and line prefixes: frames, and the lines that tcpdump 4.99.3
//! prints for them with `-nn -t`.

use super::Case;
use crate::packet::LinkType;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "link headers",
        link: LinkType(1),
        options: &["-e"],
        frames: &[
            (
                "00000000000000000000000008004500001d0001400040113ccd7f0000017f0000019c4013880009000078",
                43,
            ),
            (
                "0000000000000000000000008100200508004500001d0001400040113ccd7f0000017f0000019c4013880009000078",
                47,
            ),
            ("00000000000100000000000288b568656c6c6f", 19),
        ],
        lines: "00:00:00:00:00:00 > 00:00:00:00:00:00, ethertype IPv4 (0x0800), length 43: 127.0.0.1.40000 > 127.0.0.1.5000: UDP, length 1\n\
             00:00:00:00:00:00 > 00:00:00:00:00:00, ethertype 802.1Q (0x8100), length 47: vlan 5, p 1, ethertype IPv4 (0x0800), 127.0.0.1.40000 > 127.0.0.1.5000: UDP, length 1\n\
             00:00:00:00:00:02 > 00:00:00:00:00:01, ethertype Unknown (0x88b5), length 19: \n\
             \t0x0000:  6865 6c6c 6f                             hello\n",
    },
    Case {
        name: "undissected EtherType and IEEE 802.3",
        link: LinkType(1),
        options: &[],
        frames: &[
            ("00000000000100000000000288b568656c6c6f", 19),
            ("00000000000100000000000200070e0e030102030405", 22),
        ],
        lines: "00:00:00:00:00:02 > 00:00:00:00:00:01, ethertype Unknown (0x88b5), length 19: \n\
             \t0x0000:  6865 6c6c 6f                             hello\n\
             00:00:00:00:00:02 > 00:00:00:00:00:01, 802.3, length 7: \n\
             \t0x0000:  0e0e 0301 0203 04                        .......\n",
    },
    Case {
        name: "BSD loopback",
        link: LinkType(0),
        options: &["-e"],
        frames: &[
            (
                "020000004500001d0001400040113ccd7f0000017f0000019c4013880009000078",
                33,
            ),
            (
                "0000001e600123450009114000000000000000000000000000000001000000000000000000000000000000019c4013880009000078",
                53,
            ),
            ("630000006162", 6),
        ],
        lines: "AF IPv4 (2), length 33: 127.0.0.1.40000 > 127.0.0.1.5000: UDP, length 1\n\
             AF IPv6 (30), length 53: ::1.40000 > ::1.5000: UDP, length 1\n\
             AF Unknown (99), length 6: \n\
             \t0x0000:  6162                                     ab\n",
    },
    Case {
        name: "raw IP",
        link: LinkType(101),
        options: &["-e"],
        frames: &[
            (
                "4500001d0001400040113ccd7f0000017f0000019c4013880009000078",
                29,
            ),
            (
                "600123450009114000000000000000000000000000000001000000000000000000000000000000019c4013880009000078",
                49,
            ),
            ("99", 1),
        ],
        lines: "ip: 127.0.0.1.40000 > 127.0.0.1.5000: UDP, length 1\n\
             ip: ::1.40000 > ::1.5000: UDP, length 1\n\
             ip: unknown ip 9\n",
    },
    Case {
        name: "cooked, version 1",
        link: LinkType(113),
        options: &["-e"],
        frames: &[(
            "000400010006000000000001000008004500001d0001400040113ccd7f0000017f0000019c4013880009000078",
            45,
        )],
        lines: "Out 00:00:00:00:00:01 ethertype IPv4 (0x0800), length 45: 127.0.0.1.40000 > 127.0.0.1.5000: UDP, length 1\n",
    },
    Case {
        name: "cooked, version 2, interface not on this machine",
        link: LinkType(276),
        options: &["-e"],
        frames: &[(
            "080000007fffffff0304040600000000000100004500001d0001400040113ccd7f0000017f0000019c4013880009000078",
            49,
        )],
        lines: "?     Out ifindex 2147483647 00:00:00:00:00:01 ethertype IPv4 (0x0800), length 49: 127.0.0.1.40000 > 127.0.0.1.5000: UDP, length 1\n",
    },
    Case {
        name: "cooked, version 2, interface name with a control character",
        link: LinkType(276),
        options: &["-e"],
        frames: &[(
            "08000000000000070304040600000000000100004500001d0001400040113ccd7f0000017f0000019c4013880009000078",
            49,
        )],
        lines: "e?0   Out ifindex 7 00:00:00:00:00:01 ethertype IPv4 (0x0800), length 49: 127.0.0.1.40000 > 127.0.0.1.5000: UDP, length 1\n",
    },
    Case {
        name: "unsupported link type",
        link: LinkType(160),
        options: &[],
        frames: &[("68656c6c6f", 5)],
        lines: "UNSUPPORTED\n\
             \t0x0000:  6865 6c6c 6f                             hello\n",
    },
    Case {
        name: "hexadecimal and ASCII dump",
        link: LinkType(1),
        options: &["-X"],
        frames: &[(
            "00000000000000000000000008004500001f0001400040113ccb7f0000017f0000019c401388000b0000787878",
            45,
        )],
        lines: "IP 127.0.0.1.40000 > 127.0.0.1.5000: UDP, length 3\n\
             \t0x0000:  4500 001f 0001 4000 4011 3ccb 7f00 0001  E.....@.@.<.....\n\
             \t0x0010:  7f00 0001 9c40 1388 000b 0000 7878 78    .....@......xxx\n",
    },
    Case {
        name: "ASCII dump",
        link: LinkType(1),
        options: &["-A"],
        frames: &[(
            "0000000000000000000000000800450000340001400040063cc17f0000017f0000019c40f5ad000003e8000007d050180200beef0007474554202f0d0a0d0a1b9b7f",
            66,
        )],
        lines: "IP 127.0.0.1.40000 > 127.0.0.1.62893: Flags [P.], seq 1000:1012, ack 2000, win 512, length 12\n\
             E..4..@.@.<..........@..........P.......GET /\n\
             \n\
             ...\n",
    },
    Case {
        name: "invalid frame lengths",
        link: LinkType(1),
        options: &[],
        frames: &[("", 0), ("", 9), ("616263", 2), ("616263", 300000)],
        lines: "[Invalid header: caplen==0, len==0]\n\
             [Invalid header: caplen==0]\n\
             [Invalid header: len(2) < caplen(3)]\n\
             [Invalid header: len(300000) > 262144]\n",
    },
    Case {
        name: "packet numbers",
        link: LinkType(1),
        options: &["-#"],
        frames: &[
            (
                "00000000000000000000000008004500001d0001400040113ccd7f0000017f0000019c4013880009000078",
                43,
            ),
            (
                "00000000000000000000000008004500001d0001400040113ccd7f0000017f0000019c4013880009000078",
                43,
            ),
        ],
        lines: "\x20   1  IP 127.0.0.1.40000 > 127.0.0.1.5000: UDP, length 1\n\
             \x20   2  IP 127.0.0.1.40000 > 127.0.0.1.5000: UDP, length 1\n",
    },
];
