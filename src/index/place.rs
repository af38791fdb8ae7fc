//! Which entry comes before which.
//!
//! A place is one number, the smaller the better, and the entries of an index lie in that order. So a
//! search reads the best first and stops at its limit, however many there are. It is made of, in this
//! order:
//!
//! 1. in how many subnets somebody holds all of it, on a scale of powers of two: a thousand wallets
//!    in one place are one;
//! 2. how many entries its least crowded seeder's subnet has listed, in four steps: who floods the index
//!    stands behind everybody who does not;
//! 3. how new it is, the newest first.

/// Bits that tell how new an entry is.
const AGE_BITS: u32 = 42;
/// Bits that tell how crowded the subnet is.
const CROWD_BITS: u32 = 2;
/// The top step of the scale of seeders: 16,384 subnets.
const SEEDERS_STEP_MAX: u64 = 15;

/// Where an entry stands: the smaller, the earlier it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(u64);

/// How many entries a subnet has listed, in steps: 0 to 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crowd(u8);

/// The step for so many entries.
pub const fn crowd(files: u32) -> Crowd {
    Crowd(match files {
        0..=10 => 0,
        11..=100 => 1,
        101..=1000 => 2,
        _ => 3,
    })
}

impl Crowd {
    /// The step as a number, 0 to 3.
    pub const fn step(self) -> u8 {
        self.0
    }

    /// A step from its number; what is beyond the last counts as the last.
    pub const fn of_step(step: u8) -> Self {
        Self(if step > 3 { 3 } else { step })
    }
}

impl Place {
    /// The place of the `number`th entry, counted from 1, that is held whole in so many subnets.
    pub fn of(seeders: u32, crowd: Crowd, number: u64) -> Self {
        let step = match seeders {
            0 => 0,
            seeders => (u64::from(seeders.ilog2()) + 1).min(SEEDERS_STEP_MAX),
        };
        let newest = (1 << AGE_BITS) - 1;
        let age = newest - number.min(newest);
        Self(
            (SEEDERS_STEP_MAX - step) << (AGE_BITS + CROWD_BITS)
                | u64::from(crowd.0) << AGE_BITS
                | age,
        )
    }

    /// The number itself; it fits a signed integer of 64 bits.
    pub const fn number(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_seeders_then_fewer_files_then_newer() {
        let order = [
            Place::of(u32::MAX, crowd(9999), 1),
            Place::of(9, crowd(9999), 1),
            Place::of(8, crowd(9999), 1),
            Place::of(7, crowd(1), 1),
            Place::of(2, crowd(1), 1),
            Place::of(1, crowd(1), 8),
            Place::of(1, crowd(10), 7),
            Place::of(1, crowd(11), 9),
            Place::of(1, crowd(101), 9),
            Place::of(1, crowd(1001), 9),
            Place::of(0, crowd(0), 9),
        ];
        let sorted = order.windows(2).map(|two| two[0].cmp(&two[1]));
        let worst = order.last().unwrap().number();
        assert!(i64::try_from(worst).is_ok());
        // 8 and 9 are one step; the newer of equals comes first
        let expected = [-1, 0, -1, -1, -1, -1, -1, -1, -1, -1];
        assert_eq!(sorted.map(|it| it as i32).collect::<Vec<_>>(), expected);
    }
}
