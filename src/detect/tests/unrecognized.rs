//! Openings of protocols without a detector, and other bytes that must not be recognized.

use super::{DetectionCase, case, hex};
use crate::packet::{TCP, UDP};

pub(super) fn cases() -> Vec<DetectionCase> {
    vec![
        case(
            "messages with the type and the length of PostgreSQL's queries",
            TCP,
            b"Q\0\0\0\x0d\x01\0\0\0\x02\0\0\0\x03",
            b"R\0\0\0\x01\0",
            "",
            "",
        ),
        case(
            "the answer of another protocol to a query",
            TCP,
            b"B\0\0\0\x0c\0\0\0\0\0\0\0\0",
            b"C\0\0\0\x08\x01\x02\x03\x04",
            "",
            "",
        ),
        case(
            "FTP",
            TCP,
            b"USER anonymous\r\n",
            b"220 (vsFTPd 3.0.3)\r\n331 Please specify the password.\r\n",
            "",
            "",
        ),
        case(
            "FTP with TLS",
            TCP,
            b"AUTH TLS\r\n",
            b"220 ProFTPD Server (Debian)\r\n234 AUTH TLS successful\r\n",
            "",
            "",
        ),
        case(
            "POP3",
            TCP,
            b"AUTH\r\nQUIT\r\n",
            b"+OK Dovecot ready.\r\n-ERR Unknown\r\n",
            "",
            "",
        ),
        case(
            "IMAP",
            TCP,
            b"a001 CAPABILITY\r\n",
            b"* OK [CAPABILITY IMAP4rev1] ready.\r\n",
            "",
            "",
        ),
        case(
            "text",
            TCP,
            b"hello, is this the echo server?\n",
            b"echo: hello, is this the echo server?\n",
            "",
            "",
        ),
        case(
            "text that starts with a command name",
            TCP,
            b"get up and go\r\n",
            b"gone\r\n",
            "",
            "",
        ),
        case(
            "a JSON line",
            TCP,
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\"}\n",
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n",
            "",
            "",
        ),
        case(
            "JSON after a length header",
            TCP,
            b"Content-Length: 2\r\n\r\n{}",
            b"Content-Length: 2\r\n\r\n{}",
            "",
            "",
        ),
        case("zeros", TCP, [0; 96], [0; 96], "", ""),
        case("zeros in a datagram", UDP, [0; 96], [0; 96], "", ""),
        case("all bits set", TCP, [0xff; 96], [0xff; 96], "", ""),
        case(
            "bytes similar to TLS",
            TCP,
            hex(
                "1603010200010001fc0303ffffffffffffffffffffffffffffffffffffffffffffffffffffff \
                 ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            ),
            b"",
            "",
            "",
        ),
        case(
            "bytes similar to TLS, with an odd cipher length",
            TCP,
            hex(
                "1603010200010001fc0303111111111111111111111111111111111111111111111111111111 \
                 1111111111000003222222222222222222222222222222222222222222222222222222222222",
            ),
            b"",
            "",
            "",
        ),
        case(
            "TLS records without a hello",
            TCP,
            hex("1703030010a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"),
            hex("17030300105a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"),
            "",
            "",
        ),
        case(
            "RTSP",
            TCP,
            b"OPTIONS rtsp://127.0.0.1/ RTSP/1.0\r\nCSeq: 1\r\n\r\n",
            b"RTSP/1.0 200 OK\r\n",
            "",
            "",
        ),
        case("HTTP/0.9", TCP, b"GET /\r\n", b"<html>", "", ""),
        case(
            "SSDP",
            UDP,
            b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n",
            b"",
            "",
            "",
        ),
        case(
            "Redis replies alone",
            TCP,
            b"",
            b"+OK\r\n:1\r\n$5\r\nhello\r\n",
            "",
            "",
        ),
        case(
            "an HTTP/2 server alone",
            TCP,
            b"",
            hex("000006040000000000000300000064000000040100000000"),
            "",
            "",
        ),
        case(
            "a NetBIOS name query",
            UDP,
            hex(
                "8001011000010000000000002046484641454245454341434143414341434143414341434143 \
                 414341434141410000200001",
            ),
            b"",
            "",
            "",
        ),
        case(
            "a DNS query with an invalid class",
            UDP,
            hex("12340100000100000000000001610000011234"),
            b"",
            "",
            "",
        ),
        case(
            "DHCP",
            UDP,
            hex(
                "0101060012345678000000000000000000000000000000000000000000000000000000000200 \
                 000000aa",
            ),
            b"",
            "",
            "",
        ),
        case(
            "NTP",
            UDP,
            hex(
                "230006ec00000000000000000000000000000000000000000000000000000000000000000000 \
                 00000000000000000000",
            ),
            hex(
                "240106ec11111111111111111111111111111111111111111111111111111111111111111111 \
                 11111111111111111111",
            ),
            "",
            "",
        ),
        case(
            "BGP",
            TCP,
            hex("ffffffffffffffffffffffffffffffff001d0104fde800b4c0a8000100"),
            hex("ffffffffffffffffffffffffffffffff001304"),
            "",
            "",
        ),
        case(
            "framed Thrift",
            TCP,
            hex("0000001c800100010000000470696e67000000010000000000000000"),
            b"",
            "",
            "",
        ),
        case(
            "PostgreSQL startup message without a user",
            TCP,
            hex("00000014000300006f7074696f6e007800000000"),
            b"",
            "",
            "",
        ),
        case(
            "LDAP",
            TCP,
            hex("300c020101600702010304008000"),
            hex("300c02010161070a010004000400"),
            "",
            "",
        ),
    ]
}
