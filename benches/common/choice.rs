//! Cases on a benchmark's command line.

use clap::ValueEnum;

/// What was named, with its name, in the order in which it runs; everything where nothing was.
pub(crate) fn chosen<T: ValueEnum + PartialEq>(named: &[T]) -> Vec<(String, T)> {
    let all = T::value_variants().iter();
    let chosen = all.filter(|it| named.is_empty() || named.contains(it));
    let with_name = chosen.filter_map(|it| {
        let value = it.to_possible_value()?;
        Some((value.get_name().to_owned(), it.clone()))
    });
    with_name.collect()
}
