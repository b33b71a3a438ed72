//! The five-byte date of the tape format: 14 bits year, then month, day, hour, minute, second in
//! 4, 5, 5, 6 and 6 bits, the most significant first. Local time of the machine that wrote it.

use vab_chain::ServerTime;

pub(super) fn unpack(packed: [u8; 5]) -> Option<ServerTime> {
    let bits = packed
        .iter()
        .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let field = |shift: u32, width: u32| bits >> shift & ((1 << width) - 1);
    ServerTime::from_calendar(
        i16::try_from(field(26, 14)).ok()?,
        i8::try_from(field(22, 4)).ok()?,
        i8::try_from(field(17, 5)).ok()?,
        i8::try_from(field(12, 5)).ok()?,
        i8::try_from(field(6, 6)).ok()?,
        i8::try_from(field(0, 6)).ok()?,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_date() {
        assert_eq!(
            unpack([0x1f, 0xa1, 0x4b, 0x33, 0xc1]),
            ServerTime::from_calendar(2024, 5, 5, 19, 15, 1)
        );
    }

    #[test]
    fn no_such_month() {
        assert_eq!(unpack([0xff; 5]), None);
        assert_eq!(unpack([0; 5]), None);
    }
}
