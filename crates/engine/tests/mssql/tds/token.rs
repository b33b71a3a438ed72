//! Tokens of an answer.

/// Text with its length in characters in one byte.
pub(crate) fn short_text(text: &str) -> Vec<u8> {
    let units: Vec<u16> = text.encode_utf16().collect();
    let mut bytes = vec![u8::try_from(units.len()).unwrap()];
    bytes.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    bytes
}

fn long_text(text: &str) -> Vec<u8> {
    let units: Vec<u16> = text.encode_utf16().collect();
    let mut bytes = u16::try_from(units.len()).unwrap().to_le_bytes().to_vec();
    bytes.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    bytes
}

fn with_length(token: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![token];
    bytes.extend(u16::try_from(body.len()).unwrap().to_le_bytes());
    bytes.extend(body);
    bytes
}

fn message(token: u8, number: u32, state: u8, severity: u8, text: &str) -> Vec<u8> {
    let mut body = number.to_le_bytes().to_vec();
    body.extend([state, severity]);
    body.extend(long_text(text));
    body.extend(short_text("SIM"));
    body.extend(short_text(""));
    body.extend(1_u32.to_le_bytes());
    with_length(token, &body)
}

/// `ERROR`.
pub(crate) fn error(number: u32, state: u8, text: &str) -> Vec<u8> {
    message(0xaa, number, state, 16, text)
}

/// `INFO`.
pub(crate) fn info(number: u32, text: &str) -> Vec<u8> {
    message(0xab, number, 1, 0, text)
}

/// `ENVCHANGE` of a text.
pub(crate) fn changed(kind: u8, new: &str, old: &str) -> Vec<u8> {
    let mut body = vec![kind];
    body.extend(short_text(new));
    body.extend(short_text(old));
    with_length(0xe3, &body)
}

/// `LOGINACK` of this version of the protocol.
pub(crate) fn login_ack(version: u32) -> Vec<u8> {
    let mut body = vec![1];
    body.extend(version.to_be_bytes());
    body.extend(short_text("Microsoft SQL Server"));
    body.extend([16, 0, 0x10, 0x27]);
    with_length(0xad, &body)
}

/// How a statement ended.
#[derive(Clone, Copy)]
pub(crate) enum End {
    Well,
    Badly,
    Cancelled,
}

/// `DONE`.
pub(crate) fn done(end: End) -> Vec<u8> {
    let status: u16 = match end {
        End::Well => 0,
        End::Badly => 0x2,
        End::Cancelled => 0x20,
    };
    let mut bytes = vec![0xfd];
    bytes.extend(status.to_le_bytes());
    bytes.extend([0; 2 + 8]);
    bytes
}
