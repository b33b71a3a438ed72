//! Collects the bytes that somebody waits for, and lets others pass by.

#[derive(Debug)]
pub(super) struct Intake {
    /// Collected bytes, at most `wanted`.
    buffer: Vec<u8>,
    wanted: usize,
    /// How many bytes pass by before the wanted ones.
    skip: u64,
    /// Where the next byte is.
    position: u64,
}

impl Intake {
    pub(super) fn new(wanted: usize) -> Self {
        Self {
            buffer: Vec::new(),
            wanted,
            skip: 0,
            position: 0,
        }
    }

    /// Takes what it can use from the front and gives back the rest. When it is
    /// [ready](Self::is_ready) it takes no more.
    pub(super) fn take<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let skipped = self.pass(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let passed = usize::try_from(skipped).unwrap_or(usize::MAX);
        let rest = bytes.get(passed..).unwrap_or_default();
        let missing = self.missing().min(rest.len());
        let (taken, rest) = rest.split_at(missing);
        self.buffer.extend_from_slice(taken);
        self.advance(u64::try_from(missing).unwrap_or_default());
        rest
    }

    /// Passes over at most the bytes that are skipped anyway, and returns how many.
    pub(super) fn pass(&mut self, bytes: u64) -> u64 {
        let passed = bytes.min(self.skip);
        self.skip -= passed;
        self.advance(passed);
        passed
    }

    /// Whether all that was waited for is there.
    pub(super) fn is_ready(&self) -> bool {
        self.skip == 0 && self.missing() == 0
    }

    /// What was collected.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Waits for the next `wanted` bytes, after `skip` others.
    pub(super) fn begin(&mut self, skip: u64, wanted: usize) {
        self.buffer.clear();
        self.skip = skip;
        self.wanted = wanted;
    }

    /// Waits for `wanted` bytes of which the first ones, which end where the collected ones end,
    /// are there already.
    pub(super) fn restart_with(&mut self, first: &[u8], wanted: usize) {
        self.begin(0, wanted);
        self.buffer.extend_from_slice(first);
    }

    /// Waits for more behind what was collected, `wanted` bytes together.
    pub(super) fn extend_to(&mut self, wanted: usize) {
        self.wanted = wanted;
    }

    pub(super) fn missing(&self) -> usize {
        self.wanted.saturating_sub(self.buffer.len())
    }

    pub(super) fn wanted(&self) -> u64 {
        u64::try_from(self.wanted).unwrap_or(u64::MAX)
    }

    pub(super) fn skippable(&self) -> u64 {
        self.skip
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// How many bytes were collected.
    pub(super) fn collected(&self) -> u64 {
        u64::try_from(self.buffer.len()).unwrap_or_default()
    }

    /// Where the collected bytes begin.
    pub(super) fn collected_at(&self) -> u64 {
        self.position.saturating_sub(self.collected())
    }

    fn advance(&mut self, bytes: u64) {
        self.position = self.position.saturating_add(bytes);
    }
}
