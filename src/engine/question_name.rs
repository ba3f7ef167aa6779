//! *Who waits for the answer to a question?* Its name tells: the replica that asked, or, where all replicas share an inner
//! session, what that session called it. Whether a question of this name is open the store knows.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::protocol::message::RequestId;
use crate::store::{QuestionName, ReplicaId};

/// What stands before the name of a question of a shared inner session. No replica is called that: it is too short.
const SHARED: &str = "shared";

/// A name for a question of this replica's, that nobody can guess. `None` if the operating system has no randomness.
pub(super) fn of_replica(replica: &ReplicaId) -> Option<QuestionName> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).ok()?;
    QuestionName::parse(&format!("{replica}.{}", URL_SAFE_NO_PAD.encode(nonce)))
}

/// The replica that waits for the answer to a question of this name.
pub(crate) fn asker(name: &QuestionName) -> Option<ReplicaId> {
    name.as_str().split_once('.').and_then(|(replica, _)| ReplicaId::parse(replica))
}

/// The name of what an incarnation of a shared inner session asked. The same on every replica, for any of them may be told
/// that the question is withdrawn.
pub(super) fn of_shared(incarnation: u64, inner_id: &RequestId) -> Option<QuestionName> {
    QuestionName::parse(&format!("{SHARED}.{incarnation}.{}", URL_SAFE_NO_PAD.encode(inner_id.as_json())))
}

/// Which incarnation of a shared inner session asked, and what it called the question.
pub(crate) fn shared(name: &QuestionName) -> Option<(u64, RequestId)> {
    let mut parts = name.as_str().splitn(3, '.');
    let (Some(SHARED), Some(incarnation), Some(inner_id)) = (parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    let inner_id = URL_SAFE_NO_PAD.decode(inner_id).ok()?;
    Some((incarnation.parse().ok()?, RequestId::from_json(&inner_id)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_who_waits() {
        let replica = ReplicaId::parse("AAAAAAAA").unwrap();
        let name = of_replica(&replica).unwrap();
        assert_eq!((asker(&name), shared(&name).is_none()), (Some(replica), true));
        assert_ne!(Some(name), of_replica(&replica));
        assert_eq!(asker(&QuestionName::parse("17").unwrap()), None);
    }

    #[test]
    fn a_name_of_a_shared_session_tells_what_that_called_it() {
        for id in ["0", "\"a-b\"", "\"\u{1f600}.\""] {
            let inner_id = RequestId::from_json(id.as_bytes()).unwrap();
            let name = of_shared(3, &inner_id).unwrap();
            let (incarnation, read) = shared(&name).unwrap();
            assert_eq!((asker(&name), incarnation, read.as_json()), (None, 3, id));
        }
        for forged in ["shared", "shared.1", "shared.x.MA", "shared.1.", "shared.1.bnVsbA", "shared.-1.MA"] {
            assert!(shared(&QuestionName::parse(forged).unwrap()).is_none(), "{forged}");
        }
    }
}
