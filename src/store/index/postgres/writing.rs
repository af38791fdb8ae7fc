//! Changes as `changes.sql` reads them.

use ::postgres::types::{Json, Type};
use ::postgres::{Client, Error};
use serde_json::{Value, json};

use crate::digest::Digest;
use crate::index::{
    FILES_PER_KEY, FILES_PER_SUBNET, Facts, HOLDERS_MAX, Member, Seat, folded, marked,
};
use crate::store::index::{ALIVE_S, Change, FORGET_S, Outcome};
use crate::store::state::values::int;
use crate::wire::Holding;

/// Changes, in their order.
pub(super) fn batch(changes: &[Change]) -> Json<Value> {
    Json(changes.iter().map(object).collect())
}

/// Makes them all, or none.
pub(super) fn write(
    client: &mut Client,
    now: u64,
    batch: &Json<Value>,
) -> Result<Vec<Outcome>, Error> {
    let limits = Json(json!({
        "key": FILES_PER_KEY,
        "subnet": FILES_PER_SUBNET,
        "holders": HOLDERS_MAX,
        "alive": ALIVE_S,
        "forget": FORGET_S,
    }));
    let sql = "SELECT swarmhold.write($1, $2, $3)";
    let now = int(now);
    let values: [super::Value<'_>; 3] = [
        (&now, Type::INT8),
        (&limits, Type::JSONB),
        (batch, Type::JSONB),
    ];
    let outcomes: Vec<i32> = client.query_typed_one(sql, &values)?.try_get(0)?;
    Ok(outcomes.into_iter().map(outcome).collect())
}

fn outcome(number: i32) -> Outcome {
    match number {
        -1 => Outcome::Listed,
        -2 => Outcome::Unknown,
        -3 => Outcome::Quota,
        rows => Outcome::Done(u32::try_from(rows).unwrap_or(0)),
    }
}

fn object(change: &Change) -> Value {
    match change {
        Change::List {
            facts,
            member,
            held,
            expires,
        } => {
            let mut all = held_by(member, *held, *expires);
            add_facts(&mut all, facts);
            done("list", all)
        }
        Change::Refresh {
            id,
            member,
            held,
            expires,
        } => {
            let mut all = held_by(member, *held, *expires);
            all["manifest"] = hex(id.digest());
            done("refresh", all)
        }
        Change::Withdraw { seat, id } => {
            let mut all = seat_of(seat);
            all["manifest"] = id.as_ref().map_or(Value::Null, |id| hex(id.digest()));
            done("withdraw", all)
        }
        Change::Seen { seats } => {
            let seats: Vec<Value> = seats.iter().map(seat_of).collect();
            done("seen", json!({ "seats": seats }))
        }
        Change::Left { seat } => done("left", seat_of(seat)),
        Change::Revive => done("revive", json!({})),
        Change::Sweep { limit } => done(
            "sweep",
            json!({ "limit": int((*limit).into()).min(i32::MAX.into()) }),
        ),
    }
}

fn done(verb: &str, mut all: Value) -> Value {
    all["do"] = verb.into();
    all
}

fn seat_of(seat: &Seat) -> Value {
    json!({ "address": hex(seat.address.digest()), "remote": seat.remote.to_string() })
}

fn held_by(member: &Member, held: Holding, expires: u64) -> Value {
    let listen: Vec<String> = member.listen.iter().map(ToString::to_string).collect();
    let mut all = seat_of(&member.seat);
    all["listen"] = listen.join(" ").into();
    all["subnet"] = member.subnet.cast_signed().into();
    all["open"] = member.is_open.into();
    all["held"] = held.chunks.into();
    all["map"] = held.map.cast_signed().into();
    all["expires"] = int(expires).into();
    all
}

fn add_facts(all: &mut Value, facts: &Facts) {
    all["manifest"] = hex(facts.manifest_id.digest());
    all["program"] = hex(facts.program_id.digest());
    all["owner"] = hex(facts.owner.digest());
    all["name"] = without_nul(&facts.name).into();
    all["folded"] = without_nul(&marked(&folded(&facts.name))).into();
    all["size"] = int(facts.size).into();
    all["chunks"] = facts.chunks.into();
    all["time"] = int(facts.time).into();
}

/// No name has a NUL, and no text of PostgreSQL can.
fn without_nul(text: &str) -> String {
    text.replace('\0', " ")
}

fn hex(digest: &Digest) -> Value {
    digest.to_string().into()
}
