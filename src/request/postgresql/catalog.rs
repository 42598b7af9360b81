//! Prepared statements and portals of a connection, as the server has them.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::bind::Bind;
use super::fields::ObjectName;
use crate::request::Detail;
use crate::request::analyzer::Context;

/// Maximum number of prepared statements of a connection that are kept.
const MAX_STATEMENTS: usize = 10_000;
/// Maximum number of bytes that the statements of a connection use.
const MAX_STATEMENT_BYTES: u64 = 16 << 20;
/// Maximum number of portals of a connection that are kept.
const MAX_PORTALS: usize = 1_000;

/// A prepared statement.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub(super) text: Arc<str>,
    /// Object identifiers of the types of the parameters; 0 is unspecified.
    pub(super) types: Arc<[u32]>,
    /// Columns of the result, if the client requested their description and contents are required.
    pub(super) columns: Option<Arc<[Column]>>,
}

/// A column of a result.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) type_oid: u32,
    /// Format in the description, which is 0 in that of a statement.
    pub(super) format: u16,
}

/// A statement with its parameters.
#[derive(Debug, Clone)]
pub(super) struct Portal {
    /// `None` if the statement was prepared before the capture, or exceeds the limits.
    pub(super) statement: Option<Statement>,
    pub(super) statement_name: ObjectName,
    pub(super) parameters: Vec<Detail>,
    /// Formats of the result's columns: none means text, one is that of all columns. `None` if they
    /// are not captured.
    pub(super) formats: Option<Vec<u16>>,
    /// Columns, if the client requested the description of the portal.
    pub(super) columns: Option<Arc<[Column]>>,
}

impl Statement {
    /// Returns the number of bytes of memory that the statement uses, approximately.
    pub(super) fn memory(&self) -> u64 {
        let columns = self.columns.as_ref().map_or(0, |columns| columns.len());
        let arrays = 4 * self.types.len() + columns * size_of::<Column>();
        (size_of::<Statement>() + self.text.len() + arrays) as u64
    }
}

impl Portal {
    fn memory(&self) -> u64 {
        let parameters: usize = self.parameters.iter().map(Detail::memory).sum();
        let formats = self.formats.as_ref().map_or(0, Vec::len);
        (size_of::<Portal>() + parameters + 2 * formats) as u64
    }
}

/// Objects by name, with the memory that is counted for them.
#[derive(Debug)]
struct Objects<T> {
    objects: HashMap<ObjectName, (T, u64), RandomState>,
    bytes: u64,
}

impl<T> Default for Objects<T> {
    fn default() -> Objects<T> {
        Objects {
            objects: HashMap::default(),
            bytes: 0,
        }
    }
}

impl<T> Objects<T> {
    fn insert(&mut self, name: &[u8], object: T, memory: u64, context: &mut Context) {
        let memory = memory + name.len() as u64;
        context.allocate(memory);
        self.bytes += memory;
        self.objects.insert(name.into(), (object, memory));
    }

    fn remove(&mut self, name: &[u8], context: &mut Context) {
        if let Some((_, memory)) = self.objects.remove(name) {
            self.bytes -= memory;
            context.free(memory);
        }
    }

    fn clear(&mut self, context: &mut Context) {
        self.objects.clear();
        context.free(std::mem::take(&mut self.bytes));
    }
}

/// Statements and portals that the server has confirmed, and those of messages that it skipped.
///
/// An object that exceeds the limits is not kept: statements with that name then have no text.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    statements: Objects<Statement>,
    portals: Objects<Portal>,
    /// Objects of messages that failed or were skipped, which do not exist on the server. They
    /// describe the other messages of the same batch.
    skipped: Option<SkippedObjects>,
}

#[derive(Debug, Default)]
struct SkippedObjects {
    statements: Objects<Statement>,
    portals: Objects<Portal>,
}

impl Catalog {
    pub(super) fn statement(&self, name: &[u8]) -> Option<&Statement> {
        let skipped = self.skipped.as_ref();
        let skipped = skipped.and_then(|skipped| skipped.statements.objects.get(name));
        let found = skipped.or_else(|| self.statements.objects.get(name));
        found.map(|(statement, _)| statement)
    }

    pub(super) fn portal(&self, name: &[u8]) -> Option<&Portal> {
        let skipped = self.skipped.as_ref();
        let skipped = skipped.and_then(|skipped| skipped.portals.objects.get(name));
        let found = skipped.or_else(|| self.portals.objects.get(name));
        found.map(|(portal, _)| portal)
    }

    pub(super) fn insert_statement(
        &mut self,
        name: &[u8],
        statement: Statement,
        context: &mut Context,
    ) {
        let statements = match &mut self.skipped {
            Some(skipped) => &mut skipped.statements,
            None => &mut self.statements,
        };
        statements.remove(name, context);
        let memory = statement.memory();
        let is_full = statements.objects.len() >= MAX_STATEMENTS
            || statements.bytes + memory > MAX_STATEMENT_BYTES;
        if !is_full && !context.is_memory_full() {
            statements.insert(name, statement, memory, context);
        }
    }

    pub(super) fn insert_portal(&mut self, name: &[u8], portal: Portal, context: &mut Context) {
        let portals = match &mut self.skipped {
            Some(skipped) => &mut skipped.portals,
            None => &mut self.portals,
        };
        portals.remove(name, context);
        if portals.objects.len() < MAX_PORTALS && !context.is_memory_full() {
            let memory = portal.memory();
            portals.insert(name, portal, memory, context);
        }
    }

    /// Adds the types of the parameters of a statement.
    pub(super) fn set_types(&mut self, name: &[u8], types: &[u32], context: &mut Context) {
        if let Some(mut statement) = self.statement(name).cloned() {
            statement.types = types.into();
            self.insert_statement(name, statement, context);
        }
    }

    pub(super) fn set_statement_columns(
        &mut self,
        name: &[u8],
        columns: Arc<[Column]>,
        context: &mut Context,
    ) {
        if let Some(mut statement) = self.statement(name).cloned() {
            statement.columns = Some(columns);
            self.insert_statement(name, statement, context);
        }
    }

    pub(super) fn set_portal_columns(
        &mut self,
        name: &[u8],
        columns: Arc<[Column]>,
        context: &mut Context,
    ) {
        if let Some(mut portal) = self.portal(name).cloned() {
            portal.columns = Some(columns);
            self.insert_portal(name, portal, context);
        }
    }

    /// Adds the portal of a message, and returns it.
    pub(super) fn bind(&mut self, bind: &Bind, context: &mut Context) -> Portal {
        let statement = self.statement(&bind.statement);
        let types = statement.map(|statement| Arc::clone(&statement.types));
        let portal = Portal {
            statement: statement.cloned(),
            statement_name: bind.statement.clone(),
            parameters: bind.parameters(types.as_deref().unwrap_or_default()),
            formats: bind.result_formats.clone(),
            columns: None,
        };
        self.insert_portal(&bind.portal, portal.clone(), context);
        portal
    }

    pub(super) fn remove_statement(&mut self, name: &[u8], context: &mut Context) {
        if self.skipped.is_none() {
            self.statements.remove(name, context);
        }
    }

    pub(super) fn remove_portal(&mut self, name: &[u8], context: &mut Context) {
        if self.skipped.is_none() {
            self.portals.remove(name, context);
        }
    }

    pub(super) fn clear_statements(&mut self, context: &mut Context) {
        self.statements.clear(context);
    }

    /// Removes all portals: they exist until the end of their transaction.
    pub(super) fn clear_portals(&mut self, context: &mut Context) {
        self.portals.clear(context);
    }

    /// Keeps the objects of the following messages apart, until
    /// [`end_skipping`](Self::end_skipping).
    pub(super) fn start_skipping(&mut self) {
        self.skipped.get_or_insert_default();
    }

    pub(super) fn end_skipping(&mut self, context: &mut Context) {
        if let Some(mut skipped) = self.skipped.take() {
            skipped.statements.clear(context);
            skipped.portals.clear(context);
        }
    }

    pub(super) fn clear(&mut self, context: &mut Context) {
        self.end_skipping(context);
        self.clear_statements(context);
        self.clear_portals(context);
    }
}
