//! Markdown of the reference pages as roff (man(7)).

/// Converts Markdown to roff: headings, paragraphs, lists, tables and code blocks.
pub(super) fn roff(markdown: &str) -> String {
    let mut out = String::new();
    let mut lines = markdown.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            out += ".PP\n.RS 4\n.nf\n";
            for line in lines.by_ref().take_while(|line| !line.starts_with("```")) {
                out += &format!("{}\n", escape(line));
            }
            out += ".fi\n.RE\n";
        } else if line.starts_with('#') {
            let level = if line.starts_with("# ") { "SH" } else { "SS" };
            let title = line.trim_start_matches('#').trim_start();
            let title = match level {
                "SH" => title.to_uppercase(),
                _ => title.to_owned(),
            };
            out += &format!(".{level} \"{}\"\n", inline(&title).replace('"', ""));
        } else if line.starts_with('|') {
            // A row above a line of dashes is the table header, which is omitted.
            if lines.next_if(|next| next.starts_with("|-")).is_none() {
                out += &table_row(line);
            }
        } else if let Some(item) = line.strip_prefix("- ") {
            out += &format!(".IP \\(bu 2\n{}\n", inline(item));
        } else if line.is_empty() {
            out += ".PP\n";
        } else {
            out += &format!("{}\n", inline(line.trim_start()));
        }
    }
    out
}

/// Converts a table row: the first cell is a term, the other cells are its description.
fn table_row(line: &str) -> String {
    let line = line.trim_matches('|').replace("\\|", "\u{0}");
    let cells = line
        .split('|')
        .map(|cell| inline(cell.trim()).replace('\u{0}', "|"));
    let cells: Vec<String> = cells.filter(|cell| !cell.is_empty()).collect();
    match cells.split_first() {
        Some((term, rest)) => format!(".TP\n{term}\n{}\n", rest.join("; ")),
        None => String::new(),
    }
}

/// Converts inline Markdown: code and bold text become bold, and a link becomes its text.
fn inline(text: &str) -> String {
    let mut out = String::new();
    let mut is_bold = false;
    let mut toggle = |out: &mut String| {
        is_bold = !is_bold;
        *out += if is_bold { "\\fB" } else { "\\fR" };
    };
    for (at, part) in text.split('`').enumerate() {
        if at > 0 {
            toggle(&mut out);
        }
        if at % 2 == 1 {
            out += &escape(part);
            continue;
        }
        for (at, part) in without_links(part).split("**").enumerate() {
            if at > 0 {
                toggle(&mut out);
            }
            out += &escape(part);
        }
    }
    out
}

/// Replaces each link `[text](address)` with `text`.
fn without_links(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        let Some((label, (_, end))) = after
            .split_once("](")
            .and_then(|(label, address)| Some((label, address.split_once(')')?)))
        else {
            break;
        };
        out += before;
        out += label;
        rest = end;
    }
    out + rest
}

/// Escapes text, so that roff interprets no part of it as a request or an escape sequence.
pub(super) fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    match text.starts_with(['.', '\'']) {
        true => format!("\\&{text}"),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_roff() {
        for (markdown, expected) in [
            ("# Title", ".SH \"TITLE\"\n"),
            ("### A `b`", ".SS \"A \\fBb\\fR\"\n"),
            ("a **b** [c](d)\\", "a \\fBb\\fR c\\e\n"),
            (".start", "\\&.start\n"),
            ("- item", ".IP \\(bu 2\nitem\n"),
            (
                "| head | h |\n|---|---|\n| `a` | b \\| c |",
                ".TP\n\\fBa\\fR\nb | c\n",
            ),
            ("```sh\n.x\n```", ".PP\n.RS 4\n.nf\n\\&.x\n.fi\n.RE\n"),
        ] {
            assert_eq!(roff(markdown), expected, "{markdown}");
        }
    }
}
