//! Signatures in two halves: serde knows arrays of at most 32 items.

pub(super) fn halves(signature: [u8; 64]) -> [[u8; 32]; 2] {
    let mut halves = [[0; 32]; 2];
    let (first, second) = signature.split_at(32);
    halves[0].copy_from_slice(first);
    halves[1].copy_from_slice(second);
    halves
}

pub(super) fn whole(halves: &[[u8; 32]; 2]) -> [u8; 64] {
    let mut bytes = [0; 64];
    let (first, second) = bytes.split_at_mut(32);
    first.copy_from_slice(&halves[0]);
    second.copy_from_slice(&halves[1]);
    bytes
}
