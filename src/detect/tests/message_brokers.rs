//! Openings of message brokers and their clients.

use super::{DetectionCase, case, hex};
use crate::packet::TCP;

pub(super) fn cases() -> Vec<DetectionCase> {
    vec![
        case(
            "mosquitto_sub -V mqttv31",
            TCP,
            hex("101300064d51497364700302003c000573756233318206000100016100e000"),
            hex("200200009003000100"),
            "mqtt",
            "version=3.1 client=sub31",
        ),
        case(
            "mosquitto_sub",
            TCP,
            hex("101200044d5154540402003c00067375623331318206000100016100e000"),
            hex("200200009003000100"),
            "mqtt",
            "version=3.1.1 client=sub311",
        ),
        case(
            "mosquitto_pub -V 5",
            TCP,
            hex("101900044d5154540502003c08110000001e21001400047075623530050001610078e000"),
            hex("200900000622000a210014"),
            "mqtt",
            "version=5.0 client=pub5",
        ),
        case(
            "MQTT bridge without a client ID",
            TCP,
            hex("100c00044d5154548402003c0000"),
            hex("20020000"),
            "mqtt",
            "version=3.1.1",
        ),
        case(
            "pika",
            TCP,
            b"AMQP\0\0\x09\x01",
            hex("010000000001f1000a000a000900"),
            "amqp",
            "version=0-9-1",
        ),
        case(
            "AMQP with SASL",
            TCP,
            b"AMQP\x03\x01\0\0\0\0\0\x18\x02\x01\0\0",
            b"AMQP\x03\x01\0\0",
            "amqp",
            "version=1.0",
        ),
        case(
            "plain AMQP 1.0",
            TCP,
            b"AMQP\0\x01\0\0",
            b"",
            "amqp",
            "version=1.0",
        ),
        case(
            "AMQP version that the broker does not support",
            TCP,
            b"AMQP\x01\x01\0\x0a",
            b"AMQP\0\0\x09\x01",
            "amqp",
            "version=0-10",
        ),
        case(
            "nats-py and nats-server",
            TCP,
            b"CONNECT {\"verbose\": false, \"pedantic\": false, \"lang\": \"python3\"}\r\nPING\r\n",
            b"INFO {\"server_id\":\"NBSAPTSOUISZRF5KWIYXGDPZ7KWZA53WBIHA3EDLFAVU2B76SFDKB2EE\",\
              \"server_name\":\"nats-1\",\"version\":\"2.9.10\",\"proto\":1,\
              \"port\":4222} \r\nPONG\r\n",
            "nats",
            "version=2.9.10 server=nats-1",
        ),
        case(
            "NATS without a client message",
            TCP,
            b"",
            b"INFO {\"server_id\":\"NBSAPTSOUISZRF5KWIYXGDPZ7KWZA53WBIHA3EDLFAVU2B76SFDKB2EE\",\
              \"server_name\":\"nats-1\",\"version\":\"2.9.10\",\"proto\":1,\
              \"port\":4222} \r\n",
            "nats",
            "version=2.9.10 server=nats-1",
        ),
        case(
            "NATS with TLS",
            TCP,
            hex("1603010200010001fc0303"),
            b"INFO {\"server_id\": \"NB\", \"version\" : \"2.10.0\", \"tls_required\":true}\r\n",
            "nats",
            "version=2.10.0",
        ),
        case(
            "kafka-python",
            TCP,
            hex(
                "0000002a0012000400000001000a6c6361702d61646d696e000d6b61666b612d707974686f6e \
                 07332e302e313200",
            ),
            hex("0000001a00000001000002001200000004000000000000"),
            "kafka",
            "api=ApiVersions client=lcap-admin",
        ),
        case(
            "kafka-python without a response",
            TCP,
            hex(
                "0000002a0012000400000001000a6c6361702d61646d696e000d6b61666b612d707974686f6e \
                 07332e302e313200",
            ),
            b"",
            "kafka",
            "api=ApiVersions client=lcap-admin",
        ),
        case(
            "Kafka client without a client ID",
            TCP,
            hex("0000000e0003000100000007ffffffffffff"),
            hex("000000200000000700000001"),
            "kafka",
            "api=Metadata",
        ),
        case(
            "Kafka broker that shuts down",
            TCP,
            hex("0000000c000700000000000900000002"),
            hex("0000000a000000090000"),
            "kafka",
            "api=ControlledShutdown",
        ),
    ]
}
