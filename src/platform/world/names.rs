//! Names, hashes and UIDs as Kubernetes gives them, but the same in every run: no randomness in a world.

use sha2::{Digest, Sha256};

use crate::model::{ObjectRef, Value};

/// The letters that Kubernetes makes suffixes of: no vowels, so that no words come out.
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

fn letters(seed: &str, count: usize) -> String {
    let hash = Sha256::digest(seed.as_bytes());
    hash.iter().take(count).map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect()
}

/// The hash of a pod template, as in `api-gateway-6d4c8bf5x9`.
pub(super) fn template_hash(workload: &str, template: &Value) -> String {
    letters(&format!("{workload}\n{template}"), 10)
}

/// The last part of a pod's name.
pub(super) fn suffix(workload: &str, hash: &str, number: u64) -> String {
    letters(&format!("{workload}-{hash}-{number}"), 5)
}

/// A number that spreads names evenly.
pub(super) fn number(name: &str) -> u64 {
    // FNV-1a, 64 bits.
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The UID of an object made at a time.
pub(super) fn uid(kind: &str, namespace: &str, name: &str, made: i64) -> String {
    let hash = Sha256::digest(format!("{kind}/{namespace}/{name}/{made}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// How the API server names objects in errors: `deployments.apps "x"`.
pub(super) fn shown(object: &ObjectRef) -> String {
    let dot = if object.kind.group.is_empty() { "" } else { "." };
    format!("{}{dot}{} {:?}", object.kind.plural, object.kind.group, object.name)
}
