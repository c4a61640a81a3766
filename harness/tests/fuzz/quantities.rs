//! Quantities with their units: each is a finite number of the right sign, or refused in words that quote it.

use tailmark::scenario::{Percentile, TimeSpan, gap, memory, rate, share};
use tailmark_providers::option_values::Delay;

use super::examples::made;
use super::mutate::WORDS;
use super::target::{Seen, Target};

#[test]
fn every_quantity_is_a_finite_number_or_is_refused_with_what_was_written() {
    let right =
        ["20ms", "1.5 s", "250us", "2min", "3h", "100 ns", "5%", "0.001", "400 MiB", "2GB", "100/s", "p99.9"];
    let examples = right.iter().chain(WORDS).map(|text| made(text, *text)).collect();
    Target { name: "quantities", cases: 1_500, examples, made: None, check }.run();
}

fn check(input: &[u8]) -> Result<Seen, String> {
    let text = String::from_utf8_lossy(input);
    let numbers: [(&str, Result<f64, String>); 6] = [
        ("a length of time", text.parse::<TimeSpan>().map(|span| span.0.as_secs_f64())),
        ("a pause", gap(&text).map(|gap| gap.as_secs_f64() + f64::MIN_POSITIVE)),
        ("a percentile", text.parse::<Percentile>().map(|percentile| percentile.0)),
        ("a share", share(&text)),
        ("an amount of memory", memory(&text)),
        ("a rate", rate(&text)),
    ];
    let mut seen = Seen::Refused;
    for (what, number) in numbers {
        match number {
            Ok(number) if number.is_finite() && number > 0.0 => seen = Seen::Taken,
            Ok(number) => return Err(format!("{what} of {number}")),
            Err(why) if why.contains(&*text) => {}
            Err(why) => return Err(format!("{what}: what was found is not in: {why}")),
        }
    }
    if let Ok(span) = text.parse::<TimeSpan>() {
        again(&span.to_string(), span)?;
    }
    if let Some(delay) = Delay::read(&text)
        && Delay::read(&delay.to_string()) != Some(delay)
    {
        return Err(format!("the delay {delay:?} is written {delay}, which is another"));
    }
    Ok(seen)
}

/// A length of time is written rounded to a millionth of its unit.
fn again(written: &str, span: TimeSpan) -> Result<(), String> {
    let read = written.parse::<TimeSpan>().map_err(|why| format!("{span:?} is written {written}: {why}"))?;
    let (one, other) = (read.0.as_secs_f64(), span.0.as_secs_f64());
    let off = (one - other).abs() / other;
    if off > 1e-6 { Err(format!("{span:?} is written {written}, which is {read:?}")) } else { Ok(()) }
}
