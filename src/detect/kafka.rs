//! Kafka (Kafka documentation, "Kafka protocol guide"): a request's header, and its answer's.

use super::cursor::{Cursor, Read, Stop, text};
use super::{Detector, Facts, Opening, Verdict};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "kafka",
    transports: &[TCP],
    detect,
};

/// What a broker takes unless told otherwise.
const LONGEST: u32 = 100 << 20;

/// No request has come so far.
const NEWEST_VERSION: u16 = 20;

const LONGEST_CLIENT: u16 = 255;

/// The only request without a client, in its version 0.
const CONTROLLED_SHUTDOWN: u16 = 7;

struct Header<'a> {
    api: u16,
    correlation: [u8; 4],
    client: &'a [u8],
}

fn detect(opening: &Opening) -> Verdict {
    if opening.orig.is_empty() {
        // The length of an answer can be any.
        let is_short = matches!(opening.resp, [] | [0..=6, ..]);
        return if is_short { Stop::Cut } else { Stop::Wrong }.verdict();
    }
    let header = match header(opening.orig) {
        Ok(header) => header,
        Err(stop) => return stop.verdict(),
    };
    let number;
    let api = match NAMES.get(usize::from(header.api)) {
        Some(name) => name,
        None => {
            number = header.api.to_string();
            &number[..]
        }
    };
    let facts = || Facts::new(&["api", "client"], [api.as_bytes(), header.client]);
    match answer(opening.resp, header.correlation) {
        Ok(()) => Verdict::Done(facts()),
        Err(Stop::Wrong) => Verdict::No,
        // Without a name that can be read there is too little to be sure.
        Err(Stop::Cut) if header.client.is_empty() => Verdict::Maybe,
        Err(Stop::Cut) => Verdict::Yes(facts()),
    }
}

/// ```text
///  0        4     6         8             12              14
/// ├────────┼─────┼─────────┼─────────────┼───────────────┼────────
/// │ length │ api │ version │ correlation │ client length │ client
/// ```
///
/// The client's length is -1 where there is none.
fn header(orig: &[u8]) -> Read<Header<'_>> {
    let mut cursor = Cursor::new(orig);
    let len = cursor.u32()?;
    if !(8..=LONGEST).contains(&len) {
        return Err(Stop::Wrong);
    }
    let (api, version) = (cursor.u16()?, cursor.u16()?);
    if api > 100 || version > NEWEST_VERSION {
        return Err(Stop::Wrong);
    }
    let correlation = cursor.array()?;
    let client_len = match (api, version) {
        (CONTROLLED_SHUTDOWN, 0) => 0,
        _ => match cursor.u16()? {
            u16::MAX => 0,
            len => len,
        },
    };
    if client_len > LONGEST_CLIENT || len < 8 + u32::from(client_len) {
        return Err(Stop::Wrong);
    }
    let client = cursor.up_to(client_len.into());
    if !client.iter().all(|byte| text(*byte)) {
        return Err(Stop::Wrong);
    }
    if client.len() < client_len.into() {
        return Err(Stop::Cut);
    }
    Ok(Header {
        api,
        correlation,
        client,
    })
}

fn answer(resp: &[u8], correlation: [u8; 4]) -> Read<()> {
    let mut cursor = Cursor::new(resp);
    let len = cursor.u32()?;
    if !(4..=LONGEST).contains(&len) {
        return Err(Stop::Wrong);
    }
    cursor.literal(&correlation)
}

/// By their keys.
const NAMES: [&str; 93] = [
    "Produce",
    "Fetch",
    "ListOffsets",
    "Metadata",
    "LeaderAndIsr",
    "StopReplica",
    "UpdateMetadata",
    "ControlledShutdown",
    "OffsetCommit",
    "OffsetFetch",
    "FindCoordinator",
    "JoinGroup",
    "Heartbeat",
    "LeaveGroup",
    "SyncGroup",
    "DescribeGroups",
    "ListGroups",
    "SaslHandshake",
    "ApiVersions",
    "CreateTopics",
    "DeleteTopics",
    "DeleteRecords",
    "InitProducerId",
    "OffsetForLeaderEpoch",
    "AddPartitionsToTxn",
    "AddOffsetsToTxn",
    "EndTxn",
    "WriteTxnMarkers",
    "TxnOffsetCommit",
    "DescribeAcls",
    "CreateAcls",
    "DeleteAcls",
    "DescribeConfigs",
    "AlterConfigs",
    "AlterReplicaLogDirs",
    "DescribeLogDirs",
    "SaslAuthenticate",
    "CreatePartitions",
    "CreateDelegationToken",
    "RenewDelegationToken",
    "ExpireDelegationToken",
    "DescribeDelegationToken",
    "DeleteGroups",
    "ElectLeaders",
    "IncrementalAlterConfigs",
    "AlterPartitionReassignments",
    "ListPartitionReassignments",
    "OffsetDelete",
    "DescribeClientQuotas",
    "AlterClientQuotas",
    "DescribeUserScramCredentials",
    "AlterUserScramCredentials",
    "Vote",
    "BeginQuorumEpoch",
    "EndQuorumEpoch",
    "DescribeQuorum",
    "AlterPartition",
    "UpdateFeatures",
    "Envelope",
    "FetchSnapshot",
    "DescribeCluster",
    "DescribeProducers",
    "BrokerRegistration",
    "BrokerHeartbeat",
    "UnregisterBroker",
    "DescribeTransactions",
    "ListTransactions",
    "AllocateProducerIds",
    "ConsumerGroupHeartbeat",
    "ConsumerGroupDescribe",
    "ControllerRegistration",
    "GetTelemetrySubscriptions",
    "PushTelemetry",
    "AssignReplicasToDirs",
    "ListConfigResources",
    "DescribeTopicPartitions",
    "ShareGroupHeartbeat",
    "ShareGroupDescribe",
    "ShareFetch",
    "ShareAcknowledge",
    "AddRaftVoter",
    "RemoveRaftVoter",
    "UpdateRaftVoter",
    "InitializeShareGroupState",
    "ReadShareGroupState",
    "WriteShareGroupState",
    "DeleteShareGroupState",
    "ReadShareGroupStateSummary",
    "StreamsGroupHeartbeat",
    "StreamsGroupDescribe",
    "DescribeShareGroupOffsets",
    "AlterShareGroupOffsets",
    "DeleteShareGroupOffsets",
];
