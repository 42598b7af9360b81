//! Relation of the ends of a connection to the command of `lcap run`.

use std::sync::Arc;

use crate::process::{Evidence, Owner, Owners, RunMembership};

/// Returns the relation of both ends to the command of an `lcap run` with this user ID: a member if
/// either end is.
pub(super) fn of_owners(owners: &Owners, run_uid: u32) -> RunMembership {
    let end = |owner: &Option<Arc<Owner>>| match owner {
        Some(owner) => of_owner(owner, run_uid),
        None => RunMembership::Unknown,
    };
    of_all([end(&owners.orig), end(&owners.resp)])
}

fn of_owner(owner: &Owner, run_uid: u32) -> RunMembership {
    if !owner.processes.is_empty() {
        return of_all(owner.processes.iter().map(|process| process.run));
    }
    match owner.evidence {
        Evidence::Nobody | Evidence::Kernel => RunMembership::Other,
        _ if owner.uid.is_some_and(|uid| !can_have_uid(run_uid, uid)) => RunMembership::Other,
        _ => owner.hidden_run,
    }
}

/// Returns the relation of several processes together: a member if any of them is, another process
/// only if all of them are.
fn of_all(all: impl IntoIterator<Item = RunMembership>) -> RunMembership {
    let mut together = RunMembership::Other;
    for one in all {
        match one {
            RunMembership::Member { .. } => return one,
            RunMembership::Unknown => together = RunMembership::Unknown,
            RunMembership::Other => {}
        }
    }
    together
}

/// True if a process that a user started, or a descendant of it, can have this user ID: root can
/// become any user, others become root by a set-user-ID program, e.g. sudo(8).
fn can_have_uid(run_uid: u32, uid: u32) -> bool {
    const ROOT: u32 = 0;
    run_uid == ROOT || [run_uid, ROOT].contains(&uid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Process, ProcessDetails, ProcessIdentity};

    const MEMBER: RunMembership = RunMembership::Member { root: 7 };
    const USER: u32 = 1000;

    fn owner(processes: &[RunMembership], evidence: Evidence, uid: Option<u32>) -> Owner {
        let process = |&run| {
            let identity = ProcessIdentity {
                run,
                ..ProcessIdentity::default()
            };
            Arc::new(Process::new(identity, ProcessDetails::default()))
        };
        Owner {
            processes: processes.iter().map(process).collect(),
            ..Owner::unknown(evidence, uid)
        }
    }

    fn both(owner: Owner) -> Owners {
        let owner = Some(Arc::new(owner));
        Owners {
            orig: owner.clone(),
            resp: owner,
        }
    }

    #[test]
    fn one_member_makes_a_member_and_one_unknown_process_an_unknown_end() {
        use RunMembership::{Other, Unknown};
        for (processes, expected) in [
            (&[MEMBER][..], MEMBER),
            (&[Other, Unknown, MEMBER], MEMBER),
            (&[Other, Unknown], Unknown),
            (&[Other, Other], Other),
        ] {
            let owner = owner(processes, Evidence::Holds, Some(USER));
            let owners = both(owner);
            assert_eq!(of_owners(&owners, USER), expected, "{processes:?}");
        }
    }

    #[test]
    fn end_without_a_process_is_excluded_by_its_evidence_or_user() {
        use RunMembership::{Other, Unknown};
        for (evidence, uid, run_uid, expected) in [
            (Evidence::Nobody, None, USER, Other),
            (Evidence::Kernel, None, USER, Other),
            (Evidence::Gone, None, USER, Unknown),
            (Evidence::Gone, Some(USER), USER, Unknown),
            (Evidence::Gone, Some(33), USER, Other),
            (Evidence::Gone, Some(33), 0, Unknown),
            (Evidence::Missed, Some(0), USER, Unknown),
        ] {
            let owner = owner(&[], evidence.clone(), uid);
            let owners = both(owner);
            assert_eq!(
                of_owners(&owners, run_uid),
                expected,
                "{evidence:?} {uid:?}"
            );
        }
        let hidden = Owner {
            hidden_run: Other,
            ..owner(&[], Evidence::NotPermitted, Some(0))
        };
        assert_eq!(of_owners(&both(hidden), USER), Other);
    }

    #[test]
    fn owners_are_members_if_either_end_is() {
        use RunMembership::{Other, Unknown};
        let end = |run| Some(Arc::new(owner(&[run], Evidence::Holds, None)));
        for (orig, resp, expected) in [
            (end(MEMBER), None, MEMBER),
            (end(Unknown), end(MEMBER), MEMBER),
            (end(Other), None, Unknown),
            (end(Other), end(Unknown), Unknown),
            (end(Other), end(Other), Other),
        ] {
            let owners = Owners { orig, resp };
            assert_eq!(of_owners(&owners, USER), expected, "{owners:?}");
        }
    }
}
