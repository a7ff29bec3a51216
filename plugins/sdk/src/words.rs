//! Words for explanations.

/// Minor units as a decimal number with thousands separated; `digits` are the decimal digits of the currency.
/// Example: 123456789 with 2 digits is `1,234,567.89`.
#[must_use]
pub fn amount(minor: i64, digits: usize) -> String {
    let padded = format!("{:0>width$}", minor.unsigned_abs(), width = digits + 1);
    let (whole, fraction) = padded.split_at(padded.len() - digits);
    let mut text = String::from(if minor < 0 { "-" } else { "" });
    for (k, digit) in whole.chars().enumerate() {
        if k > 0 && (whole.len() - k) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if digits > 0 {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

#[cfg(test)]
mod tests;
