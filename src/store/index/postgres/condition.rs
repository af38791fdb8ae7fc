//! What rows a search is about, as SQL.

use std::fmt::Write as _;

use ::postgres::types::{ToSql, Type};

use super::Value;
use crate::index::{Bounds, Grams, Query, Route};
use crate::store::state::values::int;

/// What a row has to fulfil, as SQL. All that is compared is a value, never a part of the text.
#[derive(Default)]
pub(super) struct Condition {
    sql: String,
    values: Vec<(Box<dyn ToSql + Sync>, Type)>,
}

impl Condition {
    /// What a search asks for, as far as the database can tell.
    pub(super) fn of(query: &Query) -> Self {
        let mut condition = Self::default();
        let Bounds {
            size_min,
            size_max,
            since,
            seeders_min,
        } = query.bounds();
        let low = condition.value(int(size_min), Type::INT8);
        let high = condition.value(int(size_max), Type::INT8);
        let time = condition.value(int(since), Type::INT8);
        let seeders = condition.value(i64::from(seeders_min), Type::INT8);
        condition.sql =
            format!("size BETWEEN {low} AND {high} AND time >= {time} AND seeders >= {seeders}");
        let parts = query.parts();
        for part in &parts {
            let like = condition.like(part);
            condition.and(&like);
        }
        match query.route() {
            // the parts say more than the pieces that they are made of
            Route::Grams(_) if !parts.is_empty() => {}
            Route::Grams(demand) => {
                let sql = condition.demand(&demand);
                condition.and(&sql);
            }
            Route::Owner(owner) => {
                let key = condition.value(owner.digest().as_bytes().to_vec(), Type::BYTEA);
                condition.and(&format!("owner = {key}"));
            }
            Route::All => {}
        }
        condition
    }

    /// The condition itself.
    pub(super) fn sql(&self) -> &str {
        &self.sql
    }

    fn and(&mut self, sql: &str) {
        // a String takes everything
        let _ = write!(self.sql, " AND {sql}");
    }

    /// The text that stands for a value.
    pub(super) fn value(&mut self, value: impl ToSql + Sync + 'static, kind: Type) -> String {
        self.values.push((Box::new(value), kind));
        format!("${}", self.values.len())
    }

    /// That the folded name contains this.
    fn like(&mut self, part: &str) -> String {
        let mut pattern = String::with_capacity(part.len() + 2);
        pattern.push('%');
        for c in part.chars() {
            match c {
                '%' | '_' | '\\' => pattern.extend(['\\', c]),
                // no text of PostgreSQL has it, so no name does
                '\0' => pattern.push('_'),
                c => pattern.push(c),
            }
        }
        pattern.push('%');
        format!("folded LIKE {}", self.value(pattern, Type::TEXT))
    }

    fn demand(&mut self, demand: &Grams) -> String {
        let mut joined = |parts: &[Grams], word: &str| {
            let all: Vec<String> = parts.iter().map(|part| self.demand(part)).collect();
            format!("({})", all.join(word))
        };
        match demand {
            Grams::Anything => "true".to_owned(),
            Grams::All(parts) => joined(parts, " AND "),
            Grams::Any(parts) => joined(parts, " OR "),
            Grams::Piece(piece) => self.like(piece),
        }
    }

    /// The values, in their order.
    pub(super) fn values(&self) -> Vec<Value<'_>> {
        let values = self.values.iter();
        values
            .map(|(value, kind)| (&**value, kind.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Mode, Search};

    #[test]
    fn what_is_asked_is_never_a_part_of_the_text() {
        for text in [
            "'; DROP TABLE swarmhold.nodes; --",
            "a%b_c\\",
            "$1 OR true",
            "\"x",
        ] {
            let search = Search::new(text, Mode::Words);
            let condition = Condition::of(&Query::read(&search).unwrap());
            let known = "size BETWEENANDtime>=ANDseeders>=ANDfolded LIKE ()OR$0123456789";
            assert!(
                condition.sql().chars().all(|c| known.contains(c)),
                "{}",
                condition.sql()
            );
        }
    }

    #[test]
    fn what_has_a_meaning_to_like_means_itself() {
        let mut condition = Condition::default();
        assert_eq!(condition.like("50%_\\"), "folded LIKE $1");
        let shown = format!("{:?}", condition.values()[0].0);
        assert_eq!(shown, r#""%50\\%\\_\\\\%""#);
    }
}
