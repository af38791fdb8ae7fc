//! The median, with which a noisy machine is answered.

/// The figure in the middle; of an even number, the larger of the two.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Reads a number of rounds, from 1 on.
pub(crate) fn parse_rounds(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("it takes a number from 1 on".to_owned()),
        Ok(number) => Ok(number),
    }
}
