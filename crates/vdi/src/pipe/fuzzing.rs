//! Entries for fuzzers: any input must end without a panic and within bounded memory.

use super::frame::{HEAD, Head};
use super::hello::{Answer, Hello, MAGIC};

/// What a process that connects may send: a hello, the answer to one, the head of a frame. An odd
/// first byte puts the magic before a hello and an answer.
///
/// # Panics
/// When a promise is broken.
pub fn messages(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else {
        return;
    };
    let mut message = Vec::new();
    if choice % 2 == 1 {
        message.extend_from_slice(MAGIC);
    }
    message.extend_from_slice(bytes);
    if let Some(hello) = Hello::decode(&message) {
        let again = Hello::decode(&hello.encode());
        assert!(again.is_some(), "what was read is not written");
    }
    if let Some(answer) = Answer::decode(&message) {
        assert_eq!(Answer::decode(&answer.encode()), Some(answer));
    }
    if let Some(head) = bytes.first_chunk::<HEAD>()
        && let Ok(decoded) = Head::decode(head)
    {
        assert_eq!(decoded.encode(), *head);
    }
}
