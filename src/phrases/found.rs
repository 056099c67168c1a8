//! What an extractor says: nothing there, this, or "I am not sure" with the likely readings.

/// Readings that are offered at most where one isn't sure.
pub const MAX_READINGS: usize = 8;

/// The outcome of looking for one thing in an utterance.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Found<T> {
    /// Nothing of the kind was said.
    #[default]
    Nothing,
    /// This was said.
    Sure(T),
    /// Something of the kind was said, but it can be read in several ways, or in none. The likeliest reading comes first;
    /// empty where none is likelier than the others.
    Unsure(Vec<T>),
}

impl<T> Found<T> {
    /// The value where it is sure.
    pub fn sure(self) -> Option<T> {
        match self {
            Self::Sure(value) => Some(value),
            _ => None,
        }
    }

    /// The sure value, or the likeliest.
    pub fn likeliest(&self) -> Option<&T> {
        match self {
            Self::Nothing => None,
            Self::Sure(value) => Some(value),
            Self::Unsure(readings) => readings.first(),
        }
    }

    /// Something was said that can't be told for sure.
    pub fn is_unsure(&self) -> bool {
        matches!(self, Self::Unsure(_))
    }

    /// Nothing of the kind was said.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }
}

/// A day or a time, or a stretch of them, both ends included. An end that is `None` is open: "после шести".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span<T> {
    /// The first.
    pub from: Option<T>,
    /// The last.
    pub to: Option<T>,
}

impl<T: Copy + PartialEq> Span<T> {
    /// One day, one time.
    pub fn point(at: T) -> Self {
        Self {
            from: Some(at),
            to: Some(at),
        }
    }

    /// From one to another.
    pub fn between(from: T, to: T) -> Self {
        Self {
            from: Some(from),
            to: Some(to),
        }
    }

    /// The day or time where it is no stretch.
    pub fn single(&self) -> Option<T> {
        self.from.filter(|_| self.from == self.to)
    }
}
