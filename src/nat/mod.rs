//! Through NATs: whom to meet, where, when, and how much may be sent for it. No sockets, no clock.
//!
//! Two nodes behind routers reach each other if both send first, at the same time: each router then takes
//! what comes for an answer. A SwarmMaster carries the papers and says when ([`wire::Invitation`]); from
//! there on a [`Meeting`] says what to send where, and [`Budget`] whether to take part at all.
//!
//! Reading order: `candidate` (where somebody may be met at all), `mapping` (what the two routers are
//! like, and which side dials), `paper` (whether an invitation is good), `budget`, `meeting`. `target` bounds
//! ordinary dials.
//!
//! [`wire::Invitation`]: crate::wire::Invitation

mod budget;
mod candidate;
mod mapping;
mod meeting;
mod paper;
mod target;

pub use budget::{Budget, DIAL_BYTES, PUNCH_BYTES, Turned};
pub use candidate::{Misplaced, Near, candidates, is_near, may_try};
pub use mapping::{Prospect, Role, mapping_of, prospect_of, role_of};
pub use meeting::{
    DIALS_AT_ONCE, GIVE_UP, Input, Meeting, Output, PUNCHES, RELAY_AFTER, RELAY_SOON, Terms, pause,
};
pub use paper::{FRESH_S, SKEW_S, check_acceptance, check_invitation};
pub use target::{LATELY_MAX, Later, Targets, UNDER_WAY_MAX, WINDOW};
