//! Circles of modules: siblings, each with everything inside it, do not import from each other.

use super::{SourceFile, source_files};
use std::collections::{BTreeMap, BTreeSet};

/// Permitted imports that close a circle: an IP packet can contain another IP packet, and an ICMP
/// error contains the start of the packet that caused it.
const PERMITTED: [[&str; 2]; 2] = [
    ["crate::sink::text::ip4", "crate::sink::text::protocol"],
    ["crate::sink::text::ip6", "crate::sink::text::protocol"],
];
/// Maximum number of re-exports between an import and the definition.
const MAX_REEXPORTS: usize = 8;

/// A module in its own file.
#[derive(Default)]
struct Module {
    /// Names of the items that the file defines.
    items: BTreeSet<String>,
    /// Imported paths by name.
    imports: BTreeMap<String, String>,
    /// Paths that the file uses, except in re-exports.
    uses: BTreeSet<String>,
}

/// Modules by path: `crate::sink::text`.
type Modules = BTreeMap<String, Module>;

/// Pairs of sibling modules, the first of which uses the second.
type Edges = BTreeSet<[String; 2]>;

/// Returns the path of a file's module; `None` for tests and the program.
fn module_path(file: &str) -> Option<String> {
    let path = file.strip_suffix(".rs")?;
    let path = path.strip_suffix("/mod").unwrap_or(path).replace('/', "::");
    let is_test = path.split("::").any(|name| name.ends_with("tests"));
    match &path[..] {
        "lib" => Some("crate".to_owned()),
        "main" => None,
        _ => (!is_test).then(|| format!("crate::{path}")),
    }
}

/// Expands an import: `a::{b, c}` is `a::b` and `a::c`.
fn expand(import: &str) -> Vec<String> {
    let (prefix, names) = import.split_once('{').unwrap_or(("", import));
    assert!(!names.contains('{'), "nested braces: {import}");
    let names = names.trim_end().trim_end_matches('}').split(',');
    let names = names.map(|name| name.split(" as ").next().unwrap_or(name).trim());
    let paths = names.filter(|name| !name.is_empty());
    paths
        .map(|name| format!("{}{name}", prefix.trim()))
        .map(|path| path.trim_end_matches("::self").to_owned())
        .collect()
}

/// Returns the name of the item that a line at the start of a file's indentation defines.
fn defined_item(line: &str) -> Option<&str> {
    const KINDS: [&str; 8] = [
        "fn",
        "struct",
        "enum",
        "trait",
        "type",
        "const",
        "static",
        "macro_rules!",
    ];
    if line.starts_with([' ', '/', '#']) {
        return None;
    }
    let mut words = line.split_whitespace();
    words.find(|word| KINDS.contains(word))?;
    let name = words.find(|word| !["fn", "mut"].contains(word))?;
    name.split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
}

fn parse(file: &SourceFile) -> Module {
    let mut module = Module::default();
    let code = file.code_lines().collect::<Vec<_>>().join("\n");
    // Tests are at the end of a file.
    let end = code.find("\n#[cfg(test)]\nmod tests {");
    let code = &code[..end.unwrap_or(code.len())];
    module.items = code
        .lines()
        .filter_map(defined_item)
        .map(str::to_owned)
        .collect();
    for statement in code.split_inclusive([';', '{', '}']) {
        let paths = statement.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
        module
            .uses
            .extend(paths.filter(|path| path.contains("::")).map(str::to_owned));
    }
    for (at, _) in code.match_indices("use ") {
        let line = code[..at].rsplit('\n').next().unwrap_or("");
        let is_import = line.is_empty() || line.starts_with("pub");
        let import = code[at + 4..].split(';').next().filter(|_| is_import);
        for path in import.map(expand).unwrap_or_default() {
            let name = path.rsplit("::").next().unwrap_or(&path);
            module.imports.insert(name.to_owned(), path.clone());
            match line.is_empty() {
                true => module.uses.insert(path),
                false => module.uses.remove(&path),
            };
        }
    }
    module
}

/// Returns the module that defines the item at `path`, as seen from the module `from`.
fn resolve(modules: &Modules, from: &str, path: &str, depth: usize) -> Option<String> {
    let mut at = from.to_owned();
    let names: Vec<&str> = path.split("::").collect();
    for (index, name) in names.iter().enumerate() {
        let child = format!("{at}::{name}");
        match *name {
            "crate" => at = "crate".to_owned(),
            "self" => {}
            "super" => at = at.rsplit_once("::")?.0.to_owned(),
            _ if modules.contains_key(&child) => at = child,
            _ if modules.get(&at)?.items.contains(*name) => return Some(at),
            _ => {
                let import = modules[&at]
                    .imports
                    .get(*name)
                    .filter(|_| depth < MAX_REEXPORTS)?;
                let path = [&[&import[..]], &names[index + 1..]].concat().join("::");
                return resolve(modules, &at, &path, depth + 1);
            }
        }
    }
    Some(at)
}

/// Returns the ancestors of two modules that are siblings; `None` if one module contains the other.
fn siblings(a: &str, b: &str) -> Option<[String; 2]> {
    let (a, b): (Vec<_>, Vec<_>) = (a.split("::").collect(), b.split("::").collect());
    let common = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let ancestor = |path: &[&str]| path.get(..=common).map(|path| path.join("::"));
    Some([ancestor(&a)?, ancestor(&b)?])
}

fn edges(files: &[SourceFile]) -> Edges {
    let parsed = files
        .iter()
        .filter_map(|file| Some((module_path(&file.path)?, parse(file))));
    let modules: Modules = parsed.collect();
    let uses = modules
        .iter()
        .flat_map(|(from, module)| module.uses.iter().map(move |path| (from, path)));
    let uses = uses.filter_map(|(from, path)| siblings(from, &resolve(&modules, from, path, 0)?));
    uses.collect()
}

/// Returns the edges that are part of a circle.
fn circular(edges: &Edges) -> Edges {
    let reaches = |from: &String, to: &String| {
        let (mut pending, mut seen) = (vec![from], BTreeSet::new());
        while let Some(at) = pending.pop() {
            if seen.insert(at) {
                pending.extend(
                    edges
                        .iter()
                        .filter(|edge| edge[0] == *at)
                        .map(|edge| &edge[1]),
                );
            }
        }
        seen.contains(to)
    };
    edges
        .iter()
        .filter(|[from, to]| reaches(to, from))
        .cloned()
        .collect()
}

#[test]
fn modules_form_no_circles() {
    let mut edges = edges(&source_files("src", ".rs"));
    assert!(edges.len() > 200, "{edges:?}");
    let permitted = PERMITTED.map(|edge| edge.map(str::to_owned));
    for edge in &permitted {
        assert!(
            edges.remove(edge),
            "{edge:?} is not used: remove it from the list"
        );
    }
    assert_eq!(circular(&edges), Edges::new());
    for edge in permitted {
        edges.insert(edge.clone());
        assert_ne!(
            circular(&edges),
            Edges::new(),
            "{edge:?} is in no circle: remove it"
        );
        edges.remove(&edge);
    }
}

/// The check finds a circle through a re-export and one between the contents of two modules, and
/// ignores imports from parents and in tests.
#[test]
fn circles_are_found() {
    let circles = |files: &[(&str, &str)]| {
        let file = |&(path, text): &(&str, &str)| SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        circular(&edges(&files.iter().map(file).collect::<Vec<_>>())).len()
    };
    let parent = ("p/mod.rs", "pub use b::B;\nuse a::A;\npub struct P;\n");
    let b = ("p/b.rs", "use super::{P, a::A};\npub(super) struct B;\n");
    let uses_b = ("p/a.rs", "use crate::p::B;\n\npub const fn A() {}\n");
    let inline = ("p/a.rs", "pub struct A;\nfn f() {\n    super::B\n}\n");
    let tests = (
        "p/a.rs",
        "pub struct A;\n\n#[cfg(test)]\nmod tests {\n    use crate::p::B;\n}\n",
    );
    assert_eq!(circles(&[parent, b, uses_b]), 2);
    assert_eq!(circles(&[parent, b, inline]), 2);
    assert_eq!(circles(&[parent, b, tests]), 0);
    let inside = [
        ("x.rs", "pub mod y;\n"),
        ("x/y.rs", "use crate::z::Z;\npub struct Y;\n"),
        ("z.rs", "use crate::x::y;\npub struct Z;\n"),
    ];
    assert_eq!(circles(&inside), 2);
    assert_eq!(circles(&inside[..2]), 0);
}
