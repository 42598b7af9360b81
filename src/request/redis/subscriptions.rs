//! Channels that a client has subscribed to.

/// Command that changes subscriptions, and kind of the confirmations that answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SubscriptionKind {
    class: ChannelClass,
    pub(super) is_subscribe: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChannelClass {
    Channels,
    Patterns,
    Shards,
}

impl SubscriptionKind {
    /// Returns the kind with this name in upper case.
    pub(super) fn of(name: &[u8]) -> Option<SubscriptionKind> {
        let (class, is_subscribe) = match name {
            b"SUBSCRIBE" => (ChannelClass::Channels, true),
            b"UNSUBSCRIBE" => (ChannelClass::Channels, false),
            b"PSUBSCRIBE" => (ChannelClass::Patterns, true),
            b"PUNSUBSCRIBE" => (ChannelClass::Patterns, false),
            b"SSUBSCRIBE" => (ChannelClass::Shards, true),
            b"SUNSUBSCRIBE" => (ChannelClass::Shards, false),
            _ => return None,
        };
        Some(SubscriptionKind {
            class,
            is_subscribe,
        })
    }
}

/// Numbers of subscriptions of one client, by class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Subscriptions([u64; 3]);

impl Subscriptions {
    /// Applies a confirmation, which contains the number of subscriptions after it: of shards, or
    /// of channels and patterns together.
    pub(super) fn confirm(&mut self, kind: SubscriptionKind, total: u64) {
        let [channels, patterns, _] = self.0;
        let (class, others) = match kind.class {
            ChannelClass::Channels => (0, patterns),
            ChannelClass::Patterns => (1, channels),
            ChannelClass::Shards => (2, 0),
        };
        // The difference may belong to earlier subscriptions, which were not captured.
        self.0[class] = total.saturating_sub(others);
    }

    /// Returns true if all subscriptions of the kind's class ended.
    pub(super) fn has_none(&self, kind: SubscriptionKind) -> bool {
        self.0[kind.class as usize] == 0
    }

    /// Returns true if messages can arrive.
    pub(super) fn is_active(&self) -> bool {
        self.0 != [0; 3]
    }
}
