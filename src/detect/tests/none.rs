//! What is none of the protocols that are known.

use super::{Row, hex, row};
use crate::packet::{TCP, UDP};

pub(super) fn rows() -> Vec<Row> {
    vec![
        row(
            "FTP",
            TCP,
            b"USER anonymous\r\n",
            b"220 (vsFTPd 3.0.3)\r\n331 Please specify the password.\r\n",
            "",
            "",
        ),
        row(
            "FTP with TLS",
            TCP,
            b"AUTH TLS\r\n",
            b"220 ProFTPD Server (Debian)\r\n234 AUTH TLS successful\r\n",
            "",
            "",
        ),
        row(
            "POP3",
            TCP,
            b"AUTH\r\nQUIT\r\n",
            b"+OK Dovecot ready.\r\n-ERR Unknown\r\n",
            "",
            "",
        ),
        row(
            "IMAP",
            TCP,
            b"a001 CAPABILITY\r\n",
            b"* OK [CAPABILITY IMAP4rev1] ready.\r\n",
            "",
            "",
        ),
        row(
            "text",
            TCP,
            b"hello, is anybody there?\n",
            b"you said hello, is anybody there?\n",
            "",
            "",
        ),
        row(
            "text that begins as commands do",
            TCP,
            b"get up and go\r\n",
            b"gone\r\n",
            "",
            "",
        ),
        row(
            "a JSON line",
            TCP,
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\"}\n",
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n",
            "",
            "",
        ),
        row(
            "JSON after a length",
            TCP,
            b"Content-Length: 2\r\n\r\n{}",
            b"Content-Length: 2\r\n\r\n{}",
            "",
            "",
        ),
        row("zeros", TCP, [0; 96], [0; 96], "", ""),
        row("zeros in a datagram", UDP, [0; 96], [0; 96], "", ""),
        row("ones", TCP, [0xff; 96], [0xff; 96], "", ""),
        row(
            "what looks like TLS",
            TCP,
            hex(
                "1603010200010001fc0303ffffffffffffffffffffffffffffffffffffffffffffffffffffff \
                 ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            ),
            b"",
            "",
            "",
        ),
        row(
            "what looks like TLS, with odd ciphers",
            TCP,
            hex(
                "1603010200010001fc0303111111111111111111111111111111111111111111111111111111 \
                 1111111111000003222222222222222222222222222222222222222222222222222222222222",
            ),
            b"",
            "",
            "",
        ),
        row(
            "records of TLS without a hello",
            TCP,
            hex("1703030010a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"),
            hex("17030300105a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"),
            "",
            "",
        ),
        row(
            "RTSP",
            TCP,
            b"OPTIONS rtsp://127.0.0.1/ RTSP/1.0\r\nCSeq: 1\r\n\r\n",
            b"RTSP/1.0 200 OK\r\n",
            "",
            "",
        ),
        row(
            "HTTP before it had versions",
            TCP,
            b"GET /\r\n",
            b"<html>",
            "",
            "",
        ),
        row(
            "SSDP",
            UDP,
            b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n",
            b"",
            "",
            "",
        ),
        row(
            "answers of Redis alone",
            TCP,
            b"",
            b"+OK\r\n:1\r\n$5\r\nhello\r\n",
            "",
            "",
        ),
        row(
            "an HTTP/2 server alone",
            TCP,
            b"",
            hex("000006040000000000000300000064000000040100000000"),
            "",
            "",
        ),
        row(
            "a name of NetBIOS",
            UDP,
            hex(
                "8001011000010000000000002046484641454245454341434143414341434143414341434143 \
                 414341434141410000200001",
            ),
            b"",
            "",
            "",
        ),
        row(
            "a DNS query of no class",
            UDP,
            hex("12340100000100000000000001610000011234"),
            b"",
            "",
            "",
        ),
        row(
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
        row(
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
        row(
            "BGP",
            TCP,
            hex("ffffffffffffffffffffffffffffffff001d0104fde800b4c0a8000100"),
            hex("ffffffffffffffffffffffffffffffff001304"),
            "",
            "",
        ),
        row(
            "Thrift after a length",
            TCP,
            hex("0000001c800100010000000470696e67000000010000000000000000"),
            b"",
            "",
            "",
        ),
        row(
            "a startup message without a user",
            TCP,
            hex("00000014000300006f7074696f6e007800000000"),
            b"",
            "",
            "",
        ),
        row(
            "LDAP",
            TCP,
            hex("300c020101600702010304008000"),
            hex("300c02010161070a010004000400"),
            "",
            "",
        ),
    ]
}
