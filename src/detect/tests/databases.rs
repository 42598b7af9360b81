//! Openings of databases, caches and their clients.

use super::{DetectionCase, case, hex};
use crate::packet::TCP;

pub(super) fn cases() -> Vec<DetectionCase> {
    vec![
        case(
            "psql",
            TCP,
            hex(
                "0000000804d2162f0000003f000300007573657200706f737467726573006461746162617365 \
                 00706f737467726573006170706c69636174696f6e5f6e616d65007073716c0000",
            ),
            b"NR\0\0\0\x08\0\0\0\0S",
            "postgresql",
            "user=postgres database=postgres application=psql",
        ),
        case(
            "psql without encryption",
            TCP,
            hex(
                "0000003f000300007573657200706f73746772657300646174616261736500706f7374677265 \
                 73006170706c69636174696f6e5f6e616d65007073716c0000",
            ),
            b"R\0\0\0\x08\0\0\0\0",
            "postgresql",
            "user=postgres database=postgres application=psql",
        ),
        case(
            "psql with GSSAPI and TLS refused in turn",
            TCP,
            hex("0000000804d216300000000804d2162f0000001400030002757365720078007900310000"),
            b"NNR\0",
            "postgresql",
            "user=x",
        ),
        case(
            "psql with TLS",
            TCP,
            hex("0000000804d2162f1603010200010001fc0303"),
            hex("53160303007a"),
            "postgresql",
            "tls=yes",
        ),
        case(
            "psql with GSSAPI",
            TCP,
            hex("0000000804d21630"),
            b"G",
            "postgresql",
            "",
        ),
        case(
            "PostgreSQL cancel request",
            TCP,
            hex("0000001004d2162e000012345678abcd"),
            b"",
            "postgresql",
            "",
        ),
        case(
            "PostgreSQL SSL request without a response",
            TCP,
            hex("0000000804d2162f"),
            b"",
            "postgresql",
            "",
        ),
        case(
            "PostgreSQL query within a connection",
            TCP,
            b"Q\0\0\0\x0dselect 1\0",
            b"T\0\0\0\x21\0\x01?column?\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0",
            "postgresql",
            "",
        ),
        case(
            "PostgreSQL query without an answer",
            TCP,
            b"Q\0\0\0\x1aselect pg_sleep(100);\0",
            b"",
            "postgresql",
            "",
        ),
        case(
            "PostgreSQL prepared statement within a connection",
            TCP,
            b"B\0\0\0\x11\0s1\0\0\0\0\0\0\x01\0\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04",
            b"2\0\0\0\x04D\0\0\0\x0a\0\x01\xff\xff\xff\xffC\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I",
            "postgresql",
            "",
        ),
        case(
            "PostgreSQL statement that is prepared within a connection",
            TCP,
            b"P\0\0\0\x12s1\0select 1\0\0\0D\0\0\0\x08Ss1\0S\0\0\0\x04",
            b"1\0\0\0\x04t\0\0\0\x06\0\0",
            "postgresql",
            "",
        ),
        case(
            "PyMySQL and MariaDB",
            TCP,
            hex(
                "780000010da23a00ffffff002d0000000000000000000000000000000000000000000000726f \
                 6f7400006d7973716c006d7973716c5f6e61746976655f70617373776f726400350c5f636c69 \
                 656e745f6e616d650770796d7973716c0f5f636c69656e745f76657273696f6e05312e322e34 \
                 045f7069640438383838",
            ),
            hex(
                "640000000a352e352e352d31302e31312e31392d4d6172696144422d302b6465623132753100 \
                 0400000053662a3c2d6b544500fef7080200ff81150000000000001d0000003a35385b42754a \
                 4e2c2e413c006d7973716c5f6e61746976655f70617373776f726400",
            ),
            "mysql",
            "version=10.11.19-MariaDB-0+deb12u1 user=root",
        ),
        case(
            "mariadb-admin ping",
            TCP,
            hex("0100000101"),
            hex(
                "640000000a352e352e352d31302e31312e31392d4d6172696144422d302b6465623132753100 \
                 0400000053662a3c2d6b544500fef7080200ff81150000000000001d0000003a35385b42754a \
                 4e2c2e413c006d7973716c5f6e61746976655f70617373776f726400",
            ),
            "mysql",
            "version=10.11.19-MariaDB-0+deb12u1",
        ),
        case(
            "MySQL with TLS",
            TCP,
            hex(
                "2000000185aeff1900000001ff00000000000000000000000000000000000000000000001603 \
                 01",
            ),
            hex(
                "4a0000000a382e302e3336000b0000004a2b11607d3c2e5300ffffff0200ffdf150000000000 \
                 00000000005d4e3f2a1b0c5d4e3f2a1b0c0063616368696e675f736861325f70617373776f72 \
                 6400",
            ),
            "mysql",
            "version=8.0.36",
        ),
        case(
            "MySQL error: host is blocked",
            TCP,
            b"",
            hex(
                "40000000ff6904486f737420273132372e302e302e312720697320626c6f636b656420626563 \
                 61757365206f66206d616e7920636f6e6e656374696f6e206572726f7273",
            ),
            "mysql",
            "",
        ),
        case(
            "redis-cli",
            TCP,
            b"*2\r\n$3\r\nGET\r\n$8\r\ngreeting\r\n",
            b"$5\r\nhello\r\n",
            "redis",
            "command=GET",
        ),
        case(
            "redis-cli -3",
            TCP,
            b"*2\r\n$5\r\nhello\r\n$1\r\n3\r\n",
            b"%7\r\n$6\r\nserver\r\n",
            "redis",
            "command=HELLO",
        ),
        case(
            "command of a Redis module",
            TCP,
            b"*2\r\n$8\r\nJSON.GET\r\n$1\r\na\r\n",
            b"-ERR unknown command\r\n",
            "redis",
            "command=JSON.GET",
        ),
        case(
            "nc and Redis",
            TCP,
            b"PING\r\n",
            b"+PONG\r\n",
            "redis",
            "command=PING",
        ),
        case(
            "telnet and Redis",
            TCP,
            b"get x\r\n",
            b"$-1\r\n",
            "redis",
            "command=GET",
        ),
        case(
            "PyMongo hello",
            TCP,
            hex(
                "4a01000085891b0800000000dd0700000000000000350100001069736d617374657200010000 \
                 000868656c6c6f4f6b0001026261636b70726573737572650002000000320003636c69656e74 \
                 00ed000000",
            ),
            b"",
            "mongodb",
            "command=ismaster",
        ),
        case(
            "mongosh hello",
            TCP,
            hex(
                "440000000100000000000000d40700000000000061646d696e2e24636d640000000000ffffff \
                 ff1d0000001069734d617374657200010000000868656c6c6f4f6b000100",
            ),
            hex("31000000010000000100000001000000080000000000000000000000000000000100000011"),
            "mongodb",
            "command=isMaster",
        ),
        case(
            "MongoDB documents before the command",
            TCP,
            hex(
                "460000000200000000000000dd07000000000000011a000000646f63756d656e7473000c0000 \
                 001061000100000000001600000002696e736572740005000000706574730000",
            ),
            b"",
            "mongodb",
            "command=insert",
        ),
        case(
            "compressed MongoDB message",
            TCP,
            hex("1d0000000300000000000000dc070000dd0700004000000002789c6360"),
            b"",
            "mongodb",
            "",
        ),
        case(
            "memcached: set",
            TCP,
            b"set greeting 0 0 5\r\nhello\r\n",
            b"STORED\r\n",
            "memcached",
            "command=set",
        ),
        case(
            "memcached: add without a response",
            TCP,
            b"add n 0 0 1 noreply\r\n1\r\n",
            b"",
            "memcached",
            "command=add",
        ),
        case(
            "memcached: get, found",
            TCP,
            b"get greeting\r\n",
            b"VALUE greeting 0 5\r\nhello\r\nEND\r\n",
            "memcached",
            "command=get",
        ),
        case(
            "memcached: gets, not found",
            TCP,
            b"gets a b c\r\n",
            b"END\r\n",
            "memcached",
            "command=gets",
        ),
        case(
            "memcached: get and touch",
            TCP,
            b"gat 10 greeting\r\n",
            b"VALUE greeting 0 5\r\n",
            "memcached",
            "command=gat",
        ),
        case(
            "memcached: compare and swap, not found",
            TCP,
            b"cas greeting 0 0 1 5\r\n1\r\n",
            b"NOT_FOUND\r\n",
            "memcached",
            "command=cas",
        ),
        case(
            "memcached: increment",
            TCP,
            b"incr n 1\r\n",
            b"41\r\n",
            "memcached",
            "command=incr",
        ),
        case(
            "memcached: delete, not found",
            TCP,
            b"delete n\r\n",
            b"NOT_FOUND\r\n",
            "memcached",
            "command=delete",
        ),
        case(
            "memcached: touch",
            TCP,
            b"touch greeting 5\r\n",
            b"TOUCHED\r\n",
            "memcached",
            "command=touch",
        ),
        case(
            "memcached: statistics",
            TCP,
            b"stats settings\r\n",
            b"STAT maxbytes 67108864\r\n",
            "memcached",
            "command=stats",
        ),
        case(
            "memcached: version",
            TCP,
            b"version\r\n",
            b"VERSION 1.6.18\r\n",
            "memcached",
            "command=version",
        ),
        case(
            "memcached: flush",
            TCP,
            b"flush_all\r\n",
            b"OK\r\n",
            "memcached",
            "command=flush_all",
        ),
        case(
            "memcached: meta get, found",
            TCP,
            b"mg k t v\r\n",
            b"VA 2 t-1\r\nhi\r\n",
            "memcached",
            "command=mg",
        ),
        case(
            "memcached: meta get, not found",
            TCP,
            b"mg k v\r\n",
            b"EN\r\n",
            "memcached",
            "command=mg",
        ),
        case(
            "memcached: meta set",
            TCP,
            b"ms k 2 T0\r\nhi\r\n",
            b"HD\r\n",
            "memcached",
            "command=ms",
        ),
        case(
            "memcached: meta arithmetic",
            TCP,
            b"ma n N0 J13 v\r\n",
            b"VA 2\r\n13\r\n",
            "memcached",
            "command=ma",
        ),
        case(
            "memcached: binary set",
            TCP,
            hex(
                "8001000808000000000000150000000700000000000000000000000000000000677265657469 \
                 6e6768656c6c6f",
            ),
            hex("810100000000000000000000000000070000000000000005"),
            "memcached",
            "command=set",
        ),
        case(
            "memcached: binary version",
            TCP,
            hex("800b00000000000000000000000000070000000000000000"),
            hex("810b00000000000000000006000000070000000000000000312e362e3138"),
            "memcached",
            "command=version",
        ),
    ]
}
