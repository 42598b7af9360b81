//! Kafka (Kafka documentation, "Kafka protocol guide"): headers of the first request and response.

use super::cursor::{Cursor, ParseError, ParseResult, is_text};
use super::{Detector, DetectorVerdict, Opening, ServiceAttributes};
use crate::packet::TCP;

pub(super) const DETECTOR: Detector = Detector {
    name: "kafka",
    transports: &[TCP],
    detect,
};

/// Maximum length of a message that a broker accepts by default, in bytes.
const MAX_MESSAGE_LEN: u32 = 100 << 20;

/// Maximum API version, above those of all current APIs.
const MAX_API_VERSION: u16 = 20;

const MAX_CLIENT_ID_LEN: u16 = 255;

/// API key of ControlledShutdown, whose version 0 is the only request without a client ID.
const CONTROLLED_SHUTDOWN_KEY: u16 = 7;

struct KafkaRequestHeader<'a> {
    api_key: u16,
    correlation_id: [u8; 4],
    client_id: &'a [u8],
}

fn detect(opening: &Opening) -> DetectorVerdict {
    if opening.orig.is_empty() {
        // A response can have any length up to the limit; only the highest byte is checked.
        let is_short = matches!(opening.resp, [] | [0..=6, ..]);
        return if is_short {
            ParseError::Incomplete
        } else {
            ParseError::Mismatch
        }
        .verdict();
    }
    let header = match request_header(opening.orig) {
        Ok(header) => header,
        Err(error) => return error.verdict(),
    };
    let number;
    let api = match API_NAMES.get(usize::from(header.api_key)) {
        Some(name) => name,
        None => {
            number = header.api_key.to_string();
            &number[..]
        }
    };
    let attributes =
        || ServiceAttributes::new(&["api", "client"], [api.as_bytes(), header.client_id]);
    match check_response(opening.resp, header.correlation_id) {
        Ok(()) => DetectorVerdict::Done(attributes()),
        Err(ParseError::Mismatch) => DetectorVerdict::No,
        // Without a client ID, the header is not conclusive.
        Err(ParseError::Incomplete) if header.client_id.is_empty() => DetectorVerdict::Maybe,
        Err(ParseError::Incomplete) => DetectorVerdict::Yes(attributes()),
    }
}

/// Parses the header of a request.
///
/// ```text
///  0        4     6         8             12              14
/// ├────────┼─────┼─────────┼─────────────┼───────────────┼──────────
/// │ length │ api │ version │ correlation │ client length │ client ID
/// ```
///
/// A client length of -1 means that there is no client ID.
fn request_header(orig: &[u8]) -> ParseResult<KafkaRequestHeader<'_>> {
    let mut cursor = Cursor::new(orig);
    let len = cursor.u32()?;
    if !(8..=MAX_MESSAGE_LEN).contains(&len) {
        return Err(ParseError::Mismatch);
    }
    let (api, version) = (cursor.u16()?, cursor.u16()?);
    if api > 100 || version > MAX_API_VERSION {
        return Err(ParseError::Mismatch);
    }
    let correlation = cursor.array()?;
    let client_len = match (api, version) {
        (CONTROLLED_SHUTDOWN_KEY, 0) => 0,
        _ => match cursor.u16()? {
            u16::MAX => 0,
            len => len,
        },
    };
    if client_len > MAX_CLIENT_ID_LEN || len < 8 + u32::from(client_len) {
        return Err(ParseError::Mismatch);
    }
    let client = cursor.take_up_to(client_len.into());
    if !client.iter().all(|byte| is_text(*byte)) {
        return Err(ParseError::Mismatch);
    }
    if client.len() < client_len.into() {
        return Err(ParseError::Incomplete);
    }
    Ok(KafkaRequestHeader {
        api_key: api,
        correlation_id: correlation,
        client_id: client,
    })
}

fn check_response(resp: &[u8], correlation: [u8; 4]) -> ParseResult<()> {
    let mut cursor = Cursor::new(resp);
    let len = cursor.u32()?;
    if !(4..=MAX_MESSAGE_LEN).contains(&len) {
        return Err(ParseError::Mismatch);
    }
    cursor.literal(&correlation)
}

/// API names, indexed by key.
const API_NAMES: [&str; 93] = [
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
