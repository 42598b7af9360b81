//! Openings of TLS, SSH, DNS and SMTP.

use super::{DetectionCase, case, hex};
use crate::packet::{TCP, UDP};

pub(super) fn cases() -> Vec<DetectionCase> {
    vec![
        case(
            "openssl s_client and s_server, 1.3",
            TCP,
            hex(
                "16030100d0010000cc03036e01d23ee5c1a82245dd3fb22523f3440cb6aa9bad9ff4b263cf42 \
                 6032a499be20181175d0dd64ac2b4c13cb2cf734e0c5cb50909cd0b6c4f7e25a680859a75cb1 \
                 0004130100ff0100007f0000000e000c0000096c6361702e74657374000b000403000102000a \
                 00040002001d002300000010000e000c02683208687474702f312e310016000000170000000d \
                 000400020403002b0003020304002d00020101003300260024001d002005c761fb3cec560102 \
                 731b98acfa03a9221cd9935bda0d49a75ad85a7e7ac658",
            ),
            hex(
                "160303007a020000760303ef647a02961d92a1ef6493ca2797e9cb0121a663647da5d2aa5839 \
                 1426ab74cf20181175d0dd64ac2b4c13cb2cf734e0c5cb50909cd0b6c4f7e25a680859a75cb1 \
                 130100002e002b0002030400330024001d00205d2807e6f16a90c0f03fba1cf3f5f55dbf5d58 \
                 80b5830da6356efd9291a7f563140303000101",
            ),
            "tls",
            "sni=lcap.test alpn=h2,http/1.1 version=1.3",
        ),
        case(
            "openssl s_client and s_server, 1.2",
            TCP,
            hex(
                "1603010076010000720303281e6ca13bb2a3e5cea668f5e448e97f9776159f7b0747bacd74a1 \
                 66b1866b6e000004c02b00ff010000450000000e000c0000096c6361702e74657374000b0004 \
                 03000102000a000400020017002300000010000b000908687474702f312e3100160000001700 \
                 00000d000400020403",
            ),
            hex(
                "16030300500200004c03034fafcb33b0f4b4b1ce34e31ae55b6548a901e14739598812444f57 \
                 4e4752440100c02b000024ff01000100000b000403000102002300000010000b000908687474 \
                 702f312e3100170000",
            ),
            "tls",
            "sni=lcap.test alpn=http/1.1 version=1.2",
        ),
        case(
            "TLS alert as the response",
            TCP,
            hex(
                "1603010076010000720303281e6ca13bb2a3e5cea668f5e448e97f9776159f7b0747bacd74a1 \
                 66b1866b6e000004c02b00ff010000450000000e000c0000096c6361702e74657374000b0004 \
                 03000102000a000400020017002300000010000b000908687474702f312e3100160000001700 \
                 00000d000400020403",
            ),
            hex("15030300020228"),
            "tls",
            "sni=lcap.test alpn=http/1.1 version=1.2",
        ),
        case(
            "unencrypted HTTP error as the response",
            TCP,
            hex(
                "1603010076010000720303281e6ca13bb2a3e5cea668f5e448e97f9776159f7b0747bacd74a1 \
                 66b1866b6e000004c02b00ff010000450000000e000c0000096c6361702e74657374000b0004 \
                 03000102000a000400020017002300000010000b000908687474702f312e3100160000001700 \
                 00000d000400020403",
            ),
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "tls",
            "sni=lcap.test alpn=http/1.1 version=1.2",
        ),
        case(
            "TLS hello in three records",
            TCP,
            hex(
                "16030100030100001603010030720303281e6ca13bb2a3e5cea668f5e448e97f9776159f7b07 \
                 47bacd74a166b1866b6e000004c02b00ff0100004500001603010043000e000c0000096c6361 \
                 702e74657374000b000403000102000a000400020017002300000010000b000908687474702f \
                 312e310016000000170000000d000400020403",
            ),
            b"",
            "tls",
            "sni=lcap.test alpn=http/1.1 version=1.2",
        ),
        case(
            "only the server's TLS hello",
            TCP,
            b"",
            hex(
                "16030300500200004c03034fafcb33b0f4b4b1ce34e31ae55b6548a901e14739598812444f57 \
                 4e4752440100c02b000024ff01000100000b000403000102002300000010000b000908687474 \
                 702f312e3100170000",
            ),
            "tls",
            "alpn=http/1.1 version=1.2",
        ),
        case(
            "a capture that started before the server's hello",
            TCP,
            hex("1403030001011603030028"),
            hex(
                "16030300500200004c03034fafcb33b0f4b4b1ce34e31ae55b6548a901e14739598812444f57 \
                 4e4752440100c02b000024ff01000100000b000403000102002300000010000b000908687474 \
                 702f312e3100170000",
            ),
            "tls",
            "alpn=http/1.1 version=1.2",
        ),
        case(
            "SSL 3.0 without extensions",
            TCP,
            hex(
                "16030000310100002d0300111111111111111111111111111111111111111111111111111111 \
                 1111111111000004002f00ff020100",
            ),
            hex(
                "160300002a020000260300222222222222222222222222222222222222222222222222222222 \
                 222222222200002f00",
            ),
            "tls",
            "version=SSL 3.0",
        ),
        case(
            "OpenSSH",
            TCP,
            b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n\0\0\x06\x14",
            b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n\0\0\x04\x3c",
            "ssh",
            "client=OpenSSH_9.2p1 server=OpenSSH_9.2p1",
        ),
        case(
            "an old SSH server",
            TCP,
            b"SSH-2.0-PuTTY_Release_0.81\r\n",
            b"SSH-1.99-Cisco-1.25\n",
            "ssh",
            "client=PuTTY_Release_0.81 server=Cisco-1.25",
        ),
        case(
            "SSH server that waits for the client",
            TCP,
            b"",
            b"SSH-2.0-dropbear_2022.83\r\n",
            "ssh",
            "server=dropbear_2022.83",
        ),
        case(
            "dig and dnsmasq",
            UDP,
            hex(
                "f27b012000010000000000010161046c6361700474657374000001000100002904d000000000 \
                 000c000a0008968f78baf0337314",
            ),
            hex(
                "f27b858000010001000000010161046c63617004746573740000010001c00c00010001000000 \
                 0000047f00000900002904d0000000000000",
            ),
            "dns",
            "query=a.lcap.test type=A rcode=NOERROR",
        ),
        case(
            "refused DNS query",
            UDP,
            hex(
                "39cc01200001000000000001046e6f7065076578616d706c6500001c000100002904d0000000 \
                 00000c000a0008a4e121801979e5c7",
            ),
            hex(
                "39cc81850001000000000001046e6f7065076578616d706c6500001c000100002904d0000000 \
                 000006000f0002000e",
            ),
            "dns",
            "query=nope.example type=AAAA rcode=REFUSED",
        ),
        case(
            "the root domain",
            UDP,
            hex("1234010000010000000000000000020001"),
            hex("1234818200010000000000000000020001"),
            "dns",
            "query=. type=NS rcode=SERVFAIL",
        ),
        case(
            "DNS error response without the question",
            UDP,
            hex("abcd01000001000000000000016102696f00ff1b0001"),
            hex("abcd80010000000000000000"),
            "dns",
            "query=a.io type=TYPE65307 rcode=FORMERR",
        ),
        case(
            "response to a second DNS query first",
            UDP,
            hex("000101000001000000000000016102696f0000010001"),
            hex("000281800001000000000000016102696f00001c0001"),
            "dns",
            "query=a.io type=A",
        ),
        case(
            "multicast DNS query",
            UDP,
            hex(
                "000000000002000000000000055f68747470045f746370056c6f63616c00000c800107612e62 \
                 20c3a963c00c00210001",
            ),
            b"",
            "dns",
            "query=_http._tcp.local type=PTR",
        ),
        case(
            "multicast DNS announcement",
            UDP,
            hex(
                "000084000000000100000000055f68747470045f746370056c6f63616c00000c000100001194 \
                 0003016100",
            ),
            b"",
            "dns",
            "rcode=NOERROR",
        ),
        case(
            "dig +tcp and dnsmasq",
            TCP,
            hex(
                "00346245012000010000000000010161046c6361700474657374000001000100002904d00000 \
                 0000000c000a0008266fe1c644eedeba",
            ),
            hex(
                "00386245858000010001000000010161046c63617004746573740000010001c00c0001000100 \
                 00000000047f00000900002904d0000000000000",
            ),
            "dns",
            "query=a.lcap.test type=A rcode=NOERROR",
        ),
        case(
            "DNS name that does not exist",
            TCP,
            hex(
                "0035154d01200001000000000001046e6f7065076578616d706c6500001c000100002904d000 \
                 000000000c000a0008d406f9347011527a",
            ),
            hex(
                "002f154d81830001000000000001046e6f7065076578616d706c6500001c000100002904d000 \
                 0000000006000f0002000e",
            ),
            "dns",
            "query=nope.example type=AAAA rcode=NXDOMAIN",
        ),
        case(
            "DNS response alone",
            TCP,
            b"",
            hex(
                "00386245858000010001000000010161046c63617004746573740000010001c00c0001000100 \
                 00000000047f00000900002904d0000000000000",
            ),
            "dns",
            "query=a.lcap.test type=A rcode=NOERROR",
        ),
        case(
            "smtplib and smtpd",
            TCP,
            b"ehlo client.example\r\nquit\r\n",
            b"220 localhost Python SMTP proxy version 0.3\r\n250-localhost\r\n",
            "smtp",
            "server=localhost client=client.example",
        ),
        case(
            "Postfix",
            TCP,
            b"EHLO [127.0.0.1]\r\nSTARTTLS\r\n",
            b"220 mail.example.com ESMTP Postfix (Debian/GNU)\r\n",
            "smtp",
            "server=mail.example.com client=[127.0.0.1]",
        ),
        case(
            "multi-line SMTP greeting",
            TCP,
            b"HELO a\r\n",
            b"220-mx.example.org ESMTP\r\n220 ready\r\n",
            "smtp",
            "server=mx.example.org client=a",
        ),
    ]
}
