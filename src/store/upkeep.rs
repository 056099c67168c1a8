//! The store's words for what goes on beside calls: counting for reports, deleting and masking with time, export.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::error::Result;
use super::export::Export;
use super::keep::{self, KeptRecording, Masks, Place, RecordingKey, Step};
use super::reports::{self, Report, ReportQuery};
use super::{Store, counting};

impl Store {
    /// Counts at most `limit` ended attempts and as many ended calls for reports; answers how many there were. `texts`:
    /// what people said may be kept. Days are those of `zone`. One at a time.
    pub async fn count_ended(&self, zone: &TimeZone, texts: bool, limit: usize) -> Result<usize> {
        let zone = zone.clone();
        let tally = self
            .inner
            .readers
            .read(move |conn| counting::pending(conn, &zone, texts, limit))
            .await?;
        let counted = tally.len();
        if counted > 0 {
            let write = self
                .inner
                .writer
                .write_soon(move |tx| counting::apply(tx, &tally));
            write.await?;
        }
        Ok(counted)
    }

    /// A dialog's report.
    pub async fn report(&self, query: ReportQuery) -> Result<Report> {
        let read = self
            .inner
            .readers
            .read(move |conn| reports::of(conn, &query));
        read.await
    }

    /// Deletes the histories of some of the oldest calls that ended before that. What was deleted is not gone over again.
    pub async fn delete_events(&self, before: Timestamp) -> Result<Step> {
        let write = move |tx: &mut super::writer::Tx<'_>| keep::delete_events(tx, before);
        self.inner.writer.write_soon(write).await
    }

    /// Some of the oldest calls that ended before that, after `after`, with their recordings: these go first.
    pub async fn old_calls(
        &self,
        after: Place,
        before: Timestamp,
    ) -> Result<Vec<(Place, Vec<KeptRecording>)>> {
        let read = self
            .inner
            .readers
            .read(move |conn| keep::old_calls(conn, after, before));
        read.await
    }

    /// Deletes these calls with all that belongs to them, if they have ended; answers how many.
    pub async fn delete_calls(&self, places: Vec<Place>) -> Result<u64> {
        let write = self
            .inner
            .writer
            .write_soon(move |tx| keep::delete_calls(tx, &places));
        write.await
    }

    /// Deletes what reports know of days before that of `before`.
    pub async fn delete_counts(&self, before: Timestamp, zone: &TimeZone) -> Result<u64> {
        let day = counting::day(before, zone);
        let write = self
            .inner
            .writer
            .write_soon(move |tx| keep::delete_counts(tx, day));
        write.await
    }

    /// The newest change that was deleted with its call: whoever reads on from before it has missed some. 0: none.
    pub async fn changes_deleted(&self) -> Result<i64> {
        self.inner.readers.read(keep::changes_deleted).await
    }

    /// Masks some of the oldest calls that ended before that.
    pub async fn mask(&self, masks: Masks, before: Timestamp) -> Result<Step> {
        let write = self
            .inner
            .writer
            .write_soon(move |tx| keep::mask(tx, masks, before));
        write.await
    }

    /// Forgets which numbers some of the oldest calls that ended before that were to: limits count by them no more.
    pub async fn forget_numbers(&self, before: Timestamp) -> Result<Step> {
        let write = move |tx: &mut super::writer::Tx<'_>| keep::forget_numbers(tx, before);
        self.inner.writer.write_soon(write).await
    }

    /// Recordings that are kept and began between the two (Unix milliseconds), oldest first.
    pub async fn kept_recordings(
        &self,
        after: i64,
        before: i64,
        limit: usize,
    ) -> Result<Vec<KeptRecording>> {
        let read = self
            .inner
            .readers
            .read(move |conn| keep::recordings(conn, after, before, limit));
        read.await
    }

    /// Recordings whose size isn't known, of attempts that ended before that.
    pub async fn unmeasured_recordings(
        &self,
        ended_before: Timestamp,
        limit: usize,
    ) -> Result<Vec<KeptRecording>> {
        let before = ended_before.as_millisecond();
        let read = self
            .inner
            .readers
            .read(move |conn| keep::unmeasured(conn, before, limit));
        read.await
    }

    /// Notes the bytes of recordings, or (`None`) that they are gone.
    pub async fn measured(
        &self,
        found: Vec<(RecordingKey, Option<u64>)>,
        at: Timestamp,
    ) -> Result<()> {
        let write = self
            .inner
            .writer
            .write_soon(move |tx| keep::measured(tx, &found, at));
        write.await
    }

    /// Bytes of all recordings that are kept and were measured.
    pub async fn recordings_bytes(&self) -> Result<u64> {
        self.inner.readers.read(keep::recordings_bytes).await
    }

    /// Bytes that the store uses, and those that it holds free.
    pub async fn bytes(&self) -> Result<(u64, u64)> {
        self.inner.readers.read(keep::bytes).await
    }

    /// Gives at most so many free pages back to the disk.
    pub async fn shrink(&self, pages: u32) -> Result<()> {
        let write = self
            .inner
            .writer
            .write_soon(move |tx| keep::shrink(tx, pages));
        write.await
    }

    /// The export's next piece, and the export to go on with; no bytes: that was all.
    pub async fn export(&self, mut export: Export) -> Result<(Export, Option<Vec<u8>>)> {
        let read = self.inner.readers.read(move |conn| {
            let bytes = export.next(conn)?;
            Ok((export, bytes))
        });
        read.await
    }
}
