//! Examples, exit status and files of each manual page.

use super::super::args::EXAMPLES;

/// Sections of a command's manual page that are not generated from its options.
pub(super) struct Sections {
    pub(super) command: &'static str,
    pub(super) examples: &'static [(&'static str, &'static str)],
    pub(super) exit_status: &'static [(&'static str, &'static str)],
    pub(super) files: &'static [(&'static str, &'static str)],
}

const CAPTURE_STATUS: &[(&str, &str)] = &[
    (
        "0",
        "Success, even if the reader of the output closed the pipe.",
    ),
    (
        "1",
        "Failure: no permission, no such device, or damaged input (all packets before the damage \
         are output).",
    ),
    ("2", "Invalid command line or filter expression."),
    ("3", "A condition of --fail-on was met."),
];

const CAPTURE_FILES: &[(&str, &str)] = &[
    (
        "/sys/kernel/btf/vmlinux",
        "Type information (BTF) of the running kernel: required to identify processes by BPF.",
    ),
    ("/proc", "Processes and their sockets."),
    (
        "/run/netns",
        "Names of network namespaces for --netns (ip-netns(8)).",
    ),
    (
        "/var/run/docker.sock, /run/podman/podman.sock, $XDG_RUNTIME_DIR/podman/podman.sock",
        "Names of containers for --container, from their engine; DOCKER_HOST adds another socket.",
    ),
    (
        "/var/lib/docker/containers",
        "Names of containers for --container, if no engine has the name.",
    ),
];

pub(super) const SECTIONS: [Sections; 8] = [
    Sections {
        command: "lcap",
        examples: EXAMPLES,
        exit_status: CAPTURE_STATUS,
        files: CAPTURE_FILES,
    },
    Sections {
        command: "flows",
        examples: &[
            ("lcap flows -p 62893", "one line per flow of a port, live"),
            (
                "lcap flows -r web.pcapng --fail-on refused,reset",
                "fail if a connection was refused or reset",
            ),
            (
                "lcap flows -r web.pcapng --sort response --top 10",
                "the ten slowest responses",
            ),
            (
                "lcap flows -r web.pcapng --format json | jq .",
                "one JSON object per flow",
            ),
            (
                "lcap flows -r web.pcapng --format zeek -o conn.log",
                "a conn.log for Zeek's tools",
            ),
        ],
        exit_status: CAPTURE_STATUS,
        files: CAPTURE_FILES,
    },
    Sections {
        command: "requests",
        examples: &[
            (
                "lcap requests -p 62893",
                "every request on a port, its answer and its duration, live",
            ),
            (
                "lcap requests -r web.pcapng --errors --body",
                "failed requests, with heads and bodies",
            ),
            (
                "lcap requests -r web.pcapng --status 404,500-599 --match /cart",
                "requests with these statuses and this path",
            ),
            (
                "lcap requests -r web.pcapng --sort duration --top 10",
                "the ten slowest requests",
            ),
            (
                "lcap run requests --fail-on error,unanswered,slower=1s -- make test",
                "fail if a request of a test run failed or was slow",
            ),
            (
                "lcap requests -r web.pcapng --format json | jq .target",
                "one JSON object per request",
            ),
        ],
        exit_status: CAPTURE_STATUS,
        files: CAPTURE_FILES,
    },
    Sections {
        command: "follow",
        examples: &[
            ("lcap follow -p 62893", "both sides of each conversation"),
            (
                "lcap follow -r web.pcapng --hex",
                "both sides as a hex dump",
            ),
            (
                "lcap follow -r web.pcapng --flow 3 --raw resp > body",
                "bytes of the responder of flow 3",
            ),
            (
                "lcap follow -r web.pcapng --output-dir streams",
                "one file per flow and direction",
            ),
        ],
        exit_status: CAPTURE_STATUS,
        files: CAPTURE_FILES,
    },
    Sections {
        command: "run",
        examples: &[
            ("lcap run -- ./client", "packets of a command while it runs"),
            ("lcap run flows -- make test", "flows of a test run"),
            ("lcap run requests -- make test", "requests of a test run"),
            (
                "lcap run -w test.pcapng -- ./client",
                "save the packets of a command",
            ),
            (
                "lcap run --private flows -- ./selftest",
                "run the command on an isolated loopback, without privileges",
            ),
        ],
        exit_status: &[
            ("N", "Exit code of the command, if it failed."),
            (
                "128+N",
                "The command was terminated by signal N, or lcap was by a second signal N.",
            ),
            ("127", "The command could not be started."),
            ("1", "lcap failed."),
            ("2", "Invalid command line or filter expression."),
            (
                "3",
                "The command succeeded, and a condition of --fail-on was met.",
            ),
        ],
        files: CAPTURE_FILES,
    },
    Sections {
        command: "doctor",
        examples: &[
            ("lcap doctor 62893", "a port of localhost"),
            ("lcap doctor '[::1]:62893'", "an IPv6 address in brackets"),
            ("lcap doctor https://localhost:8443/login", "a URL"),
            (
                "lcap doctor --watch 10 62893",
                "also capture the port for ten seconds",
            ),
            ("lcap doctor", "lcap itself: permissions, libpcap, BPF"),
        ],
        exit_status: &[
            ("0", "The port can be reached."),
            ("1", "A problem was found."),
            (
                "2",
                "Invalid command line, or the result could not be determined.",
            ),
        ],
        files: &[
            ("/proc", "Processes, their sockets and their namespaces."),
            (
                "/etc/hosts, /etc/nsswitch.conf, /etc/gai.conf, /etc/services",
                "Names and addresses.",
            ),
            (
                ".env, compose files and other configuration",
                "Searched for port numbers, below the working directory of the server.",
            ),
        ],
    },
    Sections {
        command: "ports",
        examples: &[
            ("lcap ports", "every listening socket"),
            (
                "lcap ports --exposed",
                "sockets that other machines can reach",
            ),
            ("lcap ports --free 8000-8100", "free ports in a range"),
            (
                "lcap ports --watch",
                "new and closed sockets, once a second",
            ),
        ],
        exit_status: &[
            ("0", "Done."),
            ("1", "Failure, or no port of the range is free."),
            ("2", "Invalid command line."),
        ],
        files: &[("/proc", "Processes and their sockets.")],
    },
    Sections {
        command: "completions",
        examples: &[(
            "lcap completions bash > /etc/bash_completion.d/lcap",
            "completion for all users of bash",
        )],
        exit_status: &[("0", "Done."), ("2", "Invalid command line.")],
        files: &[],
    },
];
