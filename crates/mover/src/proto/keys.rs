//! Key slots of encrypted files, as messages carry them.

use vab_format::vab::KeyArea;

use super::violation::Violation;

/// The slots of packed ones; `None` for none.
pub(super) fn key_area(packed: &[u8]) -> Result<Option<Box<KeyArea>>, Violation> {
    if packed.is_empty() {
        return Ok(None);
    }
    let area = KeyArea::unpack(packed).map_err(Violation::Keys)?;
    Ok(Some(Box::new(area)))
}
