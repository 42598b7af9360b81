//! Tests of the shapes of requests.

use proptest::prelude::*;

use super::{MAX_SHAPE_LEN, SqlDialect, write_key_shape, write_sql_shape, write_url_shape};
use crate::packet::{TCP, Timestamp};
use crate::request::Request;
use crate::request::tests::flow_id;

/// Returns a request of a connection of its own protocol.
fn request(protocol: &'static str, operation: &'static str, target: &str) -> Request {
    let flow = flow_id(TCP);
    Request {
        protocol,
        operation: operation.into(),
        target: target.into(),
        ..Request::new(flow, Timestamp(0))
    }
}

#[test]
fn each_protocol_has_its_shapes() {
    for (protocol, operation, target, shape) in [
        ("http", "GET", "/cart/7?x=1", "GET /cart/{id}?x={}"),
        ("http", "", "", ""),
        ("postgresql", "SELECT", "SELECT 1", "SELECT ?"),
        ("postgresql", "SELECT", "/* a */ (select 1)", "(select ?)"),
        ("postgresql", "PREPARE", "SELECT 1", "PREPARE SELECT ?"),
        ("postgresql", "CONNECT", "user@db1", "CONNECT user@db1"),
        ("postgresql", "CANCEL", "", "CANCEL"),
        ("postgresql", "SELECT", "?", "SELECT …"),
        ("mysql", "SELECT", "SELECT \"a\"", "SELECT ?"),
        ("redis", "SET", "cart:7 value", "SET cart:{id}"),
        ("redis", "GET", "get", "GET get"),
        ("redis", "PING", "", "PING"),
        ("tcp", "send", "24 B", "send"),
        ("udp", "send", "24 B", "send"),
        ("dns", "A", "example.com", "A example.com"),
    ] {
        assert_eq!(request(protocol, operation, target).shape(), shape);
    }
}

#[test]
fn shapes_are_cut_between_characters() {
    let target = format!("/x{}", "é".repeat(MAX_SHAPE_LEN));
    let shape = request("http", "GET", &target).shape();
    assert!(shape.ends_with("é…") && shape.len() <= MAX_SHAPE_LEN);
}

/// Hostile targets do not cost more than their length: quadratic work would take minutes.
#[test]
fn the_work_is_linear() {
    for unit in [
        "IN (",
        "IN (1,",
        "(",
        ")",
        "/*",
        "$a",
        "$a$",
        "$$",
        "VALUES (1),",
        "VALUES ",
        "'",
        "E'\\",
        "\"",
        "-",
        ":a",
        "ARRAY[",
        "1e-",
        "?,",
        "{",
        "/7",
        "?&a=",
        "\"\\",
    ] {
        let target = unit.repeat((256 << 10) / unit.len());
        let mut out = String::new();
        for dialect in [SqlDialect::PostgreSql, SqlDialect::MySql] {
            write_sql_shape(&target, dialect, &mut out);
        }
        write_url_shape(&target, &mut out);
        write_key_shape(&target, &mut out);
        assert!(!out.is_empty());
    }
}

proptest! {
    #[test]
    fn any_text_has_a_shape(
        texts in prop::collection::vec(
            prop_oneof![
                Just("'"), Just("\""), Just("$"), Just("$a$"), Just("IN ("), Just("VALUES ("),
                Just("),("), Just(")"), Just("\\"), Just("E'"), Just("/*"), Just("*/"), Just("--"),
                Just("\n"), Just("é"), Just("-1"), Just(":"), Just("?"), Just("{"), Just("U&"),
                Just("\0"), Just("…"), Just(" "), Just("ARRAY["), Just("]"), Just("x"), Just("/"),
            ],
            0..40,
        ),
    ) {
        let target = texts.concat();
        for protocol in ["http", "postgresql", "mysql", "redis"] {
            let shape = request(protocol, "x", &target).shape();
            prop_assert!(shape.len() <= MAX_SHAPE_LEN);
        }
    }
}
