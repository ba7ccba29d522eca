//! Which algorithms are good enough: sequoia's standard policy as of the
//! message's time, and cut-offs of our own.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chancery_message::Timestamp;
use sequoia_openpgp::packet::Tag;
use sequoia_openpgp::policy::{AsymmetricAlgorithm, StandardPolicy};
use sequoia_openpgp::types::{HashAlgorithm, SymmetricAlgorithm};

/// How far a signature may lie in the future: clocks differ.
pub(crate) const SKEW: Duration = Duration::from_secs(120);

/// The policy as of `now`.
pub(crate) fn policy(now: Timestamp) -> StandardPolicy<'static> {
    let mut policy = StandardPolicy::at(system_time(now));
    for hash in [
        HashAlgorithm::MD5,
        HashAlgorithm::SHA1,
        HashAlgorithm::RipeMD,
    ] {
        policy.reject_hash(hash);
    }
    for algorithm in [
        AsymmetricAlgorithm::RSA1024,
        AsymmetricAlgorithm::ElGamal1024,
        AsymmetricAlgorithm::ElGamal2048,
        AsymmetricAlgorithm::ElGamal3072,
        AsymmetricAlgorithm::ElGamal4096,
        AsymmetricAlgorithm::DSA1024,
        AsymmetricAlgorithm::DSA2048,
        AsymmetricAlgorithm::DSA3072,
        AsymmetricAlgorithm::DSA4096,
        AsymmetricAlgorithm::Unknown,
    ] {
        policy.reject_asymmetric_algo(algorithm);
    }
    policy.reject_all_symmetric_algos();
    for algorithm in [
        SymmetricAlgorithm::AES128,
        SymmetricAlgorithm::AES192,
        SymmetricAlgorithm::AES256,
    ] {
        policy.accept_symmetric_algo(algorithm);
    }
    // No encryption without integrity (tag 9), no passwords.
    policy.reject_packet_tag(Tag::SED);
    policy.reject_packet_tag(Tag::SKESK);
    policy
}

/// The same point in time.
pub(crate) fn system_time(at: Timestamp) -> SystemTime {
    let micros = u64::try_from(at.as_micros()).unwrap_or(0);
    UNIX_EPOCH + Duration::from_micros(micros)
}

/// The same point in time; before 1970 is 1970.
pub(crate) fn timestamp(at: SystemTime) -> Timestamp {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
