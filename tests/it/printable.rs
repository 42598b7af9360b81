//! Unprintable characters (general categories Cc, Cf, Zl and Zp) in names, payload, metadata and
//! arguments: no output contains them, and every output shows that they were there.

use crate::command::{run, run_with_stdin};
use crate::craft::{ByteOrder, CaptureBuilder};
use crate::follow::tcp_connection;
use serde_json::Value;
use unicode_general_category::{GeneralCategory as Category, get_general_category};

/// Asserts that a text contains only printable characters, line ends, tabs and these colour
/// sequences; returns it without the colours.
pub(crate) fn assert_printable(text: &str, colours: &[&str]) -> String {
    let plain = colours.iter().fold(text.to_owned(), |text, colour| {
        text.replace(&format!("\x1b[{colour}m"), "")
    });
    let unprintable = plain.find(|c: char| is_unprintable(c) && c != '\n' && c != '\t');
    let context = unprintable.map(|at| plain[..at].lines().last());
    assert_eq!(unprintable, None, "{context:?}");
    plain
}

fn is_unprintable(character: char) -> bool {
    matches!(
        get_general_category(character),
        Category::Control
            | Category::Format
            | Category::LineSeparator
            | Category::ParagraphSeparator
    )
}

fn unprintable_characters() -> Vec<char> {
    let characters: Vec<char> = ('\0'..=char::MAX).filter(|&c| is_unprintable(c)).collect();
    assert!(characters.len() > 200, "{}", characters.len());
    characters
}

/// Returns a character with every octet as `%` and two digits.
fn percent_escape(character: char) -> String {
    let octets = character.to_string().into_bytes();
    octets.iter().map(|octet| format!("%{octet:02x}")).collect()
}

/// Encoding of characters in the comments of a capture.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CommentEscapes {
    /// As lcap writes them.
    Percent,
    /// As another program could write them.
    None,
}

/// Returns a capture with an HTTP request for each character, which is in the payload, in the name
/// of the interface, and in all texts of the owners.
fn capture(characters: &[char], escapes: CommentEscapes) -> Vec<u8> {
    let mut capture = CaptureBuilder::pcapng(ByteOrder::Little);
    for ((character, client), interface) in characters.iter().zip(1024..).zip(0..) {
        let x = match escapes {
            CommentEscapes::Percent => format!("x{}x", percent_escape(*character)),
            CommentEscapes::None => format!("x{character}x"),
        };
        let process = format!(
            "how={x} uid=0 at=1 pid=5 start=1 ppid=1 euid=0 name={x} exe={x} container={x} \
             to=127.0.0.1:9 to_pid=7 to_name={x} to_container={x} arg={x}"
        );
        let comment = format!("lcap: {x}[5] → {x}[5]\nsrc {process}\ndst {process}");
        let x = format!("x{character}x");
        let request = format!("GET /{x} HTTP/1.1\r\nHost: {x}\r\n\r\n");
        let redis = format!("*1\r\n${}\r\n{x}\r\n", x.len());
        capture.interface(101, 0, &[(2, x.as_bytes()), (3, x.as_bytes())]);
        for (packet, time) in tcp_connection(client, &[request.as_bytes(), redis.as_bytes()])
            .iter()
            .zip(1..)
        {
            let options = [(1, comment.as_bytes()), (1, x.as_bytes())];
            capture.enhanced_packet(interface, time, packet.len() as u32, packet, &options);
        }
    }
    capture.bytes
}

#[test]
fn no_output_contains_unprintable_characters() {
    type Form = fn(char) -> String;
    let name: Form = |c| format!("x{}x[5]", percent_escape(c));
    let payload: Form = |c| match c {
        '\n' => "x\n> x".into(),
        '\t' => "x\tx".into(),
        _ => "x.x".into(),
    };
    let rows: [(&str, &[Form]); 29] = [
        ("", &[name]),
        ("-v", &[name]),
        ("-e -vvv", &[name]),
        ("-A", &[name]),
        ("-X", &[name]),
        ("-XX -#", &[name]),
        ("--color always", &[name]),
        ("--format json", &[]),
        ("flows", &[name]),
        ("flows --color always", &[name]),
        ("flows --format json", &[]),
        ("flows --format csv", &[name]),
        ("flows --format zeek", &[]),
        ("flows --requests", &[name]),
        ("flows --requests --format json", &[]),
        ("flows --fail-on unclosed", &[name]),
        ("requests", &[name]),
        ("requests --color always", &[name]),
        ("requests --body", &[name]),
        ("requests --body --format json", &[]),
        ("requests --body --format csv", &[name]),
        ("requests --fail-on slower=1ns", &[name]),
        ("follow", &[name, payload]),
        ("follow --color always", &[name, payload]),
        ("follow --full", &[name, payload]),
        ("follow --hex", &[name]),
        ("follow --format json", &[]),
        ("follow --format json --full", &[]),
        ("--count", &[]),
    ];
    for escapes in [CommentEscapes::Percent, CommentEscapes::None] {
        let mut characters = unprintable_characters();
        // A newline separates the lines of a comment.
        characters.retain(|&c| escapes == CommentEscapes::Percent || c != '\n');
        let input = capture(&characters, escapes);
        for (row, forms) in rows {
            let words = row.split_whitespace();
            let command = words.clone().take_while(|word| !word.starts_with('-'));
            let options = words.clone().skip(command.clone().count());
            let output = run_with_stdin(&input, command.chain(["-r", "-"]).chain(options));
            let text = assert_printable(&output.stdout_text(), &["0", "2", "31", "33", "36"]);
            assert_printable(&output.stderr, &[]);
            assert!(!text.is_empty(), "{row}: {}", output.stderr);
            for (&character, form) in characters
                .iter()
                .flat_map(|c| forms.iter().map(move |f| (c, f)))
            {
                let form = form(character);
                assert!(text.contains(&form), "{row}: {form:?}");
            }
        }
    }
}

#[test]
fn json_preserves_unprintable_characters() {
    let characters = unprintable_characters();
    let input = capture(&characters, CommentEscapes::Percent);
    let objects = |arguments: &[&str]| -> Vec<Value> {
        let text = run_with_stdin(&input, arguments).stdout_text();
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let packets = objects(&["-r", "-", "--format", "json", "-p", "80"]);
    let flows = objects(&["flows", "-r", "-", "--format", "json"]);
    assert_eq!(flows.len(), characters.len());
    for (&character, port) in characters.iter().zip(1024..) {
        let x = format!("x{character}x");
        let packet = packets.iter().find(|packet| packet["src_port"] == port);
        let flow = flows.iter().find(|flow| flow["id.orig_p"] == port);
        let (packet, flow) = (packet.unwrap(), flow.unwrap());
        assert_eq!(packet["interface"], x);
        for process in [&packet["src_process"], &flow["orig_process"]] {
            let target = &process["forwards_to"];
            for value in [
                &process["how"],
                &process["name"],
                &process["exe"],
                &process["container"],
                &process["command_line"][0],
                &target["name"],
                &target["container"],
            ] {
                assert_eq!(*value, x, "{process}");
            }
        }
    }
    let services: Vec<String> = flows
        .iter()
        .map(|flow| flow["service_info"].to_string())
        .collect();
    let replaced = services.iter().filter(|text| text.contains("x\u{fffd}x"));
    assert!(replaced.count() > 150, "{services:?}");
}

#[test]
fn messages_replace_unprintable_characters_of_arguments() {
    let characters = unprintable_characters();
    // An argument cannot contain NUL.
    let argument: String = characters.into_iter().filter(|&c| c != '\0').collect();
    let argument = format!("a{argument}\nforged");
    for row in [
        "-r @",
        "-r fixtures/http.pcap -w @/b",
        "-r fixtures/http.pcap -w @/b.gz",
        "-r fixtures/http.pcap -F @",
        "-r fixtures/http.pcap @",
        "-r fixtures/http.pcap -p @",
        "-r fixtures/http.pcap --format @",
        "-r fixtures/http.pcap --user @",
        "-r fixtures/http.pcap --@",
        "-r fixtures/http.pcap -c @",
        "-r fixtures/http.pcap --max-bytes @",
        "-r fixtures/http.pcap -w @%! -G 1",
        "-i @",
        "-y @",
        "--netns @",
        "--container @",
        "--duration @",
        "flows -r fixtures/http.pcap -o @/b",
        "flows -r fixtures/http.pcap --sort @",
        "flows -r fixtures/http.pcap --fail-on @",
        "requests -r fixtures/http.pcap -o @/b",
        "requests -r fixtures/http.pcap --sort @",
        "requests -r fixtures/http.pcap --status 1-@",
        "requests -r fixtures/http.pcap --slower @",
        "requests -r fixtures/http.pcap --fail-on @",
        "requests -r fixtures/http.pcap --body-limit @",
        "follow -r fixtures/http.pcap --output-dir @/b",
        "follow -r fixtures/http.pcap --raw @ --flow 1",
        "doctor @:1",
        "doctor @",
        "doctor foo://@",
        "doctor ::@:1",
        "doctor 1 --watch @",
        "ports @",
        "ports --free @",
        "ports --free 2-@1",
        "run --@ -- true",
        "man @",
        "completions @",
    ] {
        let arguments = row.split(' ').map(|word| word.replace('@', &argument));
        let output = run(arguments);
        assert_ne!(output.exit_code, 0, "{row}");
        assert_printable(&output.stderr, &[]);
        let is_shown = ["a\u{fffd}", "a\\u{1}"]
            .iter()
            .any(|form| output.stderr.contains(form));
        assert!(is_shown, "{row}: {}", output.stderr);
        let forged = output
            .stderr
            .lines()
            .find(|line| line.starts_with("forged"));
        assert_eq!(forged, None, "{row}: {}", output.stderr);
        assert_eq!(output.stdout, b"", "{row}");
    }
}
