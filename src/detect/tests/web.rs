//! Openings of HTTP, WebSocket, HTTP/2 and gRPC.

use super::{DetectionCase, case, hex};
use crate::packet::TCP;

pub(super) fn cases() -> Vec<DetectionCase> {
    vec![
        case(
            "curl and python3 -m http.server",
            TCP,
            b"GET /index.html HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\
              User-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n",
            b"HTTP/1.0 200 OK\r\nServer: SimpleHTTP/0.6 Python/3.11.7\r\n\r\n",
            "http",
            "method=GET path=/index.html status=200",
        ),
        case(
            "a request with a body",
            TCP,
            b"POST /submit?a=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n\r\n",
            "http",
            "method=POST path=/submit?a=1 status=100",
        ),
        case(
            "request to a proxy",
            TCP,
            b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
            b"HTTP/1.1 407 Proxy Authentication Required\r\n",
            "http",
            "method=CONNECT path=example.com:443 status=407",
        ),
        case(
            "WebDAV",
            TCP,
            b"VERSION-CONTROL /a HTTP/1.1\r\nHost: x\r\n\r\n",
            b"",
            "http",
            "method=VERSION-CONTROL path=/a",
        ),
        case(
            "only a response",
            TCP,
            b"",
            b"HTTP/1.1 304 Not Modified\r\nServer: nginx\r\n\r\n",
            "http",
            "status=304",
        ),
        case(
            "upgrade from HTTP/1.1 to HTTP/2",
            TCP,
            b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n\
              Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
            "http",
            "method=GET path=/ status=101",
        ),
        case(
            "refused upgrade to WebSocket",
            TCP,
            b"GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            b"HTTP/1.1 426 Upgrade Required\r\n",
            "http",
            "method=GET path=/chat status=426",
        ),
        case(
            "websockets for Python",
            TCP,
            b"GET /chat?x=1 HTTP/1.1\r\nHost: 127.0.0.1:28765\r\nUpgrade: websocket\r\n\
              Connection: Upgrade\r\nSec-WebSocket-Key: E4sXq05NerqsZq5/5xK5kA==\r\n\
              Sec-WebSocket-Version: 13\r\nUser-Agent: Python/3.11 websockets/17.4\r\n\r\n\
              \xc1\x84\xbd\x72",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
              Connection: Upgrade\r\n\
              Sec-WebSocket-Accept: IuznPcMLp0YnjacOURrRpqUGwh0=\r\n\r\n\xc1\x04",
            "websocket",
            "path=/chat?x=1",
        ),
        case(
            "an upgrade in a different letter case",
            TCP,
            b"GET /livereload HTTP/1.1\r\nhost: localhost:35729\r\n\
              connection: keep-alive, Upgrade\r\nupgrade: h2c, WebSocket\r\n\r\n",
            b"HTTP/1.1 101 Web Socket Protocol Handshake\r\n\r\n",
            "websocket",
            "path=/livereload",
        ),
        case(
            "an upgrade after many headers",
            TCP,
            b"GET / HTTP/1.1\nHost: x\nA: b\nB: c\nC: d\nUpgrade:websocket\n\n",
            b"HTTP/1.0 101 OK\r\n\r\n",
            "websocket",
            "path=/",
        ),
        case(
            "curl --http2-prior-knowledge",
            TCP,
            hex(
                "505249202a20485454502f322e300d0a0d0a534d0d0a0d0a0000120400000000000003000000 \
                 6400040200000000020000000000000408000000000001ff0001000022010500000001820402 \
                 2f7886418b089d5c0b8170dc13606c3f7a8825b650c3abbcf2e153032a2f2a00000004010000 \
                 0000",
            ),
            hex(
                "000018040000000000000400400000000500400000000600004000fe03000000010000040800 \
                 00000000003f000100000004010000000000000403000000000100000002",
            ),
            "http2",
            "",
        ),
        case(
            "server settings before the first request",
            TCP,
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
            hex("000006040000000000000300000064"),
            "http2",
            "",
        ),
        case(
            "only a client preface",
            TCP,
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
            b"",
            "http2",
            "",
        ),
        case(
            "gRPC for Python",
            TCP,
            hex(
                "505249202a20485454502f322e300d0a0d0a534d0d0a0d0a0000240400000000000002000000 \
                 00000300000000000400400000000500400000000600004000fe030000000100000408000000 \
                 0000003f00010000000401000000000000d901040000000140053a706174681c2f68656c6c6f \
                 776f726c642e477265657465722f53617948656c6c6f400a3a617574686f726974790f313237 \
                 2e302e302e313a32353035318386400c636f6e74656e742d74797065106170706c6963617469 \
                 6f6e2f677270634002746508747261696c6572734014677270632d6163636570742d656e636f \
                 64696e67176964656e746974792c206465666c6174652c20677a6970400a757365722d616765 \
                 6e7430677270632d707974686f6e2f312e38352e3320677270632d632f35382e302e3020286c \
                 696e75783b2063687474703229",
            ),
            hex(
                "000018040000000000000400400000000500400000000600004000fe03000000010000040800 \
                 00000000003f000100000004010000000000",
            ),
            "grpc",
            "path=/helloworld.Greeter/SayHello",
        ),
        case(
            "gRPC with a Huffman-coded content type, e.g. in Go",
            TCP,
            hex(
                "505249202a20485454502f322e300d0a0d0a534d0d0a0d0a0000000400000000000000240104 \
                 00000001838644062f612e422f435f8b1d75d0620d263d4c4d65644002746508747261696c65 \
                 7273",
            ),
            hex("000000040000000000"),
            "grpc",
            "path=/a.B/C",
        ),
        case(
            "gRPC with padding, a Huffman-coded path and no indexing",
            TCP,
            hex(
                "505249202a20485454502f322e300d0a0d0a534d0d0a0d0a0000000400000000000000040800 \
                 0000000000010000000028012800000001020000000010838645836003130f10166170706c69 \
                 636174696f6e2f677270632b70726f746f0000",
            ),
            b"",
            "grpc",
            "",
        ),
    ]
}
