//! Values in the binary format, and first words of statements.

use crate::request::Detail;
use crate::request::postgresql::sql::{deallocated_name, first_keyword};
use crate::request::postgresql::values::{decode, oid};

fn text(value: &str) -> Detail {
    Detail::Text(value.to_owned().into())
}

/// Numbers: count of groups, weight, sign, scale, groups.
fn numeric(fields: &[u16]) -> Vec<u8> {
    fields
        .iter()
        .flat_map(|field| field.to_be_bytes())
        .collect()
}

#[test]
fn binary_values_are_decoded() {
    let microseconds = |value: i64| value.to_be_bytes().to_vec();
    for (type_oid, bytes, expected) in [
        (oid::BOOL, vec![1], Detail::Bool(true)),
        (oid::INT2, vec![0xff, 0xfe], Detail::Integer(-2)),
        (oid::INT8, microseconds(i64::MIN), Detail::Integer(i64::MIN)),
        (oid::OID, vec![0xff; 4], Detail::Integer(u32::MAX.into())),
        (
            oid::FLOAT4,
            0.1f32.to_be_bytes().to_vec(),
            Detail::Float(0.1),
        ),
        (
            oid::FLOAT8,
            0.1f64.to_be_bytes().to_vec(),
            Detail::Float(0.1),
        ),
        (oid::VARCHAR, b"caf\xc3\xa9".to_vec(), text("café")),
        (oid::JSONB, b"\x01{}".to_vec(), text("{}")),
        (oid::BYTEA, vec![0, 0xab], text("\\x00ab")),
        (
            oid::UUID,
            (0..16).collect(),
            text("00010203-0405-0607-0809-0a0b0c0d0e0f"),
        ),
        (
            oid::DATE,
            8825i32.to_be_bytes().to_vec(),
            text("2024-02-29"),
        ),
        (
            oid::DATE,
            (-1i32).to_be_bytes().to_vec(),
            text("1999-12-31"),
        ),
        (
            oid::DATE,
            (-730_120i32).to_be_bytes().to_vec(),
            text("0001-12-31 BC"),
        ),
        (oid::DATE, i32::MAX.to_be_bytes().to_vec(), text("infinity")),
        (oid::TIME, microseconds(3_661_500_000), text("01:01:01.5")),
        (
            oid::TIMESTAMP,
            microseconds(-1),
            text("1999-12-31 23:59:59.999999"),
        ),
        (
            oid::TIMESTAMPTZ,
            microseconds(0),
            text("2000-01-01 00:00:00+00"),
        ),
        (
            oid::NUMERIC,
            numeric(&[2, 0, 0, 2, 12, 3400]),
            text("12.34"),
        ),
        (oid::NUMERIC, numeric(&[1, 1, 0x4000, 0, 5]), text("-50000")),
        (
            oid::NUMERIC,
            numeric(&[1, 0xffff, 0, 6, 1]),
            text("0.000100"),
        ),
        (oid::NUMERIC, numeric(&[0, 0, 0xc000, 0]), text("NaN")),
        (
            oid::INET,
            vec![2, 32, 0, 4, 127, 0, 0, 1],
            text("127.0.0.1"),
        ),
        (oid::CIDR, vec![2, 8, 1, 4, 10, 0, 0, 0], text("10.0.0.0/8")),
        // A length that does not fit, and an unknown type.
        (oid::INT4, vec![1, 2, 3, 4, 5], text("\\x0102030405")),
        (0, vec![1, 2], text("\\x0102")),
    ] {
        assert_eq!(decode(&bytes, 1, type_oid), expected, "{type_oid}");
    }
    assert_eq!(decode(b"12", 0, oid::INT4), text("12"));
}

#[test]
fn no_bytes_make_a_decoder_panic() {
    for type_oid in 0..4000 {
        for byte in [0, 1, 0x7f, 0x80, 0xff] {
            for len in 0..20 {
                decode(&vec![byte; len], 1, type_oid);
            }
        }
    }
}

#[test]
fn the_first_word_of_a_statement_is_its_operation() {
    for (statement, expected) in [
        ("select 1", "SELECT"),
        (
            "\n\t-- insert\n/* update /* nested */ */ Delete from t",
            "DELETE",
        ),
        ("((select 1))", "SELECT"),
        (";with a as (select 1) select 2", "WITH"),
        ("REFRESH materialized view v", "REFRESH"),
        ("", "EMPTY"),
        ("-- ping", "EMPTY"),
        ("/* open", "EMPTY"),
        ("/*/ open", "EMPTY"),
        ("{call f}", "QUERY"),
        ("é", "QUERY"),
    ] {
        assert_eq!(first_keyword(statement), expected, "{statement}");
    }
}

#[test]
fn the_name_of_a_deallocated_statement_is_certain() {
    for (statement, expected) in [
        ("DEALLOCATE s1", Some("s1")),
        ("deallocate prepare \"S 1\" ; ", Some("S 1")),
        ("deallocate S1", Some("s1")),
        ("deallocate all", None),
        ("deallocate a; deallocate b", None),
        ("begin", None),
        ("é", None),
    ] {
        assert_eq!(
            deallocated_name(statement).as_deref(),
            expected,
            "{statement}"
        );
    }
}
