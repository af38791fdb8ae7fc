//! Signatures in two halves: serde knows arrays of at most 32 items.

pub(super) fn halves(signature: [u8; 64]) -> [[u8; 32]; 2] {
    let (halves, _) = signature.as_chunks();
    [halves[0], halves[1]]
}

pub(super) fn whole(halves: &[[u8; 32]; 2]) -> [u8; 64] {
    let bytes = halves.as_flattened();
    bytes.try_into().expect("two halves are a whole")
}
