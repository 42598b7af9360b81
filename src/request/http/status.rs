//! Status codes of HTTP (RFC 9110 section 15, and the IANA registry) and methods, as static texts.

use std::borrow::Cow;

/// Registered status codes: the number, its text and its standard reason phrase; sorted.
const STATUSES: [(u16, &str, &str); 62] = [
    (100, "100", "Continue"),
    (101, "101", "Switching Protocols"),
    (102, "102", "Processing"),
    (103, "103", "Early Hints"),
    (200, "200", "OK"),
    (201, "201", "Created"),
    (202, "202", "Accepted"),
    (203, "203", "Non-Authoritative Information"),
    (204, "204", "No Content"),
    (205, "205", "Reset Content"),
    (206, "206", "Partial Content"),
    (207, "207", "Multi-Status"),
    (208, "208", "Already Reported"),
    (226, "226", "IM Used"),
    (300, "300", "Multiple Choices"),
    (301, "301", "Moved Permanently"),
    (302, "302", "Found"),
    (303, "303", "See Other"),
    (304, "304", "Not Modified"),
    (305, "305", "Use Proxy"),
    (307, "307", "Temporary Redirect"),
    (308, "308", "Permanent Redirect"),
    (400, "400", "Bad Request"),
    (401, "401", "Unauthorized"),
    (402, "402", "Payment Required"),
    (403, "403", "Forbidden"),
    (404, "404", "Not Found"),
    (405, "405", "Method Not Allowed"),
    (406, "406", "Not Acceptable"),
    (407, "407", "Proxy Authentication Required"),
    (408, "408", "Request Timeout"),
    (409, "409", "Conflict"),
    (410, "410", "Gone"),
    (411, "411", "Length Required"),
    (412, "412", "Precondition Failed"),
    (413, "413", "Content Too Large"),
    (414, "414", "URI Too Long"),
    (415, "415", "Unsupported Media Type"),
    (416, "416", "Range Not Satisfiable"),
    (417, "417", "Expectation Failed"),
    (421, "421", "Misdirected Request"),
    (422, "422", "Unprocessable Content"),
    (423, "423", "Locked"),
    (424, "424", "Failed Dependency"),
    (425, "425", "Too Early"),
    (426, "426", "Upgrade Required"),
    (428, "428", "Precondition Required"),
    (429, "429", "Too Many Requests"),
    (431, "431", "Request Header Fields Too Large"),
    (451, "451", "Unavailable For Legal Reasons"),
    (499, "499", "Client Closed Request"),
    (500, "500", "Internal Server Error"),
    (501, "501", "Not Implemented"),
    (502, "502", "Bad Gateway"),
    (503, "503", "Service Unavailable"),
    (504, "504", "Gateway Timeout"),
    (505, "505", "HTTP Version Not Supported"),
    (506, "506", "Variant Also Negotiates"),
    (507, "507", "Insufficient Storage"),
    (508, "508", "Loop Detected"),
    (510, "510", "Not Extended"),
    (511, "511", "Network Authentication Required"),
];

/// Status that servers send without a request (RFC 9110 section 15.5.9).
pub(super) const REQUEST_TIMEOUT: u16 = 408;

/// Methods that need no memory of their own.
const METHODS: [&str; 9] = [
    "GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE",
];

/// Returns the number of a status code as text.
pub(super) fn status_text(code: u16) -> Cow<'static, str> {
    match find(code) {
        Some((_, text, _)) => Cow::Borrowed(text),
        None => Cow::Owned(code.to_string()),
    }
}

/// Returns the reason for an error status: the server's phrase, or the standard one if it is empty.
pub(super) fn reason_text(code: u16, phrase: &[u8]) -> Cow<'static, str> {
    let standard = find(code).map(|(_, _, reason)| reason);
    match standard {
        Some(reason) if phrase.is_empty() || phrase == reason.as_bytes() => Cow::Borrowed(reason),
        None if phrase.is_empty() => Cow::Owned(format!("status {code}")),
        _ => Cow::Owned(crate::request::text(phrase)),
    }
}

/// Returns a method as text.
pub(super) fn method_text(method: &[u8]) -> Cow<'static, str> {
    match METHODS.into_iter().find(|name| name.as_bytes() == method) {
        Some(name) => Cow::Borrowed(name),
        None => Cow::Owned(crate::request::text(method)),
    }
}

fn find(code: u16) -> Option<(u16, &'static str, &'static str)> {
    let index = STATUSES.binary_search_by_key(&code, |(code, _, _)| *code);
    index.ok().map(|index| STATUSES[index])
}
