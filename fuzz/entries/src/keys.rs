//! Key slots.

use vab_format::vab::{KeyArea, KeySlot};

use crate::records::choice;
use crate::stamp;

/// What of a page is taken from the input: all fields, and a little of what must be zero.
const FIELDS: usize = 192;

/// The page of a slot, as it is or with right magic and checksum; now and then the whole area,
/// which is slow.
pub fn key_area(data: &[u8]) {
    let whole = data.first().is_some_and(|first| *first >= 0xF8);
    let (right, data) = choice(data);
    if !right {
        let _ = KeySlot::decode(data);
        let _ = KeyArea::decode(data);
        let _ = KeyArea::check(data);
        return;
    }
    if !whole {
        let page = page(data.get(..FIELDS).unwrap_or(data));
        if let Ok(Some(slot)) = KeySlot::decode(&page) {
            let again = slot.encode().expect("what was read is written");
            assert_eq!(KeySlot::decode(&again), Ok(Some(slot.clone())));
            assert!(slot.associated_data().is_ok());
        }
        return;
    }
    let mut pages: Vec<Vec<u8>> = data.chunks(FIELDS).take(16).map(page).collect();
    pages.resize(16, vec![0; KeySlot::LENGTH]);
    let area = pages.concat();
    if let Ok(decoded) = KeyArea::decode(&area) {
        let again = decoded.encode().expect("what was read is written");
        assert!(KeyArea::check(&again).is_ok(), "written, and not sound");
        assert_eq!(KeyArea::decode(&again), Ok(decoded));
    }
    let _ = KeyArea::check(&area);
}

fn page(fields: &[u8]) -> Vec<u8> {
    let mut page = fields.to_vec();
    page.resize(KeySlot::LENGTH, 0);
    if fields.iter().any(|byte| *byte != 0) {
        stamp::put(&mut page, 0, b"VABSLOT\0");
        stamp::seal(&mut page, 4092);
    }
    page
}
