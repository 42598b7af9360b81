//! Shapes of URLs, and of keys whose parts are separated by colons.

use super::variable::{PLACEHOLDER, is_id, write_part};

/// Appends the shape of an HTTP request target (RFC 9112 section 3.2): the path with its ids
/// replaced, and the names of the query's parameters in the order in which they were sent. Scheme,
/// host and fragment are not part of the shape. A target without a path is kept as it is.
pub(super) fn write_url_shape(target: &str, out: &mut String) {
    let target = without_authority(target);
    if !target.starts_with(['/', '?']) {
        out.push_str(target);
        return;
    }
    let target = target.split('#').next().unwrap_or_default();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    for (at, part) in path.split('/').enumerate() {
        if at > 0 {
            out.push('/');
        }
        write_part(part, out);
    }
    if let Some(query) = query {
        write_query_shape(query, out);
    }
}

/// Returns the path and what follows it of an absolute URL; other targets as they are.
fn without_authority(target: &str) -> &str {
    let scheme_end = target.find("://").filter(|end| {
        let scheme = &target.as_bytes()[..*end];
        scheme.iter().all(u8::is_ascii_alphanumeric)
    });
    let Some(scheme_end) = scheme_end else {
        return target;
    };
    let rest = &target[scheme_end + 3..];
    rest.find(['/', '?', '#']).map_or("/", |at| &rest[at..])
}

/// Appends names of parameters with empty braces for their values: `?q={}&page={}`. A name that is
/// repeated, as in a list of values, is written once.
fn write_query_shape(query: &str, out: &mut String) {
    let mut previous = None;
    for parameter in query.split('&') {
        let (name, has_value) = match parameter.split_once('=') {
            Some((name, _)) => (name, true),
            None => (parameter, false),
        };
        if parameter.is_empty() || previous == Some((name, has_value)) {
            continue;
        }
        out.push(if previous.is_none() { '?' } else { '&' });
        match is_id(name.as_bytes()) {
            true => out.push_str(PLACEHOLDER),
            false => out.push_str(name),
        }
        if has_value {
            out.push_str("={}");
        }
        previous = Some((name, has_value));
    }
}

/// Appends the shape of the first word of a target, which is a key: its ids are replaced.
pub(super) fn write_key_shape(target: &str, out: &mut String) {
    let key = first_word(target);
    let mut part_start = 0;
    let separators = key.match_indices([':', '/', '.', '|', '{', '}', '"']);
    for (at, separator) in separators {
        write_key_part(&key[part_start..at], out);
        out.push_str(separator);
        part_start = at + separator.len();
    }
    write_key_part(&key[part_start..], out);
}

fn write_key_part(part: &str, out: &mut String) {
    out.push_str(match is_id(part.as_bytes()) {
        true => PLACEHOLDER,
        false => part,
    });
}

/// Returns the text before the first space that is not within double quotes.
fn first_word(text: &str) -> &str {
    let mut is_quoted = false;
    let mut is_escaped = false;
    let end = text.bytes().position(|octet| {
        match octet {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_quoted,
            b'"' => is_quoted = !is_quoted,
            _ => {}
        }
        octet == b' ' && !is_quoted
    });
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_shapes() {
        for (target, shape) in [
            ("/", "/"),
            ("*", "*"),
            ("example.com:443", "example.com:443"),
            ("/cart/7", "/cart/{id}"),
            ("/cart/7/", "/cart/{id}/"),
            ("//7//", "//{id}//"),
            ("/img/7.png", "/img/{id}.png"),
            ("/v1/api/2.0/x", "/v1/api/2.0/x"),
            (
                "/u/123e4567-e89b-12d3-a456-426614174000/cart?a=1&b=&c#top",
                "/u/{id}/cart?a={}&b={}&c",
            ),
            ("/items?id=1&id=2&id=3&x=4&id=5", "/items?id={}&x={}&id={}"),
            ("/app.js?1699999999", "/app.js?{id}"),
            ("/a?", "/a"),
            ("/a?&&b=/7?c=8", "/a?b={}"),
            ("http://localhost:8080/cart/7?x=1", "/cart/{id}?x={}"),
            ("http://localhost", "/"),
            ("http://localhost?a=1", "?a={}"),
            ("/proxy/http://x/7", "/proxy/http://x/{id}"),
            ("/größe/7", "/größe/{id}"),
        ] {
            let mut out = String::new();
            write_url_shape(target, &mut out);
            assert_eq!(out, shape, "{target}");
        }
    }

    #[test]
    fn keys_have_shapes() {
        for (target, shape) in [
            ("", ""),
            ("cart:7", "cart:{id}"),
            ("cart:7 42 EX 60", "cart:{id}"),
            ("7", "{id}"),
            ("user:507f1f77bcf86cd799439011:name", "user:{id}:name"),
            ("{user:7}:cart", "{user:{id}}:cart"),
            ("\"a key:7\" value", "\"a key:{id}\""),
            ("\"a \\\" b:7\" value", "\"a \\\" b:{id}\""),
            ("\"open 7", "\"open 7"),
            ("clé:7", "clé:{id}"),
        ] {
            let mut out = String::new();
            write_key_shape(target, &mut out);
            assert_eq!(out, shape, "{target}");
        }
    }
}
