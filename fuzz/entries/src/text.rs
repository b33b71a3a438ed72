//! What people and other programs write.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use vab_chain::{Lsn, ServerTime, UtcTime};
use vab_mover::{Compression, Rate};

/// Positions in a log, times, rates and codecs: what is read is shown, and read again.
pub fn text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    both_ways::<Lsn>(text);
    both_ways::<ServerTime>(text);
    both_ways::<UtcTime>(text);
    both_ways::<Compression>(text);
    let _ = text.parse::<Rate>();
}

fn both_ways<T: FromStr + Display + Debug + PartialEq>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let again = value.to_string().parse().ok();
        assert_eq!(again, Some(value), "{text:?}");
    }
}
