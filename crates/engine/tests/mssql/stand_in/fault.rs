//! What goes wrong with a statement.

/// What goes wrong with a statement that moves data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// The server refuses before it comes to the devices.
    Refused(u32, &'static str),
    /// The server ends it in the middle of the data with this error.
    InTheMiddle(u32, &'static str),
    /// All data was moved and every device ended well, and then comes this error.
    AtTheEnd(u32, &'static str),
    /// The connection breaks in the middle of the data, and with it the devices.
    Dropped,
    /// The devices die in the middle of the data.
    DevicesDie,
    /// It goes on for ever in the middle of the data.
    #[cfg_attr(not(unix), expect(dead_code, reason = "nobody can interrupt it there"))]
    Hangs,
}
